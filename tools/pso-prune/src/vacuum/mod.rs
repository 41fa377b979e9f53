//! `VACUUM (ANALYZE)` of the tables that need it, those with most dead rows first, as long as the time lasts.
//!
//! Never `FULL`. What autovacuum is doing is left alone: a table that somebody is vacuuming is skipped, and no lock is waited
//! for so long that the server would send autovacuum away.

mod session;
mod settings;
mod tables;

use std::time::Instant;

use pso_common::config::ConfigValue as _;
use pso_common::record::{PrunePart, StepState};
use pso_common::run::Confirmed;
use pso_common::{Run, Severity};

use crate::cleaning::Plan;
use crate::settings::Settings;
use crate::step::Step;

use session::{Session, Vacuumed};
pub(crate) use settings::{VacuumSection, VacuumSettings};
use tables::Table;

/// Finds out which tables need it.
///
/// # Errors
/// When the server cannot be asked, or is a standby.
pub(crate) fn plan(run: &mut Run<'_>, settings: &Settings) -> anyhow::Result<Box<dyn Plan>> {
    let all = Session::open(&settings.postgres)?.tables()?;
    for table in all.iter().filter(|table| !table.may) {
        if let Some(need) = table.need(&settings.vacuum) {
            let said = format!(
                "{need}; but {} may not vacuum it: run this as its owner, or from PostgreSQL 17 on GRANT MAINTAIN ON {} TO it",
                settings.postgres.user, table.name
            );
            step(&table.name).says(Severity::Warning, said).emit(run, StepState::Skipped, None)?;
        }
    }
    let (wanted, others) =
        all.into_iter().filter(|table| table.may).partition(|table| table.need(&settings.vacuum).is_some());
    Ok(Box::new(VacuumPlan {
        wanted,
        others,
        after_rows: settings.parts.contains(&PrunePart::Rows),
        database: settings.postgres.dbname.clone(),
        settings: settings.vacuum.clone(),
    }))
}

struct VacuumPlan {
    /// Those that need it.
    wanted: Vec<Table>,
    /// Those that do not; unless rows are deleted from them before.
    others: Vec<Table>,
    /// Rows are deleted first, in this very run.
    after_rows: bool,
    database: String,
    settings: VacuumSettings,
}

fn step(table: &str) -> Step {
    Step::new(PrunePart::Vacuum, "vacuum", table)
}

impl VacuumPlan {
    /// The step for what is not known yet.
    fn after_rows(&self) -> Step {
        step(&self.database).says(Severity::Ok, "and every table from which rows are deleted just before")
    }

    /// What is to be vacuumed as things are now, and why.
    fn due(&self, now: &[Table]) -> Vec<(Table, String)> {
        let was = |table: &Table, list: &[Table]| list.iter().find(|other| other.oid == table.oid).cloned();
        let mut due = Vec::new();
        for table in now.iter().filter(|table| table.may) {
            let before = was(table, &self.others).or_else(|| was(table, &self.wanted));
            let lost = before.map_or(0, |before| table.deleted.saturating_sub(before.deleted));
            if self.after_rows && lost > 0 && table.dead > 0 {
                due.push((table.clone(), format!("{lost} rows were deleted from it")));
            } else if was(table, &self.wanted).is_some()
                && let Some(need) = table.need(&self.settings)
            {
                due.push((table.clone(), need));
            }
        }
        due
    }
}

impl Plan for VacuumPlan {
    fn steps(&self) -> Vec<Step> {
        let planned = self
            .wanted
            .iter()
            .map(|table| step(&table.name).says(Severity::Ok, table.need(&self.settings).unwrap_or_default()));
        planned.chain(self.after_rows.then(|| self.after_rows())).collect()
    }

