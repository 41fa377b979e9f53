//! `databases` and `connections`: what each database has counted and who holds the connections, on real servers, and the rules
//! that judge them.

use std::io::{Read, Seek, SeekFrom, Write};
use std::thread;

use pso_tests::pg::{Database, TempPg};
use pso_tests::wait;
use serde_json::Value;

use super::{STATISTICS, advised, advised_no_more, database, message, names, number, of_rule, run, silent, text};

/// The database's own record, once it has counted what the test did.
fn counted(database: &Database, enough: impl Fn(&Value) -> bool) -> Value {
    wait::until("the counters", STATISTICS, || {
        let outcome = run(database, &["databases"]);
        outcome.assert_code(0).assert_quiet();
        Some(outcome.record("pg.database", database.name())).filter(&enough)
    })
    .expect("counted")
}

#[test]
fn each_database_is_shown_and_what_cannot_be_measured_is_said() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("it's \"odd\"\n🐘").expect("a database");
    let closed = server.database("pgstats_closed").expect("a database");
    database
        .execute_as_admin(
            "REVOKE CONNECT ON DATABASE pgstats_closed FROM PUBLIC; ALTER DATABASE pgstats_closed OWNER TO postgres;
             ALTER DATABASE pgstats_closed CONNECTION LIMIT 7",
        )
        .expect("closed");
    database.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n").expect("created");
    let record = counted(&database, |record| number(record, "tup_inserted") >= 1000);
    assert_eq!((&record["current"], text(&record, "object")), (&true.into(), "\"it's \"\"odd\"\"\n🐘\""), "{record}");
    let asked = database.scalar("SELECT pg_database_size(current_database())").expect("asked");
    let gap = number(&record, "size_bytes") - asked.parse::<i64>().expect("a number");
    assert!(gap.abs() < 1 << 20 && record["stats_since_at"].is_string(), "{record}");
    assert_eq!(record.get("connection_limit"), None, "{record}");

    let outcome = run(&database, &["databases"]);
    let end = outcome.record("pg.section", "databases");
    assert!(end["severity"] == "info" && message(&end).contains("1 database not measured"), "{end}");
    assert!(message(&end).contains("GRANT pg_read_all_stats TO sync_user"), "{end}");
    let other = outcome.record("pg.database", closed.name());
    assert_eq!((other.get("size_bytes"), number(&other, "connection_limit")), (None, 7), "{other}");
    let shared = outcome.record("pg.database", "shared objects");
    assert_eq!((shared.get("datname"), shared.get("size_bytes")), (None, None), "{shared}");
    database.execute_as_admin("GRANT pg_read_all_stats TO sync_user").expect("granted");
    let outcome = run(&database, &["databases"]);
    assert_eq!(outcome.record("pg.section", "databases")["severity"], "ok", "{outcome}");
    assert!(number(&outcome.record("pg.database", closed.name()), "size_bytes") > 1 << 20, "{outcome}");
}

#[test]
fn connections_are_advised_from_the_limit_on() {
    let server = TempPg::with_settings(&[("max_connections", "20")]).expect("PostgreSQL");
    let database = server.database("pgstats \"connections\"").expect("a database");
    database.execute_as_admin("GRANT pg_read_all_stats TO sync_user").expect("granted");
    // The server keeps three for superusers; the tool's own is one of those that are left.
    let mut held = Vec::new();
    let mut hold = |count: usize| {
        while held.len() < count {
            held.push(database.connect().expect("connected"));
        }
        let taken = i64::try_from(count + 1).expect("few");
        wait::until("the connections", STATISTICS, || {
            let record = run(&database, &["connections"]).record("pg.connection", "server");
            (number(&record, "connections") == taken).then_some(record)
        })
        .expect("seen")
    };
    let record = hold(12);
    assert_eq!((number(&record, "connection_limit"), number(&record, "idle")), (17, 12), "{record}");
    silent(&database, &[], "connections");
    hold(13);
    let advice = advised(&database, &[], "connections:server");
    assert_eq!((&advice["severity"], advice.get("sql")), (&"warning".into(), None), "{advice}");
    let evidence = &advice["evidence"];
    assert_eq!((&evidence["connections"], &evidence["max_connections"]), (&"14".into(), &"20".into()), "{advice}");
    let most = text(evidence, "most_held_by");
    assert!(most.starts_with("13 by sync_user@pgstats \"connections\"/pso-tests, 1 by"), "{advice}");
    silent(&database, &["--max-connections-used", "83"], "connections");

    // Those of a role and of a database with limits of their own.
    let own =
        "ALTER ROLE sync_user CONNECTION LIMIT 17; ALTER DATABASE \"pgstats \"\"connections\"\"\" CONNECTION LIMIT 18";
    database.execute_as_admin(own).expect("limited");
    let names = |args: &[&str]| of_rule(&run(&database, &[&["advice"], args].concat()), "connections");
    assert_eq!(names(&[]), ["connections:server", "connections:role sync_user"]);
    let all = names(&["--max-connections-used", "77"]);
    assert_eq!(all.last().map(String::as_str), Some("connections:database \"pgstats \"\"connections\"\"\""));
    let role = advised(&database, &[], "connections:role sync_user");
    assert_eq!((&role["severity"], &role["evidence"]["connection_limit"]), (&"info".into(), &"17".into()), "{role}");
    database.execute_as_admin("ALTER ROLE sync_user CONNECTION LIMIT -1").expect("unlimited");
    hold(16);
    let advice = advised(&database, &[], "connections:server");
    assert_eq!((&advice["severity"], &advice["evidence"]["used_percent"]), (&"high".into(), &"100".into()), "{advice}");
    run(&database, &["advice"]).assert_code(2);
    // The last one is taken: one clear message.
    let last = database.connect().expect("connected");
    let refused = run(&database, &["advice"]);
    refused.assert_code(3).assert_stderr_has("remaining connection slots are reserved");
    assert_eq!(refused.stderr.lines().count(), 1, "{refused}");
    drop(last);

    // Who may not see the others' states is told so, and counts them all the same.
    held.truncate(12);
    database
        .execute_as_admin("REVOKE pg_read_all_stats FROM sync_user; CREATE ROLE other LOGIN PASSWORD 'other'")
        .expect("set");
    let hidden = wait::until("a count", STATISTICS, || {
        let tool = super::tool(&database, &["connections"]).env("PGUSER", "other").env("PGPASSWORD", "other");
        let outcome = tool.run().expect("ends");
        (number(&outcome.record("pg.connection", "server"), "connections") == 13).then_some(outcome)
    })
    .expect("seen");
    let end = hidden.record("pg.section", "connections");
    assert!(message(&end).contains("of 12 connections of other roles the state is hidden; GRANT"), "{end}");
    drop(held);
    advised_no_more(&database, &[], "connections:server");
}

