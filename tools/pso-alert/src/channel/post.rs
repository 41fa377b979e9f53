//! HTTP POST to a webhook, and what the answer means.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pso_common::Secret;
use pso_common::http::{Answer, HttpClient, HttpError, HttpRoots, HttpSettings};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Outcome;
use crate::text::one_line;

/// A wait longer than this is a mistake of the other end; notices are given up after about as long.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3_600);

/// Where to post. The URL of a webhook is all one needs to post there, so all of it is secret.
#[derive(Debug)]
pub(crate) struct Post {
    client: HttpClient,
    method: &'static str,
    url: Secret,
    /// Sent with every request; their values may be secrets.
    headers: Vec<(String, Secret)>,
    /// Differs when what is trusted differs.
    mark: String,
}

/// How a request went, with the answer's own words for a channel that knows more of them.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) outcome: Outcome,
    pub(super) answer: Option<Answer>,
}

impl Exchange {
    /// With an end whose own answers are never web pages: a page comes from a log-in, a proxy, or a URL that is another's, and
    /// nobody has been told.
    pub(super) fn without_pages(mut self) -> Self {
        let page = |answer: &Answer| {
            let start = answer.body.trim_ascii_start();
            let begins = |word: &[u8]| start.get(..word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word));
            begins(b"<!doctype") || begins(b"<html")
        };
        if let (Outcome::Sent { status, .. }, Some(answer)) = (&self.outcome, &self.answer)
            && page(answer)
        {
            let status = *status;
            let reason = format!(
                "it answered {} with a web page, so nobody was told: the URL is another's, or a proxy or a log-in is in between",
                answer.status
            );
            self.outcome = Outcome::Again { status, after: Duration::ZERO, reason };
        }
        self
    }
}

impl Post {
    /// To a URL, whose certificate must lead to one of `roots`.
    pub(crate) fn new(url: Secret, roots: HttpRoots) -> Self {
        let settings = HttpSettings { max_body_bytes: 1 << 20, proxy_from_env: true, roots, ..HttpSettings::default() };
        Self { client: HttpClient::new(&settings), method: "POST", url, headers: Vec::new(), mark: String::new() }
    }

    /// With a part of its fingerprint that cannot be seen in the others.
    pub(crate) fn marked(mut self, mark: String) -> Self {
        self.mark = mark;
        self
    }

    /// With another method.
    pub(crate) fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    /// With one more header.
    pub(crate) fn header(mut self, name: &str, value: Secret) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }

    /// Posts `body` as JSON to an interface that never answers with a web page.
    pub(super) fn json(&self, body: &impl Serialize, key: &str, timeout: Duration) -> Exchange {
        match serde_json::to_vec(body) {
            Ok(bytes) => {
                let headers = [("Idempotency-Key", key.to_owned())];
                self.bytes("application/json", &bytes, &headers, timeout).without_pages()
            }
            Err(error) => {
                let reason = format!("the message cannot be written: {error}");
                Exchange { outcome: Outcome::Refused { status: None, reason }, answer: None }
            }
        }
    }

    /// Posts `body` as it is, with more headers.
    pub(super) fn bytes(
        &self,
        content_type: &str,
        body: &[u8],
        headers: &[(&str, String)],
        timeout: Duration,
    ) -> Exchange {
        let mut request = self.client.request(self.method, self.url.expose()).timeout(timeout);
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(name, value);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value.expose());
        }
        let answer = request.send_bytes(content_type, body);
        let outcome = self.outcome(&answer, SystemTime::now());
        Exchange { outcome, answer: answer.ok() }
    }

    /// What the same address answers to a question; nothing where it does not answer well.
    pub(super) fn get(&self, query: &str, timeout: Duration) -> Option<Answer> {
        let url = self.url.expose();
        let sign = if url.contains('?') { '&' } else { '?' };
        let mut request = self.client.request("GET", format!("{url}{sign}{query}")).timeout(timeout);
        for (name, value) in &self.headers {
            request = request.header(name, value.expose());
        }
        request.send().ok().filter(Answer::is_success)
    }

    /// Of where it posts, and with what.
    pub(super) fn fingerprint(&self) -> String {
        let headers = self.headers.iter().flat_map(|(name, value)| [name.as_str(), value.expose()]);
        fingerprint([self.method, self.url.expose(), &self.mark].into_iter().chain(headers))
    }

    fn outcome(&self, answer: &Result<Answer, HttpError>, now: SystemTime) -> Outcome {
        let answer = match answer {
            Ok(answer) => answer,
            // Its text may be the URL, which is the secret.
            Err(HttpError::Malformed) => {
                let reason = "the webhook's URL, or a header, is not a usable one".to_owned();
                return Outcome::Unusable { status: None, reason };
            }
            // It answered, and what it answered is not wanted.
            Err(error @ HttpError::TooLarge(_)) => {
                return Outcome::Unusable { status: None, reason: self.scrubbed(&error.to_string()) };
            }
            Err(HttpError::Tls(fault)) if fault.is_lasting() => {
                return Outcome::Unusable { status: None, reason: self.scrubbed(&format!("TLS failed: {fault}")) };
            }
            Err(error) => {
                let reason = self.scrubbed(&error.to_string());
                return Outcome::Again { status: None, after: Duration::ZERO, reason };
            }
        };
        self.judged(answer, now)
    }

    fn judged(&self, answer: &Answer, now: SystemTime) -> Outcome {
        let said = self.scrubbed(&String::from_utf8_lossy(&answer.body));
        let code = answer.status;
        let status = Some(code);
        if answer.is_success() {
            return Outcome::Sent { status, said, pause: Duration::ZERO, complaint: None };
        }
        let reason =
            if said.is_empty() { format!("it answered {code}") } else { format!("it answered {code}: {said}") };
        match code {
            408 | 425 | 429 | 500.. => {
                let date = answer.header("date").and_then(http_date).unwrap_or(now);
                let after = answer.header("retry-after").map_or(Duration::ZERO, |text| retry_after(text, date));
                Outcome::Again { status, after, reason }
            }
            300..=399 => Outcome::Unusable { status, reason: format!("{reason} (a redirect, which is not followed)") },
            400 | 409 | 413 | 422 => Outcome::Refused { status, reason },
            _ => Outcome::Unusable { status, reason },
        }
    }

    /// What an answer means.
    #[cfg(test)]
    pub(super) fn judge(&self, answer: &Answer) -> Outcome {
        self.judged(answer, SystemTime::now())
    }

    /// What the other end said, in one short line without the secrets: many servers repeat the path or the header they refuse.
    fn scrubbed(&self, text: &str) -> String {
        let url = self.url.expose();
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut secrets = vec![url.to_owned(), path.to_owned()];
        // `user:password@` is sent as the header that it stands for.
        if let Some((login, _)) = authority.rsplit_once('@') {
            secrets.extend([STANDARD.encode(login), login.to_owned()]);
            secrets.extend(login.split_once(':').map(|(_, password)| password.to_owned()));
        }
        for (_, value) in &self.headers {
            let value = value.expose();
            secrets.push(value.to_owned());
            let Some((scheme, token)) = value.split_once(' ') else { continue };
            secrets.push(token.to_owned());
            let login = STANDARD.decode(token).ok().filter(|_| scheme == "Basic");
            let login = login.and_then(|login| String::from_utf8(login).ok());
            secrets.extend(login.and_then(|login| login.split_once(':').map(|(_, password)| password.to_owned())));
        }
        secrets.retain(|secret| secret.len() >= 4);
        secrets.extend(path.split(['/', '?', '&', '=']).filter(|part| part.len() >= 8).map(str::to_owned));
        let clean = secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"));
        one_line(&clean, 200)
    }
}

