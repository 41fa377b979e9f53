//! `pso-pgstats` against a real server: what it sees, what it advises, and that it never waits.

use std::time::{Duration, Instant};

use postgres::Client;
use pso_tests::deployment::{self, Spec};
use pso_tests::pg::{Database, TempPg};
use pso_tests::proxy::{Mode, TcpProxy};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;
use serde_json::Value;

/// Statistics reach the view a moment after the session that made them ended.
const STATISTICS: Duration = Duration::from_secs(20);

const SECTIONS: [(&str, &str); 6] = [
    ("activity", "pg.activity"),
    ("tables", "pg.table"),
    ("sizes", "pg.size"),
    ("indexes", "pg.index"),
    ("statements", "pg.statement"),
    ("advice", "pg.advice"),
];

fn tool(database: &Database, args: &[&str]) -> Tool {
    Tool::new("pso-pgstats").expect("built").envs(database.env()).args(args).folder(std::env::temp_dir())
}

fn run(database: &Database, args: &[&str]) -> Outcome {
    tool(database, args).run().expect("ends")
}

fn database(name: &str) -> Database {
    TempPg::shared().expect("PostgreSQL").database(name).expect("a database")
}

fn message(record: &Value) -> &str {
    record["message"].as_str().expect("a message")
}

/// Runs `advice` until the answer is yes.
fn advised(database: &Database, args: &[&str], name: &str) -> Value {
    let args = [&["advice"], args].concat();
    wait::until(&format!("the advice {name}"), STATISTICS, || {
        run(database, &args).records_of_kind("pg.advice").into_iter().find(|advice| advice["name"] == name)
    })
    .expect("advised")
}

/// Runs `advice` until the answer is no.
fn advised_no_more(database: &Database, args: &[&str], name: &str) {
    let args = [&["advice"], args].concat();
    wait::until(&format!("no advice {name}"), STATISTICS, || {
        let outcome = run(database, &args);
        (!outcome.records_of_kind("pg.advice").iter().any(|advice| advice["name"] == name)).then_some(())
    })
    .expect("not advised");
}

fn names(outcome: &Outcome, kind: &str) -> Vec<String> {
    let name = |record: &Value| record["name"].as_str().expect("a name").to_owned();
    outcome.records_of_kind(kind).iter().map(name).collect()
}

#[test]
fn every_section_shows_a_filled_database() {
    let database = database("pgstats_filled");
    database.enable_statements().expect("statements");
    let spec = Spec::small(time::OffsetDateTime::now_utc()).with_database(&database);
    deployment::fill_database(&mut database.connect().expect("connected"), &spec).expect("filled");
    database.execute("ANALYZE; SELECT pg_sleep(0.12)").expect("slow");
    let mut open = database.connect().expect("connected");
    open.batch_execute("SET application_name = 'left open'; BEGIN; SELECT 42").expect("begun");
    let outcome = wait::until("the statistics", STATISTICS, || {
        let outcome = run(&database, &["--min-mean", "100ms", "--min-stats-age", "0s", "--min-rows", "10"]);
        let sum = |record: &Value| record["n_live_tup"].as_i64().expect("a number");
        let rows: i64 = outcome.records_of_kind("pg.table").iter().map(sum).sum();
        (rows == 600 && !outcome.records_of_kind("pg.statement").is_empty()).then_some(outcome)
    })
    .expect("600 rows and a slow statement");
    outcome.assert_code(0).assert_quiet().assert_no_secret(&[database.password()]);
    for (section, kind) in SECTIONS {
        let records = outcome.records_of_kind(kind);
        assert!(!records.is_empty(), "{section}\n{outcome}");
        let end = outcome.record("pg.section", section);
        assert_eq!(end["rows"], records.len(), "{section}\n{outcome}");
        assert!(end["elapsed_ms"].is_u64() && end["severity"] == "ok", "{end}");
    }
    assert_eq!(names(&outcome, "pg.section"), SECTIONS.map(|(section, _)| section));

    let activity = &outcome.records_of_kind("pg.activity")[0];
    assert_eq!(
        (&activity["state"], &activity["application_name"]),
        (&"idle in transaction".into(), &"left open".into())
    );
    assert_eq!(activity["datname"], database.name());
    assert!(activity["xact_ms"].is_u64(), "{activity}");
    let tables = names(&outcome, "pg.table");
    assert!(tables.iter().all(|name| name.starts_with("public.")) && tables.len() == 6, "{tables:?}");
    let live: Vec<i64> = outcome.records_of_kind("pg.table").iter().filter_map(|t| t["n_live_tup"].as_i64()).collect();
    assert!(live.is_sorted_by(|a, b| a >= b), "{live:?}");
    let plans = outcome.record("pg.size", "public.plans");
    let sizes = ["size_bytes", "table_bytes", "index_bytes"].map(|field| plans[field].as_i64().expect("bytes"));
    let asked = database.scalar("SELECT pg_total_relation_size('public.plans')").expect("asked");
    assert_eq!((sizes[0].to_string(), sizes[0]), (asked, sizes[1] + sizes[2]));
    assert_eq!(outcome.record("pg.index", "public.plans_pkey")["constraint"], true);
    assert_eq!(outcome.record("pg.index", "public.idx_plans_status")["constraint"], false);
    let slow = &outcome.records_of_kind("pg.statement")[0];
    assert!(slow["mean_ms"].as_f64().expect("ms") >= 100.0 && slow["calls"].as_i64() > Some(0), "{slow}");
    // The time of a moment is UTC, whatever the server's zone.
    let at = plans["at"].as_str().expect("a time")[..10].to_owned();
    let analyzed = outcome.record("pg.table", "public.plans")["last_analyze_at"].as_str().expect("a time").to_owned();
    assert!(analyzed.starts_with(&at[..8]) && analyzed.ends_with('Z'), "{analyzed}");
}

