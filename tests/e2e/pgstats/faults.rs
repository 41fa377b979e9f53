//! Locked tables, silence, lost connections, servers that cannot be used: a record or one clear message, never a hang.

use pso_tests::pg::{self, TempPg};
use pso_tests::proxy::{Direction, Mode, TcpProxy};
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
    database.execute_as_admin("CREATE DATABASE pgstats_refused_closed").expect("created");
    let closed = "REVOKE CONNECT ON DATABASE pgstats_refused_closed FROM PUBLIC";
    database.execute_as_admin(closed).expect("closed");
    let cases = [
        ("PGPASSWORD", "wrong-horse-battery", "check the password in PGPASSWORD"),
        ("PGPASSWORD", "", "none was found; set PGPASSWORD"),
        ("PGDATABASE", "no_such_database", "check PGDATABASE"),
        (
            "PGDATABASE",
            "pgstats_refused_closed",
            "GRANT CONNECT ON DATABASE \"pgstats_refused_closed\" TO \"sync_user\"",
        ),
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
    database.execute_as_admin("DROP DATABASE pgstats_refused_closed").expect("dropped");
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

#[test]
fn a_server_without_tls_is_not_talked_to_in_the_clear_where_tls_was_wanted() {
    let database = database("pgstats_tls");
    for mode in ["require", "verify-full"] {
        let outcome = tool(&database, &[]).env("PGSSLMODE", mode).run().expect("ends");
        outcome.assert_code(3).assert_no_secret(&[database.password()]);
        assert_eq!((outcome.stderr.lines().count(), outcome.records().len()), (1, 2), "{outcome}");
        assert!(outcome.stderr.contains("TLS"), "{outcome}");
    }
    tool(&database, &["tables"]).env("PGSSLMODE", "prefer").run().expect("ends").assert_code(0);
}

#[test]
fn a_server_without_a_free_connection_says_so_and_still_lets_the_superuser_look() {
    let builder = TempPg::builder().version(pg::newest().expect("a version")).setting("max_wal_senders", "0");
    let builder = builder.setting("max_connections", "6").setting("superuser_reserved_connections", "2");
    let server = builder.setting("reserved_connections", "1").start().expect("PostgreSQL");
    let database = server.database("pgstats_full").expect("a database");
    database
        .execute_as_admin(
            "CREATE ROLE pgstats_reserved LOGIN PASSWORD 'reserved-password';
             GRANT pg_monitor, pg_use_reserved_connections TO pgstats_reserved",
        )
        .expect("a role");
    // Whoever connected before may still be on its way out.
    let held = wait::until("all connections to be held", STATISTICS, || {
        let held: Vec<_> = (0..3).map_while(|_| database.connect().ok()).collect();
        (held.len() == 3 && database.connect().is_err()).then_some(held)
    });
    let held = held.expect("held");
    let outcome = run(&database, &[]);
    outcome
        .assert_code(3)
        .assert_stderr_has("all connections are in use")
        .assert_stderr_has("as a superuser")
        .assert_stderr_has("pg_use_reserved_connections");
    outcome.assert_no_secret(&[database.password()]);
    assert_eq!((outcome.stderr.lines().count(), outcome.records().len()), (1, 2), "{outcome}");
    for (user, password) in [("postgres", server.admin_password()), ("pgstats_reserved", "reserved-password")] {
        let allowed =
            tool(&database, &["activity"]).env("PGUSER", user).env("PGPASSWORD", password).run().expect("ends");
        allowed.assert_code(0).assert_quiet();
        assert!(message(&allowed.record("pg.section", "activity")).contains("3 idle"), "{allowed}");
    }
    drop(held);

    // A role's own limit ends in the same way.
    database.execute_as_admin("ALTER ROLE sync_user CONNECTION LIMIT 0").expect("limited");
    let outcome = run(&database, &[]);
    outcome.assert_code(3).assert_stderr_has("too many connections for role");
}

#[test]
fn a_server_that_is_shutting_down_says_so() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("pgstats_leaving").expect("a database");
    let mut open = database.connect_as_admin().expect("connected");
    let read = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)";
    let pid: String = open.query_one(read, &[]).expect("read").get(0);
    // A smart shutdown waits for those who are connected, and lets nobody else in.
    let kill = std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("run kill");
    assert!(kill.success());
    wait::until("the server to refuse", STATISTICS, || database.connect().is_err().then_some(())).expect("refuses");
    let outcome = run(&database, &[]);
    outcome.assert_code(3).assert_stderr_has("shutting down").assert_stderr_has("try again shortly");
    assert_eq!((outcome.stderr.lines().count(), outcome.records().len()), (1, 2), "{outcome}");
    drop(open);
}

