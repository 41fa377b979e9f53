//! Rows past their retention: counted in one snapshot, then deleted in short transactions, or dropped with a whole partition.

mod apply;
mod batch;
mod dropping;
mod due;
mod pace;
mod partitions;
mod plan;
mod references;
mod rules;
mod server;
mod settings;
mod tree;

use anyhow::Context as _;
use pso_common::postgres::{Client, IsolationLevel, Purpose, Transaction, connect};
use pso_common::record::{PrunePart, StepState};
use pso_common::run::Confirmed;
use pso_common::{Run, Severity};

use crate::cleaning::Plan;
use crate::settings::Settings;
use crate::step::Step;

use plan::Planned;
use rules::Rule;
pub(crate) use rules::RuleSection;
use server::{Server, Watch};
pub(crate) use settings::{RowKeys, RowSettings};

/// What would be deleted of each table.
struct RowsPlan {
    server: Server,
    tables: Vec<Planned>,
}

/// Finds out what would be deleted: of all tables at the same moment.
///
/// # Errors
/// When there is no server that can be changed.
pub(crate) fn plan(run: &mut Run<'_>, settings: &Settings) -> anyhow::Result<Box<dyn Plan>> {
    let mut client = connect(&settings.postgres, "pso-prune", Purpose::Work)?;
    let server = Server::find(&mut client).with_context(|| format!("prune rows at {}", settings.postgres.shown()))?;
    let _watch = Watch::over(&mut client, &settings.postgres, run.cancel())?;
    let mut tx = begin(&mut client, settings).context("begin to count rows")?;
    let mut tables = Vec::new();
    for rule in &settings.rows.rules {
        run.cancel().check()?;
        run.progress(format_args!("counting the rows of {}", rule.shown()));
        let planned = one(&mut tx, rule, settings.force);
        run.cancel().check()?;
        tables.push(planned.unwrap_or_else(|error| {
            let step = Step::new(PrunePart::Rows, "delete", rule.shown());
            Planned::Told(step.says(Severity::Unknown, format!("{error:#}")).already(StepState::Failed))
        }));
    }
    tx.rollback().context("end counting rows")?;
    Ok(Box::new(RowsPlan { server, tables }))
}

fn begin<'c>(client: &'c mut Client, settings: &Settings) -> anyhow::Result<Transaction<'c>> {
    let mut tx = client.build_transaction().read_only(true).isolation_level(IsolationLevel::RepeatableRead).start()?;
    // How the server writes the ends of partitions must be how it reads them.
    tx.batch_execute(&format!(
        "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}",
        settings.rows.lock_timeout.as_millis(),
        settings.rows.count_timeout.as_millis()
    ))?;
    Ok(tx)
}

/// A rule that fails leaves the snapshot to the others.
fn one(tx: &mut Transaction<'_>, rule: &Rule, force: bool) -> anyhow::Result<Planned> {
    let mut savepoint = tx.transaction()?;
    let planned = plan::plan(&mut savepoint, rule, force);
    savepoint.rollback()?;
    planned
}

impl Plan for RowsPlan {
    fn steps(&self) -> Vec<Step> {
        let steps = |table: &Planned| match table {
            Planned::Table(table) => table.steps(),
            Planned::Told(step) => vec![step.clone()],
        };
        self.tables.iter().flat_map(steps).collect()
    }

    fn apply(self: Box<Self>, run: &mut Run<'_>, settings: &Settings, _consent: &Confirmed) -> anyhow::Result<()> {
        for table in &self.tables {
            if let Planned::Table(table) = table {
                run.cancel().check()?;
                apply::apply(run, &settings.postgres, &settings.rows, self.server, table)?;
            }
        }
        Ok(())
    }
}
