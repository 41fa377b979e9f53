//! The mail as plain text.

use crate::channel::Digest;
use crate::channel::lines::{Line, more};
use crate::text::fit;

/// Longest message of one notice of several, in UTF-16 units.
pub(super) const MAX_MESSAGE: usize = 1_000;

/// Longest message where there is only one.
pub(super) const MAX_ONLY: usize = 10_000;

/// Longest list of details.
pub(super) const MAX_DETAILS: usize = 600;

pub(super) fn body(digest: &Digest<'_>, headline: &str, lines: &[Line<'_>]) -> String {
    let limit = if lines.len() == 1 { MAX_ONLY } else { MAX_MESSAGE };
    let same = |c, out: &mut String| out.push(c);
    let mut out = format!("{headline}\n");
    for line in lines.iter().take(super::MAX_NOTICES) {
        let (message, details) = (fit(&line.message, limit, same), line.details.join(" · "));
        out.push_str(&format!("\n{} {} {message}\n   {}\n", line.sign, line.word, fit(&details, MAX_DETAILS, same)));
        if let Some(url) = line.runbook {
            out.push_str(&format!("   Runbook: {url}\n"));
        }
    }
    if let Some(rest) = more(digest, lines.len().saturating_sub(super::MAX_NOTICES)) {
        out.push_str(&format!("\n{rest}\n"));
    }
    out.push_str(&format!("\npso-alert on {}, {}\n", crate::text::one_line(digest.host, 100), digest.at));
    out
}