#[test]
fn a_cache_that_seldom_has_the_page_is_advised_below_the_limit_only() {
    let server = TempPg::with_settings(&[("shared_buffers", "1MB"), ("autovacuum", "off")]).expect("PostgreSQL");
    let cold = server.database("pgstats_cold").expect("a database");
    let warm = server.database("pgstats_warm").expect("a database");
    let scans = |database: &Database, rows: u32, times: u32| {
        let create = format!("CREATE TABLE t AS SELECT repeat('x', 900) AS note FROM generate_series(1, {rows})");
        database.execute(&create).expect("created");
        database
            .execute(&format!("SET max_parallel_workers_per_gather = 0; DO $$ BEGIN FOR i IN 1..{times} LOOP PERFORM count(*) FROM t; END LOOP; END $$"))
            .expect("read");
    };
    scans(&cold, 32_000, 30);
    scans(&warm, 160, 6000);
    let pages = |record: &Value| number(record, "blks_hit") + number(record, "blks_read");
    let ratio = |record: &Value| record["hit_percent"].as_f64().expect("a number");
    let record = counted(&cold, |record| pages(record) > 100_000);
    assert!(ratio(&record) < 90.0, "{record}");
    let record = counted(&warm, |record| pages(record) > 100_000);
    assert!(ratio(&record) > 95.0, "{record}");
    silent(&warm, &[], "cache_hit_ratio");
    silent(&cold, &["--min-cache-hit", "0"], "cache_hit_ratio");
    let advice = advised(&cold, &[], "cache_hit_ratio:pgstats_cold");
    assert_eq!((&advice["severity"], &advice["confidence"], advice.get("sql")), (&"info".into(), &"low".into(), None));
    assert_eq!(advice["evidence"]["shared_buffers_pages"], "128", "{advice}");
    cold.execute_as_admin("SELECT pg_stat_reset()").expect("reset");
    advised_no_more(&cold, &[], "cache_hit_ratio:pgstats_cold");
}

#[test]
fn rollbacks_are_advised_past_the_limit_only() {
    let past = database("pgstats_rollbacks");
    let inside = database("pgstats_commits");
    for (database, rollbacks) in [(&past, 300), (&inside, 60)] {
        let ends = format!(
            "DO $$ BEGIN FOR i IN 1..1000 LOOP PERFORM 1; IF i <= {rollbacks} THEN ROLLBACK; ELSE COMMIT; END IF; END LOOP; END $$"
        );
        database.execute(&ends).expect("ended");
        counted(database, |record| number(record, "xact_rollback") >= rollbacks);
    }
    let name = format!("rollback_ratio:{}", past.name());
    let advice = advised(&past, &[], &name);
    assert_eq!(
        (&advice["severity"], &advice["evidence"]["xact_rollback"]),
        (&"info".into(), &"300".into()),
        "{advice}"
    );
    silent(&inside, &[], "rollback_ratio");
    silent(&past, &["--max-rollbacks", "50"], "rollback_ratio");
    past.execute_as_admin("SELECT pg_stat_reset()").expect("reset");
    advised_no_more(&past, &[], &name);
}

