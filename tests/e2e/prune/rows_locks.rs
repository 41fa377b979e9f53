//! What other sessions hold or change meanwhile.

use std::time::Duration;

use pso_tests::wait;

use super::{Place, states};

const LIMIT: Duration = Duration::from_secs(30);

/// Of each table ten rows of a thousand are old.
const TABLES: &str = "CREATE TABLE sync_operations (id int PRIMARY KEY, started_at timestamptz);
    INSERT INTO sync_operations SELECT n, now() - CASE WHEN n % 100 = 0 THEN interval '40 days' ELSE '1 day' END FROM generate_series(1, 1000) AS n;
    CREATE TABLE performance_metrics (id int PRIMARY KEY, timestamp timestamptz);
    INSERT INTO performance_metrics SELECT n, now() - CASE WHEN n % 100 = 0 THEN interval '99 days' ELSE '1 day' END FROM generate_series(1, 1000) AS n;";

#[test]
fn rows_that_others_have_locked_are_passed_over_and_told() {
    let place = Place::new("prune_row_locks");
    place.execute(TABLES);
    let mut other = place.database.connect().expect("connected");
    let mut holding = other.transaction().expect("begun");
    holding.execute("SELECT 1 FROM sync_operations WHERE id IN (100, 500, 900) FOR KEY SHARE", &[]).expect("locked");
    let outcome = place.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(1);
    let done = outcome.records_of_kind("prune.step").into_iter().find(|step| step["state"] == "done").expect("a step");
    assert_eq!(
        (&done["object"], &done["rows"], &done["severity"]),
        (&"sync_operations".into(), &7.into(), &"warning".into())
    );
    let message = "3 fewer than planned: others have locked or changed them; 3 are due still, for the next run";
    assert_eq!(done["message"], message);
    holding.rollback().expect("ended");
    place.prune(&["--yes", "--without-backup"]).assert_code(0);
    assert_eq!(place.scalar("SELECT count(*) FROM sync_operations"), "990");
}

#[test]
fn a_row_that_is_no_longer_old_stays() {
    let place = Place::new("prune_changed");
    place.execute(TABLES);
    let mut other = place.database.connect().expect("connected");
    let mut changing = other.transaction().expect("begun");
    changing.execute("UPDATE sync_operations SET started_at = now() WHERE id = 300", &[]).expect("changed");
    let run = place.tool(&["--yes", "--without-backup"]).spawn().expect("started");
    let rest = "SELECT count(*) FROM sync_operations WHERE id % 100 = 0";
    wait::until("the others to go", LIMIT, || (place.scalar(rest) == "1").then_some(())).expect("deleted");
    changing.commit().expect("changed");
    let outcome = run.finish().expect("ends");
    outcome.assert_code(0);
    let done = outcome.records_of_kind("prune.step").into_iter().find(|step| step["state"] == "done").expect("a step");
    assert_eq!(done["rows"], 9);
    assert_eq!(done["message"], "1 fewer than planned: others have deleted or changed them meanwhile");
    assert_eq!(place.scalar("SELECT id FROM sync_operations WHERE id % 100 = 0"), "300");
}

#[test]
fn a_locked_table_is_told_and_the_others_go_on() {
    let place = Place::new("prune_table_lock");
    place.execute(TABLES);
    place.configure("    lock_timeout: 20ms\n");
    let mut other = place.database.connect().expect("connected");
    let mut holding = other.transaction().expect("begun");
    holding.batch_execute("LOCK TABLE sync_operations IN SHARE MODE").expect("locked");
    let outcome = place.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(2);
    let expected = [
        "delete sync_operations planned 10",
        "delete conflicts skipped -",
        "delete performance_metrics planned 10",
        "delete sync_operations failed 0",
        "delete performance_metrics done 10",
    ];
    assert_eq!(states(&outcome), expected);
    let steps = outcome.records_of_kind("prune.step");
    let failed = steps.iter().find(|step| step["state"] == "failed").expect("a step");
    let message = failed["message"].as_str().expect("a text");
    assert!(message.contains("other sessions are in the way") && message.contains("lock timeout"), "{message}");
    assert!(message.ends_with("; 0 of 10 rows were deleted, and the next run goes on from there"), "{message}");
    drop(holding);
    // One that nobody can even read.
    let mut holding = other.transaction().expect("begun");
    holding.batch_execute("LOCK TABLE sync_operations IN ACCESS EXCLUSIVE MODE").expect("locked");
    let outcome = place.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(3);
    assert_eq!(states(&outcome)[0], "delete sync_operations failed -");
}

#[test]
fn a_standby_and_a_read_only_server_are_told_beforehand() {
    let place = Place::new("prune_read_only");
    place.execute(TABLES);
    let name = place.database.name();
    place.admin(&format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = on"));
    let outcome = place.prune(&["--dry-run"]);
    outcome.assert_code(3);
    let step = outcome.record("prune.step", "rows:rows");
    let message = step["message"].as_str().expect("a text");
    assert!(
        message
            .ends_with("its transactions are read-only (default_transaction_read_only); nothing can be deleted there"),
        "{message}"
    );
}