    fn apply(self: Box<Self>, run: &mut Run<'_>, settings: &Settings, _consent: &Confirmed) -> anyhow::Result<()> {
        let started = Instant::now();
        let mut work = Work { session: None, settings, started };
        let opened = Session::open(&settings.postgres).and_then(|mut session| {
            if self.after_rows {
                session.await_counts(run.cancel())?;
            }
            let now = session.tables()?;
            Ok((session, now))
        });
        let now = match opened {
            Ok((session, now)) => {
                work.session = Some(session);
                now
            }
            Err(error) => {
                run.cancel().check()?;
                let failed = step(&self.database).says(Severity::High, format!("{error:#}"));
                return failed.emit(run, StepState::Failed, Some(started));
            }
        };
        let due = self.due(&now);
        for table in &self.wanted {
            if due.iter().all(|(other, _)| other.oid != table.oid) {
                let said = "it needs none any more: somebody has vacuumed or dropped it meanwhile";
                step(&table.name).says(Severity::Ok, said).emit(run, StepState::Skipped, Some(started))?;
            }
        }
        if self.after_rows && due.iter().all(|(table, _)| self.wanted.iter().any(|other| other.oid == table.oid)) {
            let said = "rows were deleted from no other table";
            step(&self.database).says(Severity::Ok, said).emit(run, StepState::Skipped, Some(started))?;
        }
        for (table, why) in due {
            run.cancel().check()?;
            work.vacuum(run, &table, &why)?;
        }
        Ok(())
    }
}

/// The work on one table after the other.
struct Work<'a> {
    /// `None` after it was lost.
    session: Option<Session>,
    settings: &'a Settings,
    started: Instant,
}

impl Work<'_> {
    fn vacuum(&mut self, run: &mut Run<'_>, table: &Table, why: &str) -> anyhow::Result<()> {
        let started = Instant::now();
        run.progress(format_args!("VACUUM {}: {why}", table.name));
        let (state, severity, said) = match self.outcome(run, table) {
            Ok(outcome) => outcome,
            Err(error) => {
                run.cancel().check()?;
                (StepState::Failed, Severity::High, format!("{error:#}"))
            }
        };
        step(&table.name).says(severity, said).emit(run, state, Some(started))
    }

    fn outcome(&mut self, run: &Run<'_>, table: &Table) -> anyhow::Result<(StepState, Severity, String)> {
        let budget = self.settings.vacuum.budget;
        let left = budget.saturating_sub(self.started.elapsed());
        let late = |what: &str| {
            let said = format!(
                "{what} when {} were over (--vacuum-budget, maintenance.prune.vacuum.budget); the next run comes to it",
                budget.show()
            );
            (StepState::Skipped, Severity::Warning, said)
        };
        if left.is_zero() {
            return Ok(late("it was not begun"));
        }
        let mut session = match self.session.take() {
            Some(session) => session,
            None => Session::open(&self.settings.postgres)?,
        };
        if let Some(who) = session.busy(table)? {
            self.session = Some(session);
            return Ok((StepState::Skipped, Severity::Info, format!("{who}; it is left alone")));
        }
        let (session, vacuumed) = session.vacuum(table, left, run.cancel())?;
        self.session = session;
        Ok(match vacuumed {
            Vacuumed::Done => {
                let after = self.session.as_mut().and_then(|session| session.after(table).transpose()).transpose()?;
                self.done(table, after.as_ref())
            }
            Vacuumed::Locked => {
                let said = "somebody holds a lock on it or on an index of it (autovacuum, DDL, another VACUUM): it is left alone";
                (StepState::Skipped, Severity::Info, said.to_owned())
            }
            Vacuumed::Late if self.started.elapsed() >= budget => late("it was stopped"),
            Vacuumed::Late => (StepState::Skipped, Severity::Warning, "somebody has cancelled it".to_owned()),
            Vacuumed::Gone => (StepState::Skipped, Severity::Ok, "it is gone".to_owned()),
            Vacuumed::Failed(error) => (StepState::Failed, Severity::High, format!("VACUUM failed: {error}")),
        })
    }

    fn done(&self, before: &Table, after: Option<&Table>) -> (StepState, Severity, String) {
        let Some(after) = after else {
            return (
                StepState::Done,
                Severity::Ok,
                format!("{} dead rows before; the server has not told yet how many are left", before.dead),
            );
        };
        let said = format!("dead rows: {} before, {} after", before.dead, after.dead);
        if after.dead > 0 && after.dead >= self.settings.vacuum.min_dead_rows && after.dead >= before.dead / 2 {
            let hint = "an old transaction, a prepared one or a replication slot keeps them; `pso-pgstats` shows which";
            return (StepState::Done, Severity::Warning, format!("{said}: {hint}"));
        }
        (StepState::Done, Severity::Ok, said)
    }
}