#[test]
fn sections_come_in_the_order_asked_for() {
    let database = database("pgstats_order");
    let outcome = run(&database, &["sizes", "activity", "sizes"]);
    outcome.assert_code(0).assert_quiet();
    assert_eq!(names(&outcome, "pg.section"), ["sizes", "activity"]);
    // Empty is not failed: the rows are there, and are none.
    assert_eq!(outcome.record("pg.section", "sizes")["rows"], 0);
}

#[test]
fn sections_are_listed_without_a_server() {
    let list = Tool::new("pso-pgstats").expect("built").arg("--list").env("PGPORT", "1").run().expect("ends");
    list.assert_code(0).assert_quiet();
    assert_eq!(names(&list, "pg.section"), SECTIONS.map(|(section, _)| section));
    assert!(
        list.records_of_kind("pg.section").iter().all(|s| s.get("rows").is_none() && !message(s).is_empty()),
        "{list}"
    );
    let unknown = Tool::new("pso-pgstats").expect("built").arg("tabels").run().expect("ends");
    unknown.assert_code(3).assert_stderr_has("'tabels'").assert_stderr_has("activity, tables, sizes, indexes");
}

#[test]
fn a_missing_statements_extension_is_told_with_the_way_out() {
    let database = database("pgstats_no_extension");
    let outcome = run(&database, &["statements"]);
    outcome.assert_code(0).assert_quiet();
    let end = outcome.record("pg.section", "statements");
    assert_eq!((&end["severity"], end.get("rows")), (&"info".into(), None), "{end}");
    // The harness preloads the library, so that step is not named.
    assert!(message(&end).contains("CREATE EXTENSION pg_stat_statements"), "{end}");
    assert!(!message(&end).contains("shared_preload_libraries"), "{end}");
}

#[test]
fn a_statements_library_that_is_not_loaded_is_told_with_the_way_out() {
    let server = TempPg::with_settings(&[("shared_preload_libraries", "")]).expect("PostgreSQL");
    let database = server.database("pgstats_not_loaded").expect("a database");
    let missing = run(&database, &["statements"]);
    let text = message(&missing.record("pg.section", "statements")).to_owned();
    assert!(text.contains("shared_preload_libraries") && text.contains("then run CREATE EXTENSION"), "{text}");
    database.enable_statements().expect("created");
    let outcome = run(&database, &["statements"]);
    outcome.assert_code(0);
    let end = outcome.record("pg.section", "statements");
    assert_eq!((&end["severity"], end.get("rows")), (&"info".into(), None), "{end}");
    assert!(message(&end).contains("shared_preload_libraries") && !message(&end).contains("CREATE"), "{end}");
}

