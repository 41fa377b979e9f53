//! `host.clock`: this machine's clock against the servers'. Tokens, ages and the order of log lines all go by clocks.
//!
//! A server that does not answer is not judged here: its own check tells of it.

use std::borrow::Cow;
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use pso_common::Severity;
use pso_common::http::{HttpClient, HttpSettings};
use pso_common::io::elapsed_ms;
use pso_common::postgres::{PgSettings, Purpose, connect};
use pso_common::qdrant::QdrantSettings;
use pso_common::record::{HealthCheckRecord, Labels};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::check::{Check, Context};
use crate::finding::{Finding, Findings};
use crate::limits;

/// HTTP's `Date` has whole seconds, and servers renew it only now and then: actix-web, which Qdrant uses, twice a second.
const HTTP_LATENESS: f64 = 1.5;

/// The servers that tell the time, by the names of their checks.
const SERVERS: [&str; 3] = ["service", "postgres", "qdrant"];

pub(crate) struct Clock;

/// How far a server's clock is ahead of ours, in seconds: somewhere between the two.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ahead {
    least: f64,
    most: f64,
}

impl Ahead {
    /// The server's clock stood between `least` and `most` at some moment between `before` and `after` of ours.
    fn of(least: f64, most: f64, before: f64, after: f64) -> Self {
        Self { least: least - after, most: most - before }
    }

    /// How far apart the clocks are at least; 0 where they may agree.
    fn certain(self) -> f64 {
        self.least.max(-self.most).max(0.0)
    }

    fn detail(self, server: &str) -> String {
        // Of what is certain the direction is, too.
        let relation = match self {
            Self { least, .. } if least > 0.0 => "is ahead of this machine's",
            Self { most, .. } if most < 0.0 => "is behind this machine's",
            _ => "agrees with this machine's",
        };
        format!("the clock of {server} {relation}, as far as can be told within {:.3} s", self.most - self.least)
    }
}

impl Check for Clock {
    fn name(&self) -> &str {
        "host.clock"
    }

    fn about(&self) -> Cow<'_, str> {
        "this machine's clock against those of planning-sync-server, PostgreSQL and Qdrant".into()
    }

    /// A clock that nobody could be asked about is not wrong for that.
    fn silence(&self) -> Severity {
        Severity::Unknown
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let started = Instant::now();
        let settings = &context.settings;
        let chosen = |server: &&str| settings.checks.iter().any(|check| check.name() == *server);
        // Whoever asks for nothing but this machine means all of them.
        let asked: Vec<&str> = match SERVERS.iter().copied().filter(chosen).collect::<Vec<_>>() {
            chosen if chosen.is_empty() => SERVERS.to_vec(),
            chosen => chosen,
        };
        let ask = |server: &str| {
            let started = Instant::now();
            let ahead = match server {
                "service" => of_http(&context.http, &format!("{}/health", settings.service.url)),
                "postgres" => of_postgres(&settings.postgres),
                _ => of_http(&of_qdrant(&settings.qdrant), &format!("{}/", settings.qdrant.url)),
            };
            (ahead, elapsed_ms(started))
        };
        let told: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = asked.iter().map(|server| scope.spawn(|| ask(server))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or((None, 0))).collect()
        });
        let mut silent = Vec::new();
        for (server, (ahead, elapsed_ms)) in asked.iter().zip(told) {
            let Some(ahead) = ahead else {
                silent.push(*server);
                continue;
            };
            let labels = Labels::from([("server".to_owned(), (*server).to_owned())]);
            let limits = &settings.limits;
            findings.push(limits.judge(
                &limits::CLOCK_SKEW,
                ahead.certain(),
                &ahead.detail(server),
                elapsed_ms,
                labels,
            ));
        }
        let mut message = format!("servers that told the time: {} of {}", asked.len() - silent.len(), asked.len());
        if !silent.is_empty() {
            message = format!("{message}; not {}", silent.join(", "));
        }
        let severity = if silent.len() == asked.len() { Severity::Info } else { Severity::Ok };
        let record = HealthCheckRecord { elapsed_ms: elapsed_ms(started), ..HealthCheckRecord::default() };
        findings.push(Finding::check(severity, "host.clock", message, record));
    }
}

/// A client for Qdrant. The key stays here: what is asked for is open to all, and so is the time in a refusal.
fn of_qdrant(settings: &QdrantSettings) -> HttpClient {
    HttpClient::new(&HttpSettings {
        connect_timeout: settings.connect_timeout,
        timeout: settings.timeout,
        idle_connections: 0,
        roots: settings.roots.clone(),
        ..HttpSettings::default()
    })
}

/// Seconds since 1970 by our clock.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn of_http(client: &HttpClient, url: &str) -> Option<Ahead> {
    let before = now();
    // Any answer will do, whatever its status.
    let answer = client.request("GET", url).send().ok()?;
    let after = now();
    let date = date(answer.header("date")?)?;
    // What a cache has kept has the date of then, and in `Age` for how long it was kept (RFC 9111, 5.1), in whole seconds.
    let (date, lateness) = match answer.header("age") {
        Some(age) => (date + age.trim().parse::<u32>().map(f64::from).ok()?, HTTP_LATENESS + 1.0),
        None => (date, HTTP_LATENESS),
    };
    Some(Ahead::of(date, date + lateness, before, after))
}

fn date(text: &str) -> Option<f64> {
    let date = OffsetDateTime::parse(text.trim(), &Rfc2822).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact up to 2^53")]
    Some(date.unix_timestamp() as f64)
}

fn of_postgres(settings: &PgSettings) -> Option<Ahead> {
    let mut client = connect(settings, crate::TOOL.name, Purpose::Watch).ok()?;
    let before = now();
    let row = client.query_one(include_str!("../../queries/clock.sql"), &[]).ok()?;
    let after = now();
    let seconds: f64 = row.try_get("seconds").ok()?;
    Some(Ahead::of(seconds, seconds, before, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certain_counts() {
        // Asked at 100.0, answered at 100.4.
        let ahead = |least, most| Ahead::of(least, most, 100.0, 100.4);
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-9;
        // An HTTP server that is right: its second began at 100, or, asked at 100.2, at 99.
        assert!(near(ahead(100.0, 101.5).certain(), 0.0) && near(ahead(99.0, 100.5).certain(), 0.0));
        assert!(
            ahead(100.0, 101.5).detail("x").starts_with("the clock of x agrees with this machine's, as far as can")
        );
        // 130 at the latest moment of ours that it may have been: 29.6 s ahead at least.
        assert!(near(ahead(130.0, 131.5).certain(), 29.6));
        assert!(ahead(130.0, 131.5).detail("x").contains("is ahead of this machine's"));
        // 71.5 at most, when it was 100.0 here at least.
        assert!(near(ahead(70.0, 71.5).certain(), 28.5));
        assert!(
            ahead(70.0, 71.5).detail("x").ends_with("is behind this machine's, as far as can be told within 1.900 s")
        );
        // PostgreSQL tells microseconds.
        assert!(near(ahead(100.2, 100.2).certain(), 0.0) && near(ahead(100.7, 100.7).certain(), 0.3));
    }

    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777.0));
        for text in
            ["", "yesterday", "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37", "Sun, 36 Nov 1994 08:49:37 GMT"]
        {
            assert_eq!(date(text), None, "{text:?}");
        }
    }
}
