//! A new database beside the old one: created, restored into and compared.

use anyhow::Context as _;
use pso_archive::{Archive, load};
use pso_common::postgres::{Client, PgSettings};
use pso_common::record::Component;
use pso_common::{Run, Severity};

use super::check::check;
use super::fill::fill;
use super::swap::{allow, forget_subscriptions};
use super::target::{Shape, admin, ident, literal};
use super::{MAX_NAME_BYTES, PgPlan, properties, scratch, shortened};
use crate::journal::{Action, Journal, NewDatabase, Swap};
use crate::steps::Step;

/// The SQLSTATE of a database that somebody is in, or that subscribes to something.
const OBJECT_IN_USE: &str = "55006";

/// The names and the form of the databases that take part.
pub(super) struct Names<'a> {
    pub(super) new: &'a str,
    pub(super) kept: Option<&'a str>,
    pub(super) shape: &'a Shape,
}

/// Creates the new database, restores into it, compares, and gives it what the old one has. What it leaves when it
/// fails, the journal knows.
pub(super) fn prepare(
    run: &mut Run<'_>,
    settings: &PgSettings,
    archive: &mut Archive,
    plan: &PgPlan,
    names: &Names<'_>,
    journal: &mut Journal,
) -> anyhow::Result<Swap> {
    let mut admin = admin(settings)?;
    reopen(&mut admin, run, &settings.dbname, names.shape)?;
    drop_leftovers(&mut admin, run, settings)?;
    let rows = plan.source.rows.values().sum();
    let step = Step::new("restore", Component::Postgres, plan.database.as_str())
        .rows(rows)
        .size(plan.entry.size)
        .says(format!("into {}, compared with the manifest", names.new));
    let action = NewDatabase { database: plan.database.clone(), new: names.new.to_owned() };
    let id = journal.will(Action::NewDatabase(action))?;
    let scratch = scratch(journal)?;
    let result = step.run(run, |run, step| {
        admin
            .batch_execute(&create_statement(names.new, names.shape))
            .with_context(|| format!("create the database {}", names.new))?;
        let oid = oid(&mut admin, names.new)?;
        let own = settings.with_dbname(names.new);
        fill(run, &own, archive, plan, &scratch)?;
        check(&own, plan, run.cancel())?;
        if names.kept.is_some() {
            let problems = properties::carry_over(&mut admin, &plan.database, names.new, names.shape)?;
            if !problems.is_empty() {
                run.note(Severity::Warning);
                let text = format!("settings of the database that were not carried over: {}", problems.join("; "));
                run.warn(&text);
                step.message = format!("{}; {text}", step.message);
            }
        }
        Ok(oid)
    });
    let oid = result?;
    journal.did(id)?;
    Ok(Swap { database: plan.database.clone(), new: names.new.to_owned(), kept: names.kept.map(str::to_owned), oid })
}

fn create_statement(name: &str, shape: &Shape) -> String {
    let mut sql = format!(
        "CREATE DATABASE {} WITH TEMPLATE template0 OWNER {} ENCODING{} LC_COLLATE{} LC_CTYPE{}",
        ident(name),
        ident(&shape.owner),
        literal(&shape.encoding),
        literal(&shape.collate),
        literal(&shape.ctype)
    );
    match (shape.locale_provider.as_str(), &shape.locale) {
        ("i", Some(locale)) => sql.push_str(&format!(" LOCALE_PROVIDER icu ICU_LOCALE{}", literal(locale))),
        ("b", Some(locale)) => sql.push_str(&format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE{}", literal(locale))),
        _ => {}
    }
    if let Some(tablespace) = &shape.tablespace {
        sql.push_str(&format!(" TABLESPACE {}", ident(tablespace)));
    }
    sql
}

/// The databases that killed restores of this one have left half made.
pub(super) fn leftovers(admin: &mut Client, database: &str) -> anyhow::Result<Vec<String>> {
    // As `suffixed` shortens it.
    let base = shortened(database, MAX_NAME_BYTES - "_pso_new_YYYYMMDD_HHMMSS".len());
    let rows = admin.query(include_str!("../../queries/leftovers.sql"), &[&base]).context("look for leftovers")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn drop_leftovers(admin: &mut Client, run: &mut Run<'_>, settings: &PgSettings) -> anyhow::Result<()> {
    for name in leftovers(admin, &settings.dbname)? {
        // One with sessions belongs to a restore that runs elsewhere.
        let drop = format!("DROP DATABASE {}", ident(&name));
        let dropped = admin.batch_execute(&drop).or_else(|error| {
            if error.code().is_some_and(|state| state.code() == OBJECT_IN_USE)
                && forget_subscriptions(settings, &name).is_ok()
            {
                return admin.batch_execute(&drop);
            }
            Err(error)
        });
        match dropped {
            Ok(()) => run.warn(format_args!("dropped the database {name}, which a killed restore had left")),
            Err(error) => {
                run.warn(format_args!("the database {name} of another restore is left: {:#}", load::said(&error)));
            }
        }
    }
    Ok(())
}

/// Lets others in again where a killed restore had just locked them out.
fn reopen(admin: &mut Client, run: &mut Run<'_>, database: &str, shape: &Shape) -> anyhow::Result<()> {
    if !shape.lets_in {
        allow(admin, database, true)?;
        run.warn(format_args!("{database} lets others in again, which a killed restore had kept out"));
    }
    let base = shortened(database, MAX_NAME_BYTES - "_before_YYYYMMDD_HHMMSS".len());
    for row in admin.query(include_str!("../../queries/closed.sql"), &[&base]).context("look for what is kept")? {
        let name: String = row.get(0);
        match allow(admin, &name, true) {
            Ok(()) => run.warn(format_args!("{name}, which a killed restore had kept, can be looked into again")),
            Err(error) => run.warn(format_args!("{error:#}; nobody can look into what a killed restore had kept")),
        }
    }
    Ok(())
}

fn oid(admin: &mut Client, name: &str) -> anyhow::Result<u32> {
    let row = admin.query_one("SELECT oid FROM pg_catalog.pg_database WHERE datname = $1", &[&name]);
    Ok(row.with_context(|| format!("look for the database {name}"))?.get(0))
}