#[test]
fn deadlocks_are_advised_past_the_limit_only() {
    let database = database("pgstats_deadlocks");
    database
        .execute("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0), (2, 0)")
        .expect("created");
    let mut one = database.connect().expect("connected");
    let mut two = database.connect().expect("connected");
    one.batch_execute("BEGIN; UPDATE t SET n = 1 WHERE id = 1").expect("held");
    two.batch_execute("BEGIN; UPDATE t SET n = 2 WHERE id = 2").expect("held");
    let other = thread::spawn(move || one.batch_execute("UPDATE t SET n = 1 WHERE id = 2; COMMIT").is_ok());
    let own = two.batch_execute("UPDATE t SET n = 2 WHERE id = 1; COMMIT").is_ok();
    drop(two);
    assert_ne!(own, other.join().expect("ends"), "one of the two is ended");
    counted(&database, |record| number(record, "deadlocks") == 1);
    silent(&database, &["--max-deadlocks", "1"], "deadlocks");
    let (limit, name) = (["--max-deadlocks", "0"], format!("deadlocks:{}", database.name()));
    let advice = advised(&database, &limit, &name);
    assert_eq!((&advice["severity"], &advice["confidence"]), (&"warning".into(), &"high".into()), "{advice}");
    assert_eq!(advice["evidence"]["deadlocks_per_day"], "1.0", "{advice}");
    database.execute_as_admin("SELECT pg_stat_reset()").expect("reset");
    advised_no_more(&database, &limit, &name);
}

#[test]
fn temporary_files_are_advised_past_the_limit_only() {
    let database = database("pgstats \"temp\"");
    let quoted = format!("\"{}\"", database.name().replace('"', "\"\""));
    database.execute(&format!("ALTER DATABASE {quoted} SET work_mem = '1MB'")).expect("set");
    let sort = || {
        let rows = "SELECT generate_series(1, 100000) AS n, repeat('x', 50) AS note OFFSET 0";
        database
            .execute(&format!("SELECT count(*) FROM (SELECT * FROM ({rows}) AS r ORDER BY note, n) AS s"))
            .expect("sorted");
    };
    let own = "SELECT c FROM pg_db_role_setting, unnest(setconfig) AS c
               WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let forget = || database.execute_as_admin("SELECT pg_stat_reset()").expect("reset");
    sort();
    let record = counted(&database, |record| number(record, "temp_bytes") > 1 << 20);
    assert!(number(&record, "temp_files") > 0 && text(&record, "own_work_mem") == "1MB", "{record}");
    silent(&database, &["--max-temp-mib", "100"], "temp_files");
    let (limit, name) = (["--max-temp-mib", "1"], format!("temp_files:{quoted}"));
    let advice = advised(&database, &limit, &name);
    assert_eq!(
        (&advice["severity"], &advice["evidence"]["work_mem_kib"]),
        (&"info".into(), &"1024".into()),
        "{advice}"
    );

    database.execute(text(&advice, "sql")).expect("set");
    assert_ne!(database.scalar(own).expect("there"), "work_mem=1MB");
    forget();
    sort();
    counted(&database, |record| number(record, "xact_commit") > 0 && number(record, "temp_bytes") == 0);
    silent(&database, &limit, "temp_files");
    database.execute(text(&advice, "undo_sql")).expect("brought back");
    assert_eq!(database.scalar(own).expect("there"), "work_mem=1MB");
    sort();
    advised(&database, &limit, &name);
}

#[test]
fn a_page_that_changed_on_the_disk_is_critical() {
    let mut server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("pgstats_damaged").expect("a database");
    let sound = server.database("pgstats_sound").expect("a database");
    database.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n").expect("created");
    assert_eq!(number(&counted(&database, |_| true), "checksum_failures"), 0);
    let file = database.scalar("SELECT pg_relation_filepath('t')").expect("a file");
    silent(&database, &[], "checksum_failures");
    server.stop().expect("stopped");
    let mut page = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(server.data_folder().join(file))
        .expect("the table's file");
    // In the middle of the second page, among its rows.
    let (at, mut byte) = (SeekFrom::Start(8192 + 6000), [0]);
    page.seek(at).expect("there");
    page.read_exact(&mut byte).expect("read");
    page.seek(at).expect("there");
    page.write_all(&[byte[0] ^ 0x40]).expect("changed");
    drop(page);
    server.start().expect("started");

    assert!(database.execute("SELECT count(*) FROM t").is_err(), "the page is refused");
    let name = "checksum_failures:pgstats_damaged";
    let advice = advised(&database, &[], name);
    assert_eq!((&advice["severity"], advice.get("sql")), (&"critical".into(), None), "{advice}");
    assert_eq!(advice["evidence"]["checksum_failures"], "1", "{advice}");
    assert!(advice["evidence"]["checksum_last_failure"].is_string(), "{advice}");
    // It concerns whoever looks, and names the one database.
    let outcome = run(&sound, &["advice"]);
    outcome.assert_code(2);
    assert_eq!(of_rule(&outcome, "checksum_failures"), [name], "{outcome}");
    assert!(!names(&outcome, "pg.advice").iter().any(|name| name.ends_with("pgstats_sound")), "{outcome}");
    database.execute_as_admin("SELECT pg_stat_reset()").expect("reset");
    advised_no_more(&database, &[], name);
}