#[test]
fn statements_are_read_in_the_old_columns_from_any_schema() {
    let database = database("pgstats_old_columns");
    database
        .execute_as_admin(
            r#"CREATE SCHEMA "Sta""ts"; CREATE EXTENSION pg_stat_statements SCHEMA "Sta""ts" VERSION '1.7';
               GRANT pg_read_all_stats TO sync_user; GRANT USAGE ON SCHEMA "Sta""ts" TO sync_user"#,
        )
        .expect("created");
    let columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = '\"Sta\"\"ts\".pg_stat_statements'::regclass";
    let column = |name: &str| database.scalar(&format!("{columns} AND attname = '{name}'")).expect("asked");
    assert_eq!((column("mean_time"), column("mean_exec_time")), ("1".to_owned(), "0".to_owned()));
    let slowest = || {
        let outcome = run(&database, &["statements", "--min-mean", "100ms", "--limit", "1"]);
        outcome.assert_code(0);
        outcome.records_of_kind("pg.statement").pop()
    };
    database.rows("SELECT pg_sleep(0.13) AS first").expect("slow");
    database.rows("SELECT pg_sleep(0.2), 'slower' AS second").expect("slower");
    let old = slowest().expect("a slow statement");
    assert!(old["query"].as_str().expect("a query").contains("AS second"), "{old}");
    assert!(old["mean_ms"].as_f64().expect("ms") >= 200.0, "{old}");
    database.execute_as_admin("ALTER EXTENSION pg_stat_statements UPDATE").expect("updated");
    assert_eq!((column("mean_time"), column("mean_exec_time")), ("0".to_owned(), "1".to_owned()));
    let new = slowest().expect("a slow statement");
    assert_eq!((&new["query"], &new["mean_ms"]), (&old["query"], &old["mean_ms"]));
}

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

/// A view can be locked like a table, and the one of the statements is read by one section only: the way to make one
/// query, and no other, wait.
fn lock_statements(database: &Database) -> Client {
    database.enable_statements().expect("statements");
    let mut holder = database.connect_as_admin().expect("connected");
    holder.batch_execute("BEGIN; LOCK TABLE pg_stat_statements IN ACCESS EXCLUSIVE MODE").expect("locked");
    holder
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
    for section in ["statements", "advice"] {
        let end = outcome.record("pg.section", section);
        assert_eq!((&end["severity"], end.get("rows")), (&"unknown".into(), None), "{end}");
        assert!(message(&end).contains("--deadline"), "{end}");
    }
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
    for section in ["statements", "advice"] {
        let end = outcome.record("pg.section", section);
        assert_eq!((&end["severity"], end.get("rows")), (&"unknown".into(), None), "{end}");
    }
    assert!(outcome.run_end()["error"].as_str().expect("an error").contains("the connection was lost"), "{outcome}");
}

