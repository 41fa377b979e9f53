//! The mail itself.
//!
//! Readers put mails into one conversation by `References` (<https://www.rfc-editor.org/rfc/rfc5322#section-3.6.4>); Gmail
//! does so only while the subject stays the same (<https://support.google.com/mail/answer/5900>). So every mail of an
//! episode refers to one root, which no mail has, and its subject says what it is about and not how it stands: that is in
//! the sender's name, which lists of mails show beside the subject.

use std::time::SystemTime;

use anyhow::Context as _;
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use pso_common::{Severity, Timestamp};

use super::{html, text};
use crate::channel::Digest;
use crate::channel::lines::{Line, headline, lines, place};
use crate::channel::post::fingerprint;
use crate::notice::{Because, Notice};
use crate::text::one_line;

/// Longest subject, in bytes; readers show fewer.
const MAX_SUBJECT: usize = 120;

/// Conversations that one mail may belong to.
const MAX_ROOTS: usize = 10;

/// The name of a sender that has none of its own.
const NAME: &str = "pso-alert";

/// Headers and body.
pub(in crate::channel) fn compose(
    digest: &Digest<'_>,
    from: &Mailbox,
    recipients: &[Mailbox],
) -> anyhow::Result<Vec<u8>> {
    let lines = lines(digest);
    let domain = from.email.domain();
    let name = from.name.as_deref().unwrap_or(NAME);
    let sender = Mailbox::new(Some(format!("{name} {}", state(&lines))), from.email.clone());
    let mut builder = Message::builder()
        .from(sender)
        .subject(subject(digest))
        .date(moment(digest.at))
        .message_id(Some(format!("<{}@{domain}>", id(digest))));
    for recipient in recipients {
        builder = builder.to(recipient.clone());
    }
    let roots = roots(digest.notices, domain);
    if !roots.is_empty() {
        builder = builder.references(roots.join(" ")).in_reply_to(roots.join(" "));
    }
    // <https://www.rfc-editor.org/rfc/rfc3834#section-5>, and what Exchange listens to.
    builder = builder
        .raw_header(plain("Auto-Submitted", "auto-generated")?)
        .raw_header(plain("X-Auto-Response-Suppress", "All")?);
    if lines.iter().any(|line| line.severity == Severity::Critical) {
        builder = builder.raw_header(plain("Importance", "high")?);
    }
    let (text, html) = bodies(digest);
    let body = MultiPart::alternative_plain_html(text, html);
    Ok(builder.multipart(body).context("put the mail together")?.formatted())
}

/// As text and as HTML.
pub(in crate::channel) fn bodies(digest: &Digest<'_>) -> (String, String) {
    let lines = lines(digest);
    let headline = headline(digest, &lines);
    (text::body(digest, &headline, &lines), html::body(digest, &headline, &lines))
}

fn plain(name: &'static str, value: &str) -> anyhow::Result<HeaderValue> {
    let name = HeaderName::new_from_ascii(name.to_owned()).context("name a header")?;
    Ok(HeaderValue::new(name, value.to_owned()))
}

/// The same for each attempt.
fn id(digest: &Digest<'_>) -> String {
    let at = digest.at.to_string();
    // Without a key, which only what never lies in an outbox lacks, the moment tells mails apart.
    let moment = if digest.key.is_empty() { at.as_str() } else { "" };
    format!("pso-alert.{}", fingerprint([digest.key, moment]))
}

/// `CRITICAL`, `STILL HIGH`, `RESOLVED`: how it stands, or how the worst does.
fn state(lines: &[Line<'_>]) -> String {
    let worst = lines.iter().max_by_key(|line| crate::finding::rank(line.severity));
    worst.map_or_else(String::new, |line| line.word.clone())
}

/// `web-1: disk_usage mount=/var`: what it is about. It stays the same for an episode.
fn subject(digest: &Digest<'_>) -> String {
    let host = one_line(&place(digest).name(), 60);
    let same = |notice: &Notice| digest.notices.iter().all(|other| other.incident == notice.incident);
    let subject = match digest.notices.first() {
        Some(test) if test.because == Because::Test => format!("{host}: a test of pso-alert"),
        Some(notice) if digest.rest.is_none() && same(notice) => {
            let about = if notice.because == Because::ByHand { notice.message.clone() } else { about(notice) };
            format!("{host}: {about}")
        }
        _ => format!("{host}: several notices"),
    };
    one_line(&subject, MAX_SUBJECT)
}

fn about(notice: &Notice) -> String {
    let own = |(key, value): (&String, &String)| match key.as_str() {
        "host" | "tool" => None,
        "name" => (*value != notice.rule).then(|| value.clone()),
        key => Some(format!("{key}={value}")),
    };
    let parts = std::iter::once(notice.rule.clone()).chain(notice.labels.iter().filter_map(own));
    parts.collect::<Vec<_>>().join(" ")
}

/// The conversations that it belongs to: one an episode of an incident.
fn roots(notices: &[Notice], domain: &str) -> Vec<String> {
    let mut roots: Vec<String> = Vec::new();
    for notice in notices.iter().filter(|notice| notice.because != Because::Test) {
        let episode = notice.episode.to_string();
        let root = format!("<pso-alert.{}.{episode}@{domain}>", fingerprint([notice.incident.as_str(), &episode]));
        if !roots.contains(&root) {
            roots.push(root);
        }
        if roots.len() == MAX_ROOTS {
            break;
        }
    }
    roots
}

fn moment(at: Timestamp) -> SystemTime {
    SystemTime::from(at.to_utc())
}
