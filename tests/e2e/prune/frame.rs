//! One run at a time, none beside a restore, and nothing without consent.

use std::fs::{self, File};

use super::{Place, states};

const TABLE: &str = "CREATE TABLE sync_operations (id int, started_at timestamptz);
    INSERT INTO sync_operations SELECT n, now() - CASE WHEN n < 4 THEN interval '40 days' ELSE '1 day' END FROM generate_series(1, 10) AS n";

#[test]
fn one_at_a_time_and_none_beside_a_restore() {
    let place = Place::new("prune_frame");
    place.execute(TABLE);
    fs::create_dir(place.path(".pso-restore")).expect("a folder");
    for (name, what) in
        [(".pso-prune.lock", "a cleaning is already running"), (".pso-restore/lock", "a restore is already running")]
    {
        let file = File::create(place.path(name)).expect("a file");
        file.lock().expect("locked");
        let outcome = place.prune(&["--yes", "--without-backup"]);
        outcome.assert_code(3).assert_stderr_has(what);
        assert_eq!(states(&outcome), [""; 0]);
        place.prune(&["--dry-run"]).assert_code(0);
    }
    let mut other = place.database.connect().expect("connected");
    // "psoprune"
    other.batch_execute("SELECT pg_advisory_lock(x'70736f7072756e65'::bigint)").expect("locked");
    let outcome = place.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(2);
    let steps = outcome.records_of_kind("prune.step");
    let failed = steps.iter().find(|step| step["state"] == "failed").expect("a step");
    assert_eq!(failed["message"], "another pso-prune is deleting rows of this database; wait for it or stop it");
    assert_eq!(place.scalar("SELECT count(*) FROM sync_operations"), "10");
    drop(other);
    place.prune(&["--yes", "--without-backup"]).assert_code(0);
    assert_eq!(place.scalar("SELECT count(*) FROM sync_operations"), "7");
}

#[test]
fn without_consent_there_is_only_the_plan() {
    let place = Place::new("prune_consent");
    place.execute(TABLE);
    let outcome = place.prune(&["--without-backup"]);
    outcome
        .assert_code(3)
        .assert_stderr_has("nothing was changed: add --yes to do what was planned, or --dry-run to plan only");
    assert_eq!(states(&outcome)[0], "delete sync_operations planned 3");
    assert_eq!(place.scalar("SELECT count(*) FROM sync_operations"), "10");
    let nowhere = place.tool(&["--yes"]).env("PGPORT", "1").run().expect("ends");
    nowhere.assert_code(3);
    let step = nowhere.record("prune.step", "rows:rows");
    assert_eq!((&step["state"], &step["severity"]), (&"failed".into(), &"unknown".into()));
}
