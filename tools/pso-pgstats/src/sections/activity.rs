//! `activity`: who is at work on this database (`pg_stat_activity`).

use std::collections::BTreeMap;

use pso_common::Severity;
use pso_common::record::PgActivityRecord;

use crate::report::Report;
use crate::watch::{Failure, Watch, get, milliseconds, moment};

pub(super) fn read(watch: &mut Watch) -> Result<Report, Failure> {
    let mut report = Report::default();
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    let mut hidden = 0;
    for row in watch.query(include_str!("../../queries/activity.sql"), &[])? {
        let state: Option<String> = get(&row, "state")?;
        if get(&row, "hidden")? {
            hidden += 1;
        } else {
            *states.entry(state.clone().unwrap_or_else(|| "starting".to_owned())).or_default() += 1;
        }
        if state.as_deref() == Some("idle") {
            continue;
        }
        let pid: i32 = get(&row, "pid")?;
        let body = PgActivityRecord {
            pid,
            datname: get(&row, "datname")?,
            usename: get(&row, "usename")?,
            application_name: get(&row, "application_name")?,
            state,
            query_start: moment(&row, "query_start")?,
            query_ms: milliseconds(&row, "query_ms")?,
            xact_ms: milliseconds(&row, "xact_ms")?,
            wait_event: get(&row, "wait_event")?,
            query: get(&row, "query")?,
        };
        report.push(Severity::Ok, format!("pid {pid}"), "", body);
    }
    report.note(Severity::Ok, summary(&states));
    if hidden > 0 {
        let role = &watch.server.role;
        let text =
            format!("of {hidden} connections of other roles the state is hidden; GRANT pg_read_all_stats TO {role}");
        report.note(Severity::Info, text);
    }
    Ok(report)
}

/// `2 active, 5 idle`.
fn summary(states: &BTreeMap<String, usize>) -> String {
    if states.is_empty() {
        return "no other connection that can be seen".to_owned();
    }
    let parts: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_counted_in_words() {
        let states = [("idle".to_owned(), 5), ("active".to_owned(), 2)].into();
        assert_eq!(summary(&states), "2 active, 5 idle");
        assert_eq!(summary(&BTreeMap::new()), "no other connection that can be seen");
    }
}
