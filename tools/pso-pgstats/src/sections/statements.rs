//! `statements`: the slowest on average, and those that take most time in all (`pg_stat_statements`, in the columns of its
//! version).

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::PgStatementRecord;
use serde::Deserialize;

use super::Section;
use super::statement_stats::{Extension, available, parse, way_out};
use crate::records::{Records, Row};
use crate::report::{Note, Report};
use crate::settings::Limits;
use crate::watch::{Failure, Variants, Watch};

pub(super) const SECTION: Section = Section::special::<PgStatementRecord>(
    "statements",
    "The slowest statements, on average and in all (needs the extension pg_stat_statements)",
    read,
);

/// `character_not_in_repertoire`, as [`Watch`] shows it.
const NO_TEXT: &str = "SQLSTATE 22021";
const UNREADABLE: &str = "the texts are not shown: a statement of another database, in the encoding SQL_ASCII, is no text in this \
    one's encoding, and pg_stat_statements gives all texts or none; pg_stat_statements_reset() ends it";

impl Row for PgStatementRecord {
    const NOUN: (&'static str, &'static str) = ("statement", "statements");

    fn name(&self) -> String {
        let user = self.usename.as_ref().map(|user| format!(" of {user}")).unwrap_or_default();
        let nested = if self.toplevel == Some(false) { ", nested" } else { "" };
        format!("{}{user}{nested}", self.queryid)
    }
}

/// A row of the query.
#[derive(Deserialize)]
struct Seen {
    /// Absent where none is visible.
    statement: Option<PgStatementRecord>,
    slow: u64,
    long: u64,
    hidden: u64,
}

fn read(watch: &mut Watch, _: Variants) -> Result<Report, Failure> {
    let extension = Extension::find(watch)?;
    let loaded = extension.loaded;
    let (Some(version), Some(schema), true) = (&extension.version, &extension.schema, loaded) else {
        let created = extension.version.is_some();
        let available = loaded || created || available(watch)?.unwrap_or(true);
        return Err(Failure::Unavailable(way_out(available, loaded, created)));
    };
    // The view is the function with the texts, and may be granted to others than the function is.
    let query = |texts: &str| query(parse(version)).replace("{texts}", texts).replace("{schema}", schema);
    let ms = |span: std::time::Duration| span.as_secs_f64() * 1000.0;
    let (mean, total) = (ms(watch.limits.min_mean), ms(watch.limits.min_total));
    let limit = i64::from(watch.limits.limit);
    let mut report = Report::default();
    let mut rows = watch.records::<Seen>(&query(""), &[&mean, &total, &limit]);
    // The extension gives the texts of all databases, or none: one of SQL_ASCII may hold what is no text here.
    if matches!(&rows, Err(Failure::Unknown(reason)) if reason.contains(NO_TEXT)) {
        rows = watch.records::<Seen>(&query("(false)"), &[&mean, &total, &limit]);
        report.note(Severity::Info, UNREADABLE);
    }
    let rows = rows.map_err(|failure| match failure {
        Failure::Unavailable(reason) => {
            let role = &watch.server.role;
            let grant = format!(
                "GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON {schema}.pg_stat_statements TO {role}"
            );
            Failure::Unavailable(format!("{reason}; {grant}"))
        }
        other => other,
    })?;
    let (slow, long, hidden) = rows.first().map_or((0, 0, 0), |row| (row.slow, row.long, row.hidden));
    report.note(Severity::Ok, summary(slow, long, &watch.limits));
    if hidden > 0 {
        let text = format!("{hidden} more of other roles are hidden");
        report.notes.push(Note::hidden(text, "pg_read_all_stats", &watch.server));
    }
    report.records = Records::of(rows.into_iter().filter_map(|row| row.statement).collect());
    Ok(report)
}

fn summary(slow: u64, long: u64, limits: &Limits) -> String {
    let cut = |count: u64| {
        let limit = limits.limit;
        if count > u64::from(limit) { format!(", {limit} are shown (--limit)") } else { String::new() }
    };
    let (mean, total) = (limits.min_mean.show(), limits.min_total.show());
    format!("{slow} slower than {mean} on average{}; {long} took longer than {total} in all{}", cut(slow), cut(long))
}

/// The query in the columns of the extension's version, which is not the server's: 1.8, which came with PostgreSQL 13, is the
/// first that calls `mean_time` `mean_exec_time`, because it counts planning, too.
fn query(version: (u32, u32)) -> String {
    let exec = if version >= (1, 8) { "exec_" } else { "" };
    include_str!("../../queries/statements.sql").replace("{exec}", exec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_s_own_count_of_a_statement_has_its_own_name() {
        let name = |user: Option<&str>, toplevel| {
            let (queryid, usename) = ("-7".to_owned(), user.map(str::to_owned));
            PgStatementRecord { queryid, usename, toplevel, ..PgStatementRecord::default() }.name()
        };
        assert_eq!(name(Some("bob"), Some(true)), "-7 of bob");
        assert_eq!(name(Some("bob"), Some(false)), "-7 of bob, nested");
        assert_eq!(name(None, None), "-7");
    }

    #[test]
    fn columns_are_called_as_the_version_calls_them() {
        for old in ["1.4", "1.7"] {
            assert!(query(parse(old)).contains("s.mean_time"), "{old}");
        }
        for new in ["1.8", "1.10", "2", "x"] {
            assert!(query(parse(new)).contains("s.mean_exec_time"), "{new}");
        }
    }

    #[test]
    fn the_end_says_what_is_not_shown() {
        let limits = Limits::default();
        assert_eq!(summary(1, 0, &limits), "1 slower than 1s on average; 0 took longer than 10s in all");
        let text = summary(11, 10, &limits);
        assert_eq!(text, "11 slower than 1s on average, 10 are shown (--limit); 10 took longer than 10s in all");
    }
}
