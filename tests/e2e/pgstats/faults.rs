//! Locked tables, silence, lost connections, servers that cannot be used: a record or one clear message, never a hang.

use pso_tests::proxy::{Mode, TcpProxy};
use pso_tests::wait;
use std::time::{Duration, Instant};

use super::{STATISTICS, database, lock_statements, message, names, run, tool};

#[test]
fn a_table_locked_by_another_session_delays_nothing() {
    let database = database("pgstats_locked");
    database
        .execute(
            "CREATE TABLE held (id int PRIMARY KEY, a int); CREATE INDEX held_a ON held ((a + 1)) WHERE a > 1;
             CREATE TABLE free (id int PRIMARY KEY); CREATE TABLE wanted (id int PRIMARY KEY)",
        )
        .expect("created");
    let mut reader = database.connect().expect("connected");
    reader.batch_execute("BEGIN; SELECT * FROM wanted").expect("read");
    let mut holder = database.connect().expect("connected");
    holder.batch_execute("BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE").expect("locked");
    // Who waits for ACCESS EXCLUSIVE blocks all who come after, although it holds nothing.
    let mut waiting = database.connect().expect("connected");
    let waiter =
        std::thread::spawn(move || waiting.batch_execute("SET lock_timeout = '30s'; BEGIN; LOCK TABLE wanted").is_ok());
    let ungranted = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'wanted'::regclass";
    wait::until("the waiter", STATISTICS, || (database.scalar(ungranted).ok()? == "1").then_some(())).expect("waits");

    let started = Instant::now();
    let outcome = run(&database, &["--min-stats-age", "0s", "--min-rows", "0"]);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    outcome.assert_code(0).assert_quiet();
    let end = outcome.record("pg.section", "sizes");
    assert_eq!(end["severity"], "info", "{end}");
    assert!(message(&end).ends_with("ACCESS EXCLUSIVE: public.held, public.wanted"), "{end}");
    assert_eq!(names(&outcome, "pg.size"), ["public.free"]);
    assert_eq!(outcome.record("pg.section", "indexes")["rows"], 4);
    assert!(message(&outcome.record("pg.section", "advice")).contains("1 index not judged"), "{outcome}");
    drop((holder, reader));
    assert!(waiter.join().expect("ends"), "the waiter got its lock");
}

#[test]
fn a_section_that_has_to_wait_is_unknown_and_the_others_go_on() {
    let database = database("pgstats_waits");
    let _holder = lock_statements(&database);
    let started = Instant::now();
    let outcome = run(&database, &[]);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    outcome.assert_code(3).assert_quiet();
    let end = outcome.record("pg.section", "statements");
    assert_eq!((&end["severity"], end.get("rows")), (&"unknown".into(), None), "{end}");
    assert!(message(&end).contains("lock_timeout"), "{end}");
    assert!(outcome.record("pg.section", "advice")["rows"].is_u64());
}

#[test]
fn the_deadline_ends_what_the_server_does_not() {
    let database = database("pgstats_deadline");
    let _holder = lock_statements(&database);
    let started = Instant::now();
    let outcome = tool(&database, &["--deadline", "1500ms", "tables", "statements", "advice"])
        .env("PSO_PG_LOCK_TIMEOUT", "60s")
        .env("PSO_PG_STATEMENT_TIMEOUT", "60s")
        .run()
        .expect("ends");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    outcome.assert_code(3).assert_quiet();
    assert_eq!(outcome.record("pg.section", "tables")["severity"], "ok");
    let end = outcome.record("pg.section", "statements");
    assert_eq!((&end["severity"], end.get("rows")), (&"unknown".into(), None), "{end}");
    assert!(message(&end).contains("--deadline"), "{end}");
    // What was read in time is judged.
    let end = outcome.record("pg.section", "advice");
    assert_eq!((&end["severity"], &end["rows"]), (&"unknown".into(), &0.into()), "{end}");
    assert!(message(&end).contains("not judged without the section indexes"), "{end}");
    assert!(message(&end).contains("--deadline") && !message(&end).contains("dead_tuples"), "{end}");
}

#[test]
fn a_lost_connection_is_told_once_and_for_every_section_left() {
    let database = database("pgstats_lost");
    let _holder = lock_statements(&database);
    let running = tool(&database, &["tables", "statements", "advice"])
        .env("PSO_PG_LOCK_TIMEOUT", "60s")
        .env("PSO_PG_STATEMENT_TIMEOUT", "60s")
        .spawn()
        .expect("started");
    let mut admin = database.connect_as_admin().expect("connected");
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'pso-pgstats' AND wait_event_type = 'Lock'";
    wait::until("the session", STATISTICS, || admin.query_opt(kill, &[]).expect("asked")).expect("killed");
    let outcome = running.finish().expect("ends");
    outcome.assert_code(3).assert_stderr_has("the connection was lost");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
    assert_eq!(outcome.record("pg.section", "tables")["severity"], "ok");
    let end = outcome.record("pg.section", "statements");
    assert_eq!((&end["severity"], end.get("rows")), (&"unknown".into(), None), "{end}");
    let end = outcome.record("pg.section", "advice");
    assert_eq!(end["severity"], "unknown", "{end}");
    assert!(message(&end).contains("the connection was lost"), "{end}");
    assert!(outcome.run_end()["error"].as_str().expect("an error").contains("the connection was lost"), "{outcome}");
}

#[test]
fn a_server_that_cannot_be_used_is_one_clear_message() {
    let database = database("pgstats_refused");
    let cases = [
        ("PGPASSWORD", "wrong-horse-battery", "check the password in PGPASSWORD"),
        ("PGPASSWORD", "", "none was found; set PGPASSWORD"),
        ("PGDATABASE", "no_such_database", "check PGDATABASE"),
        ("PGPORT", "1", "connection refused"),
    ];
    for (name, value, expected) in cases {
        let outcome = tool(&database, &[]).env(name, value).run().expect("ends");
        outcome.assert_code(3).assert_stderr_has(expected);
        outcome.assert_no_secret(&["wrong-horse-battery", database.password()]);
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
        assert!(outcome.run_end()["error"].as_str().expect("an error").contains(expected), "{outcome}");
        assert_eq!(outcome.records().len(), 2, "{outcome}");
    }
}

#[test]
fn a_server_that_swallows_everything_holds_nobody() {
    let database = database("pgstats_swallowed");
    let proxy = TcpProxy::start(database.port()).expect("a proxy");
    proxy.set(Mode::BlackHole).expect("swallows");
    let started = Instant::now();
    let outcome = tool(&database, &["--deadline", "1s"]).env("PGPORT", proxy.port().to_string()).run().expect("ends");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    outcome.assert_code(3).assert_stderr_has("--deadline");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
}
