//! Partitions that are old as a whole, and can be dropped.

use anyhow::Context as _;
use pso_common::Severity;
use pso_common::postgres::Transaction;
use pso_common::record::PrunePart;

use super::due::{Due, count};
use super::rules::Rule;
use super::tree::{Node, mark};
use crate::step::Step;

const ORPHANS: &str = include_str!("../../queries/row_orphans.sql");

/// A partition that is to be dropped.
#[derive(Clone, Debug)]
pub(crate) struct Drop {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) sql: String,
    pub(crate) rows: u64,
    pub(crate) place: Place,
}

/// Where a partition is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In its table.
    Attached { parent: String, bound: String, beside_default: bool },
    /// On its way out of it, begun by a run that was killed.
    Leaving { parent: String },
    /// Out of it, left by a run that was killed.
    Apart,
}

impl Drop {
    /// Whether its rows are no longer seen in its table.
    pub(crate) fn is_apart(&self) -> bool {
        !matches!(self.place, Place::Attached { .. })
    }

    pub(crate) fn step(&self, rule: &Rule, due: &Due) -> Step {
        let mut step = Step::new(PrunePart::Rows, "drop_partition", &self.name);
        step.rows = Some(self.rows);
        let of = format!("of {}, wholly before {}", rule.shown(), due.cutoff());
        step.says(
            Severity::Ok,
            match self.place {
                Place::Attached { .. } => of,
                Place::Leaving { .. } => format!("{of}; an earlier run began to detach it"),
                Place::Apart => format!("{of}; an earlier run detached it and did not come to drop it"),
            },
        )
    }
}

/// The partitions of a table that have no row that stays. One that fires triggers, or is another's, is not among them: its
/// rows are deleted one by one.
pub(crate) fn find(tx: &mut Transaction<'_>, nodes: &[Node], due: &Due, rule: &Rule) -> anyhow::Result<Vec<Drop>> {
    let Some(root) = nodes.first().filter(|root| !root.has_rows() && root.is_ours) else { return Ok(Vec::new()) };
    if due.has_conditions() {
        return Ok(Vec::new());
    }
    let mut found: Vec<Drop> = Vec::new();
    for node in nodes {
        let parent = node.parent.and_then(|parent| nodes.iter().find(|node| node.oid == parent));
        let (Some(parent), Some(until), Some(bound)) = (parent, &node.until, &node.bound) else { continue };
        let is_wanted = node.divided_by.as_ref() == Some(&rule.column)
            && parent.is_ours
            && (!node.pending || node.is_marked)
            && nodes.iter().all(|below| !is_in(nodes, below, node) || (below.is_ours && below.triggers.is_empty()))
            && !is_below(nodes, node, &found);
        if !is_wanted {
            continue;
        }
        let is_old = format!("SELECT $2::text::{} <= {}", due.column_type(), due.cutoff_sql());
        let is_old: bool = tx.query_one(&is_old, &[&due.cutoff(), until])?.get(0);
        if !is_old {
            continue;
        }
        let place = if node.pending {
            Place::Leaving { parent: parent.sql.clone() }
        } else {
            Place::Attached { parent: parent.sql.clone(), bound: bound.clone(), beside_default: node.beside_default }
        };
        let rows = rows(tx, &node.sql)?;
        found.push(Drop { oid: node.oid, name: node.name.clone(), sql: node.sql.clone(), rows, place });
    }
    found.extend(orphans(tx, root.oid, due)?);
    Ok(found)
}

/// What killed runs have detached. What has a row that stays is somebody's by now.
fn orphans(tx: &mut Transaction<'_>, root: u32, due: &Due) -> anyhow::Result<Vec<Drop>> {
    let mut found = Vec::new();
    for row in tx.query(ORPHANS, &[&mark(root)])? {
        let (oid, name, sql): (u32, String, String) = (row.get("oid"), row.get("name"), row.get("sql"));
        let rows = rows(tx, &sql)?;
        let old = format!("SELECT pg_catalog.count(*) FROM {sql} AS r0 WHERE {}", due.aged("r0"));
        if count(tx.query_one(&old, &due.params())?.get(0))? == rows {
            found.push(Drop { oid, name, sql, rows, place: Place::Apart });
        }
    }
    Ok(found)
}

fn rows(tx: &mut Transaction<'_>, table: &str) -> anyhow::Result<u64> {
    let sql = format!("SELECT pg_catalog.count(*) FROM {table}");
    count(tx.query_one(&sql, &[]).with_context(|| format!("count the rows of {table}"))?.get(0))
}

/// Whether a table is one of these partitions, or below one.
pub(crate) fn is_below(nodes: &[Node], node: &Node, drops: &[Drop]) -> bool {
    nodes.iter().filter(|above| drops.iter().any(|drop| drop.oid == above.oid)).any(|above| is_in(nodes, node, above))
}

/// Whether a table is `above`, or below it.
fn is_in(nodes: &[Node], node: &Node, above: &Node) -> bool {
    let mut at = Some(node.oid);
    while let Some(oid) = at {
        if oid == above.oid {
            return true;
        }
        at = nodes.iter().find(|node| node.oid == oid).and_then(|node| node.parent);
    }
    false
}
