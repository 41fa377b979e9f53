//! What is compared with what, by hand.

use super::*;

fn result(taken: &str, rows: &[(&str, u64)], points: &[(&str, u64)]) -> RehearseResultRecord {
    let named = |all: &[(&str, u64)]| all.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    let compact = taken.replace(['-', ':', 'Z'], "").replace('T', "_");
    RehearseResultRecord {
        path: format!("backups/daily/{compact}.zip"),
        sha256: Some(format!("hash of {taken}")),
        taken_at: Some(taken.parse().expect("a time")),
        source_host: Some("db1".to_owned()),
        databases: vec!["planning_sync".to_owned()],
        system_identifiers: vec!["7".to_owned()],
        components: Component::ALL.to_vec(),
        rows: named(rows),
        points: named(points),
        ..RehearseResultRecord::default()
    }
}

fn compared_of(
    earlier: &[(Severity, RehearseResultRecord)],
    (now, held): (&RehearseResultRecord, &[Component]),
    max_shrink: f64,
) -> Proof {
    let record = |(at, (severity, body)): (usize, &(Severity, RehearseResultRecord))| {
        let line = serde_json::json!({"schema": 1, "kind": "rehearse.result", "at": format!("2026-11-22T0{at}:00:00Z"),
            "tool": "pso-rehearse", "host": "h", "severity": severity, "name": "n", "message": ""});
        let mut line = line.as_object().cloned().expect("an object");
        line.extend(serde_json::to_value(body).expect("JSON").as_object().cloned().expect("an object"));
        let record =
            pso_common::record::AnyRecord::parse(serde_json::to_string(&line).expect("JSON")).expect("a record");
        record.as_kind().expect("of the kind").expect("whole")
    };
    let results = earlier.iter().enumerate().map(record).collect();
    let history = History { file: "past.jsonl".into(), results, malformed: Vec::new(), more_malformed: 0 };
    let mut proof = Proof::default();
    history.compare((now, held), max_shrink, &mut proof);
    proof
}

fn compared(earlier: &[(Severity, RehearseResultRecord)], now: &RehearseResultRecord, max_shrink: f64) -> Proof {
    compared_of(earlier, (now, &Component::ALL), max_shrink)
}

#[test]
fn what_was_not_restored_has_not_shrunk() {
    let then = result(DAY1, &[("public.a", 4)], &[("plans", 2)]);
    let now = result(DAY2, &[], &[]);
    let proof = compared_of(&[(Severity::Ok, then)], (&now, &[Component::Qdrant]), 50.0);
    assert_eq!(proof.warnings, ["plans had 2 points in 20261121_030000.zip, and is not there any more"]);
}

const DAY1: &str = "2026-11-21T03:00:00Z";
const DAY2: &str = "2026-11-22T03:00:00Z";

#[test]
fn what_has_shrunk_is_told_with_its_numbers() {
    let then = result(DAY1, &[("public.tasks", 1000), ("public.plans", 10), ("public.empty", 0)], &[("plans", 200)]);
    let now = result(DAY2, &[("public.tasks", 499), ("public.plans", 5), ("public.new", 1)], &[("plans", 99)]);
    let proof = compared(&[(Severity::Ok, then)], &now, 50.0);
    let expected = [
        "planning_sync:public.tasks had 1000 rows in 20261121_030000.zip, and has 499 (50.1 % less)",
        "plans had 200 points in 20261121_030000.zip, and has 99 (50.5 % less)",
    ];
    assert_eq!(proof.warnings, expected);
    assert_eq!(proof.severity(), Severity::Warning);
}

#[test]
fn an_empty_table_is_told_whatever_the_limit() {
    let then = result(DAY1, &[("public.a", 3), ("public.b", 3), ("public.c", 0)], &[]);
    let now = result(DAY2, &[("public.a", 0)], &[]);
    let expected = [
        "planning_sync:public.a had 3 rows in 20261121_030000.zip, and is empty",
        "planning_sync:public.b had 3 rows in 20261121_030000.zip, and is not there any more",
    ];
    assert_eq!(compared(&[(Severity::Ok, then)], &now, 100.0).warnings, expected);
}

