//! Foreign keys: what goes with a row is counted, and what is referred to without that stays.

use super::{Place, states};

/// Ten operations, of which the first five are old.
const OPERATIONS: &str = "CREATE TABLE sync_operations (id int PRIMARY KEY, started_at timestamptz NOT NULL);
    INSERT INTO sync_operations SELECT n, now() - CASE WHEN n <= 5 THEN interval '40 days' ELSE '1 day' END FROM generate_series(1, 10) AS n;";

#[test]
fn what_goes_with_a_row_is_counted_in_plan_and_result() {
    let place = Place::new("prune_cascade");
    place.execute(&format!(
        "{OPERATIONS}
         CREATE TABLE steps (id int PRIMARY KEY, op int REFERENCES sync_operations ON DELETE CASCADE);
         INSERT INTO steps SELECT n, (n - 1) / 3 + 1 FROM generate_series(1, 30) AS n;
         CREATE TABLE details (id int, step int CONSTRAINT \"of a step\" REFERENCES steps ON DELETE CASCADE) PARTITION BY RANGE (id);
         CREATE TABLE details_1 PARTITION OF details FOR VALUES FROM (0) TO (30); CREATE TABLE details_2 PARTITION OF details DEFAULT;
         INSERT INTO details SELECT n, (n - 1) / 2 + 1 FROM generate_series(1, 60) AS n;
         CREATE TABLE notes (id int, op int REFERENCES sync_operations ON DELETE SET NULL, step int DEFAULT 30 REFERENCES steps ON DELETE SET DEFAULT);
         INSERT INTO notes SELECT n, n, n FROM generate_series(1, 10) AS n"
    ));
    let expected = |state: &str| {
        [
            format!("delete sync_operations {state} 5"),
            format!("set_null notes {state} 5"),
            format!("cascade steps {state} 15"),
            format!("cascade details {state} 30"),
            format!("set_default notes {state} 10"),
        ]
    };
    let outcome = place.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(0);
    let absent = ["delete conflicts skipped -", "delete performance_metrics skipped -"].map(str::to_owned);
    assert_eq!(states(&outcome), [&expected("planned")[..], &absent, &expected("done")].concat());
    let cascade = outcome.records_of_kind("prune.step").into_iter().find(|step| step["object"] == "details");
    let message = cascade.expect("a step")["message"].as_str().expect("a text").to_owned();
    assert_eq!(message, "through the foreign key of a step: these are deleted with the rows that they refer to");
    let left = "SELECT (SELECT count(*) || ' ' || min(id) FROM sync_operations) || ', ' || (SELECT count(*) || ' ' || min(id) FROM steps) || ', ' ||
                (SELECT count(*) || ' ' || min(id) FROM details) || ', ' || (SELECT count(op) || ' ' || count(*) FILTER (WHERE step = 30) FROM notes)";
    assert_eq!(place.scalar(left), "5 6, 15 16, 30 31, 5 10");
}

#[test]
fn rows_that_others_need_stay_and_so_do_those_whose_cascade_would_come_back() {
    let place = Place::new("prune_restrict");
    place.execute(&format!(
        "{OPERATIONS}
         CREATE TABLE steps (id int PRIMARY KEY, op int REFERENCES sync_operations ON DELETE CASCADE);
         INSERT INTO steps VALUES (1, 1), (2, 2), (8, 8);
         -- Needs operation 1, two keys away.
         CREATE TABLE needs (step int CONSTRAINT far REFERENCES steps ON DELETE RESTRICT);
         INSERT INTO needs VALUES (1);
         CREATE TABLE holds (op int CONSTRAINT near REFERENCES sync_operations);
         INSERT INTO holds VALUES (3), (9);
         -- 7 is young, and would go with 4.
         ALTER TABLE sync_operations ADD parent int CONSTRAINT back REFERENCES sync_operations ON DELETE CASCADE;
         UPDATE sync_operations SET parent = 4 WHERE id = 7"
    ));
    let outcome = place.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(0);
    let expected = [
        "delete sync_operations planned 2",
        "cascade steps planned 1",
        "keep sync_operations skipped 3",
        "delete conflicts skipped -",
        "delete performance_metrics skipped -",
        "delete sync_operations done 2",
        "cascade steps done 1",
    ];
    assert_eq!(states(&outcome), expected);
    let keep = outcome.records_of_kind("prune.step").into_iter().find(|step| step["step"] == "keep").expect("a step");
    let message =
        "old enough, but kept because rows refer to them through near of holds, far of needs, back of sync_operations";
    let mut said: Vec<&str> = keep["message"].as_str().expect("a text").split([',', ' ']).collect();
    let mut wanted: Vec<&str> = message.split([',', ' ']).collect();
    said.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(said, wanted, "{keep}");
    assert_eq!(place.scalar("SELECT string_agg(id::text, ' ' ORDER BY id) FROM sync_operations"), "1 3 4 6 7 8 9 10");
    assert_eq!(place.scalar("SELECT string_agg(id::text, ' ' ORDER BY id) FROM steps"), "1 8");
}

#[test]
fn what_cannot_be_counted_is_not_deleted() {
    let place = Place::new("prune_unread");
    let user = place.database.user();
    place.execute(OPERATIONS);
    place.admin(&format!(
        "CREATE TABLE secret (op int REFERENCES sync_operations ON DELETE CASCADE); INSERT INTO secret VALUES (1); REVOKE ALL ON secret FROM {user}"
    ));
    let outcome = place.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(3);
    let step = outcome.record("prune.step", "rows:sync_operations");
    let message = step["message"].as_str().expect("a text");
    assert!(message.contains("table secret refers to it (secret_op_fkey) and we may not read it"), "{message}");
    assert_eq!(place.scalar("SELECT count(*) FROM sync_operations"), "10");
}
