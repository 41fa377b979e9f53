//! What a line about a log-in says: how it went, from where, and who.

use std::net::IpAddr;

use regex::{Regex, RegexBuilder};

use super::said::{fields, without_quoted};

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Failure,
    Success,
    /// It does not say.
    Other,
}

/// What is read of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) outcome: Outcome,
    /// An IP address, or the host's name where sshd's `rhost` has one.
    pub(crate) address: Option<String>,
    pub(crate) user: Option<String>,
}

/// Longer names are cut: they come from whoever tries to log in.
const MAX_USER_CHARS: usize = 64;

/// A longer line is looked at up to here (bytes).
const MAX_LINE_BYTES: usize = 8 << 10;

/// The expressions, made once.
pub(crate) struct Reader {
    failure: Regex,
    success: Regex,
    status: Regex,
    none: Regex,
    somebody: Regex,
    address: Regex,
    first_address: Regex,
    named_address: Regex,
    weak_address: Regex,
    named_host: Regex,
    user: Regex,
}

impl Reader {
    /// # Errors
    /// When an expression is too large, which a test rules out.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let regex = |text: &str| RegexBuilder::new(text).case_insensitive(true).build();
        Ok(Self {
            failure: regex(
                r#"\b(?:fail(?:ed|ure|s|ing)?|invalid|denied|den(?:y|ies)|reject(?:ed|s|ing)?|refus(?:ed|es|al)|unauthori[sz]ed|unauthenticated|forbidden|incorrect|wrong|bad (?:password|credentials|token)|mismatch|expired|revoked|locked|blocked|unknown user|no such user|does not exist|not (?:allowed|authori[sz]ed|authenticated|permitted|valid)|unsuccessful|no pg_hba\.conf entry)\b"#,
            )?,
            success: regex(
                r#"\b(?:succe(?:ss|ssful|ssfully|eded|eds)|accepted|granted|logged in|authenticated|authori[sz]ed|session opened|login ok|passed|valid)\b"#,
            )?,
            status: regex(r#"(?:\bHTTP/[0-9.]+"? |\bstatus(?:_code)?["']?\s*[:=]\s*["']?)(40[13]|20[0-9])\b"#)?,
            none: regex(r"\b(?:0|no|zero) (?:[a-z]+ ){0,2}(?:failed|failures?|denied|rejected)\b")?,
            // As access logs begin.
            first_address: regex(r"^\[?([0-9a-f:.]{3,45})\]? \S+ ")?,
            // The word before it tells a peer's address from the server's own; `user=ip=1.2.3.4` is a name.
            named_address: regex(
                r#"(?:^|[\s,;{(\["'])(?:from|ip|ip_?addr(?:ess)?|client(?:_?ip|_?addr)?|remote(?:_?(?:addr(?:ess)?|ip|host))?|rhost|src(?:_?ip)?|source(?:_?ip)?|peer)["']?\s*(?:[:=]\s*|\s)["']?\[?([0-9a-f:.]{3,45}[0-9a-f])"#,
            )?,
            // Anybody may send a header.
            weak_address: regex(
                r#"(?:^|[\s,;{(\["'])(?:host|x-forwarded-for)["']?\s*(?:[:=]\s*|\s)["']?\[?([0-9a-f:.]{3,45}[0-9a-f])"#,
            )?,
            named_host: regex(r"\brhost=([a-z0-9][a-z0-9.\-]{1,252})")?,
            somebody: regex(r"\b(?:user|for) [^\s]{1,256} from\b")?,
            address: regex(r"(?:^|[^0-9a-z.:])((?:[0-9]{1,3}\.){3}[0-9]{1,3})(?:[^0-9a-z.\-]|\.?$|\.\s)")?,
            user: regex(
                r#"\b(?:(?:invalid |unknown )?user(?:_?name)?|login|account|role|principal|ruser)["']?\s*(?:[:=]\s*|\s)(?:"([^"]{1,256})"|'([^']{1,256})'|([^\s,;"'{}\[\]()]{1,256}))|\bpassword for (?:invalid user )?([^\s,;"']{1,256}) from\b"#,
            )?,
        })
    }

    /// Reads a line.
    pub(crate) fn read(&self, line: &str) -> Parsed {
        let end = (0..=line.len().min(MAX_LINE_BYTES)).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
        let line = &line[..end];
        let json = fields(line).unwrap_or_default();
        // Of JSON the message speaks; names of keys and what was repeated do not.
        let spoken = json.message.clone().unwrap_or_else(|| line.to_owned());
        let user = json.user.as_deref().and_then(name).or_else(|| self.user(&spoken));
        let text = without_quoted(&spoken);
        Parsed {
            outcome: self.outcome(line, &text, user.as_deref()),
            address: self.address(&json.address, &text),
            user,
        }
    }