#[test]
fn names_may_be_anything() {
    let database = database("pgstats \"odd\" 'é🚀");
    let schema = r#""Sch""ema 'x'""#;
    let table = "\"Tab\"\"le\nwith é 🚀\"";
    database
        .execute(&format!(
            r#"CREATE SCHEMA {schema}; CREATE TABLE {schema}.{table} (id int PRIMARY KEY, "c ""x" text) WITH (autovacuum_enabled = off);
               CREATE INDEX "in""dex 🚀;--" ON {schema}.{table} (lower("c ""x")) WHERE "c ""x" <> 'a''b';
               COMMENT ON INDEX {schema}."in""dex 🚀;--" IS E'it''s \\ "mine"';
               INSERT INTO {schema}.{table} SELECT number, 'x' FROM generate_series(1, 3000) AS number;
               DELETE FROM {schema}.{table} WHERE id > 1500"#
        ))
        .expect("created");
    let args = ["--min-stats-age", "0s"];
    let object = format!("{schema}.{table}");
    let vacuum = advised(&database, &args, &format!("dead_tuples:{object}"));
    let analyze = advised(&database, &args, &format!("never_analyzed:{object}"));
    let outcome = run(&database, &args);
    let name = "Sch\"ema 'x'.Tab\"le\nwith é 🚀";
    assert_eq!(outcome.record("pg.table", name)["relname"], "Tab\"le\nwith é 🚀");
    assert!(outcome.record("pg.size", name)["size_bytes"].as_i64() > Some(0));
    assert_eq!(outcome.record("pg.index", "Sch\"ema 'x'.in\"dex 🚀;--")["relname"], "Tab\"le\nwith é 🚀");

    let index = advised(&database, &args, &format!("unused_index:{schema}.\"in\"\"dex 🚀;--\""));
    let definition =
        "SELECT pg_get_indexdef(indexrelid) || obj_description(indexrelid, 'pg_class') FROM pg_stat_user_indexes
                      WHERE indexrelname LIKE 'in%'";
    let before = database.scalar(definition).expect("there");
    database.execute(index["sql"].as_str().expect("SQL")).expect("dropped");
    assert!(database.scalar(definition).is_err(), "it was dropped");
    database.execute(index["undo_sql"].as_str().expect("SQL")).expect("brought back");
    assert_eq!(database.scalar(definition).expect("there"), before);
    for advice in [analyze, vacuum] {
        database.execute(advice["sql"].as_str().expect("SQL")).expect("done");
        advised_no_more(&database, &args, advice["name"].as_str().expect("a name"));
    }
}