/// A short hash of all parts of a configuration, secrets among them.
pub(crate) fn fingerprint(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Seconds, with a fraction or without, or a date, which is a time after `now`:
/// <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>. Anything else is no wish.
fn retry_after(text: &str, now: SystemTime) -> Duration {
    let seconds = text.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let until = || http_date(text)?.duration_since(now).ok();
    seconds.or_else(until).unwrap_or_default().min(LONGEST_WAIT)
}

/// `Sun, 22 Nov 2026 09:00:00 GMT`
fn http_date(text: &str) -> Option<SystemTime> {
    let zoned = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(SystemTime::from(zoned.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_end_says_is_shown_without_the_url() {
        let url = "https://hooks.slack.com/services/T000/B000/s3cr3tSlackToken";
        let post =
            Post::new(Secret::new(url), HttpRoots::default()).header("Authorization", Secret::new("Bearer hush"));
        let said = post.scrubbed("Cannot POST /services/T000/B000/s3cr3tSlackToken\n<pre>s3cr3tSlackToken</pre>");
        assert_eq!(said, "Cannot POST /*** <pre>***</pre>");
        assert_eq!(post.scrubbed("no such key: Bearer hush"), "no such key: ***");
        assert_eq!(post.scrubbed("hush is no token"), "*** is no token");
        assert!(post.scrubbed(&format!("{}{url}", "x".repeat(190))).len() <= 200);
    }

    #[test]
    fn a_login_is_not_shown_in_any_form() {
        let basic = format!("Basic {}", STANDARD.encode("u:s3cr3t"));
        let header = Post::new(Secret::new("http://h/x"), HttpRoots::default())
            .header("Authorization", Secret::new(basic.clone()));
        let in_url = Post::new(Secret::new("http://u:s3cr3t@h/x"), HttpRoots::default());
        for post in [header, in_url] {
            let said =
                post.scrubbed(&format!("authorization: {basic}; s3cr3t is wrong; {}", STANDARD.encode("u:s3cr3t")));
            assert!(!said.contains("s3cr3t") && !said.contains(&STANDARD.encode("u:s3cr3t")), "{said}");
            assert!(said.ends_with(" *** is wrong; ***"), "{said}");
        }
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        let now = http_date("Wed, 21 Oct 2026 07:27:30 GMT").expect("a date");
        let wait = |text: &str| retry_after(text, now);
        assert_eq!(wait("2"), Duration::from_secs(2));
        assert_eq!(wait(" 0.5 "), Duration::from_millis(500));
        assert_eq!(wait("Wed, 21 Oct 2026 07:28:00 GMT"), Duration::from_secs(30));
        assert_eq!(wait("Wed, 21 Oct 2026 07:27:00 GMT"), Duration::ZERO);
        for nothing in ["-1", "1e300", "soon", "", "Wed, 99 Oct 2026 07:28:00 GMT", "NaN"] {
            assert_eq!(wait(nothing), Duration::ZERO, "{nothing}");
        }
        assert_eq!(wait("9999999"), Duration::from_secs(86_400));
    }

    #[test]
    fn another_configuration_has_another_fingerprint() {
        let of = |url: &str, header: &str| {
            Post::new(Secret::new(url), HttpRoots::default()).header("A", Secret::new(header)).fingerprint()
        };
        assert_eq!(of("http://h/1", "x"), of("http://h/1", "x"));
        assert_ne!(of("http://h/1", "x"), of("http://h/2", "x"));
        assert_ne!(of("http://h/1", "x"), of("http://h/1", "y"));
    }
}
