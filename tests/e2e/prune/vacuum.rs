//! `VACUUM`: what needs it, what is left alone, and when it ends.

use std::time::{Duration, Instant};

use pso_tests::pg::{Database, TempPg, versions};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;

use crate::parts::{LIMIT, checked};

/// A table of 20,000 rows, of which 8,000 are dead, that nobody else cleans.
const TABLE: &str = "CREATE TABLE worn (id int PRIMARY KEY, text text) WITH (autovacuum_enabled = false);
    INSERT INTO worn SELECT n, md5(n::text) FROM generate_series(1, 20000) AS n; ANALYZE worn;
    CREATE TABLE fine (id int PRIMARY KEY) WITH (autovacuum_enabled = false);
    INSERT INTO fine SELECT generate_series(1, 1000); ANALYZE fine;
    DELETE FROM worn WHERE id <= 8000";

fn database(name: &str, sql: &str) -> Database {
    filled(TempPg::shared().expect("PostgreSQL"), name, sql)
}

fn filled(pg: &TempPg, name: &str, sql: &str) -> Database {
    let database = pg.database(name).expect("a database");
    for statement in sql.split(';') {
        database.execute(statement).expect("executed");
    }
    database
}

fn dead(database: &Database, table: &str) -> i64 {
    let sql = format!("SELECT n_dead_tup::text FROM pg_stat_user_tables WHERE relname = '{table}'");
    database.scalar(&sql).expect("a count").parse().expect("a number")
}

/// Statistics are told a moment after what they count.
fn await_dead(database: &Database, table: &str, rows: i64) {
    wait::until("dead rows to be counted", LIMIT, || (dead(database, table) == rows).then_some(())).expect("counted");
}

fn tool(database: &Database, args: &[&str]) -> Tool {
    let args = [&["vacuum", "--yes", "--without-backup"], args].concat();
    Tool::new("pso-prune").expect("built").args(args).envs(database.env()).folder(std::env::temp_dir())
}

fn prune(database: &Database, args: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    checked(tool(database, args).folder(folder.path()))
}

/// `OBJECT STATE: MESSAGE` of what was done or not.
fn done(outcome: &Outcome) -> Vec<String> {
    let steps = outcome.records_of_kind("prune.step");
    let steps = steps.iter().filter(|step| step["state"] != "planned");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    steps
        .map(|step| format!("{} {}: {}", text(&step["object"]), text(&step["state"]), text(&step["message"])))
        .collect()
}

#[test]
fn tables_with_dead_rows_are_vacuumed_and_others_are_not() {
    let database = database("prune_vacuum", TABLE);
    await_dead(&database, "worn", 8000);
    let outcome = prune(&database, &[]);
    outcome.assert_code(0);
    assert_eq!(done(&outcome), ["public.worn done: dead rows: 8000 before, 0 after"]);
    assert_eq!(dead(&database, "worn"), 0);
    assert_eq!(done(&prune(&database, &[])), [""; 0], "nothing needs it any more");
    let outcome = prune(&database, &["--all-tables"]);
    outcome.assert_code(0);
    let all = done(&outcome);
    assert!(all.len() == 2 && all.iter().any(|line| line.starts_with("public.fine done")), "{all:?}");
}

#[test]
fn every_version_of_postgresql_is_vacuumed() {
    for major in versions().expect("PostgreSQL") {
        let pg = TempPg::shared_of(major).expect("PostgreSQL");
        let database = filled(pg, "prune_vacuum_versions", TABLE);
        await_dead(&database, "worn", 8000);
        let outcome = prune(&database, &[]);
        outcome.assert_code(0);
        assert_eq!(done(&outcome), ["public.worn done: dead rows: 8000 before, 0 after"], "PostgreSQL {major}");
    }
}

#[test]
fn names_of_tables_are_names() {
    let sql = "CREATE SCHEMA \"a.b\"; CREATE TABLE \"a.b\".\"x\"\"y z\" (id int); INSERT INTO \"a.b\".\"x\"\"y z\" VALUES (1)";
    let database = database("prune_vacuum_names", sql);
    let outcome = prune(&database, &["--all-tables"]);
    outcome.assert_code(0);
    assert!(done(&outcome)[0].starts_with("\"a.b\".\"x\"\"y z\" done"), "{outcome}");
}

#[test]
fn what_somebody_else_is_at_is_left_alone() {
    let database = database("prune_vacuum_lock", TABLE);
    await_dead(&database, "worn", 8000);
    // What VACUUM itself takes.
    let mut other = database.connect().expect("connected");
    other.batch_execute("BEGIN; LOCK TABLE worn IN SHARE UPDATE EXCLUSIVE MODE").expect("locked");
    let started = Instant::now();
    let outcome = prune(&database, &[]);
    outcome.assert_code(0);
    let all = done(&outcome);
    assert!(all.len() == 1 && all[0].contains("skipped: somebody holds a lock"), "{all:?}");
    assert!(started.elapsed() < Duration::from_secs(10), "it waits for nobody");
    other.batch_execute("ROLLBACK").expect("released");
    assert_eq!(dead(&database, "worn"), 8000);
}

