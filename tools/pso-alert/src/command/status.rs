//! `pso-alert status`: incidents, silences and channels as records.

use pso_common::record::{AlertChannelRecord, Telling};
use pso_common::{Run, Severity};

use crate::channel::Named;
use crate::cli::Cli;
use crate::evaluate::standing;
use crate::incident::Change;
use crate::settings::Settings;
use crate::store::{self, Store};
use crate::tell::write_change;

pub(crate) fn run(run: &mut Run<'_>, cli: &Cli, all: bool) -> anyhow::Result<()> {
    let settings = Settings::resolve(cli, None, run.config())?;
    if settings.printed(run)? {
        return Ok(());
    }
    if !settings.state.exists() {
        run.warn(format_args!("there is no state file {} yet: nothing was ever told", settings.state.display()));
        return Ok(());
    }
    let store = Store::open(&settings.state)?;
    let policy = &settings.alerts.policy;
    let now = run.now();
    let (incidents, silences) = standing(&store, policy, all, now)?;
    for mut change in incidents {
        // What an evaluation would tell now was not told yet; what is over was.
        change.telling = match (change.incident.is_open(), change.telling) {
            (false, Telling::Unwanted) if change.incident.told.is_none() => Telling::Already,
            (_, telling) => telling,
        };
        // A silenced incident is as bad as any other: a silence is about telling.
        write_change(run, policy, &Change { because: None, ..change }, true)?;
    }
    for silence in silences.iter().filter(|silence| all || silence.ends_at > now) {
        super::silence::emit(run, silence)?;
    }
    for channel in &settings.alerts.channels {
        emit_channel(run, &store, channel)?;
    }
    for trouble in store.take_troubles() {
        run.warn(trouble.text);
        run.note(trouble.severity);
    }
    settings.warn(run);
    Ok(())
}

fn emit_channel(run: &mut Run<'_>, store: &Store, channel: &Named) -> anyhow::Result<()> {
    let name = channel.name.as_str();
    let (standing, (waiting, oldest_at), next_due) = store.read(|connection| {
        Ok((store::standing(connection, name)?, store::backlog(connection, name)?, store::next_due(connection, name)?))
    })?;
    let now = run.now();
    let next_at = next_due.map(|due| standing.not_before.map_or(due, |at| at.max(due))).filter(|at| *at > now);
    let record = AlertChannelRecord {
        channel: name.to_owned(),
        r#type: channel.channel.kind().to_owned(),
        waiting,
        oldest_at,
        next_at,
        failing_since: standing.failing_since,
        sent_at: standing.sent_at,
    };
    let severity = if standing.failing_since.is_some() { Severity::Warning } else { Severity::Ok };
    run.emit(severity, name, standing.reason, record)
}
