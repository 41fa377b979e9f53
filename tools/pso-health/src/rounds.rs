//! One round, or one every while (`--every`): a steady schedule, what is kept between rounds, and a clean stop.

mod notify;
mod schedule;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pso_common::Run;
use pso_common::http::{HttpClient, HttpRoots, HttpSettings};
use pso_common::io::elapsed_ms;
use pso_common::record::HealthRoundRecord;

use self::notify::Notify;
use self::schedule::Schedule;
use crate::check::Context;
use crate::history::History;
use crate::probe::Prober;
use crate::settings::Settings;

/// A longer answer of the service is a mistake or an attack.
const LONGEST_ANSWER: u64 = 1 << 20;

/// How often a signal is looked for between rounds.
const TICK: Duration = Duration::from_millis(100);

/// Runs the checks, once or again and again, and writes what they find.
///
/// # Errors
/// When stdout cannot be written; for a single round also when a signal comes. With `--every` a signal is how it ends.
pub(crate) fn run(settings: Settings, run: &mut Run<'_>) -> anyhow::Result<()> {
    let settings = Arc::new(settings);
    let http = HttpClient::new(&HttpSettings {
        connect_timeout: settings.timeout.min(HttpSettings::default().connect_timeout),
        timeout: settings.timeout.min(settings.service.timeout),
        max_body_bytes: LONGEST_ANSWER,
        idle_connections: 0,
        roots: HttpRoots::named(settings.service.ca_file.as_deref()).context("maintenance.service.ca_file")?,
        ..HttpSettings::default()
    });
    let history = Arc::new(Mutex::new(earlier(&settings, run)));
    let context = |run: &Run<'_>| Context::new(Arc::clone(&settings), http.clone(), run.now(), Arc::clone(&history));
    let mut prober = Prober::new(Arc::clone(&settings));
    let Some(every) = settings.every else {
        let context = context(run);
        prober.round(context, run, &mut || {})?;
        keep(&settings, &history, run);
        return Ok(());
    };
    let mut notify = Notify::new();
    let mut schedule = Schedule::new(Instant::now(), every);
    let mut missed = 0;
    notify.ready();
    for number in 1..=settings.count.unwrap_or(u64::MAX) {
        let started = Instant::now();
        let context = context(run);
        let round = match prober.round(context, run, &mut || notify.alive()) {
            Ok(round) => round,
            // What the stopped round has written stands; it has no end of its own.
            Err(_) if run.cancel().is_cancelled() => break,
            Err(error) => return Err(error),
        };
        let record = HealthRoundRecord {
            round: number,
            checks: round.checks,
            hanging: round.hanging,
            missed,
            elapsed_ms: elapsed_ms(started),
        };
        run.emit(round.worst, "round", "", record)?;
        run.end_round()?;
        keep(&settings, &history, run);
        notify.status(number, round.worst);
        if settings.count == Some(number) {
            break;
        }
        let next;
        (next, missed) = schedule.next(Instant::now());
        if !wait(next, run, &mut notify) {
            break;
        }
    }
    notify.stopping();
    Ok(())
}

/// Waits for a moment; whether it came before a signal did.
fn wait(until: Instant, run: &Run<'_>, notify: &mut Notify) -> bool {
    loop {
        if run.cancel().is_cancelled() {
            return false;
        }
        notify.alive();
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(TICK));
    }
}

/// What an earlier run has kept. A file that cannot be used costs the comparison, not the checks.
fn earlier(settings: &Settings, run: &mut Run<'_>) -> History {
    match settings.state.as_deref().map(History::load) {
        Some(Ok(history)) => history,
        Some(Err(error)) => {
            run.warn(format_args!("{error:#}; it is begun anew"));
            History::default()
        }
        None => History::default(),
    }
}

/// Drops what is no longer compared with, and puts the rest where the next run finds it.
fn keep(settings: &Settings, history: &Mutex<History>, run: &mut Run<'_>) {
    let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
    history.forget_old(run.now());
    let Some(path) = settings.state.as_deref() else { return };
    if let Err(error) = history.save(path) {
        run.warn(format_args!("{error:#}"));
        run.note(pso_common::Severity::Warning);
    }
}