#[test]
fn what_has_not_shrunk_is_proven() {
    let then = result(DAY1, &[("public.a", 4)], &[("plans", 2)]);
    let now = result(DAY2, &[("public.a", 2)], &[("plans", 3)]);
    let proof = compared(&[(Severity::Warning, then)], &now, 50.0);
    assert_eq!(proof.proven, ["nothing has shrunk by more than 50 % since the archive of 2026-11-21T03:00:00.000Z"]);
    assert_eq!((proof.severity(), proof.unproven.len()), (Severity::Ok, 0));
}

#[test]
fn only_what_can_be_compared_is() {
    let now = result(DAY2, &[("public.a", 1)], &[("plans", 1)]);
    let many = |taken| result(taken, &[("public.a", 100)], &[("plans", 100)]);
    let newer = many("2026-11-23T03:00:00Z");
    let other_database = RehearseResultRecord { databases: vec!["shop".to_owned()], ..many(DAY1) };
    let other_host = RehearseResultRecord {
        source_host: Some("db2".to_owned()),
        system_identifiers: vec!["8".to_owned()],
        ..many(DAY1)
    };
    let of_files = RehearseResultRecord { components: vec![Component::Plans], ..many(DAY1) };
    for (severity, earlier) in [
        (Severity::Ok, newer),
        (Severity::Ok, other_database),
        (Severity::Ok, other_host),
        (Severity::Ok, of_files),
        (Severity::Critical, many(DAY1)),
        (Severity::Unknown, many(DAY1)),
    ] {
        let proof = compared(&[(severity, earlier.clone())], &now, 50.0);
        assert_eq!((proof.warnings.len(), proof.unproven.len()), (0, 2), "{earlier:?}");
        assert!(proof.unproven[0].contains("postgres was not compared"), "{proof:?}");
    }
    // In a new container, or on a new cluster, it is the same deployment.
    for moved in [
        RehearseResultRecord { source_host: Some("db2".to_owned()), ..many(DAY1) },
        RehearseResultRecord { system_identifiers: vec!["8".to_owned()], ..many(DAY1) },
    ] {
        assert_eq!(compared(&[(Severity::Ok, moved)], &now, 50.0).warnings.len(), 2);
    }
}

#[test]
fn the_newest_that_is_not_newer_counts() {
    let of = |taken, rows| (Severity::Ok, result(taken, &[("public.a", rows)], &[]));
    let now = result("2026-11-25T03:00:00Z", &[("public.a", 10)], &[]);
    // Rehearsed in another order than they were made.
    let earlier = [of(DAY2, 11), of("2026-11-26T03:00:00Z", 900), of(DAY1, 800)];
    assert_eq!(compared(&earlier, &now, 50.0).warnings, [""; 0]);
}

#[test]
fn another_database_beside_it_does_not_hide_a_table() {
    let then = result(DAY1, &[("public.a", 10)], &[]);
    let now = RehearseResultRecord {
        databases: vec!["planning_sync".to_owned(), "shop".to_owned()],
        ..result(DAY2, &[("planning_sync:public.a", 1), ("shop:public.a", 10)], &[])
    };
    let told = compared(&[(Severity::Ok, then)], &now, 50.0).warnings;
    assert_eq!(told, ["planning_sync:public.a had 10 rows in 20261121_030000.zip, and has 1 (90.0 % less)"]);
}

#[test]
fn an_archive_that_was_another_file_is_refuted() {
    let then = result(DAY1, &[("public.a", 10)], &[]);
    let proof = compared(&[(Severity::Ok, then.clone())], &then, 50.0);
    assert!(proof.proven[0].starts_with("it is the file that was rehearsed at 2026-11-22T00"), "{proof:?}");
    let moved = RehearseResultRecord { path: "/mnt/usb/daily/20261121_030000.zip".to_owned(), ..then.clone() };
    let altered = RehearseResultRecord { sha256: Some("another".to_owned()), ..moved };
    let proof = compared(&[(Severity::Ok, then.clone())], &altered, 50.0);
    assert_eq!(proof.severity(), Severity::Critical);
    assert!(proof.refuted[0].contains("hash of 2026-11-21T03:00:00Z"), "{proof:?}");
    // A bad copy was found that night, and a good one was put in its place.
    let bad = RehearseResultRecord { refuted: vec!["it is not what was published".to_owned()], ..then };
    assert_eq!(compared(&[(Severity::Critical, bad)], &altered, 50.0).refuted, [""; 0]);
}
