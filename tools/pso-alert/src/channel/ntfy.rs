//! Plain text for ntfy and what is like it: <https://docs.ntfy.sh/publish/>.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pso_common::Severity;

use super::lines::{Line, headline, lines, more, worst};
use super::{Channel, Digest, Outcome, Post};
use crate::text::fit;

/// Notices in one message; it is read on a telephone.
const MAX_NOTICES: usize = 10;

/// ntfy makes an attachment of what is longer, in bytes: <https://docs.ntfy.sh/publish/#limitations>.
const MAX_BODY: usize = 4_096;

/// One notice of several, in bytes as well.
const MAX_LINE: usize = 300;

/// What is said beside a message.
const MAX_DETAILS: usize = 200;

/// Longest title.
const MAX_TITLE: usize = 200;

/// A topic.
#[derive(Debug)]
pub(crate) struct Ntfy {
    pub(crate) post: Post,
}

impl Channel for Ntfy {
    fn kind(&self) -> &'static str {
        "ntfy"
    }

    fn capacity(&self) -> usize {
        MAX_NOTICES
    }

    fn fingerprint(&self) -> String {
        self.post.fingerprint()
    }

    fn send(&self, digest: &Digest<'_>, timeout: Duration) -> Outcome {
        let Message { body, mut headers } = message(digest);
        headers.push(("Idempotency-Key", digest.key.to_owned()));
        self.post.bytes("text/plain; charset=utf-8", body.as_bytes(), &headers, timeout).without_pages().outcome
    }
}

/// What is posted.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) body: String,
    pub(super) headers: Vec<(&'static str, String)>,
}

pub(super) fn message(digest: &Digest<'_>) -> Message {
    let lines = lines(digest);
    // The tags become its sign.
    let title = headline(digest, &lines);
    let title = title.split_once(' ').map_or(title.as_str(), |(_, words)| words);
    let severity = worst(&lines);
    let (priority, tag) = manner(severity, lines.iter().all(|line| line.is_over));
    let mut headers = vec![
        ("Title", header_value(&fit(title, MAX_TITLE, |c, out| out.push(c)))),
        ("Priority", priority.to_owned()),
        ("Tags", tag.to_owned()),
    ];
    // What a touch opens.
    headers.extend(lines.iter().find_map(|line| line.runbook).map(|url| ("Click", url.to_owned())));
    Message { body: body(digest, &lines), headers }
}

fn body(digest: &Digest<'_>, lines: &[Line<'_>]) -> String {
    // A unit of UTF-16 is three bytes of UTF-8 at most.
    let limit = if lines.len() == 1 { (MAX_BODY - 1_000) / 3 } else { MAX_LINE / 3 };
    let same = |c, out: &mut String| out.push(c);
    let shown: Vec<String> = lines
        .iter()
        .take(MAX_NOTICES)
        .map(|line| {
            let details = fit(&line.details.join(" · "), MAX_DETAILS / 3, same);
            format!("{} {} {}\n{details}", line.sign, line.word, fit(&line.message, limit, same))
        })
        .collect();
    let rest = more(digest, lines.len().saturating_sub(MAX_NOTICES)).map(|text| fit(&text, MAX_DETAILS, same));
    shown.into_iter().chain(rest).collect::<Vec<_>>().join("\n")
}

/// Priority 5 rings through, 3 is the usual one: <https://docs.ntfy.sh/publish/#message-priority>. Tags that name an
/// emoji are shown as that.
const fn manner(severity: Severity, over: bool) -> (&'static str, &'static str) {
    if over {
        return ("3", "white_check_mark");
    }
    match severity {
        Severity::Critical => ("5", "rotating_light"),
        Severity::High | Severity::Unknown => ("4", "warning"),
        Severity::Warning => ("3", "warning"),
        Severity::Info | Severity::Ok => ("2", "information_source"),
    }
}

/// ntfy reads RFC 2047 where a value is not ASCII: <https://docs.ntfy.sh/publish/#list-of-all-parameters>. A word may have
/// 75 characters, and none ends within a character.
fn header_value(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    const BYTES: usize = 45;
    let (mut words, mut word) = (Vec::new(), String::new());
    for c in text.chars() {
        if word.len() + c.len_utf8() > BYTES {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    words.iter().map(|word| format!("=?utf-8?b?{}?=", STANDARD.encode(word))).collect::<Vec<_>>().join(" ")
}
