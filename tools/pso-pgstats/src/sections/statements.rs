//! `statements`: the slowest on average (`pg_stat_statements`, in the columns of its version).

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::PgStatementRecord;
use serde::Deserialize;

use super::Section;
use crate::records::{Records, Row};
use crate::report::Report;
use crate::watch::{Failure, Variants, Watch};

pub(super) const SECTION: Section = Section::special::<PgStatementRecord>(
    "statements",
    "The slowest statements on average (needs the extension pg_stat_statements)",
    read,
);

/// The query by the extension's version, which is not the server's: the first that renamed `mean_time` to
/// `mean_exec_time` (it came with PostgreSQL 13) is 1.8.
const VARIANTS: &[((u32, u32), &str)] = &[
    ((0, 0), include_str!("../../queries/statements_before_1_8.sql")),
    ((1, 8), include_str!("../../queries/statements.sql")),
];

impl Row for PgStatementRecord {
    const NOUN: (&'static str, &'static str) = ("statement", "statements");

    fn name(&self) -> String {
        self.queryid.clone()
    }

    fn told(&self) -> (Severity, String) {
        (Severity::Info, String::new())
    }
}

/// The row of `statements_extension.sql`.
#[derive(Deserialize)]
struct Extension {
    preloaded: bool,
    version: Option<String>,
    schema: Option<String>,
}

/// A row of the query.
#[derive(Deserialize)]
struct Seen {
    /// Absent where none is visible.
    statement: Option<PgStatementRecord>,
    visible: u64,
    hidden: u64,
}

fn read(watch: &mut Watch, _: Variants) -> Result<Report, Failure> {
    let extension: Extension = watch.record(include_str!("../../queries/statements_extension.sql"), &[])?;
    let preloaded = extension.preloaded;
    let (Some(version), Some(schema), true) = (&extension.version, &extension.schema, preloaded) else {
        let created = extension.version.is_some();
        let available = preloaded || created || available(watch)?;
        return Err(Failure::Unavailable(way_out(available, preloaded, created)));
    };
    let query = variant(parse(version)).replace("{schema}", schema);
    let span = watch.limits.min_mean.show();
    let mean_ms = watch.limits.min_mean.as_secs_f64() * 1000.0;
    let limit = i64::from(watch.limits.limit);
    let rows = watch.records::<Seen>(&query, &[&mean_ms, &limit]).map_err(|failure| match failure {
        Failure::Unavailable(reason) => {
            let role = &watch.server.role;
            let grant = format!(
                "GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON {schema}.pg_stat_statements TO {role}"
            );
            Failure::Unavailable(format!("{reason}; {grant}"))
        }
        other => other,
    })?;
    let mut report = Report::default();
    let (visible, hidden) = rows.first().map_or((0, 0), |row| (row.visible, row.hidden));
    let statements: Vec<PgStatementRecord> = rows.into_iter().filter_map(|row| row.statement).collect();
    let shown = if visible > statements.len() as u64 {
        format!(", the slowest {limit} are shown (--limit)")
    } else {
        String::new()
    };
    report.note(Severity::Ok, format!("{visible} slower than {span} on average{shown}"));
    if hidden > 0 {
        let role = &watch.server.role;
        let text = format!("{hidden} more of other roles are hidden; GRANT pg_read_all_stats TO {role}");
        report.note(Severity::Info, text);
    }
    report.records = Records::of(statements);
    Ok(report)
}

/// The newest variant that is not newer than the extension.
fn variant(version: (u32, u32)) -> &'static str {
    VARIANTS.iter().rev().find(|(from, _)| *from <= version).map_or("", |(_, sql)| sql)
}

/// The row of `statements_available.sql`.
#[derive(Deserialize)]
struct Available {
    available: bool,
}

/// Whether the server's installation has the extension; where that cannot be told, it is not said that it is missing.
fn available(watch: &mut Watch) -> Result<bool, Failure> {
    match watch.record::<Available>(include_str!("../../queries/statements_available.sql"), &[]) {
        Ok(row) => Ok(row.available),
        Err(lost @ Failure::Lost(_)) => Err(lost),
        Err(_) => Ok(true),
    }
}

/// What is missing and how to get it, step by step.
fn way_out(available: bool, preloaded: bool, created: bool) -> String {
    let mut steps = Vec::new();
    if !available {
        steps.push("install PostgreSQL's contrib modules");
    }
    if !preloaded {
        steps.push("add pg_stat_statements to shared_preload_libraries and restart the server");
    }
    if !created {
        steps.push("run CREATE EXTENSION pg_stat_statements in this database as a superuser");
    }
    let missing = match (created, preloaded) {
        (true, _) => "is created but its library is not loaded",
        (false, true) => "is loaded but not created in this database",
        (false, false) => "is missing",
    };
    format!("the extension pg_stat_statements {missing}: {}", steps.join(", then "))
}

/// `1.10` as a pair that compares as versions do; what cannot be read counts as new.
fn parse(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(u32::MAX));
    (parts.next().unwrap_or(u32::MAX), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        for old in ["1.4", "1.7"] {
            assert!(variant(parse(old)).contains("s.mean_time"), "{old}");
        }
        for new in ["1.8", "1.10", "2", "x"] {
            assert!(variant(parse(new)).contains("s.mean_exec_time"), "{new}");
        }
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
