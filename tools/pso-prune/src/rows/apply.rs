//! Deleting the rows of one table, a transaction after the other.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pso_common::postgres::{Client, PgSettings};
use pso_common::record::StepState;
use pso_common::{Run, Severity};

use super::batch::{self, Refusal};
use super::dropping;
use super::pace::Pace;
use super::plan::{self, Leaf, TablePlan};
use super::server::{self, Server, Watch};
use super::settings::RowSettings;

/// A run of chunks this long is read at once, though not all of them have due rows: 32 MiB of table.
const SPAN: u64 = 128;
/// How often a transaction is tried that others keep from being done.
const TRIES: u32 = 5;
/// How often the table is gone through again for rows that were locked.
const ROUNDS: u32 = 3;

/// What has been done of a table.
#[derive(Debug, Default)]
struct Done {
    rows: u64,
    dependents: Vec<u64>,
    /// Rows that are still due.
    left: u64,
}

/// Does what was planned for a table, and tells it.
///
/// # Errors
/// When the run is to stop, or its records cannot be written.
pub(crate) fn apply(
    run: &mut Run<'_>,
    postgres: &PgSettings,
    settings: &RowSettings,
    server: Server,
    plan: &TablePlan,
) -> anyhow::Result<()> {
    let mut client = match server::session(run, postgres, settings.lock_timeout) {
        Ok(client) => client,
        Err(error) => {
            for step in plan.steps().into_iter().filter(|step| step.planned_as == StepState::Planned) {
                step.says(Severity::High, format!("{error:#}")).emit(run, StepState::Failed, None)?;
            }
            return Ok(());
        }
    };
    for partition in &plan.drops {
        run.cancel().check()?;
        let started = Instant::now();
        let mut step = partition.step(&plan.rule, &plan.due);
        match dropping::drop(run, &mut client, server, settings, plan.oid, partition) {
            Ok(rows) => {
                step.rows = Some(rows);
                step.emit(run, StepState::Done, Some(started))?;
            }
            Err(error) => {
                step.rows = Some(0);
                step.says(Severity::High, format!("{error:#}")).emit(run, StepState::Failed, Some(started))?;
            }
        }
    }
    let Some(mut step) = plan.delete_step() else { return Ok(()) };
    let started = Instant::now();
    let mut done = Done { dependents: vec![0; plan.dependents.len()], ..Done::default() };
    let result = Deleting { run: &mut *run, postgres, settings, server, plan, done: &mut done }.all(&mut client);
    step.rows = Some(done.rows);
    let planned = plan.rows();
    let (state, step) = match &result {
        Ok(()) if done.rows == planned => (StepState::Done, step),
        Ok(()) => {
            let fewer = planned.saturating_sub(done.rows);
            let message = match done.left {
                0 => format!("{fewer} fewer than planned: others have deleted or changed them meanwhile"),
                left => format!(
                    "{fewer} fewer than planned: others have locked or changed them; {left} are due still, for the next run"
                ),
            };
            let severity = if done.left == 0 { Severity::Info } else { Severity::Warning };
            (StepState::Done, step.says(severity, message))
        }
        Err(error) => {
            let message =
                format!("{error:#}; {} of {planned} rows were deleted, and the next run goes on from there", done.rows);
            (StepState::Failed, step.says(Severity::High, message))
        }
    };
    step.emit(run, state, Some(started))?;
    for (dependent, rows) in plan.dependents.iter().zip(&done.dependents) {
        let mut step = dependent.step();
        step.rows = Some(*rows);
        step.emit(run, state, None)?;
    }
    run.cancel().check()?;
    Ok(())
}

struct Deleting<'a, 'r> {
    run: &'a mut Run<'r>,
    postgres: &'a PgSettings,
    settings: &'a RowSettings,
    server: Server,
    plan: &'a TablePlan,
    done: &'a mut Done,
}

