//! `statement_stats`: whether statements are counted, and how full the table of them is (`pg_extension`, `pg_settings`,
//! `pg_stat_statements_info`).

use pso_common::Severity;
use pso_common::record::{PgServerRecord, PgStatementStatsRecord, Timestamp};
use serde::Deserialize;

use super::Section;
use crate::records::{Records, Row};
use crate::report::{Note, Report, count};
use crate::watch::{Failure, Variants, Watch};

pub(super) const SECTION: Section = Section::special::<PgStatementStatsRecord>(
    "statement_stats",
    "Whether statements are counted, and how full their table is (pg_stat_statements)",
    read,
);

impl Row for PgStatementStatsRecord {
    const NOUN: (&'static str, &'static str) = ("extension", "extensions");

    fn name(&self) -> String {
        "pg_stat_statements".to_owned()
    }

    fn notes(rows: &[Self], server: &PgServerRecord) -> Vec<Note> {
        let readable = |row: &Self| !(row.loaded && row.created) || row.entries.is_some();
        if rows.iter().all(readable) {
            return Vec::new();
        }
        vec![Note::hidden("how full it is cannot be read", "USAGE ON SCHEMA of the extension", server)]
    }
}

/// The row of `statements_extension.sql`.
#[derive(Deserialize)]
pub(super) struct Extension {
    pub(super) loaded: bool,
    /// Absent where it is not created.
    pub(super) version: Option<String>,
    /// Quoted.
    pub(super) schema: Option<String>,
    max_entries: Option<i64>,
    max_entries_source: Option<String>,
}

impl Extension {
    /// Asks for it.
    pub(super) fn find(watch: &mut Watch) -> Result<Self, Failure> {
        watch.record(include_str!("../../queries/statements_extension.sql"), &[])
    }
}

/// The row of `statement_stats.sql`.
#[derive(Default, Deserialize)]
struct Seen {
    entries: Option<i64>,
    dealloc: Option<i64>,
    stats_reset_at: Option<Timestamp>,
}

fn read(watch: &mut Watch, _: Variants) -> Result<Report, Failure> {
    let extension = Extension::find(watch)?;
    let seen = match (&extension.version, &extension.schema, extension.loaded) {
        (Some(version), Some(schema), true) => seen(watch, version, schema)?,
        _ => Seen::default(),
    };
    let whole = extension.loaded && extension.version.is_some();
    let record = PgStatementStatsRecord {
        loaded: extension.loaded,
        created: extension.version.is_some(),
        available: if whole { None } else { available(watch)? },
        version: extension.version,
        entries: seen.entries,
        max_entries: extension.max_entries,
        max_entries_source: extension.max_entries_source,
        dealloc: seen.dealloc,
        stats_reset_at: seen.stats_reset_at,
    };
    let mut report = Report::default();
    report.note(Severity::Ok, summary(&record));
    let rows = vec![record];
    report.notes.extend(PgStatementStatsRecord::notes(&rows, &watch.server));
    report.records = Records::of(rows);
    Ok(report)
}

/// Nothing where the role may not read it.
fn seen(watch: &mut Watch, version: &str, schema: &str) -> Result<Seen, Failure> {
    let info = if parse(version) >= (1, 9) {
        format!("{schema}.pg_stat_statements_info")
    } else {
        "(SELECT NULL::int8 AS dealloc, NULL::timestamptz AS stats_reset)".to_owned()
    };
    let query = include_str!("../../queries/statement_stats.sql").replace("{schema}", schema).replace("{info}", &info);
    match watch.record(&query, &[]) {
        Err(Failure::Unavailable(_)) => Ok(Seen::default()),
        other => other,
    }
}

fn summary(record: &PgStatementStatsRecord) -> String {
    match (record.entries, record.max_entries) {
        (Some(entries), Some(max)) => {
            let entries = usize::try_from(entries).unwrap_or_default();
            format!("{} of at most {max}", count(entries, ("statement", "statements")))
        }
        _ if !(record.loaded && record.created) => {
            way_out(record.available != Some(false), record.loaded, record.created)
        }
        _ => "statements are counted".to_owned(),
    }
}

/// The row of `statements_available.sql`.
#[derive(Deserialize)]
struct Available {
    available: bool,
}

/// Whether the server's installation has the extension; where that cannot be told, it is not said that it is missing.
pub(super) fn available(watch: &mut Watch) -> Result<Option<bool>, Failure> {
    match watch.record::<Available>(include_str!("../../queries/statements_available.sql"), &[]) {
        Ok(row) => Ok(Some(row.available)),
        Err(lost @ Failure::Lost(_)) => Err(lost),
        Err(_) => Ok(None),
    }
}

/// What is missing and how to get it, step by step.
pub(crate) fn way_out(available: bool, loaded: bool, created: bool) -> String {
    let mut steps = Vec::new();
    if !available {
        steps.push("install PostgreSQL's contrib modules");
    }
    if !loaded {
        steps.push("add pg_stat_statements to shared_preload_libraries and restart the server");
    }
    if !created {
        steps.push("run CREATE EXTENSION pg_stat_statements in this database as a superuser");
    }
    let missing = match (created, loaded) {
        (true, _) => "is created but its library is not loaded",
        (false, true) => "is loaded but not created in this database",
        (false, false) => "is missing",
    };
    format!("the extension pg_stat_statements {missing}: {}", steps.join(", then "))
}

/// `1.10` as a pair that compares as versions do; what cannot be read counts as new.
pub(super) fn parse(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(u32::MAX));
    (parts.next().unwrap_or(u32::MAX), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(parse("1.4") < parse("1.8") && parse("1.8") < parse("1.10") && parse("1.10") < parse("2"));
        assert!(parse("1.9") >= (1, 9) && parse("x") > (1, 9));
    }

    #[test]
    fn the_way_out_has_only_the_steps_that_are_left() {
        let text = way_out(true, false, false);
        assert!(
            text.contains("is missing")
                && text.contains("shared_preload_libraries")
                && text.contains("CREATE EXTENSION")
        );
        let text = way_out(true, true, false);
        assert!(!text.contains("shared_preload_libraries") && text.contains("CREATE EXTENSION"), "{text}");
        let text = way_out(true, false, true);
        assert!(text.contains("shared_preload_libraries") && !text.contains("CREATE EXTENSION"), "{text}");
        assert!(way_out(false, false, false).contains("contrib"));
    }
}
