//! What would be deleted of one table, counted in one snapshot.

use anyhow::{Context as _, bail, ensure};
use pso_common::Severity;
use pso_common::postgres::Transaction;
use pso_common::record::{PrunePart, StepState};

use super::due::{Due, count};
use super::partitions::{self, Drop};
use super::references::{Effect, Path, References};
use super::rules::Rule;
use super::tree::{self, Node};
use crate::step::Step;

const TABLE: &str = include_str!("../../queries/row_table.sql");

/// How many blocks are counted together: 256 KiB of table.
pub(crate) const CHUNK: u64 = 32;

/// A table whose rows are to go.
#[derive(Debug)]
pub(crate) struct TablePlan {
    pub(crate) rule: Rule,
    pub(crate) oid: u32,
    pub(crate) due: Due,
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) drops: Vec<Drop>,
    pub(crate) dependents: Vec<Dependent>,
    /// Rows of the whole table.
    total: u64,
    /// Old rows that stay because others refer to them.
    kept: u64,
    notes: Vec<String>,
}

/// A table, or a partition, whose rows are deleted one by one.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub(crate) oid: u32,
    pub(crate) sql: String,
    /// Where its due rows are: the chunk's number, and how many are in it.
    pub(crate) chunks: Vec<(u64, u64)>,
}

impl Leaf {
    pub(crate) fn rows(&self) -> u64 {
        self.chunks.iter().map(|(_, rows)| rows).sum()
    }
}

/// Rows of other tables that go, or are changed, with those of this one.
#[derive(Debug)]
pub(crate) struct Dependent {
    pub(crate) path: Path,
    pub(crate) effect: Effect,
    pub(crate) rows: u64,
}

impl Dependent {
    pub(crate) fn step(&self) -> Step {
        let (table, name) = self.path.last().map_or(("", ""), |last| (&last.from_name, &last.name));
        let mut step = Step::new(PrunePart::Rows, self.effect.step(), table);
        step.rows = Some(self.rows);
        let what = match self.effect {
            Effect::Cascade => "are deleted with the rows that they refer to",
            Effect::SetNull => "refer to nothing afterwards (SET NULL)",
            Effect::SetDefault => "refer to their column's default afterwards (SET DEFAULT)",
        };
        step.says(Severity::Ok, format!("through the foreign key {name}: these {what}"))
    }
}

/// What came of a rule.
pub(crate) enum Planned {
    /// There is something to do.
    Table(Box<TablePlan>),
    /// There is not, for this reason.
    Told(Step),
}

/// Looks at the table of a rule.
///
/// # Errors
/// When it cannot be looked at, or a rule that somebody has written does not fit it.
pub(crate) fn plan(tx: &mut Transaction<'_>, rule: &Rule, force: bool) -> anyhow::Result<Planned> {
    let Some(row) = tx.query_opt(TABLE, &[&rule.schema, &rule.table])? else {
        ensure!(!rule.is_configured, "there is no table {}; check maintenance.prune.rows", rule.shown());
        return Ok(Planned::Told(absent(rule, "there is no such table")));
    };
    let (oid, sql, kind): (u32, String, String) = (row.get("oid"), row.get("sql"), row.get("kind"));
    ensure!(
        kind == "r" || kind == "p",
        "{} is no table whose rows can be deleted here (its kind is {kind})",
        rule.shown()
    );
    let missing: Vec<String> = row.get("missing");
    ensure!(missing.is_empty(), "we may not prune table {}; GRANT {}", rule.shown(), missing.join(", "));
    let Some(mut due) = Due::find(tx, oid, rule)? else {
        return Ok(Planned::Told(absent(rule, "it has no such column")));
    };
    let nodes = tree::tree(tx, oid)?;
    if let Some(foreign) = nodes.iter().find(|node| node.is_foreign()) {
        bail!("partition {} of {} is on another server; prune it there", foreign.name, rule.shown());
    }
    let oids: Vec<u32> = nodes.iter().map(|node| node.oid).collect();
    let References { dependents, blockers } = References::find(tx, &oids)?;
    due.blockers = blockers;
    let is_free = dependents.is_empty() && due.blockers.is_empty();
    let hides: bool = row.get("hides");
    let drops = if is_free && !hides { partitions::find(tx, &nodes, &due, rule)? } else { Vec::new() };
    let mut plan = TablePlan {
        rule: rule.clone(),
        oid,
        due,
        leaves: Vec::new(),
        drops,
        dependents: Vec::new(),
        total: 0,
        kept: 0,
        notes: notes(&nodes, hides),
    };
    plan.count(tx, &sql, &nodes, dependents)?;
    Ok(plan.judged(force))
}

fn absent(rule: &Rule, why: &str) -> Step {
    let message = format!("{why}; nothing of {} is pruned", rule.column);
    Step::new(PrunePart::Rows, "delete", rule.shown()).says(Severity::Info, message).already(StepState::Skipped)
}

fn notes(nodes: &[Node], hides: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if hides {
        notes.push("row security hides rows from us; they are neither counted nor deleted".to_owned());
    }
    let mut triggers: Vec<&str> = nodes.iter().flat_map(|node| &node.triggers).map(String::as_str).collect();
    triggers.sort_unstable();
    triggers.dedup();
    if !triggers.is_empty() {
        notes.push(format!("each row fires {}", triggers.join(", ")));
    }
    notes
}