#[test]
fn an_old_transaction_that_keeps_the_rows_is_told() {
    let database = database("prune_vacuum_old", TABLE);
    await_dead(&database, "worn", 8000);
    let mut old = database.connect().expect("connected");
    old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM fine LIMIT 1").expect("begun");
    database.execute("DELETE FROM worn WHERE id <= 16000").expect("deleted");
    await_dead(&database, "worn", 16000);
    let outcome = prune(&database, &[]);
    outcome.assert_code(1);
    let all = done(&outcome);
    assert!(all[0].contains("16000 before, 8000 after: an old transaction"), "{all:?}");
}

#[test]
fn a_table_of_another_owner_is_told() {
    let database = database("prune_vacuum_owner", "SELECT 1");
    let owner = database.scalar("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()");
    let admin = |sql: &str| database.execute_as_admin(sql).expect("executed");
    // The owner of the database may vacuum all of it, so it must be somebody else's as well.
    admin(&format!("ALTER DATABASE {} OWNER TO postgres", database.name()));
    assert_ne!(owner.expect("an owner"), "");
    admin("CREATE TABLE theirs (id int) WITH (autovacuum_enabled = false)");
    admin("INSERT INTO theirs SELECT generate_series(1, 5000)");
    admin("DELETE FROM theirs WHERE id > 1000");
    await_dead(&database, "theirs", 4000);
    let outcome = prune(&database, &[]);
    outcome.assert_code(1);
    let all = done(&outcome);
    assert!(all[0].starts_with("public.theirs skipped: 4000 dead rows beside 1000; but"), "{all:?}");
    let version: u32 = database.scalar("SHOW server_version_num").expect("a version").parse().expect("a number");
    if version >= 170_000 {
        admin(&format!("GRANT MAINTAIN ON theirs TO {}", database.user()));
        let outcome = prune(&database, &[]);
        outcome.assert_code(0);
        assert_eq!(done(&outcome), ["public.theirs done: dead rows: 4000 before, 0 after"]);
    }
}

/// A database in which VACUUM pauses for a tenth of a second after each page.
fn slow(name: &str) -> Database {
    let database = database(name, TABLE);
    let settings = [("vacuum_cost_delay", "100ms"), ("vacuum_cost_limit", "1")];
    for (setting, value) in settings {
        database
            .execute_as_admin(&format!("ALTER DATABASE {} SET {setting} = '{value}'", database.name()))
            .expect("set");
    }
    await_dead(&database, "worn", 8000);
    database
}

#[test]
fn when_the_time_is_over_the_rest_waits_for_the_next_run() {
    let database = slow("prune_vacuum_late");
    let started = Instant::now();
    let outcome = prune(&database, &["--all-tables", "--vacuum-budget", "700ms"]);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    outcome.assert_code(1);
    let all = done(&outcome);
    assert!(all[0].starts_with("public.worn skipped: it was stopped when 700ms were over"), "{all:?}");
    assert!(all[1].starts_with("public.fine skipped: it was not begun when 700ms were over"), "{all:?}");
}

#[test]
fn a_signal_ends_it_on_the_server_too() {
    let database = slow("prune_vacuum_signal");
    let folder = tempfile::tempdir().expect("a folder");
    let mut running = tool(&database, &[]).folder(folder.path()).spawn().expect("started");
    let sql = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'VACUUM%'";
    let at_it = |count: &str| (database.scalar(sql).expect("a count") == count).then_some(());
    wait::until("VACUUM to begin", LIMIT, || at_it("1")).expect("begun");
    running.signal("TERM").expect("sent");
    let outcome = running.finish().expect("ends");
    assert!(matches!(outcome.code, Some(2 | 3)), "{outcome}");
    outcome.assert_stderr_has("SIGTERM");
    wait::until("VACUUM to end", LIMIT, || at_it("0")).expect("ended");
}

#[test]
fn tables_that_lose_rows_in_the_same_run_are_vacuumed() {
    let sql = "CREATE TABLE sync_operations (id int PRIMARY KEY, started_at timestamptz) WITH (autovacuum_enabled = false);
        INSERT INTO sync_operations SELECT n, now() - (n % 100) * interval '1 day' FROM generate_series(1, 1000) AS n;
        UPDATE sync_operations SET started_at = now() - interval '1 hour' WHERE id > 100; VACUUM ANALYZE sync_operations";
    let database = database("prune_vacuum_rows", sql);
    let outcome = prune(&database, &["rows"]);
    let all = done(&outcome);
    let line = all.iter().find(|line| line.starts_with("public.sync_operations done: dead rows:"));
    assert!(line.is_some_and(|line| line.ends_with(" 0 after")), "{outcome}");
}

#[test]
fn a_standby_says_what_it_is() {
    let pg = TempPg::start_new().expect("PostgreSQL");
    let database = pg.database("prune_vacuum_standby").expect("a database");
    let standby = pg.standby().expect("a standby");
    standby.catch_up(&pg).expect("caught up");
    let outcome = prune(&standby.replica_of(&database), &[]);
    outcome.assert_code(3);
    assert!(done(&outcome)[0].contains("is a standby"), "{outcome}");
}
