//! How far commands are, as `pso-pgstats` sees it: each is kept from its end for as long as somebody looks.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use pso_tests::pg::{self, Database, TempPg};
use pso_tests::wait;
use serde_json::Value;

use super::{STATISTICS, database, major, message, pid, run, tool};

/// Runs a command in a thread; its pid, and whether it went well in the end.
fn at_work(database: &Database, set: &str, sql: &'static str) -> (i32, JoinHandle<bool>) {
    let mut client = database.connect().expect("connected");
    client.batch_execute(set).expect("set");
    let pid = pid(&mut client);
    (pid, std::thread::spawn(move || client.batch_execute(sql).is_ok()))
}

/// Waits until a command is in this phase and has something to count.
fn progress(database: &Database, pid: i32, phase: &str) -> Value {
    wait::until(&format!("pid {pid} is {phase}"), STATISTICS, || {
        let outcome = run(database, &["progress"]);
        outcome.assert_code(0).assert_quiet();
        let of = |record: &Value| record["pid"] == pid && record["phase"] == phase;
        outcome.records_of_kind("pg.progress").into_iter().find(of)
    })
    .expect("seen")
}

fn end(database: &Database, pid: i32, thread: JoinHandle<bool>) {
    database.execute_as_admin(&format!("SELECT pg_cancel_backend({pid})")).expect("cancelled");
    assert!(!thread.join().expect("ends"), "it was cancelled");
    wait::until("the end", STATISTICS, || {
        let outcome = run(database, &["progress"]);
        outcome.records_of_kind("pg.progress").is_empty().then_some(())
    })
    .expect("gone");
}

#[test]
fn an_index_that_waits_for_a_transaction_names_it() {
    let database = database("pgstats_progress_index");
    database.execute("CREATE TABLE \"T 🚀\" (n int)").expect("created");
    let mut writer = database.connect().expect("connected");
    writer.batch_execute("BEGIN; INSERT INTO \"T 🚀\" VALUES (1)").expect("begun");
    let holder = pid(&mut writer);
    let (builder, thread) =
        at_work(&database, "SET application_name = 'builder'", "CREATE INDEX CONCURRENTLY \"I \"\"x\" ON \"T 🚀\" (n)");
    let record = progress(&database, builder, "waiting for writers before build");
    assert_eq!(
        (&record["command"], &record["object"]),
        (&"CREATE INDEX CONCURRENTLY".into(), &"public.\"T 🚀\"".into())
    );
    assert_eq!((&record["unit"], &record["done"], &record["total"]), (&"lockers".into(), &0.into(), &1.into()));
    assert_eq!((&record["waits_for_pid"], &record["percent"]), (&holder.into(), &0.0.into()), "{record}");
    assert!(record["running_ms"].is_u64() && record["wait_event"] == "Lock:virtualxid", "{record}");
    assert_eq!((&record["application_name"], &record["usename"]), (&"builder".into(), &"sync_user".into()), "{record}");
    writer.batch_execute("COMMIT").expect("ended");
    assert!(thread.join().expect("ends"), "it was built");
}

#[test]
fn a_slow_vacuum_and_a_slow_analyze_count_pages() {
    let database = database("pgstats_progress_vacuum");
    database
        .execute(
            "CREATE TABLE t (n int, note text) WITH (autovacuum_enabled = off);
             INSERT INTO t SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n; DELETE FROM t WHERE n % 2 = 0",
        )
        .expect("created");
    let pages = database.scalar("SELECT pg_relation_size('t') / 8192").expect("asked");
    let slow = "SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1";
    let (vacuum, thread) = at_work(&database, slow, "VACUUM t");
    let record = progress(&database, vacuum, "scanning heap");
    assert_eq!((&record["command"], &record["object"]), (&"VACUUM".into(), &"public.t".into()), "{record}");
    assert_eq!((&record["unit"], record["total"].to_string()), (&"blocks".into(), pages), "{record}");
    assert!(record["percent"].as_f64() < Some(100.0) && record["rounds"] == 0, "{record}");

    // A role with nothing sees that there is something, and is told.
    database.execute_as_admin("CREATE ROLE pgstats_progress LOGIN PASSWORD 'nothing-at-all-3'").expect("created");
    let outcome = tool(&database, &["progress"])
        .env("PGUSER", "pgstats_progress")
        .env("PGPASSWORD", "nothing-at-all-3")
        .run()
        .expect("ends");
    outcome.assert_code(0).assert_quiet();
    let hidden = outcome.record("pg.progress", &format!("pid {vacuum}"));
    assert!(hidden["hidden"] == true && hidden.get("object").is_none(), "{hidden}");
    let told = outcome.record("pg.section", "progress");
    assert!(told["severity"] == "info" && message(&told).contains("GRANT pg_read_all_stats"), "{told}");
    database.execute_as_admin("DROP ROLE pgstats_progress").expect("dropped");
    end(&database, vacuum, thread);

    let (analyze, thread) = at_work(&database, slow, "ANALYZE t");
    let record = progress(&database, analyze, "acquiring sample rows");
    assert_eq!((&record["command"], &record["unit"]), (&"ANALYZE".into(), &"blocks".into()), "{record}");
    end(&database, analyze, thread);
}

