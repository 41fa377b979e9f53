//! `pso-alert test`: one marked notice, and what the other end says to it.

use std::time::{Duration, Instant};

use anyhow::bail;
use pso_common::io::{elapsed_ms, host_name};
use pso_common::record::{AlertDeliveryRecord, DeliveryState, IncidentState, Labels};
use pso_common::{Run, Severity};

use crate::channel::{Digest, Named, Outcome};
use crate::cli::Cli;
use crate::notice::{Because, Notice};
use crate::settings::Settings;

/// Asks the channel, or every enabled one. The outbox is left alone, and nothing is tried twice: it is this attempt that
/// somebody wants to hear of.
pub(crate) fn run(run: &mut Run<'_>, cli: &Cli, channel: Option<&str>) -> anyhow::Result<()> {
    let settings = Settings::resolve(cli, None, run.config())?;
    if settings.printed(run)? {
        return Ok(());
    }
    let alerts = &settings.alerts;
    let asked = |name: &str| channel.is_none_or(|channel| channel == name);
    let channels: Vec<_> = alerts.channels.iter().filter(|named| asked(&named.name)).collect();
    let problems: Vec<_> = alerts.problems.iter().filter(|problem| asked(&problem.channel)).collect();
    if channels.is_empty() && problems.is_empty() {
        bail!("{}", nobody(&settings, channel));
    }
    for problem in problems {
        run.warn(format_args!("{} cannot be told: {}", problem.channel, problem.reason));
        write(run, Severity::Unknown, &problem.channel, DeliveryState::Failed, Attempt::none(&problem.reason))?;
    }
    for named in channels {
        run.cancel().check()?;
        attempt(run, named, settings.deadline)?;
    }
    Ok(())
}

/// Why there is no such channel, with the names that there are.
fn nobody(settings: &Settings, channel: Option<&str>) -> String {
    let (file, alerts) = (settings.file.display(), &settings.alerts);
    let enabled = alerts.channels.iter().map(|named| named.name.as_str());
    let names: Vec<&str> = enabled.chain(alerts.problems.iter().map(|problem| problem.channel.as_str())).collect();
    match channel {
        Some(name) if alerts.disabled.iter().any(|disabled| disabled == name) => {
            format!("{name} is not enabled in {file}; set alerts.{name}.enabled: true")
        }
        Some(name) if names.is_empty() && alerts.disabled.is_empty() => {
            format!("there is no channel {name}: {file} has none, or does not exist")
        }
        Some(name) => {
            let all: Vec<&str> = names.into_iter().chain(alerts.disabled.iter().map(String::as_str)).collect();
            format!("there is no channel {name} in {file}; there are {}", all.join(", "))
        }
        None if alerts.disabled.is_empty() => format!("{file} has no channel, or does not exist"),
        None => format!("{file} enables no channel; there are {}", alerts.disabled.join(", ")),
    }
}

/// What came of an attempt.
struct Attempt {
    number: u32,
    key: Option<String>,
    status: Option<u16>,
    elapsed_ms: u64,
    message: String,
}

impl Attempt {
    fn none(reason: &str) -> Self {
        Self { number: 0, key: None, status: None, elapsed_ms: 0, message: reason.to_owned() }
    }
}

fn attempt(run: &mut Run<'_>, named: &Named, timeout: Duration) -> anyhow::Result<()> {
    let (host, at) = (host_name(), run.now());
    let notice = Notice {
        incident: format!("test/{host}/{}", named.name),
        episode: 1,
        rule: "test".to_owned(),
        state: IncidentState::Firing,
        because: Because::Test,
        severity: Severity::Info,
        message: format!("This is a test of the channel {}: nothing is wrong.", named.name),
        count: 1,
        labels: Labels::from([("host".to_owned(), host.clone())]),
        first_at: at,
        last_at: at,
        ended_at: None,
        runbook: None,
    };
    // Each test is a message of its own, which no other end takes for a second copy.
    let key = format!("test-{:016x}", fastrand::u64(..));
    let digest = Digest { key: &key, host: &host, at, notices: std::slice::from_ref(&notice), rest: None };
    let began = Instant::now();
    let outcome = named.channel.send(&digest, timeout);
    let elapsed_ms = elapsed_ms(began);
    let (name, kind) = (&named.name, named.channel.kind());
    let (severity, state, status, message) = match outcome {
        Outcome::Sent { status, said, complaint, .. } => {
            let answer = status.map_or_else(String::new, |status| format!(" {status}"));
            let said = if said.is_empty() { "it was taken".to_owned() } else { said };
            match complaint {
                Some(complaint) => {
                    run.warn(format_args!("{name} ({kind}) was told, but not wholly: {complaint}"));
                    (Severity::Warning, DeliveryState::Sent, status, format!("{said}; {complaint}"))
                }
                None => {
                    run.warn(format_args!("{name} ({kind}) was told:{answer} {said}"));
                    (Severity::Ok, DeliveryState::Sent, status, said)
                }
            }
        }
        Outcome::Again { status, reason, .. }
        | Outcome::Refused { status, reason }
        | Outcome::Unusable { status, reason } => {
            run.warn(format_args!("{name} ({kind}) was not told: {reason}"));
            (Severity::High, DeliveryState::Failed, status, reason)
        }
    };
    let attempt = Attempt { number: 1, key: Some(key), status, elapsed_ms, message };
    write(run, severity, name, state, attempt)
}

fn write(
    run: &mut Run<'_>,
    severity: Severity,
    channel: &str,
    state: DeliveryState,
    attempt: Attempt,
) -> anyhow::Result<()> {
    let body = AlertDeliveryRecord {
        channel: channel.to_owned(),
        state,
        attempt: attempt.number,
        notices: 1,
        key: attempt.key,
        status: attempt.status,
        elapsed_ms: attempt.elapsed_ms,
    };
    run.emit(severity, channel.to_owned(), attempt.message, body)
}
