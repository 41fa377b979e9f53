//! The API token: whether the server takes it, for how long still, and how old it is.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use pso_common::config::{Config, Field};
use pso_common::http::{HttpClient, HttpRoots, HttpSettings};
use pso_common::secret::redact_url;
use pso_common::{Secret, Severity};
use serde::Deserialize;

use crate::finding::{Finding, Found};
use crate::sections::ports::sent_in_clear;
use crate::sections::{Context, Section};
use crate::shell::{quoted, shown};

/// A token file larger than this holds no token (bytes).
const MAX_FILE_BYTES: u64 = 64 << 10;

/// Where the server says what a token is worth.
const VALIDATE: &str = "/api/v1/auth/validate";

const DAY: Duration = Duration::from_secs(86_400);

/// What is asked of a token.
#[derive(Clone, Debug)]
pub(crate) struct TokenSettings {
    /// With less left it is a finding.
    min_left: Duration,
    /// A file that was not changed for longer is a finding.
    max_age: Duration,
}

/// `maintenance.audit.token`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TokenSection {
    min_left: Field,
    max_age: Field,
}

impl TokenSettings {
    /// # Errors
    /// When a layer holds a bad value.
    pub(crate) fn resolve(config: &Config, section: &TokenSection) -> anyhow::Result<Self> {
        Ok(Self {
            // The specification's limit; where tokens live an hour, it is set lower.
            min_left: config
                .pick("maintenance.audit.token.min_left")
                .env("PSO_AUDIT_TOKEN_MIN_LEFT")
                .file(&section.min_left)
                .or(DAY)?,
            max_age: config
                .pick("maintenance.audit.token.max_age")
                .env("PSO_AUDIT_TOKEN_MAX_AGE")
                .file(&section.max_age)
                .or(90 * DAY)?,
        })
    }
}

pub(crate) struct Token;

impl Section for Token {
    fn name(&self) -> &'static str {
        "token"
    }

    fn about(&self) -> &'static str {
        "the API token: taken by the server, for how long still, and the age of its file"
    }

    fn look(&self, context: &Context, found: &mut Found) -> anyhow::Result<()> {
        let (service, settings) = (&context.settings.service, &context.settings.token);
        let path = &service.token_file;
        let Some(token) = read(path, found)? else { return Ok(()) };
        found.examined += 1;
        if let Some(age) = age(path, context.now.to_utc().into())
            && age > settings.max_age
        {
            found.push(
                about(Severity::Warning, "token_old", path, format!("the token's file is {} days old", days(age)))
                    .with("age_days", days(age))
                    .with("max_age_days", days(settings.max_age))
                    .fix("let the server issue a new token, write it into the file, and revoke the old one"),
            );
        }
        let wrong = if token.is_empty() {
            Some(("token_empty", "the token's file is empty"))
        } else if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            // Such a header would be refused, or be read as two.
            Some(("token_malformed", "the token's file holds more than one word: line breaks, blanks or other signs"))
        } else {
            None
        };
        if let Some((rule, what)) = wrong {
            found.push(about(Severity::High, rule, path, what).fix(WRITE_ONE));
            return Ok(());
        }
        if sent_in_clear(&service.url) {
            let url = redact_url(&service.url);
            let what = format!("the token is sent to {url} without TLS: whoever is on the way can read it");
            let fix = "reach the server through TLS, and name it in maintenance.service.url as https://";
            found.push(about(Severity::High, "token_sent_in_clear", path, what).with("url", url).fix(fix));
        }
        let timeout = service.timeout.min(context.left());
        let connect_timeout = timeout.min(Duration::from_secs(3));
        let roots = HttpRoots::named(service.ca_file.as_deref()).context("maintenance.service.ca_file")?;
        let http =
            HttpSettings { timeout, connect_timeout, max_body_bytes: 64 << 10, roots, ..HttpSettings::default() };
        ask(&HttpClient::new(&http), &service.url, &token, |answer| judge(path, settings, answer, found))
    }
}

const WRITE_ONE: &str = "write the token into the file, on one line and alone";

fn about(severity: Severity, rule: &str, path: &Path, message: impl Into<String>) -> Finding {
    Finding::new(severity, rule, shown(path), message)
}

/// The file's text; `None` where there is no file.
fn read(path: &Path, found: &mut Found) -> anyhow::Result<Option<Secret>> {
    let shown = shown(path);
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            found.note(format!("there is no token file {shown} (maintenance.service.token_file): nothing was asked"));
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| format!("look at the token file {shown}")),
        // A pipe would be waited for.
        Ok(metadata) if !metadata.is_file() => anyhow::bail!("{shown} is no file"),
        Ok(metadata) if metadata.len() > MAX_FILE_BYTES => {
            let what = format!("the token's file is larger than {} KiB: that is no token", MAX_FILE_BYTES >> 10);
            found.examined += 1;
            found.push(about(Severity::High, "token_malformed", path, what).fix(WRITE_ONE));
            return Ok(None);
        }
        Ok(_) => {}
    }
    let bytes = std::fs::read(path).with_context(|| format!("read the token file {shown}"))?;
    // Windows PowerShell's `>` writes UTF-16 with a BOM, others a BOM of UTF-8: neither is part of the token, and the
    // tools that send it would fail; it is told as malformed below.
    let text = String::from_utf8(bytes).unwrap_or_else(|_| "\u{fffd}".to_owned());
    Ok(Some(Secret::new(if text.trim().is_empty() { "" } else { text.as_str() })))
}

