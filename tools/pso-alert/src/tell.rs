//! Notices written as records and delivered to the channels.

use pso_common::io::host_name;
use pso_common::record::{AlertDeliveryRecord, DeliveryState};
use pso_common::{Run, Severity};

use crate::channel::Digest;
use crate::deliver::{Event, deliver};
use crate::notice::Notice;
use crate::settings::Settings;

/// Writes the notices, which are sorted, tells the channels, and writes what came of it. `counts` says whether the
/// notices' severity is that of the run; a channel that was not told always counts.
pub(crate) fn tell(run: &mut Run<'_>, settings: &Settings, notices: &[Notice], counts: bool) -> anyhow::Result<()> {
    for notice in notices {
        notice.write(run, counts)?;
    }
    settings.warn(run);
    let alerts = &settings.alerts;
    let total = notices.len() as u64;
    for problem in &alerts.problems {
        let event = Event::not_attempted(problem.channel, problem.reason.clone());
        // Not "high": nothing was tried, the configuration must be put right first.
        write(run, Severity::Unknown, total, event)?;
    }
    if notices.is_empty() {
        return Ok(());
    }
    if alerts.stdout {
        write(run, Severity::Ok, total, Event::written("stdout"))?;
    }
    if alerts.channels.is_empty() {
        if !alerts.stdout && alerts.problems.is_empty() {
            let file = settings.file.display();
            let why = if settings.file.exists() { "enables no channel" } else { "does not exist" };
            run.warn(format_args!("nobody was told: {file} {why}; the notices are on stdout only"));
        }
        return Ok(());
    }
    let digest = Digest::new(host_name(), run.now(), notices);
    let cancel = run.cancel().clone();
    deliver(&alerts.channels, &digest, settings.deadline, &cancel, |event| {
        let severity = match event.state {
            DeliveryState::Sent => Severity::Ok,
            DeliveryState::Retrying => Severity::Info,
            DeliveryState::Failed | DeliveryState::Expired => {
                run.warn(format_args!("{} was not told: {}", event.channel, event.message));
                Severity::High
            }
        };
        write(run, severity, total, event)
    })
}

fn write(run: &mut Run<'_>, severity: Severity, notices: u64, event: Event) -> anyhow::Result<()> {
    let body = AlertDeliveryRecord {
        channel: event.channel.to_owned(),
        state: event.state,
        attempt: event.attempt,
        notices,
        status: event.status,
        elapsed_ms: event.elapsed_ms,
    };
    run.emit(severity, event.channel, event.message, body)
}