impl Deleting<'_, '_> {
    fn all(&mut self, client: &mut Client) -> anyhow::Result<()> {
        let settings = self.settings;
        let mut pace = Pace::new(settings.batch_time, settings.batch_pause, self.plan.rule.batch);
        for leaf in &self.plan.leaves {
            self.leaf(client, leaf, &mut pace)?;
        }
        for round in 0..ROUNDS {
            if self.done.rows >= self.plan.rows() {
                return Ok(());
            }
            if round > 0 {
                self.pause(Duration::from_millis(500))?;
            }
            // What was locked, or has moved: a changed row is at another place.
            let mut left = Vec::new();
            for leaf in &self.plan.leaves {
                left.push(Leaf { chunks: self.chunks(client, leaf)?, ..leaf.clone() });
            }
            self.done.left = left.iter().map(Leaf::rows).sum();
            let before = self.done.rows;
            for leaf in &left {
                self.leaf(client, leaf, &mut pace)?;
            }
            self.done.left -= (self.done.rows - before).min(self.done.left);
            if self.done.left == 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    fn chunks(&mut self, client: &mut Client, leaf: &Leaf) -> anyhow::Result<Vec<(u64, u64)>> {
        let _watch = Watch::over(client, self.postgres, self.run.cancel())?;
        let mut tx = client.transaction()?;
        tx.batch_execute(&format!("SET LOCAL statement_timeout = {}", self.settings.count_timeout.as_millis()))?;
        plan::chunks(&mut tx, leaf, &self.plan.due).context("count what is left")
    }

    fn leaf(&mut self, client: &mut Client, leaf: &Leaf, pace: &mut Pace) -> anyhow::Result<()> {
        let mut at = 0;
        while let Some(&(first, rows)) = leaf.chunks.get(at) {
            let (mut end, mut expected) = (at + 1, rows);
            while let Some(&(chunk, rows)) = leaf.chunks.get(end) {
                if expected + rows > pace.rows() || chunk - first >= SPAN {
                    break;
                }
                expected += rows;
                end += 1;
            }
            let last = leaf.chunks.get(end - 1).map_or(first, |(chunk, _)| *chunk);
            loop {
                let left = self.plan.rows().saturating_sub(self.done.rows);
                if left == 0 {
                    return Ok(());
                }
                let limit = pace.rows().min(left);
                let started = Instant::now();
                let deleted = self.batch(client, leaf, first..last + 1, limit, pace)?;
                let pause = pace.learn(deleted, started.elapsed());
                let shown =
                    format!("{}: {} of {} rows deleted", self.plan.rule.shown(), self.done.rows, self.plan.rows());
                self.run.progress_again(shown);
                self.pause(pause)?;
                if deleted < limit {
                    break;
                }
            }
            at = end;
        }
        Ok(())
    }

    fn batch(
        &mut self,
        client: &mut Client,
        leaf: &Leaf,
        chunks: std::ops::Range<u64>,
        limit: u64,
        pace: &mut Pace,
    ) -> anyhow::Result<u64> {
        let mut tries = 1;
        let mut limit = limit;
        loop {
            let (plan, done) = (self.plan, &self.done.dependents);
            let result = batch::delete(client, self.server, plan, leaf, done, chunks.clone(), limit);
            match result {
                Ok(deleted) => {
                    self.done.rows += deleted.rows;
                    for (sum, rows) in self.done.dependents.iter_mut().zip(deleted.dependents) {
                        *sum += rows;
                    }
                    return Ok(deleted.rows);
                }
                Err(Refusal::Busy(_)) if tries < TRIES => {
                    pace.back_off();
                    limit = limit.min(pace.rows());
                    self.pause(Duration::from_millis(100 << tries))?;
                    tries += 1;
                }
                Err(refusal) => {
                    self.run.cancel().check()?;
                    let name = self.plan.rule.shown();
                    return Err(refusal.into_error().context(format!("delete rows of {name}")));
                }
            }
        }
    }

    fn pause(&self, span: Duration) -> anyhow::Result<()> {
        pause(self.run, span)
    }
}

/// Leaves the server alone for a while.
///
/// # Errors
/// When the run is to stop.
pub(crate) fn pause(run: &Run<'_>, span: Duration) -> anyhow::Result<()> {
    let until = Instant::now() + span;
    loop {
        run.cancel().check()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(Duration::from_millis(50)));
    }
}
