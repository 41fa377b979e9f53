//! `token`: whether planning-sync-server takes the API token, and for how long still.
//!
//! Nothing of an answer is shown here: a server may send the token back.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Instant;

use pso_common::io::elapsed_ms;
use pso_common::record::{HealthCheckRecord, Labels, Layer};
use pso_common::{Secret, Severity};

use crate::answer::{Got, send};
use crate::check::{Check, Context};
use crate::finding::{Finding, Findings};
use crate::limits;
use crate::reading::{field, object};

const NAME: &str = "token";

/// Where the server says what a token is worth (the specification's weekly check).
const VALIDATE: &str = "/api/v1/auth/validate";

/// A longer file holds no token.
const LONGEST: u64 = 64 << 10;

pub(crate) struct Token;

impl Check for Token {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> Cow<'_, str> {
        "the API token of maintenance.service.token_file: whether planning-sync-server takes it, and for how long still"
            .into()
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let started = Instant::now();
        let file = &context.settings.service.token_file;
        let own = |severity, message: String| {
            let record = HealthCheckRecord { elapsed_ms: elapsed_ms(started), ..HealthCheckRecord::default() };
            Finding::check(severity, NAME, message, record)
        };
        let token = match read(file) {
            Ok(Some(token)) => token,
            Ok(None) => {
                let message = format!("there is no token file {}: nothing was asked", file.display());
                return findings.push(own(Severity::Ok, message));
            }
            Err((severity, reason)) => {
                return findings.push(own(severity, format!("the token file {}: {reason}", file.display())));
            }
        };
        let url = format!("{}{VALIDATE}", context.settings.service.url);
        let bearer = format!("Bearer {}", token.expose());
        match send(context.http.request("GET", url.as_str()).header("Authorization", &bearer), "GET", &url) {
            Ok(got) => judge(&got, context, findings),
            Err(failure) => findings.push(failure.finding(NAME)),
        }
    }
}

/// The token; none where there is no file.
fn read(path: &Path) -> Result<Option<Secret>, (Severity, String)> {
    let unreadable = |error: std::io::Error| (Severity::Unknown, error.to_string());
    match path.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
        // A pipe would be waited for.
        Ok(data) if !data.is_file() => return Err((Severity::Unknown, "it is no file".to_owned())),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    let text = String::from_utf8(bytes).ok().filter(|text| text.len() as u64 <= LONGEST);
    let token = text.map(|text| Secret::new(text.trim_matches([' ', '\t', '\r', '\n'])));
    match token {
        // Such a header would be refused, or be read as two.
        Some(token) if !token.is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(Some(token))
        }
        _ => Err((Severity::Critical, "it holds no token: one word is expected, on one line".to_owned())),
    }
}

fn judge(got: &Got, context: &Context, findings: &Findings<'_>) {
    let failure = |layer, what: &str| findings.push(got.failure(layer, what).finding(NAME));
    match got.answer.status {
        200 => {}
        status @ (401 | 403) => {
            return failure(
                Layer::Http,
                &format!("HTTP {status}: the server refuses the token; it is invalid or has run out"),
            );
        }
        status @ 300..=399 => {
            let what = format!("HTTP {status}, a redirect; it is not followed, because it would carry the token along");
            return failure(Layer::Http, &what);
        }
        status => return failure(Layer::Http, &format!("HTTP {status} instead of 200")),
    }
    let Ok(body) = object(&got.answer.body) else {
        return failure(Layer::Body, "HTTP 200, but the body is no JSON object");
    };
    if field(&body, &["valid"]).is_some_and(|valid| valid.as_bool() == Some(false)) {
        return failure(Layer::Field, "the server says that the token is not valid");
    }
    let left = field(&body, &["expires_in"]);
    let number = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.trim().parse().ok().filter(|left: &f64| left.is_finite()),
        value => value.as_f64(),
    };
    let Some(left) = left.and_then(number) else {
        let what = if left.is_some() { "`expires_in` is no number" } else { "there is no `expires_in` in the answer" };
        let what = format!("HTTP 200, but {what}: how long the token still holds cannot be told");
        return findings.push(got.wrong_field(&what).finding(NAME));
    };
    let elapsed_ms = got.answer.elapsed_ms;
    let (severity, status, message) = if left > 0.0 {
        (Severity::Ok, "valid", "the server takes the token")
    } else {
        (Severity::Critical, "expired", "the token has run out")
    };
    let record = HealthCheckRecord { status: Some(status.to_owned()), elapsed_ms, ..HealthCheckRecord::default() };
    findings.push(Finding::check(severity, NAME, format!("GET {}: {message}", got.url), record));
    let limits = &context.settings.limits;
    findings.push(limits.judge(&limits::TOKEN_TIME_LEFT, left, "of the API token", elapsed_ms, Labels::new()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let of = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            read(&path).map(|token| token.map(|token| token.expose().to_owned())).map_err(|(severity, _)| severity)
        };
        assert_eq!(of(b"abc.def-1\r\n"), Ok(Some("abc.def-1".to_owned())));
        for bytes in [&b""[..], b"\n", b"two words", b"two\nlines", b"\xff\xfea\0", &[b'x'; 70_000]] {
            assert_eq!(of(bytes), Err(Severity::Critical), "{:?}", &bytes[..bytes.len().min(10)]);
        }
        assert_eq!(read(&folder.path().join("none")).map_err(|(_, reason)| reason), Ok(None));
        assert!(matches!(read(folder.path()), Err((Severity::Unknown, _))));
    }
}
