//! HTTP POST to a webhook, and what the answer means.

use std::time::Duration;

use pso_common::Secret;
use pso_common::http::{Answer, HttpClient, HttpError, HttpRoots, HttpSettings};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Outcome;
use crate::text::one_line;

/// Where to post. The URL of a webhook is all one needs to post there, so all of it is secret.
#[derive(Debug)]
pub(crate) struct Post {
    client: HttpClient,
    url: Secret,
}

impl Post {
    /// To a URL, whose certificate must lead to one of `roots`.
    pub(crate) fn new(url: Secret, roots: HttpRoots) -> Self {
        let settings =
            HttpSettings { max_body_bytes: 1 << 20, proxy_from_env: true, roots, ..HttpSettings::default() };
        Self { client: HttpClient::new(&settings), url }
    }

    /// Posts `body` as JSON.
    pub(super) fn json(&self, body: &impl Serialize, timeout: Duration) -> Outcome {
        let answer = self.client.request("POST", self.url.expose()).timeout(timeout).send_json(body);
        self.outcome(answer)
    }

    pub(super) fn fingerprint(&self) -> String {
        let hash = Sha256::digest(self.url.expose().as_bytes());
        hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    fn outcome(&self, answer: Result<Answer, HttpError>) -> Outcome {
        let answer = match answer {
            Ok(answer) => answer,
            // Its text may be the URL, which is the secret.
            Err(HttpError::Malformed) => {
                let reason = "the webhook's URL is not a usable one".to_owned();
                return Outcome::Unusable { status: None, reason };
            }
            Err(error)
                if matches!(&error, HttpError::Tls(fault) if fault.is_lasting())
                    || matches!(error, HttpError::TooLarge(_)) =>
            {
                return Outcome::Unusable { status: None, reason: self.scrubbed(&error.to_string()) };
            }
            Err(error) => {
                let reason = self.scrubbed(&error.to_string());
                return Outcome::Again { status: None, after: Duration::ZERO, reason };
            }
        };
        let said = self.scrubbed(&String::from_utf8_lossy(&answer.body));
        let status = Some(answer.status);
        if answer.is_success() {
            return Outcome::Sent { status, said, pause: Duration::ZERO, complaint: None };
        }
        let code = answer.status;
        let reason =
            if said.is_empty() { format!("it answered {code}") } else { format!("it answered {code}: {said}") };
        match code {
            408 | 425 | 429 | 500.. => {
                let after = answer.header("retry-after").map_or(Duration::ZERO, retry_after);
                Outcome::Again { status, after, reason }
            }
            300..=399 => Outcome::Unusable { status, reason: format!("{reason} (a redirect, which is not followed)") },
            400 | 413 | 422 => Outcome::Refused { status, reason },
            _ => Outcome::Unusable { status, reason },
        }
    }

    /// What the other end said, in one short line without the webhook's URL: many servers repeat the path they do not know.
    fn scrubbed(&self, text: &str) -> String {
        let url = self.url.expose();
        let path = url.split_once("://").map_or(url, |(_, rest)| rest).split_once('/').map_or("", |(_, path)| path);
        let parts = path.split(['/', '?', '&', '=']).filter(|part| part.len() >= 8);
        let clean = [url, path]
            .into_iter()
            .filter(|part| part.len() >= 4)
            .chain(parts)
            .fold(text.to_owned(), |text, secret| text.replace(secret, "***"));
        one_line(&clean, 200)
    }
}

/// Seconds, with a fraction or without. A date, which neither Slack nor Discord sends, is taken as no wish.
fn retry_after(text: &str) -> Duration {
    text.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_end_says_is_shown_without_the_url() {
        let url = "https://hooks.slack.com/services/T000/B000/s3cr3tSlackToken";
        let post = Post::new(Secret::new(url), HttpRoots::default());
        let said = post.scrubbed("Cannot POST /services/T000/B000/s3cr3tSlackToken\n<pre>s3cr3tSlackToken</pre>");
        assert_eq!(said, "Cannot POST /*** <pre>***</pre>");
        assert!(post.scrubbed(&format!("{}{url}", "x".repeat(190))).len() <= 200);
    }

    #[test]
    fn retry_after_in_seconds() {
        assert_eq!(retry_after("2"), Duration::from_secs(2));
        assert_eq!(retry_after(" 0.5 "), Duration::from_millis(500));
        assert_eq!(retry_after("-1"), Duration::ZERO);
        assert_eq!(retry_after("1e300"), Duration::ZERO);
        assert_eq!(retry_after("Wed, 21 Oct 2026 07:28:00 GMT"), Duration::ZERO);
    }
}