/// Whatever becomes of the line, the run ends, says why in one line, and its records end as they should.
#[test]
fn a_line_that_breaks_anywhere_ends_the_run_with_one_message() {
    let database = database("pgstats_cut");
    database
        .execute(
            "DO $$ BEGIN FOR i IN 1..20 LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY)', i); END LOOP; END $$",
        )
        .expect("created");
    // What these say depends on nothing but this database, so that two runs are of the same length but for a few digits.
    const SECTIONS: [&str; 6] = ["tables", "sizes", "indexes", "foreign_keys", "sequences", "bloat"];
    let proxy = TcpProxy::start(database.port()).expect("a proxy");
    let through = |args: &[&str]| tool(&database, args).env("PGPORT", proxy.port().to_string()).run().expect("ends");
    let before = proxy.passed(Direction::ToClient);
    through(&SECTIONS).assert_code(0);
    let whole = proxy.passed(Direction::ToClient) - before;
    assert!(whole > 10_000, "{whole}");
    // In the greeting, in the log-in, and in every part of the answers.
    for bytes in [1, 20, 300, whole / 8, whole / 4, whole / 3, whole / 2, whole * 3 / 4, whole * 19 / 20] {
        proxy.set(Mode::CutAfter { direction: Direction::ToClient, bytes }).expect("cuts");
        let started = Instant::now();
        let outcome = through(&SECTIONS);
        assert!(started.elapsed() < Duration::from_secs(10), "{bytes}: {:?}", started.elapsed());
        outcome.assert_code(3);
        assert_eq!(outcome.stderr.lines().count(), 1, "{bytes}: {outcome}");
        assert!(outcome.run_end()["error"].is_string(), "{bytes}: {outcome}");
        // Of each section that was shown there is an end, and where the line broke it says so.
        let unread: Vec<_> =
            outcome.records_of_kind("pg.section").into_iter().filter(|end| end["severity"] == "unknown").collect();
        let shown = outcome.records_of_kind("pg.section").len();
        assert!(shown == 0 || unread.iter().any(|end| message(end).contains("the connection was lost")), "{outcome}");
    }
}

#[test]
fn a_line_that_falls_silent_or_crawls_ends_at_the_deadline() {
    let database = database("pgstats_silent");
    let proxy = TcpProxy::start(database.port()).expect("a proxy");
    let _holder = lock_statements(&database);
    let args = ["--deadline", "3s", "tables", "statements", "sizes"];
    let slow = |args: &[&str]| {
        tool(&database, args)
            .env("PGPORT", proxy.port().to_string())
            .env("PSO_PG_LOCK_TIMEOUT", "60s")
            .env("PSO_PG_STATEMENT_TIMEOUT", "60s")
    };
    let started = Instant::now();
    let running = slow(&args).spawn().expect("started");
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    wait::until("the query", STATISTICS, || database.scalar(waiting).ok()).expect("asked");
    // From here on nobody answers any more, the server's error about the lock included.
    proxy.set(Mode::Delay(Duration::from_secs(600))).expect("delays");
    let outcome = running.finish().expect("ends");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    outcome.assert_code(3).assert_quiet();
    assert_eq!(outcome.record("pg.section", "tables")["severity"], "ok");
    for (section, expected) in [("statements", "no answer within the deadline"), ("sizes", "had passed")] {
        assert!(message(&outcome.record("pg.section", section)).contains(expected), "{outcome}");
    }

    proxy.set(Mode::Trickle { bytes: 3, every: Duration::from_millis(20) }).expect("trickles");
    let started = Instant::now();
    let outcome = slow(&["--deadline", "2s"]).run().expect("ends");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    outcome.assert_code(3);
}