#[test]
fn a_full_vacuum_is_seen_while_it_builds_indexes_again() {
    let database = database("pgstats_progress_full");
    database
        .execute(
            "CREATE TABLE t (n int); INSERT INTO t SELECT 1;
             CREATE FUNCTION slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
                 'BEGIN PERFORM pg_catalog.pg_sleep(60) WHERE n = 2; RETURN n; END';
             CREATE INDEX i ON t (slow(n)); ALTER INDEX i ALTER COLUMN 1 SET STATISTICS 0",
        )
        .expect("created");
    // The index does not see the row, so that only the next build waits for it.
    database.execute("CREATE TABLE other (n int); INSERT INTO other VALUES (2)").expect("created");
    let (builder, thread) = at_work(&database, "SELECT 1", "CREATE INDEX j ON other (slow(n))");
    let record = progress(&database, builder, "building index: scanning table");
    assert_eq!((&record["command"], &record["object"]), (&"CREATE INDEX".into(), &"public.other".into()), "{record}");
    assert_eq!((&record["unit"], &record["total"]), (&"blocks".into(), &1.into()), "{record}");
    end(&database, builder, thread);

    database
        .execute(
            "CREATE OR REPLACE FUNCTION slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
                          'BEGIN PERFORM pg_catalog.pg_sleep(60) WHERE n = 1; RETURN n; END'",
        )
        .expect("changed");
    let (full, thread) = at_work(&database, "SELECT 1", "VACUUM FULL t");
    let record = progress(&database, full, "rebuilding index");
    assert_eq!((&record["command"], &record["object"]), (&"VACUUM FULL".into(), &"public.t".into()), "{record}");
    assert_eq!((&record["rounds"], record.get("unit")), (&0.into(), None), "{record}");
    end(&database, full, thread);
}

#[test]
fn a_copy_that_is_left_open_counts_bytes_and_rows() {
    let database = database("pgstats_progress_copy");
    database.execute("CREATE TABLE t (n int)").expect("created");
    let mut client = database.connect().expect("connected");
    let copying = pid(&mut client);
    let mut writer = client.copy_in("COPY t FROM STDIN").expect("begun");
    // Each piece sends those before it on their way.
    for _ in 0..100 {
        writer.write_all("42\n".repeat(1000).as_bytes()).expect("written");
        writer.flush().expect("sent");
    }
    if major(&database) < 14 {
        // It does not tell.
        let outcome = run(&database, &["progress"]);
        assert_eq!(outcome.record("pg.section", "progress")["rows"], 0, "{outcome}");
        return;
    }
    let record = wait::until("the rows", STATISTICS, || {
        let record = run(&database, &["progress"]).record("pg.progress", &format!("pid {copying}"));
        (record["tuples_done"].as_i64() > Some(1000)).then_some(record)
    })
    .expect("counted");
    assert_eq!((&record["command"], &record["object"]), (&"COPY FROM".into(), &"public.t".into()), "{record}");
    assert_eq!(
        (&record["unit"], record.get("total"), record.get("percent")),
        (&"bytes".into(), None, None),
        "{record}"
    );
    assert!(record["done"].as_i64() > record["tuples_done"].as_i64(), "{record}");
    assert_eq!(writer.finish().expect("ended"), 100_000);
}

#[test]
fn a_base_backup_counts_bytes() {
    let programs = pg::server_programs().expect("PostgreSQL");
    let program = programs.join("pg_basebackup");
    if !program.exists() {
        // Only the installations that are fetched for the matrix do without it.
        assert!(std::env::var_os("PSO_TEST_PG_VERSION").is_some(), "{} is missing", program.display());
        return;
    }
    let server = TempPg::builder().start().expect("PostgreSQL");
    let database = server.database("pgstats_progress_backup").expect("a database");
    let target = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(program)
        .env_clear()
        .envs(database.env())
        .env("PGUSER", "postgres")
        .env("PGPASSWORD", server.admin_password())
        .args(["--max-rate=32k", "--checkpoint=fast", "--wal-method=none", "--pgdata"])
        .arg(target.path().join("copy"))
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    let record = wait::until("the backup", STATISTICS, || {
        let admin = tool(&database, &["progress"]).env("PGUSER", "postgres").env("PGPASSWORD", server.admin_password());
        let outcome = admin.run().expect("ends");
        outcome.assert_code(0).assert_quiet();
        outcome.records_of_kind("pg.progress").into_iter().find(|record| record["done"].as_i64() > Some(0))
    });
    child.kill().expect("ended");
    child.wait().expect("ended");
    let record = record.expect("seen");
    assert_eq!((&record["command"], &record["phase"]), (&"BASE_BACKUP".into(), &"streaming database files".into()));
    assert!(record["total"].as_i64() > record["done"].as_i64() && record["unit"] == "bytes", "{record}");
    assert!(record["backend_type"] == "walsender" && record.get("object").is_none(), "{record}");
}