    fn outcome(&self, line: &str, text: &str, user: Option<&str>) -> Outcome {
        // Somebody may be called `failed`.
        let text = self.none.replace_all(text, " ");
        let mut text = self.somebody.replace_all(&text, " ").into_owned();
        if let Some(user) = user {
            text = text.replace(&format!(" {user} "), " ");
        }
        let status = self.status.captures(line).map(|found| found[1].starts_with('4'));
        match status {
            Some(true) => Outcome::Failure,
            _ if self.failure.is_match(&text) => Outcome::Failure,
            Some(false) => Outcome::Success,
            None if self.success.is_match(&text) => Outcome::Success,
            None => Outcome::Other,
        }
    }

    /// The last one that is named: what stands before it may be part of a name.
    fn address(&self, of_json: &Option<IpAddr>, text: &str) -> Option<String> {
        let last = |regex: &Regex| regex.captures_iter(text).filter_map(|found| address(found.get(1)?.as_str())).last();
        let first = |regex: &Regex| regex.captures_iter(text).find_map(|found| address(found.get(1)?.as_str()));
        let found = of_json
            .or_else(|| first(&self.first_address))
            .or_else(|| last(&self.named_address))
            .or_else(|| last(&self.weak_address))
            .or_else(|| first(&self.address));
        let host = || self.named_host.captures(text).map(|found| found[1].to_ascii_lowercase());
        found.map(|address| address.to_string()).or_else(host)
    }

    fn user(&self, line: &str) -> Option<String> {
        // `user failed`, `user from`: a word of the sentence, not a name.
        let words = [
            "from",
            "failed",
            "not",
            "is",
            "has",
            "was",
            "authentication",
            "for",
            "name",
            "with",
            "login",
            "unknown",
            "does",
        ];
        self.user.captures_iter(line).find_map(|found| {
            let name = name((1..=4).find_map(|group| found.get(group))?.as_str())?;
            (!name.contains('=') && !words.contains(&name.to_ascii_lowercase().as_str())).then_some(name)
        })
    }
}

/// A name as it is shown.
fn name(text: &str) -> Option<String> {
    let text = text.trim_end_matches(['.', ':']);
    let name: String = text.chars().filter(|c| !c.is_control()).take(MAX_USER_CHARS).collect();
    (!name.is_empty()).then_some(name)
}