#[test]
fn a_role_with_nothing_is_told_what_it_cannot_see() {
    let database = database("pgstats_nobody");
    database
        .execute_as_admin(
            "CREATE ROLE pgstats_nobody LOGIN PASSWORD 'nothing-at-all-1'; CREATE EXTENSION pg_stat_statements;
             CREATE SCHEMA closed; CREATE TABLE closed.secret (id int PRIMARY KEY)",
        )
        .expect("created");
    let mut open = database.connect_as_admin().expect("connected");
    open.batch_execute("BEGIN; SELECT 'a text of the administrator'").expect("begun");
    database.execute_as_admin("SELECT pg_sleep(0.12)").expect("slow");
    let run = |args: &[&str]| {
        let tool = tool(&database, args).env("PGUSER", "pgstats_nobody").env("PGPASSWORD", "nothing-at-all-1");
        tool.run().expect("ends")
    };
    let outcome = wait::until("the statement", STATISTICS, || {
        let outcome = run(&["--min-mean", "100ms"]);
        let hidden = message(&outcome.record("pg.section", "statements")).contains("more of other roles are hidden");
        hidden.then_some(outcome)
    })
    .expect("counted, not shown");
    outcome.assert_code(0).assert_quiet();
    assert!(!outcome.text().contains("a text of the administrator"), "{outcome}");
    for section in ["activity", "statements", "advice"] {
        let end = outcome.record("pg.section", section);
        assert_eq!(end["severity"], "info", "{end}");
        assert!(message(&end).contains("GRANT pg_read_all_stats TO pgstats_nobody"), "{end}");
    }
    let hidden = outcome.records_of_kind("pg.activity");
    assert!(!hidden.is_empty() && hidden.iter().all(|session| session.get("state").is_none()), "{outcome}");
    assert!(outcome.records_of_kind("pg.statement").is_empty(), "{outcome}");
    assert!(outcome.record("pg.size", "closed.secret")["size_bytes"].as_i64() > Some(0));
    // Without the schema of the extension, too.
    database.execute_as_admin("CREATE SCHEMA shut; ALTER EXTENSION pg_stat_statements SET SCHEMA shut").expect("moved");
    let outcome = run(&["statements"]);
    outcome.assert_code(0).assert_quiet();
    let end = outcome.record("pg.section", "statements");
    assert_eq!((&end["severity"], end.get("rows")), (&"info".into(), None), "{end}");
    assert!(message(&end).contains("GRANT USAGE ON SCHEMA shut TO pgstats_nobody"), "{end}");
    database.execute_as_admin("DROP OWNED BY pgstats_nobody; DROP ROLE pgstats_nobody").expect("dropped");
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

#[test]
fn an_unused_index_is_advised_unless_it_keeps_a_promise() {
    let database = database("pgstats_unused");
    database
        .execute(
            "CREATE TABLE parent (id int PRIMARY KEY);
             CREATE TABLE child (
                 id int PRIMARY KEY, parent_id int REFERENCES parent, code int, span int4range, a int NOT NULL, b int, c int,
                 CONSTRAINT child_code UNIQUE (code), EXCLUDE USING gist (span WITH &&)
             ) WITH (autovacuum_enabled = off);
             CREATE INDEX child_parent ON child (parent_id, b);
             CREATE UNIQUE INDEX child_identity ON child (a); ALTER TABLE child REPLICA IDENTITY USING INDEX child_identity;
             CREATE INDEX child_cluster ON child (c, b); ALTER TABLE child CLUSTER ON child_cluster;
             CREATE INDEX child_used ON child (b);
             CREATE INDEX child_unused ON child (c) WITH (fillfactor = 77) WHERE c > 5;
             CREATE TABLE parts (id int, c int) PARTITION BY RANGE (id);
             CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (10000); CREATE INDEX parts_c ON parts (c);
             CREATE TABLE small (id int PRIMARY KEY, c int); CREATE INDEX small_c ON small (c);
             INSERT INTO child SELECT n, NULL, n, int4range(n, n + 1), n, n, n FROM generate_series(1, 2000) AS n;
             INSERT INTO parts SELECT n, n FROM generate_series(1, 2000) AS n;
             INSERT INTO small SELECT n, n FROM generate_series(1, 900) AS n",
        )
        .expect("created");
    database.execute("SET enable_seqscan = off; SELECT * FROM child WHERE b = 7").expect("used");
    let counted = "SELECT 1 FROM pg_stat_user_indexes i JOIN pg_stat_user_tables t USING (relid)
                   WHERE indexrelname = 'child_used' AND i.idx_scan > 0 AND n_live_tup = 2000";
    wait::until("the statistics", STATISTICS, || database.scalar(counted).ok()).expect("counted");

    let young = run(&database, &["advice"]);
    young.assert_code(0);
    assert!(!names(&young, "pg.advice").iter().any(|name| name.starts_with("unused_index")), "{young}");
    assert!(message(&young.record("pg.section", "advice")).contains("unused_index: not judged"), "{young}");

    let args = ["--min-stats-age", "0s"];
    let advice = advised(&database, &args, "unused_index:public.child_unused");
    let outcome = run(&database, &["advice", "--min-stats-age", "0s"]);
    outcome.assert_code(0);
    let unused = names(&outcome, "pg.advice").into_iter().filter(|name| name.starts_with("unused_index"));
    assert_eq!(unused.collect::<Vec<_>>(), ["unused_index:public.child_unused"], "{outcome}");
    assert_eq!((&advice["rule"], &advice["object"]), (&"unused_index".into(), &"public.child_unused".into()));
    assert_eq!(advice["evidence"]["idx_scan"], "0");
    assert!(advice["gain_bytes"].as_i64() > Some(0), "{advice}");

    let definitions =
        "SELECT string_agg(indexdef, E'\\n' ORDER BY indexdef) FROM pg_indexes WHERE schemaname = 'public'";
    let before = database.scalar(definitions).expect("there");
    database.execute(advice["sql"].as_str().expect("SQL")).expect("dropped");
    assert_ne!(database.scalar(definitions).expect("there"), before);
    advised_no_more(&database, &args, "unused_index:public.child_unused");
    database.execute(advice["undo_sql"].as_str().expect("SQL")).expect("brought back");
    assert_eq!(database.scalar(definitions).expect("there"), before);
}

#[test]
fn dead_rows_are_advised_past_the_limit_only() {
    let database = database("pgstats_dead");
    for (table, deleted) in [("past", 2600), ("inside", 2200), ("many", 10_000)] {
        database
            .execute(&format!(
                "CREATE TABLE {table} (id int) WITH (autovacuum_enabled = off);
                 INSERT INTO {table} SELECT generate_series(1, 25000); ANALYZE {table}; DELETE FROM {table} WHERE id <= {deleted}"
            ))
            .expect("created");
    }
    let past = advised(&database, &[], "dead_tuples:public.past");
    assert_eq!((&past["severity"], past.get("undo_sql")), (&"info".into(), None), "{past}");
    assert_eq!((&past["evidence"]["n_dead_tup"], &past["evidence"]["n_live_tup"]), (&"2600".into(), &"22400".into()));
    let many = advised(&database, &[], "dead_tuples:public.many");
    assert_eq!(many["severity"], "warning", "{many}");
    let outcome = run(&database, &["advice"]);
    outcome.assert_code(1);
    assert_eq!(names(&outcome, "pg.advice"), ["dead_tuples:public.many", "dead_tuples:public.past"]);
    for advice in [past, many] {
        let sql = advice["sql"].as_str().expect("SQL");
        assert!(sql.starts_with("VACUUM (ANALYZE) ") && !sql.contains("FULL"), "{sql}");
        database.execute(sql).expect("vacuumed");
        advised_no_more(&database, &[], advice["name"].as_str().expect("a name"));
    }
    run(&database, &["advice"]).assert_code(0);
}

#[test]
fn a_table_that_was_never_analysed_is_advised() {
    let database = database("pgstats_analyze");
    for (table, rows) in [("past", 1000), ("inside", 999)] {
        database
            .execute(&format!(
                "CREATE TABLE {table} WITH (autovacuum_enabled = off) AS SELECT generate_series(1, {rows}) AS id"
            ))
            .expect("created");
    }
    let advice = advised(&database, &[], "never_analyzed:public.past");
    assert_eq!((&advice["severity"], &advice["confidence"]), (&"info".into(), &"high".into()), "{advice}");
    assert_eq!(names(&run(&database, &["advice"]), "pg.advice"), ["never_analyzed:public.past"]);
    database.execute(advice["sql"].as_str().expect("SQL")).expect("analysed");
    advised_no_more(&database, &[], "never_analyzed:public.past");
}

#[test]
fn a_transaction_left_open_is_advised_past_the_limit_only() {
    let database = database("pgstats_open");
    let mut open = database.connect().expect("connected");
    open.batch_execute("SET application_name = 'left ''open'; BEGIN; SELECT 1").expect("begun");
    let pid: i32 = open.query_one("SELECT pg_backend_pid()", &[]).expect("asked").get(0);
    let name = format!("idle_in_transaction:pid {pid}");
    run(&database, &["advice"]).assert_code(0);
    let args = ["--max-idle-in-transaction", "0s"];
    let stale = advised(&database, &args, &name);
    assert_eq!(stale["severity"], "warning", "{stale}");
    assert!(message(&stale).contains("left 'open"), "{stale}");

    // The advice is about that transaction: the next one of the same session is not hit.
    open.batch_execute("COMMIT; BEGIN; SELECT 1").expect("begun");
    assert!(database.rows(stale["sql"].as_str().expect("SQL")).expect("run").is_empty());
    open.batch_execute("SELECT 1").expect("still there");

    let advice = advised(&database, &args, &name);
    assert_eq!(database.scalar(advice["sql"].as_str().expect("SQL")).expect("run"), "t");
    advised_no_more(&database, &args, &name);
    assert!(open.batch_execute("SELECT 1").is_err(), "the session was ended");
}

#[test]
fn watching_changes_nothing() {
    let database = database("pgstats_harmless");
    database.execute("CREATE TABLE t (id int PRIMARY KEY)").expect("created");
    let _holder = lock_statements(&database);
    let running = tool(&database, &["statements"]).env("PSO_PG_LOCK_TIMEOUT", "60s").spawn().expect("started");
    let mut admin = database.connect_as_admin().expect("connected");
    let ours = "SELECT pid FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'pso-pgstats' AND wait_event_type = 'Lock'";
    let sessions = wait::until("the session", STATISTICS, || {
        Some(admin.query(ours, &[]).expect("asked")).filter(|rows| !rows.is_empty())
    })
    .expect("seen");
    assert_eq!(sessions.len(), 1, "one connection");
    let pid: i32 = sessions[0].get(0);
    let held = "SELECT count(*) FROM pg_locks WHERE pid = $1 AND granted AND locktype = 'relation' AND mode <> 'AccessShareLock'";
    assert_eq!(admin.query_one(held, &[&pid]).expect("asked").get::<_, i64>(0), 0);
    drop(running);
}
