//! `activity`: who is at work on this database (`pg_stat_activity`).

use std::collections::BTreeMap;

use pso_common::Severity;
use pso_common::record::PgActivityRecord;
use serde::Deserialize;

use super::Section;
use crate::records::{Records, Row};
use crate::report::{Note, Report};
use crate::watch::{Failure, Variants, Watch};

pub(super) const SECTION: Section = Section::special::<PgActivityRecord>(
    "activity",
    "Client connections that are not idle, and what else is in a transaction",
    read,
);

impl Row for PgActivityRecord {
    const NOUN: (&'static str, &'static str) = ("connection", "connections");

    fn name(&self) -> String {
        format!("pid {}", self.pid)
    }
}

/// A row of the query.
#[derive(Deserialize)]
struct Seen {
    /// Absent for idle ones.
    activity: Option<PgActivityRecord>,
    state: Option<String>,
    /// Whether it is a client's connection, or may be.
    client: bool,
    hidden: bool,
}

fn read(watch: &mut Watch, _: Variants) -> Result<Report, Failure> {
    let mut report = Report::default();
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    let (mut shown, mut hidden) = (Vec::new(), 0);
    for row in watch.records::<Seen>(include_str!("../../queries/activity.sql"), &[])? {
        if row.hidden {
            hidden += 1;
        } else if row.client {
            *states.entry(row.state.unwrap_or_else(|| "starting".to_owned())).or_default() += 1;
        }
        shown.extend(row.activity);
    }
    report.note(Severity::Ok, summary(&states));
    if hidden > 0 {
        let text = format!("of {hidden} connections of other roles the state is hidden");
        report.notes.push(Note::hidden(text, "pg_read_all_stats", &watch.server));
    }
    report.records = Records::of(shown);
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
