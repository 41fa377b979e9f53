//! One transaction that deletes some rows.

use std::ops::Range;

use anyhow::anyhow;
use pso_common::postgres::types::ToSql;
use pso_common::postgres::{Client, Error};

use super::due::count;
use super::plan::{CHUNK, Leaf, TablePlan};
use super::server::Server;

/// What one transaction did.
#[derive(Debug, Default)]
pub(crate) struct Deleted {
    pub(crate) rows: u64,
    /// Of each dependent.
    pub(crate) dependents: Vec<u64>,
}

/// Why a transaction did nothing.
pub(crate) enum Refusal {
    /// Another session was in the way: it may go now.
    Busy(Error),
    /// It will not go.
    Failed(anyhow::Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        // lock_not_available, deadlock_detected, serialization_failure, and query_canceled: a role's statement_timeout;
        // https://www.postgresql.org/docs/current/errcodes-appendix.html.
        let code = error.code().map_or("", |code| code.code());
        if ["55P03", "40P01", "40001", "57014"].contains(&code) {
            Self::Busy(error)
        } else {
            Self::Failed(error.into())
        }
    }
}

/// Deletes up to `limit` due rows in a range of chunks. Rows that another session has locked are passed over, so that
/// nobody's queue grows behind ours; what is deleted is due at that very moment.
///
/// `done` is how many rows of each dependent have gone already: with more than were planned nothing is deleted.
pub(crate) fn delete(
    client: &mut Client,
    server: Server,
    plan: &TablePlan,
    leaf: &Leaf,
    done: &[u64],
    chunks: Range<u64>,
    limit: u64,
) -> Result<Deleted, Refusal> {
    let (due, dependents) = (&plan.due, &plan.dependents);
    let which = format!("{} AND {}", server.range(chunks.start * CHUNK..chunks.end * CHUNK), due.sql("r0", leaf.oid));
    let locked = format!("FROM ONLY {} AS r0 WHERE {which} LIMIT {limit} FOR UPDATE OF r0 SKIP LOCKED", leaf.sql);
    if dependents.is_empty() {
        let sql = format!(
            "WITH locked AS MATERIALIZED (SELECT r0.ctid AS place {locked}) DELETE FROM ONLY {} AS r0 WHERE r0.ctid = ANY \
             (ARRAY(SELECT place FROM locked)) AND {}",
            leaf.sql,
            due.aged("r0")
        );
        return Ok(Deleted { rows: client.execute(&sql, &due.params())?, dependents: Vec::new() });
    }
    // Once they are locked nobody can begin to refer to them, so that what refers to them can be counted.
    let mut tx = client.transaction()?;
    let rows = tx.query(&format!("SELECT r0.ctid::text {locked}"), &due.params())?;
    let places: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let mut params: Vec<&(dyn ToSql + Sync)> = due.params();
    params.push(&places);
    // The cut-off and the conditions are said again, so that every parameter has its use and its type.
    let which = format!("r0.ctid = ANY (${}::text[]::tid[]) AND {}", params.len(), due.aged("r0"));
    let mut gone = Vec::with_capacity(dependents.len());
    for (dependent, before) in dependents.iter().zip(done) {
        if !dependent.path.starts_at(leaf.oid) {
            gone.push(0);
            continue;
        }
        let sql = dependent.path.count(&format!("ONLY {}", leaf.sql), &which);
        let counted = count(tx.query_one(&sql, &params)?.get(0)).map_err(Refusal::Failed)?;
        if before + counted > dependent.rows {
            let name = dependent.path.last().map_or("", |last| &last.from_name);
            return Err(Refusal::Failed(anyhow!(
                "more rows of {name} refer to what is to go than the {} that were planned; plan again",
                dependent.rows
            )));
        }
        gone.push(counted);
    }
    let rows = tx.execute(&format!("DELETE FROM ONLY {} AS r0 WHERE {which}", leaf.sql), &params)?;
    tx.commit()?;
    Ok(Deleted { rows, dependents: gone })
}

impl Refusal {
    /// As it is told.
    pub(crate) fn into_error(self) -> anyhow::Error {
        match self {
            Self::Busy(error) => anyhow::Error::from(error).context("other sessions are in the way"),
            Self::Failed(error) => error,
        }
    }
}
