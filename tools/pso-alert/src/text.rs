//! Text that came from records, made safe to show: one line, cut to a limit, without mentions.

use std::net::Ipv6Addr;

use pso_common::output::printable;

/// One line of at most `limit` bytes: line breaks become spaces, control characters `·`, and what is cut ends in `…`.
pub(crate) fn one_line(text: &str, limit: usize) -> String {
    // Cut first: the input may be 16 MiB, and what replaces a character is never longer than four bytes.
    let head = start(text, limit);
    let clean = printable(head.trim());
    if head.len() == text.len() && clean.len() <= limit {
        return clean.into_owned();
    }
    let kept = start(&clean, limit.saturating_sub('…'.len_utf8())).trim_end();
    // Thousands of these are kept, so each is only as large as it must be.
    let mut cut = String::with_capacity(kept.len() + '…'.len_utf8());
    cut.push_str(kept);
    cut.push('…');
    cut
}

/// The longest start of `text` that is at most `limit` bytes and ends between characters.
fn start(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    &text[..end]
}

/// `text` with each character written by `escape`, at most `limit` UTF-16 units long (the strictest way in which the
/// channels count); what is cut ends in `…`, and an escape is never cut in two.
pub(crate) fn fit(text: &str, limit: usize, escape: impl Fn(char, &mut String)) -> String {
    let (mut out, mut used, mut keep) = (String::new(), 0, 0);
    let mut piece = String::new();
    for c in text.chars() {
        piece.clear();
        escape(c, &mut piece);
        used += units(&piece);
        if used > limit {
            out.truncate(keep);
            out.push('…');
            return out;
        }
        out.push_str(&piece);
        if used < limit {
            keep = out.len();
        }
    }
    out
}

/// Length as the channels count it.
pub(crate) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Breaks `@everyone`, `@here` and `@channel` with an invisible space, so that no client takes them for mentions.
pub(crate) fn without_mentions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, after) = rest.split_at(at + 1);
        out.push_str(before);
        let mention = ["everyone", "here", "channel"]
            .iter()
            .any(|word| after.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)));
        if mention {
            out.push('\u{200b}');
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Whether it is an address of the web that cannot end a link's markup, a header or a line.
pub(crate) fn is_http_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| is_authority(rest.split(['/', '?', '#']).next().unwrap_or_default()))
        && url
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}'))
}

/// `host`, `host:port`, `[::1]:port`, each perhaps after `user:password@`.
fn is_authority(text: &str) -> bool {
    let place = text.rsplit_once('@').map_or(text, |(_, place)| place);
    let (named, port) = match place.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or((false, ""), |(ip, port)| (ip.parse::<Ipv6Addr>().is_ok(), port)),
        None => {
            let end = place.find(':').unwrap_or(place.len());
            (end > 0 && !place.contains(['[', ']']), place.get(end..).unwrap_or_default())
        }
    };
    named && (port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(c: char, out: &mut String) {
        if c == '&' {
            out.push_str("&amp;");
        } else {
            out.push(c);
        }
    }

    #[test]
    fn one_line_cuts_between_characters_and_cannot_steer() {
        assert_eq!(one_line(" a\nb\u{1b}[2J ", 100), "a b·[2J");
        assert_eq!(one_line("ééééé", 8), "éé…");
        assert_eq!(one_line("🎉🎉🎉", 12), "🎉🎉🎉");
        assert_eq!(one_line("\u{1}\u{1}\u{1}\u{1}", 4), "…");
        assert!(one_line(&"🎉".repeat(25_000), 1000).len() <= 1000);
    }

    #[test]
    fn fit_never_cuts_an_escape_or_an_emoji() {
        assert_eq!(fit("a&b", 7, double), "a&amp;b");
        assert_eq!(fit("a&bc", 7, double), "a&amp;…");
        assert_eq!(fit("a&", 5, double), "a…");
        assert_eq!(fit("🎉🎉", 4, double), "🎉🎉");
        assert_eq!(fit("🎉🎉x", 4, double), "🎉…");
        let cut = fit(&"&🎉".repeat(20_000), 2000, double);
        assert!(units(&cut) <= 2000 && cut.ends_with('…'), "{}", units(&cut));
    }

    #[test]
    fn mentions_are_broken_and_addresses_are_not() {
        assert_eq!(without_mentions("@everyone @Here a@b.c @"), "@\u{200b}everyone @\u{200b}Here a@b.c @");
        assert_eq!(without_mentions("@@channel é"), "@@\u{200b}channel é");
    }

    #[test]
    fn only_addresses_of_the_web_are_links() {
        for good in
            ["https://wiki.example.com/run?a=b#c", "http://h:81/", "http://[::1]:81?x", "https://u:p@h:81/x@y:z"]
        {
            assert!(is_http_url(good), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "https://",
            "https:///x",
            "https://a b",
            "https://a\"onclick=",
            "https://a|b",
            "http://é/",
            "http://[::1/x",
            "http://[h]/x",
            "http://h:99999/x",
            "http://h:x/",
            "http://u:p@/x",
        ] {
            assert!(!is_http_url(bad), "{bad}");
        }
    }
}
