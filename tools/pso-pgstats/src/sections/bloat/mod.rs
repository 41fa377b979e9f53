//! `bloat`: what tables and B-trees take beyond what their rows need, estimated from the planner's statistics (`pg_class`,
//! `pg_stats`) or, with `--exact`, measured (`pgstattuple`).

mod estimate;
mod exact;

use std::cmp::Reverse;

use pso_common::Severity;
use pso_common::record::{PgBloatRecord, PgServerRecord};
use serde::Deserialize;

use super::Section;
use crate::records::{Records, Row};
use crate::report::{Note, Report, count, grant_reading};
use crate::watch::{Failure, Variants, Watch};

pub(super) const SECTION: Section = Section::special::<PgBloatRecord>(
    "bloat",
    "Bytes that tables and B-trees take in vain, estimated, or measured with --exact",
    read,
);

impl Row for PgBloatRecord {
    const NOUN: (&'static str, &'static str) = ("table or index", "tables and indexes");

    fn name(&self) -> String {
        format!("{}.{}", self.schemaname, self.relname)
    }
}

/// A row of the query.
#[derive(Clone, Debug, Deserialize)]
struct Relation {
    /// `pg_class.oid`.
    oid: i64,
    schemaname: String,
    relname: String,
    object: String,
    on_table: Option<String>,
    relkind: String,
    /// 0 where that could not be asked, because somebody holds it.
    size_bytes: i64,
    block_size: i64,
    /// Whether pages and rows are known at all.
    analyzed: bool,
    reltuples: f64,
    fillfactor: i32,
    /// Whether equal keys are kept together; absent for a table.
    deduplicates: Option<bool>,
    /// The role may not read what the columns hold, so it does not see their statistics either.
    hidden: bool,
    /// Another session holds it, or its table, in ACCESS EXCLUSIVE.
    held: bool,
    columns: Option<Vec<estimate::Column>>,
}

impl Relation {
    fn is_index(&self) -> bool {
        self.relkind == "i"
    }

    /// The record without what is bloat, which the caller knows or not.
    fn record(&self, size_bytes: i64, found: Option<Found>) -> PgBloatRecord {
        let bloat = found.as_ref().map(|found| (size_bytes - found.needed_bytes).clamp(0, size_bytes));
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let percent = |bloat: i64| (bloat as f64 * 10_000.0 / size_bytes.max(1) as f64).round() / 100.0;
        PgBloatRecord {
            schemaname: self.schemaname.clone(),
            relname: self.relname.clone(),
            object: self.object.clone(),
            on_table: self.on_table.clone(),
            relkind: self.relkind.clone(),
            size_bytes,
            bloat_bytes: bloat,
            bloat_percent: bloat.map(percent),
            estimated: found.as_ref().is_none_or(|found| found.estimated),
            method: found.map(|found| found.method.to_owned()),
            fillfactor: self.fillfactor,
            reltuples: self.reltuples,
        }
    }
}

/// What a relation would take, written anew.
struct Found {
    needed_bytes: i64,
    estimated: bool,
    method: &'static str,
}

fn read(watch: &mut Watch, _: Variants) -> Result<Report, Failure> {
    let relations: Vec<Relation> = watch.records(include_str!("../../../queries/bloat.sql"), &[])?;
    let (relations, unseen): (Vec<_>, Vec<_>) = relations.into_iter().partition(|relation| relation.size_bytes > 0);
    let mut records: Vec<PgBloatRecord> =
        relations.iter().map(|relation| relation.record(relation.size_bytes, estimate::needed(relation))).collect();
    let mut report = Report::default();
    report.note(Severity::Ok, format!("{} of 16 pages or more", count(records.len(), PgBloatRecord::NOUN)));
    if !unseen.is_empty() {
        let tables = count(unseen.len(), ("table", "tables"));
        let text = format!("{tables} not looked at, because another session holds or wants them in ACCESS EXCLUSIVE");
        report.note(Severity::Info, text);
    }
    let exact = if watch.limits.exact { exact::measure(watch, &relations, &mut records)? } else { Vec::new() };
    report.notes.extend(unknown(&relations, &records, &watch.server));
    report.notes.extend(exact);
    records.sort_by_key(|record| Reverse(record.bloat_bytes));
    report.records = Records::of(records);
    Ok(report)
}

/// What has neither an estimate nor a measure, and why.
fn unknown(relations: &[Relation], records: &[PgBloatRecord], server: &PgServerRecord) -> Vec<Note> {
    let without = || relations.iter().zip(records).filter(|(_, record)| record.method.is_none());
    let never = without().filter(|(relation, _)| !relation.analyzed).count();
    let hidden = without().filter(|(relation, _)| relation.analyzed && relation.hidden).count();
    let other = without().count() - never - hidden;
    let mut notes = Vec::new();
    let mut say = |number: usize, severity, reason: &str| {
        if number > 0 {
            let text = format!("{} without an estimate{reason}", count(number, PgBloatRecord::NOUN));
            notes.push(Note::new(severity, text));
        }
    };
    say(never, Severity::Ok, ", because nothing has vacuumed or analysed them yet");
    say(other, Severity::Ok, ", because columns of theirs have no statistics (ANALYZE)");
    let grant = grant_reading("TABLES", server);
    say(
        hidden,
        Severity::Info,
        &format!(", because statistics of columns are seen only by who may read them; {grant}"),
    );
    notes
}

#[cfg(test)]
mod tests;
