//! What the tests of all rules stand on, and those of the frame.

use pso_common::record::{PgIndexRecord, PgServerRecord, PgTableRecord};

use super::*;
use crate::records::Records;

/// The server's clock in [`snapshot`].
pub(crate) const NOW: &str = "2026-11-22T09:00:00.000Z";

/// A primary of version 15 whose statistics are as old as the limit wants them, and these records.
pub(crate) fn snapshot(fill: impl FnOnce(&mut Records)) -> Snapshot {
    let at = |text: &str| text.parse().expect("a time");
    let mut records = Records::default();
    fill(&mut records);
    let server = PgServerRecord {
        version_num: 150_004,
        version: "15.4".to_owned(),
        database: "app".to_owned(),
        role: "watcher".to_owned(),
        reads_all_stats: true,
        is_superuser: false,
        in_recovery: false,
        now: at(NOW),
        system_identifier: Some("7400000000000000001".to_owned()),
        started_at: at("2026-01-01T00:00:00Z"),
        stats_reset_at: Some(at("2026-11-08T09:00:00Z")),
        stats_since_at: at("2026-11-08T09:00:00Z"),
        stats_source: "pg_stat_database.stats_reset".to_owned(),
        settings: Labels::new(),
    };
    Snapshot { server, records }
}

/// One table `public.t` of so many rows, and its indexes.
pub(super) fn on_table(n_live_tup: i64, indexes: Vec<PgIndexRecord>) -> Snapshot {
    let object = "public.t".to_owned();
    snapshot(|records| {
        records.tables = vec![PgTableRecord { object, n_live_tup, reltuples: -1.0, ..PgTableRecord::default() }];
        records.indexes = indexes;
    })
}

/// What a rule says with the default limits.
pub(super) fn judged(rule: &Rule, snapshot: &Snapshot) -> Judged {
    (rule.judge)(snapshot, &Limits::default())
}

fn read(names: &[&'static str]) -> Ends {
    names.iter().map(|name| (*name, End { rows: Some(1), ..End::default() })).collect()
}

fn with_dead_rows() -> Snapshot {
    let object = "public.t".to_owned();
    snapshot(|records| {
        records.tables = vec![PgTableRecord { object, n_dead_tup: 5000, ..PgTableRecord::default() }];
    })
}

#[test]
fn every_rule_has_a_name_of_its_own_and_needs_sections_that_exist() {
    for rule in RULES {
        assert_eq!(RULES.iter().filter(|other| other.name == rule.name).count(), 1, "{}", rule.name);
        for name in rule.needs {
            assert!(Section::find(name).is_some_and(|section| section.conclusion().is_none()), "{}: {name}", rule.name);
        }
    }
}

#[test]
fn a_section_that_was_not_read_stops_only_the_rules_that_need_it() {
    let mut ends = read(&["tables", "activity"]);
    let failed = End { severity: Severity::Unknown, message: "gone".to_owned(), ..End::default() };
    ends.insert("indexes", failed);
    let verdict = ask(&[dead_tuples::RULE, unused_index::RULE], &with_dead_rows(), &ends, &Limits::default());
    assert_eq!(verdict.advice.len(), 1);
    let note = Note::new(Severity::Unknown, "unused_index: not judged without the section indexes: gone");
    assert_eq!(verdict.notes, [note]);
    assert!(verdict.judged);
}

#[test]
fn what_is_accepted_is_counted_and_not_told() {
    let snapshot = with_dead_rows();
    let told = |accept: &str| {
        let limits = Limits { accept: accept.to_owned(), ..Limits::default() };
        let verdict = ask(&[dead_tuples::RULE], &snapshot, &read(&["tables", "vacuum", "activity"]), &limits);
        assert!(verdict.judged);
        (verdict.advice.len(), verdict.notes.iter().map(|note| note.text.clone()).collect::<Vec<_>>().join("; "))
    };
    assert_eq!(told("unused_index:*"), (1, String::new()));
    assert_eq!(told("dead_tuples:*"), (0, "1 accepted (--accept)".to_owned()));
}

#[test]
fn a_reason_that_stops_several_rules_is_told_once() {
    let verdict = ask(&[dead_tuples::RULE, never_analyzed::RULE], &snapshot(|_| {}), &read(&[]), &Limits::default());
    assert!(!verdict.judged);
    assert_eq!(verdict.notes.len(), 1);
    assert!(
        verdict.notes[0].text.starts_with("dead_tuples, never_analyzed: not judged without"),
        "{:?}",
        verdict.notes
    );
}

#[test]
fn a_standby_is_judged_by_the_rules_that_can_be_followed_there() {
    let mut snapshot = with_dead_rows();
    snapshot.server.in_recovery = true;
    let all = read(&["tables", "indexes", "activity"]);
    let verdict = ask(&[dead_tuples::RULE, idle_in_transaction::RULE], &snapshot, &all, &Limits::default());
    assert!(verdict.judged && verdict.advice.is_empty());
    assert!(verdict.notes[0].text.contains("dead_tuples: not judged on a standby"), "{:?}", verdict.notes);
}

#[test]
fn of_two_with_the_same_statement_the_surer_one_is_told() {
    let advice = |object: &str, sql: Option<&str>, confidence| Advice {
        severity: Severity::Info,
        object: object.to_owned(),
        why: String::new(),
        evidence: Labels::new(),
        confidence,
        sql: sql.map(str::to_owned),
        undo_sql: None,
        gain_bytes: None,
    };
    let told = without_repeats(vec![
        ("unused_index", advice("a", Some("DROP INDEX a"), Confidence::Low)),
        ("archiver_failing", advice("x", None, Confidence::High)),
        ("duplicate_index", advice("a", Some("DROP INDEX a"), Confidence::High)),
        ("covered_index", advice("a", Some("DROP INDEX a"), Confidence::Medium)),
        ("unused_index", advice("b", Some("DROP INDEX b"), Confidence::Low)),
        ("replication_lag", advice("y", None, Confidence::High)),
    ]);
    let told: Vec<(&str, &str)> = told.iter().map(|(rule, advice)| (*rule, advice.object.as_str())).collect();
    assert_eq!(
        told,
        [("duplicate_index", "a"), ("archiver_failing", "x"), ("unused_index", "b"), ("replication_lag", "y")]
    );
}
