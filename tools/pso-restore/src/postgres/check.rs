//! Whether what was restored is what was backed up: rows counted, constraints and indexes valid. And statistics, so that
//! the first queries are not planned blindly.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, anyhow, bail, ensure};
use pso_archive::custom::Toc;
use pso_archive::{count_query, row_differences, user_tables};
use pso_common::io::Cancel;
use pso_common::postgres::{Client, PgSettings};

use super::PgPlan;
use super::target::connect;

/// How many differences are told.
const TOLD: usize = 3;

/// Compares a new database with the manifest and the dump, and gathers its statistics, with several sessions.
pub(super) fn check(own: &PgSettings, plan: &PgPlan, cancel: &Cancel) -> anyhow::Result<()> {
    let mut client = session(own)?;
    let counted = user_tables(&mut client)?;
    let rows = client.query(include_str!("../../queries/largest_tables.sql"), &[]).context("list the tables")?;
    let tables: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let counted: BTreeSet<&str> = counted.iter().map(String::as_str).collect();
    let work = Work { tables: Mutex::new(tables.iter().map(String::as_str).collect()), counted: &counted, cancel };
    let mut found = BTreeMap::new();
    thread::scope(|scope| -> anyhow::Result<()> {
        let more: Vec<_> =
            (1..plan.jobs.min(tables.len())).map(|_| scope.spawn(|| work.go_on(&mut session(own)?))).collect();
        let mut result = work.go_on(&mut client).map(|counts| found.extend(counts));
        for worker in more {
            let counts = worker.join().unwrap_or_else(|_| Err(anyhow!("a session that counts rows has crashed")));
            result = result.and(counts.map(|counts| found.extend(counts)));
        }
        result
    })?;
    if let Some(differences) = row_differences(&plan.source.rows, &found, false) {
        bail!("what was restored is not what was backed up: {differences}");
    }
    valid(&mut client, plan.toc.as_ref())
}

fn session(own: &PgSettings) -> anyhow::Result<Client> {
    let mut client = connect(own)?;
    client.batch_execute("SET row_security = off")?;
    Ok(client)
}

/// The tables that are left, the largest first.
struct Work<'a> {
    tables: Mutex<VecDeque<&'a str>>,
    counted: &'a BTreeSet<&'a str>,
    cancel: &'a Cancel,
}

impl Work<'_> {
    /// Counts and analyses tables until none is left.
    fn go_on(&self, client: &mut Client) -> anyhow::Result<BTreeMap<String, u64>> {
        let mut counts = BTreeMap::new();
        loop {
            self.cancel.check()?;
            let table = self.tables.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(table) = table else { return Ok(counts) };
            if self.counted.contains(table) {
                let row = client.query_one(&count_query(table), &[]).with_context(|| format!("count {table}"))?;
                counts.insert(table.to_owned(), u64::try_from(row.get::<_, i64>(0)).unwrap_or_default());
            }
            client
                .batch_execute(&format!("ANALYZE {table}"))
                .with_context(|| format!("gather statistics of {table}"))?;
        }
    }
}

/// Whether every constraint was checked, but those that were not where they come from, and every index can be used.
fn valid(client: &mut Client, toc: Option<&Toc>) -> anyhow::Result<()> {
    let rows = client.query(include_str!("../../queries/not_valid.sql"), &[]).context("look at the constraints")?;
    let mut problems = Vec::new();
    for row in rows {
        let (is_constraint, schema, name): (bool, String, String) =
            (row.get("is_constraint"), row.get("schema"), row.get("name"));
        if is_constraint && toc.is_none_or(|toc| was_not_valid(toc, &schema, &name)) {
            continue;
        }
        let of: String = row.get("of");
        let what = if is_constraint { "the constraint was not checked" } else { "the index cannot be used" };
        problems.push(format!("{schema}.{of}: {what}: {name}"));
    }
    let rest = problems.len().saturating_sub(TOLD);
    problems.truncate(TOLD);
    let more = if rest > 0 { format!("; and {rest} more") } else { String::new() };
    ensure!(problems.is_empty(), "the restored database is not whole: {}{more}", problems.join("; "));
    Ok(())
}

/// Whether the dump itself makes the constraint as `NOT VALID`.
fn was_not_valid(toc: &Toc, schema: &str, name: &str) -> bool {
    toc.entries.iter().any(|entry| {
        entry.namespace == schema
            && entry.desc.ends_with("CONSTRAINT")
            && entry.tag.ends_with(name)
            && entry.definition.contains("NOT VALID")
    })
}