fn age(path: &Path, now: SystemTime) -> Option<Duration> {
    now.duration_since(std::fs::metadata(path).ok()?.modified().ok()?).ok()
}

fn days(span: Duration) -> u64 {
    span.as_secs() / DAY.as_secs()
}

/// What the server said of the token.
#[derive(Debug, PartialEq)]
enum Said {
    Refused(u16),
    Valid { valid: bool, expires_in: Option<f64> },
}

#[derive(Deserialize)]
struct Validation {
    valid: Option<bool>,
    expires_in: Option<f64>,
}

fn ask(client: &HttpClient, url: &str, token: &Secret, judge: impl FnOnce(Said)) -> anyhow::Result<()> {
    let shown = format!("{}{VALIDATE}", redact_url(url));
    let bearer = format!("Bearer {}", token.expose());
    let answer = client.request("GET", format!("{url}{VALIDATE}")).header("Authorization", &bearer).send();
    let answer = answer.with_context(|| format!("ask {shown}"))?;
    let said = match answer.status {
        status @ (401 | 403) => Said::Refused(status),
        200..=299 => {
            // serde's message would show a piece of the body, and a server may send the token back.
            let read: Validation = serde_json::from_slice(&answer.body).map_err(|_| {
                anyhow::anyhow!("{shown} answered {}, but not as JSON with valid or expires_in", answer.status)
            })?;
            anyhow::ensure!(
                read.valid.is_some() || read.expires_in.is_some(),
                "{shown} answered JSON with neither valid nor expires_in"
            );
            Said::Valid { valid: read.valid.unwrap_or(true), expires_in: read.expires_in }
        }
        status @ 300..=399 => {
            anyhow::bail!(
                "{shown} answered {status}, a redirect; it was not followed, because it would carry the token along"
            )
        }
        status => anyhow::bail!("{shown} answered {status}"),
    };
    judge(said);
    Ok(())
}

fn judge(path: &Path, settings: &TokenSettings, said: Said, found: &mut Found) {
    let renew = format!("let the server issue a new token and write it into {}", quoted(path));
    match said {
        Said::Refused(status) => found.push(
            about(Severity::High, "token_invalid", path, format!("the server refuses the token ({status})"))
                .with("status", status)
                .fix(renew),
        ),
        Said::Valid { valid: false, .. } => {
            let what = "the server says that the token is not valid";
            found.push(about(Severity::High, "token_invalid", path, what).fix(renew));
        }
        Said::Valid { expires_in: Some(left), .. } if left <= 0.0 => {
            let what = "the token has expired";
            found.push(about(Severity::High, "token_expired", path, what).with("expires_in_s", left).fix(renew));
        }
        Said::Valid { expires_in: Some(left), .. } if left < settings.min_left.as_secs_f64() => {
            let hours = left / 3600.0;
            found.push(
                about(Severity::Warning, "token_expires_soon", path, format!("the token expires in {hours:.1} h"))
                    .with("expires_in_s", left)
                    .with("min_left_s", settings.min_left.as_secs())
                    .fix(format!("{renew}; or, where tokens live so short, set maintenance.audit.token.min_left")),
            );
        }
        Said::Valid { expires_in: Some(_), .. } => {}
        Said::Valid { expires_in: None, .. } => {
            found.note("the server does not say how long the token is still good (expires_in)");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(said: Said) -> Vec<(Severity, String)> {
        let settings = TokenSettings { min_left: DAY, max_age: DAY };
        let mut found = Found::default();
        judge(Path::new("config/api-token.txt"), &settings, said, &mut found);
        found.findings.into_iter().map(|finding| (finding.severity, finding.record.rule)).collect()
    }

    #[test]
    fn a_token_is_judged_by_what_is_left() {
        let left = |seconds: f64| rules(Said::Valid { valid: true, expires_in: Some(seconds) });
        assert_eq!(left(86_400.0), []);
        assert_eq!(left(86_399.0), [(Severity::Warning, "token_expires_soon".to_owned())]);
        assert_eq!(left(0.0), [(Severity::High, "token_expired".to_owned())]);
        assert_eq!(rules(Said::Refused(401)), [(Severity::High, "token_invalid".to_owned())]);
        let not_valid = Said::Valid { valid: false, expires_in: Some(9e9) };
        assert_eq!(rules(not_valid), [(Severity::High, "token_invalid".to_owned())]);
    }
}