impl TablePlan {
    fn count(
        &mut self,
        tx: &mut Transaction<'_>,
        sql: &str,
        nodes: &[Node],
        dependents: Vec<(Path, Effect)>,
    ) -> anyhow::Result<()> {
        let counting = || format!("count the rows of {}", self.rule.shown());
        let all = tx.query_one(&format!("SELECT pg_catalog.count(*) FROM {sql}"), &[]).with_context(counting)?;
        // Partitions that are not attached are not in it.
        let apart: u64 = self.drops.iter().filter(|drop| drop.is_apart()).map(|drop| drop.rows).sum();
        self.total = count(all.get(0))? + apart;
        for node in nodes.iter().filter(|node| node.has_rows() && !node.pending) {
            if !partitions::is_below(nodes, node, &self.drops) {
                let mut leaf = Leaf { oid: node.oid, sql: node.sql.clone(), chunks: Vec::new() };
                leaf.chunks = chunks(tx, &leaf, &self.due).with_context(counting)?;
                if !self.due.blockers.is_empty() {
                    let aged = format!(
                        "SELECT pg_catalog.count(*) FROM ONLY {} AS r0 WHERE {}",
                        leaf.sql,
                        self.due.aged("r0")
                    );
                    let aged = count(tx.query_one(&aged, &self.due.params()).with_context(counting)?.get(0))?;
                    self.kept += aged.saturating_sub(leaf.rows());
                }
                self.leaves.push(leaf);
            }
        }
        self.leaves.retain(|leaf| !leaf.chunks.is_empty());
        for (path, effect) in dependents {
            let Some((table, oid)) = path.start() else { continue };
            let sql = path.count(table, &self.due.sql("r0", oid));
            let named = || format!("count what refers to {}", self.rule.shown());
            let rows = count(tx.query_one(&sql, &self.due.params()).with_context(named)?.get(0))?;
            if rows > 0 || !self.leaves.is_empty() {
                self.dependents.push(Dependent { path, effect, rows });
            }
        }
        Ok(())
    }

    /// Rows that would be deleted one by one.
    pub(crate) fn rows(&self) -> u64 {
        self.leaves.iter().map(Leaf::rows).sum()
    }

    fn judged(self, force: bool) -> Planned {
        let going = self.rows() + self.drops.iter().map(|drop| drop.rows).sum::<u64>();
        let share = percent(going, self.total);
        let mut step = Step::new(PrunePart::Rows, "delete", self.rule.shown());
        step.rows = Some(going);
        let cutoff = format!("{} before {}", self.rule.column, self.due.cutoff());
        if going == 0 && self.drops.is_empty() && self.kept == 0 {
            let message = format!("none of {} rows has a {cutoff}", self.total);
            return Planned::Told(step.says(Severity::Ok, message).already(StepState::Skipped));
        }
        if share > self.rule.max_share && !force {
            let message = format!(
                "{going} of {} rows ({share:.1} %) have a {cutoff}, and no more than {} % may be deleted at once (max_share): \
                 nothing of it is; if that is right, run once with --force, which would delete them",
                self.total, self.rule.max_share
            );
            return Planned::Told(step.says(Severity::High, message).already(StepState::Failed));
        }
        Planned::Table(Box::new(self))
    }

    /// The step that deletes rows one by one, if there are any.
    pub(crate) fn delete_step(&self) -> Option<Step> {
        if self.leaves.is_empty() {
            return None;
        }
        let mut step = Step::new(PrunePart::Rows, "delete", self.rule.shown());
        step.rows = Some(self.rows());
        let share = percent(self.rows(), self.total);
        let mut message = format!("{} before {}", self.rule.column, self.due.cutoff());
        if self.due.has_conditions() {
            message.push_str(", and the rule's conditions");
        }
        message.push_str(&format!("; {share:.1} % of {} rows", self.total));
        for note in &self.notes {
            message.push_str("; ");
            message.push_str(note);
        }
        let is_noted = if self.notes.is_empty() { Severity::Ok } else { Severity::Info };
        Some(step.says(is_noted, message))
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = self.drops.iter().map(|drop| drop.step(&self.rule, &self.due)).collect();
        steps.extend(self.delete_step());
        steps.extend(self.dependents.iter().map(Dependent::step));
        if self.kept > 0 {
            let mut step = Step::new(PrunePart::Rows, "keep", self.rule.shown());
            step.rows = Some(self.kept);
            let by = self.due.blockers.iter().filter_map(Path::last);
            let by: Vec<String> = by.map(|last| format!("{} of {}", last.name, last.from_name)).collect();
            let message = format!("old enough, but kept because rows refer to them through {}", by.join(", "));
            steps.push(step.says(Severity::Info, message).already(StepState::Skipped));
        }
        steps
    }
}

/// Where the due rows of a table are.
pub(crate) fn chunks(tx: &mut Transaction<'_>, leaf: &Leaf, due: &Due) -> anyhow::Result<Vec<(u64, u64)>> {
    // There is no function that gives a ctid's block; as a point it can be taken apart.
    let sql = format!(
        "SELECT (r0.ctid::text::point)[0]::bigint / {CHUNK} AS chunk, pg_catalog.count(*) FROM ONLY {} AS r0 WHERE {} GROUP \
         BY 1 ORDER BY 1",
        leaf.sql,
        due.sql("r0", leaf.oid)
    );
    let rows = tx.query(&sql, &due.params())?;
    rows.iter().map(|row| Ok((count(row.get(0))?, count(row.get(1))?))).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a share in percent")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}
