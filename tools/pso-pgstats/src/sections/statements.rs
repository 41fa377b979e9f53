//! `statements`: the slowest on average (`pg_stat_statements`, in the columns of its version).

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::PgStatementRecord;

use crate::report::Report;
use crate::watch::{Failure, Watch, get};

/// The version that renamed `mean_time` to `mean_exec_time` (it came with PostgreSQL 13).
const RENAMED: (u32, u32) = (1, 8);

pub(super) fn read(watch: &mut Watch) -> Result<Report, Failure> {
    let extension = watch.query_one(include_str!("../../queries/statements_extension.sql"), &[])?;
    let preloaded = get(&extension, "preloaded")?;
    let version: Option<String> = get(&extension, "version")?;
    let schema: Option<String> = get(&extension, "schema")?;
    let (Some(version), Some(schema), true) = (&version, &schema, preloaded) else {
        let available = preloaded || version.is_some() || available(watch)?;
        return Err(Failure::Unavailable(way_out(available, preloaded, version.is_some())));
    };
    let query = if parse(version) >= RENAMED {
        include_str!("../../queries/statements.sql")
    } else {
        include_str!("../../queries/statements_before_1_8.sql")
    };
    let query = query.replace("{schema}", schema);
    let mean_ms = watch.settings.min_mean.as_secs_f64() * 1000.0;
    let limit = i64::from(watch.settings.limit);
    let rows = watch.query(&query, &[&mean_ms, &limit]).map_err(|failure| match failure {
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
    let (mut visible, mut hidden): (i64, i64) = (0, 0);
    for row in rows {
        (visible, hidden) = (get(&row, "visible")?, get(&row, "hidden")?);
        let Some(name) = get::<Option<String>>(&row, "queryid")? else { continue };
        let body = PgStatementRecord {
            query: get(&row, "query")?,
            calls: get(&row, "calls")?,
            total_ms: get(&row, "total_ms")?,
            mean_ms: get(&row, "mean_ms")?,
            rows: get(&row, "rows")?,
        };
        report.push(Severity::Info, name, "", body);
    }
    let span = watch.settings.min_mean.show();
    let shown = if visible > limit { format!(", the slowest {limit} are shown (--limit)") } else { String::new() };
    report.note(Severity::Ok, format!("{visible} slower than {span} on average{shown}"));
    if hidden > 0 {
        let role = &watch.server.role;
        let text = format!("{hidden} more of other roles are hidden; GRANT pg_read_all_stats TO {role}");
        report.note(Severity::Info, text);
    }
    Ok(report)
}

/// Whether the server's installation has the extension; where that cannot be told, it is not said that it is missing.
fn available(watch: &mut Watch) -> Result<bool, Failure> {
    match watch.query_one(include_str!("../../queries/statements_available.sql"), &[]) {
        Ok(row) => get(&row, "available"),
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
        assert!(parse("1.7") < RENAMED && parse("1.4") < RENAMED);
        assert!(parse("1.8") >= RENAMED && parse("1.10") >= RENAMED && parse("2") >= RENAMED && parse("x") >= RENAMED);
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
