//! What each section shows, to whom, and of what names.

use std::cmp::Reverse;

use pso_tests::deployment::{self, Spec};
use pso_tests::pg::TempPg;
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;
use serde_json::Value;

use super::{
    SECTIONS, STATISTICS, advised, advised_no_more, database, lock_statements, message, names, number, of_rule, run,
    tool, undo,
};

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
    // What has changed is shown only with a baseline.
    let listed = names(&run(&database, &["--list"]), "pg.section").into_iter().filter(|name| name != "changes");
    assert_eq!(names(&outcome, "pg.section"), listed.collect::<Vec<_>>());

    let activity = &outcome.records_of_kind("pg.activity")[0];
    assert_eq!(
        (&activity["state"], &activity["application_name"]),
        (&"idle in transaction".into(), &"left open".into())
    );
    assert_eq!(activity["datname"], database.name());
    assert!(activity["xact_ms"].is_u64(), "{activity}");
    let tables = names(&outcome, "pg.table");
    assert!(tables.iter().all(|name| name.starts_with("public.")) && tables.len() == 6, "{tables:?}");
    // The worst first.
    let dead = |table: &Value| (number(table, "n_dead_tup"), number(table, "n_live_tup"));
    let dead: Vec<_> = outcome.records_of_kind("pg.table").iter().map(dead).collect();
    assert!(dead.is_sorted_by(|a, b| a >= b), "{dead:?}");
    let scans = |index: &Value| (number(index, "idx_scan"), Reverse(number(index, "size_bytes")));
    let scans: Vec<_> = outcome.records_of_kind("pg.index").iter().map(scans).collect();
    assert!(scans.is_sorted(), "{scans:?}");
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
    let known = |name: &String| SECTIONS.iter().any(|(section, _)| section == name);
    let listed = names(&list, "pg.section").into_iter().filter(known);
    assert_eq!(listed.collect::<Vec<_>>(), SECTIONS.map(|(section, _)| section));
    assert!(
        list.records_of_kind("pg.section").iter().all(|s| s.get("rows").is_none() && !message(s).is_empty()),
        "{list}"
    );
    let unknown = Tool::new("pso-pgstats").expect("built").arg("tabels").run().expect("ends");
    unknown.assert_code(3).assert_stderr_has("'tabels'").assert_stderr_has("tables, sizes, indexes");
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
    undo(&database, &index);
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

#[test]
fn a_saved_run_is_shown_and_judged_without_a_server() {
    let database = database("pgstats_saved");
    database
        .execute(
            "CREATE TABLE past (id int) WITH (autovacuum_enabled = off);
             INSERT INTO past SELECT generate_series(1, 25000); ANALYZE past; DELETE FROM past WHERE id <= 2600",
        )
        .expect("created");
    advised(&database, &[], "dead_tuples:public.past");
    let live = run(&database, &[]);
    let offline = |args: &[&str], saved: &str| {
        let tool = Tool::new("pso-pgstats").expect("built").envs(database.env()).env("PGPORT", "1").args(args);
        tool.stdin(saved).run().expect("ends")
    };
    let replayed = offline(&["--input", "-"], live.text());
    replayed.assert_code(0).assert_quiet();
    let facts = |outcome: &Outcome| -> Vec<Value> {
        let frame = |record: &Value| {
            let kind = record["kind"].as_str().expect("a kind");
            kind.starts_with("run.") || kind == "pg.advice" || record["name"] == "advice"
        };
        outcome.records().into_iter().filter(|record| !frame(record)).collect()
    };
    assert_eq!(facts(&replayed), facts(&live), "records pass as they came");
    let same = |outcome: &Outcome| {
        let mut advice = outcome.record("pg.advice", "dead_tuples:public.past");
        advice["at"].take();
        advice
    };
    assert_eq!(same(&replayed), same(&live));
    let stricter = offline(&["--input", "-", "advice", "--max-dead", "12%"], live.text());
    assert!(of_rule(&stricter, "dead_tuples").is_empty() && stricter.records_of_kind("pg.table").is_empty());

    // What a run that asked for less does not have is no error; of a run that was cut it is.
    let tables = run(&database, &["tables"]);
    let less = offline(&["--input", "-"], tables.text());
    less.assert_code(0);
    assert_eq!(names(&less, "pg.section"), ["tables", "advice"]);
    assert_eq!(of_rule(&less, "dead_tuples"), ["dead_tuples:public.past"]);
    assert!(message(&less.record("pg.section", "advice")).contains("does not have it"), "{less}");
    let text = live.text();
    let cut = &text[..text.find("\"pg.index\"").unwrap_or_else(|| text.find("\"indexes\"").expect("an end"))];
    let cut = offline(&["--input", "-", "indexes", "advice"], cut);
    cut.assert_code(3).assert_stderr_has("the saved run has no end").assert_stderr_has("is not a record");
    assert_eq!(cut.record("pg.section", "indexes")["severity"], "unknown");
    assert_eq!(of_rule(&cut, "dead_tuples"), ["dead_tuples:public.past"]);
    let foreign = r#"{"schema":1,"kind":"x.y","at":"2026-11-22T09:00:00Z","tool":"other","host":"h","severity":"high","name":"n"}"#;
    let none = offline(&["--input", "-"], foreign);
    none.assert_code(3).assert_stderr_has("no record of pso-pgstats");
    assert_eq!(names(&none, "x.y"), ["n"]);
}
