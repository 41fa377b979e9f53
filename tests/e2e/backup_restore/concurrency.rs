//! Several at once: one works, the others refuse clearly, and nothing is mixed up.

use std::time::Duration;

use pso_tests::deployment::Spec;
use pso_tests::pg::TempPg;
use pso_tests::tool::Outcome;
use pso_tests::wait;

use crate::parts::{LIMIT, Parts, walk};

/// Waits until so many sessions of a tool wait for a lock.
fn blocked(parts: &Parts, tool: &str) {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{tool}' AND wait_event_type = 'Lock' AND datname = current_database()"
    );
    wait::until("it to wait for the lock", LIMIT, || {
        (parts.database.scalar(&sql).expect("sessions") != "0").then_some(())
    })
    .expect("it waits");
}

fn assert_refused(outcome: &Outcome, what: &str, holder: u32) {
    outcome.assert_code(3).assert_stderr_has(what).assert_stderr_has(&format!("process {holder}"));
}

#[test]
fn a_backup_that_waits_keeps_others_out_and_comes_to_its_end() {
    let parts = Parts::start("br_locked");
    parts.archive();
    let before = parts.content();
    let mut session = parts.database.connect().expect("connected");
    session.batch_execute("BEGIN; LOCK TABLE plans IN ACCESS EXCLUSIVE MODE").expect("locked");
    let mut first = parts.tool("pso-backup", &[]).spawn().expect("started");
    blocked(&parts, "pso-backup");
    assert_refused(&parts.backup(&[]), "already running", first.id());
    assert_refused(&parts.restore(&["latest", "--yes"]), "is already running", first.id());
    parts.backup(&["list"]).assert_code(0);
    assert!(first.is_running().expect("looked at"));
    session.batch_execute("ROLLBACK").expect("unlocked");
    first.finish().expect("ends").assert_code(0);
    parts.backup(&["verify"]).assert_code(0);
    // And one that waits too long says for what.
    session.batch_execute("BEGIN; LOCK TABLE plans IN ACCESS EXCLUSIVE MODE").expect("locked");
    let archives = parts.daily();
    let outcome = parts.backup(&["--only", "postgres"]);
    outcome.assert_code(2).assert_stderr_has("public.plans").assert_stderr_has("lock");
    drop(session);
    parts.assert_no_trace(&archives);
    before.assert_same(&parts.content());
}

#[test]
fn a_restore_that_waits_keeps_others_out_and_comes_to_its_end() {
    let parts = Parts::start("br_locked_restore");
    parts.archive();
    let before = parts.content();
    parts.database.execute("DELETE FROM conflicts").expect("damaged");
    // In place everything is dropped first, which waits for whoever reads.
    let mut session = parts.database.connect().expect("connected");
    session.batch_execute("BEGIN; SELECT count(*) FROM plans").expect("read");
    let first = parts.tool("pso-restore", &["latest", "--yes"]).spawn().expect("started");
    blocked(&parts, "pso-restore");
    assert_refused(&parts.restore(&["latest", "--yes"]), "already running", first.id());
    assert_refused(&parts.backup(&[]), "a restore into", first.id());
    // To look does no harm.
    parts.backup(&["verify"]).assert_code(0);
    session.batch_execute("ROLLBACK").expect("let go");
    first.finish().expect("ends").assert_code(0);
    before.assert_same(&parts.content());
}

#[test]
fn whoever_comes_at_the_same_moment_works_or_refuses() {
    let parts = Parts::start("br_race");
    let first = parts.archive();
    let first = first.to_str().expect("UTF-8").to_owned();
    let before = parts.content();
    for _ in 0..3 {
        let archives = |names: &[String]| names.iter().filter(|name| name.ends_with(".zip")).count();
        let count = archives(&parts.daily());
        let backup = || parts.tool("pso-backup", &[]);
        let restore = || parts.tool("pso-restore", &[&first, "--yes"]);
        let running = [backup(), restore(), backup(), restore()].map(|tool| tool.spawn().expect("started"));
        let outcomes = running.map(|running| running.finish().expect("ends"));
        let mut made = 0;
        for outcome in &outcomes {
            assert!(matches!(outcome.code, Some(0 | 3)), "{outcome}");
            if outcome.code == Some(3) {
                outcome.assert_stderr_has("is already running");
            } else if outcome.name == "pso-backup" {
                made += 1;
            }
        }
        assert_eq!(archives(&parts.daily()), count + made);
        before.assert_same(&parts.content());
    }
    for path in walk(&parts.path("backups/daily")).iter().filter(|path| path.ends_with(".zip")) {
        parts.backup(&["verify", path]).assert_code(0);
    }
    // Alone it works at once: nobody has left a lock behind.
    let outcome = parts.tool("pso-backup", &[]).limit(Duration::from_secs(30)).run().expect("ends");
    outcome.assert_code(0);
    parts.assert_no_trace(&parts.daily());
}

/// Autovacuum comes by itself after much was changed, is a superuser's process, and ends when the database is renamed.
#[test]
fn autovacuum_does_not_keep_a_restore_from_its_end() {
    let pg = TempPg::with_settings(&[("autovacuum_naptime", "1s")]).expect("PostgreSQL");
    pg.admin("postgres").expect("connected").batch_execute("ALTER ROLE sync_user CREATEDB").expect("granted");
    let parts = Parts::on(&pg, "planning_sync", Spec::small(time::OffsetDateTime::now_utc()));
    parts.fatten();
    parts.backup(&["--only", "postgres"]).assert_code(0);
    let before = parts.content();
    parts
        .database
        .execute(
            "ALTER TABLE fat SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);
             DELETE FROM fat WHERE n % 2 = 0",
        )
        .expect("changed");
    // Only a superuser sees what kind of process it is.
    let mut admin = pg.admin("planning_sync").expect("connected");
    let workers =
        "SELECT FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND datname = current_database()";
    wait::until("autovacuum", LIMIT, || admin.query_opt(workers, &[]).expect("sessions")).expect("it comes");
    drop(admin);
    parts.restore(&["latest", "--yes"]).assert_code(0);
    before.assert_same(&parts.content());
}

#[test]
fn a_restore_does_not_begin_beside_a_cleaning() {
    let parts = Parts::start("restore_beside_a_cleaning");
    parts.archive();
    let lock = std::fs::File::create(parts.path(".pso-prune.lock")).expect("a file");
    lock.lock().expect("locked");
    parts.restore(&["latest", "--yes"]).assert_code(3).assert_stderr_has("a cleaning is already running");
    drop(lock);
    parts.restore(&["latest", "--yes"]).assert_code(0);
}