/// An address, perhaps with a port behind it.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim_end_matches(['.', ':']);
    if let Some((inside, _)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return inside.parse::<IpAddr>().ok().map(|address| address.to_canonical());
    }
    // In `client ::1` the first colon looks like the one of `client: 10.0.0.5`.
    let whole = format!(":{text}");
    let text = if text.starts_with(':') && !text.starts_with("::") { whole.as_str() } else { text };
    let address: IpAddr = match text.parse() {
        Ok(address) => address,
        Err(_) => text.rsplit_once(':')?.0.parse().ok()?,
    };
    // `::ffff:10.0.0.5` and `10.0.0.5` are one machine.
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    fn read(line: &str) -> (Outcome, String, String) {
        static READER: LazyLock<Reader> = LazyLock::new(|| Reader::new().expect("valid"));
        let parsed = READER.read(line);
        (parsed.outcome, parsed.address.unwrap_or_default(), parsed.user.unwrap_or_default())
    }

    #[test]
    fn lines_of_many_programs() {
        use Outcome::{Failure, Other, Success};
        for (line, outcome, address, user) in [
            (
                "2025-06-12T09:00:00Z WARN [api] authentication failed for user bob from 203.0.113.7",
                Failure,
                "203.0.113.7",
                "bob",
            ),
            ("[api] authorization denied: POST /api/v1/sync/batch from 198.51.100.9", Failure, "198.51.100.9", ""),
            ("[api] authentication succeeded user=alice ip=198.51.100.9:51234", Success, "198.51.100.9", "alice"),
            (
                "{\"time\":\"x\",\"level\":\"warn\",\"msg\":\"authentication failed\",\"user\":\"bob\",\"remote_addr\":\"[2001:db8::7]:443\"}",
                Failure,
                "2001:db8::7",
                "bob",
            ),
            ("sshd[77]: Failed password for root from 203.0.113.7 port 22 ssh2", Failure, "203.0.113.7", "root"),
            (
                "sshd[77]: Failed password for invalid user admin from 203.0.113.7 port 22 ssh2",
                Failure,
                "203.0.113.7",
                "admin",
            ),
            ("sshd[77]: Accepted publickey for deploy from 203.0.113.8 port 22 ssh2", Success, "203.0.113.8", ""),
            (
                "sshd[1]: authentication failure; ruser= rhost=EC2-52.compute.example  user=root",
                Failure,
                "ec2-52.compute.example",
                "root",
            ),
            (
                "sshd[1]: pam_unix(sshd:auth): authentication failure; logname= uid=0 rhost=203.0.113.9  user=root",
                Failure,
                "203.0.113.9",
                "root",
            ),
            (
                "203.0.113.5 - - [12/Jun/2025:09:00:00 +0000] \"GET /security HTTP/1.1\" 401 12 \"-\"",
                Failure,
                "203.0.113.5",
                "",
            ),
            (
                "203.0.113.5 - bob [12/Jun/2025:09:00:00 +0000] \"GET /security HTTP/1.1\" 200 12 \"-\"",
                Success,
                "203.0.113.5",
                "",
            ),
            (
                "[error] 7#7: *1 access forbidden by rule, client: 203.0.113.6, server: 10.0.0.1, request: \"GET /security\"",
                Failure,
                "203.0.113.6",
                "",
            ),
            ("FATAL:  password authentication failed for user \"sync user\"", Failure, "", "sync user"),
            (
                "FATAL: no pg_hba.conf entry for host \"203.0.113.4\", user \"sync_user\", database \"x\"",
                Failure,
                "203.0.113.4",
                "sync_user",
            ),
            (
                "connection authorized: user=sync_user database=planning_sync host=10.0.0.5 (authentication method)",
                Success,
                "10.0.0.5",
                "sync_user",
            ),
            ("authentication of ::ffff:203.0.113.7 began", Other, "", ""),
            ("client ::ffff:203.0.113.7 authentication failed", Failure, "203.0.113.7", ""),
            ("security policy reloaded, version 1.2.3.4-beta", Other, "", ""),
            ("security scan from 999.1.1.1 user not found", Other, "", ""),
            ("unauthorized: token expired", Failure, "", ""),
            ("security audit completed: 0 failed", Other, "", ""),
            ("no authentication failures in the last hour", Other, "", ""),
            ("authentication succeeded for user failed from 203.0.113.7", Success, "203.0.113.7", ""),
            ("authentication failed host=10.0.0.1 from=203.0.113.7", Failure, "203.0.113.7", ""),
            ("authentication failed x-forwarded-for: 1.2.3.4, remote_addr: 203.0.113.7", Failure, "203.0.113.7", ""),
            (r#"level=warn msg="authentication failed" user=x client_ip=203.0.113.7"#, Failure, "203.0.113.7", "x"),
            ("authentication unsuccessful", Failure, "", ""),
        ] {
            assert_eq!(read(line), (outcome, address.to_owned(), user.to_owned()), "{line}");
        }
    }

    #[test]
    fn a_name_or_a_request_names_nobody_elses_address() {
        let real = "203.0.113.7";
        for line in [
            "sshd[7]: Failed password for invalid user from 1.2.3.4 from 203.0.113.7 port 22 ssh2",
            "sshd[7]: Failed password for invalid user root from 1.2.3.4 port 22 from 203.0.113.7 port 4711 ssh2",
            r#"authentication failed for user "x from 1.2.3.4" from 203.0.113.7"#,
            r#"authentication failed: user="ip=1.2.3.4" ip=203.0.113.7"#,
            "authentication failed: ip=203.0.113.7 user=ip=1.2.3.4",
            r#"{"msg":"authentication failed","user":"bob\",\"ip\":\"1.2.3.4","ip":"203.0.113.7"}"#,
            r#"203.0.113.7 - - [12/Jun/2025:09:00:00 +0000] "GET /security?from 1.2.3.4 HTTP/1.1" 401 12 "-" "client: 1.2.3.4""#,
            r#"203.0.113.7 - x from 1.2.3.4 [12/Jun/2025:09:00:00 +0000] "GET /security HTTP/1.1" 401 12"#,
            r#"access forbidden by rule, client: 203.0.113.7, server: 10.0.0.1, request: "GET /security?client: 1.2.3.4", host: "1.2.3.4""#,
            r#"203.0.113.7(5123) sync@planning FATAL:  password authentication failed for user "a from 1.2.3.4""#,
        ] {
            assert_eq!(read(line).1, real, "{line}");
            assert_eq!(read(line).0, Outcome::Failure, "{line}");
        }
        let (_, address, user) = read(r#"FATAL:  password authentication failed for user "a from 1.2.3.4""#);
        assert_eq!((address.as_str(), user.as_str()), ("", "a from 1.2.3.4"));
    }

    #[test]
    fn a_hostile_name_is_cut() {
        let (_, _, user) = read(&format!("authentication failed for user \"{}\u{1b}[2J\"", "x".repeat(200)));
        assert_eq!(user.len(), MAX_USER_CHARS);
    }
}
