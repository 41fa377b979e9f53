//! What in a line its program has written, apart from what it only repeats: names, requests and headers come from whoever
//! tries to log in, and may name somebody else's address.

use std::net::IpAddr;

use serde_json::Value;

/// As deep objects are looked into.
const MAX_DEPTH: usize = 4;

/// What a line of JSON says under keys whose names are known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) message: Option<String>,
    pub(super) address: Option<IpAddr>,
    pub(super) user: Option<String>,
}

/// The fields of a line of JSON, perhaps with a stamp or a name before it.
pub(super) fn fields(line: &str) -> Option<Fields> {
    let begin = line.find('{')?;
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(line[begin..].trim_end()) else { return None };
    let mut fields = Fields::default();
    each_text(&Value::Object(object), &mut Vec::new(), &mut |path, text| {
        let key = path.last().map(|key| plain(key)).unwrap_or_default();
        let above = path.iter().rev().nth(1).map(|key| plain(key)).unwrap_or_default();
        match key.as_str() {
            "msg" | "message" | "error" | "err" if path.len() == 1 => {
                fields.message.get_or_insert_default().push_str(&format!("{text} "));
            }
            "ip" | "ipaddr" | "ipaddress" | "address" | "client" | "clientip" | "clientaddr" | "remote"
            | "remoteaddr" | "remoteip" | "remotehost" | "rhost" | "src" | "srcip" | "source" | "sourceip" | "peer"
            | "from"
                if fields.address.is_none()
                    && !matches!(above.as_str(), "server" | "destination" | "host" | "headers") =>
            {
                fields.address = super::line::address(text);
            }
            "user" | "username" | "login" | "account" | "principal" | "role" => {
                fields.user.get_or_insert_with(|| text.to_owned());
            }
            "name" if above == "user" => {
                fields.user.get_or_insert_with(|| text.to_owned());
            }
            _ => {}
        }
    });
    Some(fields)
}

/// `remote_addr`, `remoteAddr` and `remote-addr` are one.
fn plain(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn each_text<'v>(value: &'v Value, path: &mut Vec<&'v str>, call: &mut dyn FnMut(&[&str], &str)) {
    match value {
        Value::String(text) => call(path, text),
        Value::Object(keys) if path.len() < MAX_DEPTH => {
            for (key, value) in keys {
                path.push(key);
                each_text(value, path, call);
                path.pop();
            }
        }
        _ => {}
    }
}

/// The line with blanks for what stands in quotes, as long as it was: a name, a request, a header. An address alone stays,
/// and so does what stands behind `msg=`.
pub(super) fn without_quoted(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(open) = rest.find('"') {
        let (before, quoted) = rest.split_at(open);
        let inner = &quoted[1..];
        let Some(length) = end_of_quote(inner) else { break };
        let inner = &inner[..length];
        let is_message = ["msg=", "message=", "error=", "err="].iter().any(|key| before.ends_with(key));
        text.push_str(before);
        text.push('"');
        if is_message || super::line::address(inner).is_some() {
            text.push_str(inner);
        } else {
            text.extend(std::iter::repeat_n(' ', length));
        }
        text.push('"');
        rest = &quoted[length + 2..];
    }
    text.push_str(rest);
    text
}

/// Where a quoted text ends: at a quote that no backslash stands before.
fn end_of_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_blank_but_for_addresses_and_messages() {
        for (line, expected) in [
            ("for user \"x from 1.2.3.4\" from 5", "for user \"              \" from 5"),
            ("host \"1.2.3.4\", user \"é\"", "host \"1.2.3.4\", user \"  \""),
            ("msg=\"failed from 1.2.3.4\" ua=\"a\\\" b\"", "msg=\"failed from 1.2.3.4\" ua=\"     \""),
            ("no end \"from 1.2.3.4", "no end \"from 1.2.3.4"),
        ] {
            assert_eq!(without_quoted(line), expected);
            assert_eq!(without_quoted(line).len(), line.len());
        }
    }

    #[test]
    fn fields_are_known_by_their_keys() {
        let line = r#"2025 {"msg":"m","user":"bob\",\"ip\":\"1.2.3.4","source":{"ip":"203.0.113.7"},"headers":{"client":"9.9.9.9"}}"#;
        let fields = fields(line).expect("JSON");
        assert_eq!(fields.address, "203.0.113.7".parse().ok());
        assert_eq!(fields.user.as_deref(), Some("bob\",\"ip\":\"1.2.3.4"));
        assert_eq!(fields.message.as_deref(), Some("m "));
        assert_eq!(super::fields("no {json"), None);
    }
}
