//! The mail as HTML: small, with styles on the elements alone (Gmail drops others in some of its forms), nothing that is
//! loaded, and colours that can be read on white and on black.

use pso_common::Severity;

use super::text::{MAX_DETAILS, MAX_MESSAGE, MAX_ONLY};
use crate::channel::Digest;
use crate::channel::lines::{Line, more};
use crate::text::{fit, one_line};

const FONT: &str = "font:15px/1.45 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

/// Between black and white it has a contrast of 4.5 to both.
const GREY: &str = "#767676";

pub(super) fn body(digest: &Digest<'_>, headline: &str, lines: &[Line<'_>]) -> String {
    let headline = escaped(headline, usize::MAX);
    let first = lines.first().map_or_else(String::new, |line| escaped(&line.message, 150));
    let limit = if lines.len() == 1 { MAX_ONLY } else { MAX_MESSAGE };
    let blocks: String = lines.iter().take(super::MAX_NOTICES).map(|line| block(line, limit)).collect();
    let rest = more(digest, lines.len().saturating_sub(super::MAX_NOTICES))
        .map_or_else(String::new, |text| format!("<p style=\"margin:0 0 16px\">{}</p>\n", escaped(&text, MAX_DETAILS)));
    let host = escaped(&one_line(digest.host, 100), usize::MAX);
    let at = digest.at;
    // The hidden line is what lists of mails show beside the subject.
    format!(
        "<!doctype html>\n\
         <html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{headline}</title></head>\n\
         <body style=\"margin:0;padding:16px;{FONT}\">\n\
         <div style=\"display:none;max-height:0;overflow:hidden\">{first}</div>\n\
         <div style=\"max-width:640px\">\n\
         <p style=\"margin:0 0 16px;font-size:18px;font-weight:600\">{headline}</p>\n\
         {blocks}{rest}\
         <p style=\"margin:0;color:{GREY};font-size:12px\">pso-alert on {host}, {at}</p>\n\
         </div>\n\
         </body></html>\n"
    )
}

fn block(line: &Line<'_>, limit: usize) -> String {
    let color = color(line.severity);
    let (word, message) = (escaped(&line.word, usize::MAX), escaped(&line.message, limit));
    let details = escaped(&line.details.join(" · "), MAX_DETAILS);
    let link = line.runbook.map_or_else(String::new, |url| {
        format!(" · <a href=\"{}\" style=\"color:inherit\">Runbook</a>", escaped(url, usize::MAX))
    });
    format!(
        "<div style=\"margin:0 0 16px;padding:2px 0 2px 12px;border-left:4px solid {color}\">\
         <span style=\"display:inline-block;padding:1px 7px;border-radius:3px;background:{color};color:#fff;\
         font-size:12px;font-weight:700\">{word}</span>\
         <div style=\"margin:4px 0 2px;overflow-wrap:anywhere\">{message}</div>\
         <div style=\"color:{GREY};font-size:13px;overflow-wrap:anywhere\">{details}{link}</div></div>\n"
    )
}

fn escaped(text: &str, limit: usize) -> String {
    fit(text, limit, |c, out| match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c => out.push(c),
    })
}

/// White letters can be read on each of them.
const fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "#2e7d32",
        Severity::Info => "#1565c0",
        Severity::Warning => "#8a6d00",
        Severity::High => "#c2410c",
        Severity::Critical => "#c62828",
        Severity::Unknown => "#6a1b9a",
    }
}