#[test]
fn a_flipped_bit_never_hangs_or_crashes_it() {
    let database = database("pgstats_corrupt");
    database.execute("CREATE TABLE t (id int PRIMARY KEY)").expect("created");
    let proxy = TcpProxy::start(database.port()).expect("a proxy");
    for offset in [0, 1, 5, 40, 200, 401, 900, 1500, 2222, 3001, 4096, 5007] {
        proxy.set(Mode::Corrupt { direction: Direction::ToClient, offset }).expect("corrupts");
        let started = Instant::now();
        let tool = tool(&database, &["--deadline", "5s"]).env("PGPORT", proxy.port().to_string());
        let outcome = tool.run().expect("ends");
        assert!(started.elapsed() < Duration::from_secs(9), "{offset}: {:?}", started.elapsed());
        // A bit of a number or a name may be a lie that nobody can see; a panic's code is 101.
        assert!(outcome.code.is_some_and(|code| code <= 3), "{offset}: {outcome}");
        assert!(!outcome.stderr.contains("panicked"), "{offset}: {outcome}");
    }
}

#[test]
fn every_format_takes_any_name() {
    let database = database("pgstats names \"é\"\n🚀");
    let role = "\"Ro\"\"le\nwith | = é 🚀\"";
    database
        .execute_as_admin(&format!("CREATE ROLE {role} LOGIN PASSWORD 'any-password-1'; GRANT {role} TO sync_user"))
        .expect("a role");
    database
        .execute(&format!(
            "CREATE TABLE \"Ta\"\"ble\n| = 'é' 🚀\" (\"i\"\"d\n\" serial PRIMARY KEY);
             CREATE INDEX \"in\"\"dex\n\u{1b}[2J\" ON \"Ta\"\"ble\n| = 'é' 🚀\" ((\"i\"\"d\n\" + 1));
             GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
        ))
        .expect("created");
    let mut open = database.connect().expect("connected");
    open.batch_execute(&format!("SET ROLE {role}; SET application_name = 'na\"me | x'; BEGIN; SELECT 1"))
        .expect("begun");
    for format in ["jsonl", "table", "openmetrics", "nagios"] {
        let as_role = tool(&database, &["--format", format])
            .env("PGUSER", role.trim_matches('"').replace("\"\"", "\""))
            .env("PGPASSWORD", "any-password-1");
        for tool in [tool(&database, &["--format", format, "--min-rows", "0"]), as_role] {
            let outcome = tool.run().expect("ends");
            assert!(matches!(outcome.code, Some(0..=2)) && outcome.stderr.is_empty(), "{format}: {outcome}");
            let text = outcome.text();
            assert!(text.contains("Ta\\\"ble\\n") == ["jsonl", "openmetrics"].contains(&format), "{format}: {outcome}");
            // What steers a terminal reaches none; the text for Prometheus keeps a label as it is.
            assert!(format == "openmetrics" || !text.contains('\u{1b}'), "{format}: {outcome}");
            match format {
                "jsonl" => assert!(outcome.records().len() > 20, "{outcome}"),
                "table" => assert!(text.contains("Ta\"ble | = 'é' 🚀"), "{outcome}"),
                "nagios" => assert_eq!(text.lines().count(), 1, "{outcome}"),
                _ => assert!(text.ends_with("# EOF\n"), "{outcome}"),
            }
        }
    }
    drop(open);
    database.execute_as_admin(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).expect("dropped");
}
