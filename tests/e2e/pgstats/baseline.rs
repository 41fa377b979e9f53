//! `pso-pgstats --baseline`: rates and growth between two runs, and what is said of a file that is no good for that.

use std::fs;
use std::path::{Path, PathBuf};

use pso_tests::pg::{self, Database, TempPg};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;
use serde_json::Value;

use super::{STATISTICS, database, run};

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Waits until a table has had so many rows inserted, and keeps a run in a file.
fn saved(database: &Database, folder: &Path, name: &str, inserted: u64) -> PathBuf {
    let file = folder.join(name);
    let outcome = wait::until("the statistics", STATISTICS, || {
        let outcome = run(database, &[]);
        let tables = outcome.records_of_kind("pg.table");
        let counted: u64 = tables.iter().filter_map(|table| table["n_tup_ins"].as_u64()).sum();
        // Before 15 a new database's counters come while the run looks, and its stats_reset with them: the next one has both.
        (counted == inserted).then(|| run(database, &[]))
    })
    .expect("counted");
    fs::write(&file, outcome.stdout).expect("written");
    file
}

fn end(outcome: &Outcome) -> (String, String) {
    let end = outcome.record("pg.section", "changes");
    let text = |field: &str| end[field].as_str().expect("a text").to_owned();
    (text("severity"), text("message"))
}

/// A database with one table of 1000 rows, and its run.
fn scene(name: &str) -> (Database, tempfile::TempDir, PathBuf) {
    let database = database(name);
    database
        .execute(
            "CREATE TABLE grows (id serial PRIMARY KEY, v text) WITH (autovacuum_enabled = off);
             CREATE TABLE rests (id int PRIMARY KEY) WITH (autovacuum_enabled = off);
             INSERT INTO grows (v) SELECT repeat('x', 100) FROM generate_series(1, 1000)",
        )
        .expect("created");
    let folder = tempfile::tempdir().expect("a folder");
    let file = saved(&database, folder.path(), "before.jsonl", 1000);
    (database, folder, file)
}

#[test]
fn rates_and_growth_live_and_from_saved_runs() {
    let (database, folder, before) = scene("pgstats_changes");
    let quiet = run(&database, &["tables", "sizes", "--baseline", path(&before)]);
    quiet.assert_code(0).assert_quiet();
    assert!(quiet.records_of_kind("pg.change").is_empty(), "{quiet}");

    database.execute("INSERT INTO grows (v) SELECT repeat('x', 100) FROM generate_series(1, 9000)").expect("grown");
    let after = saved(&database, folder.path(), "after.jsonl", 10_000);
    let live = run(&database, &["tables", "sizes", "sequences", "--baseline", path(&before)]);
    live.assert_code(0).assert_quiet();
    assert_eq!(
        live.records_of_kind("pg.section").iter().map(|end| end["name"].clone()).collect::<Vec<_>>(),
        ["tables", "sizes", "sequences", "changes"]
    );
    let inserted = live.record("pg.change", "pg.table:public.grows:n_tup_ins");
    assert_eq!(
        (&inserted["before"], &inserted["after"], &inserted["delta"]),
        (&1000.into(), &10_000.into(), &9000.into())
    );
    assert_eq!((&inserted["counter"], &inserted["reset"]), (&true.into(), &false.into()));
    let elapsed = inserted["elapsed_ms"].as_f64().expect("a span");
    let rate = inserted["per_second"].as_f64().expect("a rate");
    assert!(elapsed > 0.0 && (rate * elapsed / 1000.0 - 9000.0).abs() < 1.0, "{inserted}");
    let grown = live.record("pg.change", "pg.size:public.grows:size_bytes");
    assert!(grown["delta"].as_i64() > Some(900_000) && grown["counter"] == false, "{grown}");
    assert!(grown["message"].as_str().expect("a text").starts_with("+1."), "{grown}");
    assert_eq!(live.record("pg.change", "pg.sequence:public.grows_id_seq:last_value")["delta"], 9000);
    // The largest stands first, and what is as it was does not stand there at all.
    let changes = live.records_of_kind("pg.change");
    assert_eq!(changes[0]["name"], "pg.size:public.grows:size_bytes", "{live}");
    assert!(!changes.iter().any(|change| change["object"] == "public.rests"), "{live}");

    // Two saved runs, without a server.
    let args = ["--input", path(&after), "--baseline", path(&before)];
    let offline = Tool::new("pso-pgstats").expect("built").args(args).arg("changes").env("PGPORT", "1");
    let offline = offline.folder(folder.path()).run().expect("ends");
    offline.assert_code(0).assert_quiet();
    assert_eq!(offline.record("pg.change", "pg.table:public.grows:n_tup_ins")["delta"], 9000);
    let table = Tool::new("pso-pgstats").expect("built").args(args).args(["changes", "--format", "table"]);
    let table = table.folder(folder.path()).run().expect("ends");
    assert!(table.text().contains("PER_SECOND") || table.text().contains("PER SECOND"), "{table}");
    // Backwards in time there is nothing to tell.
    let backwards = run(&database, &["--input", path(&before), "--baseline", path(&after), "changes"]);
    backwards.assert_code(3);
    assert!(end(&backwards).1.contains("is not older than this run"), "{backwards}");
}

#[test]
fn a_reset_is_said_and_gives_no_rate() {
    let (database, folder, before) = scene("pgstats_changes_reset");
    // What is made anew counts anew.
    database
        .execute(
            "DROP TABLE grows; CREATE TABLE grows (id serial PRIMARY KEY, v text) WITH (autovacuum_enabled = off);
             INSERT INTO grows (v) SELECT 'x' FROM generate_series(1, 10)",
        )
        .expect("made anew");
    let after = saved(&database, folder.path(), "after.jsonl", 10);
    let outcome = run(&database, &["--input", path(&after), "--baseline", path(&before), "changes"]);
    outcome.assert_code(0);
    let change = outcome.record("pg.change", "pg.table:public.grows:n_tup_ins");
    assert_eq!(
        (&change["reset"], change.get("delta"), change.get("per_second")),
        (&true.into(), None, None),
        "{change}"
    );
    assert!(end(&outcome).1.contains("began anew"), "{outcome}");

    let reset = "SELECT pg_stat_reset()";
    database.execute_as_admin(reset).expect("reset");
    database.execute("INSERT INTO grows (v) SELECT repeat('x', 1000) FROM generate_series(1, 2000)").expect("grown");
    let after = saved(&database, folder.path(), "reset.jsonl", 2000);
    let outcome = run(&database, &["--input", path(&after), "--baseline", path(&before), "changes"]);
    outcome.assert_code(0);
    let fields: Vec<Value> = outcome
        .records_of_kind("pg.change")
        .into_iter()
        .filter(|change| change["of_kind"] == "pg.table" && change["counter"] == true)
        .collect();
    assert!(fields.is_empty(), "{fields:?}");
    let (severity, message) = end(&outcome);
    assert!(severity == "info" && message.contains("have no rate: pg.") && message.contains("pg.table"), "{message}");
    // A size knows no reset.
    assert!(outcome.record("pg.change", "pg.size:public.grows:size_bytes")["delta"].as_i64() > Some(0));
}

#[test]
fn a_file_that_is_no_baseline_is_told_and_the_rest_is_shown() {
    let (database, folder, before) = scene("pgstats_changes_bad");
    let text = fs::read_to_string(&before).expect("read");
    let tried = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).expect("written");
        let outcome = run(&database, &["tables", "--baseline", path(&file)]);
        // Whatever it is, the section that was asked is shown.
        assert_eq!(outcome.record("pg.section", "tables")["rows"], 2, "{outcome}");
        outcome
    };
    let half: String = text.chars().take(text.chars().count() / 2).collect();
    let cut = tried("cut.jsonl", &half);
    cut.assert_code(3);
    let (severity, message) = end(&cut);
    assert!(severity == "unknown" && message.contains("damaged") && message.contains("no end"), "{message}");
    let newer = tried("newer.jsonl", &text.replace("\"schema\":1", "\"schema\":2"));
    newer.assert_code(3);
    assert!(end(&newer).1.contains("newer pso-pgstats (schema 2"), "{newer}");
    let words = tried("words.jsonl", "what is this\n");
    words.assert_code(3);
    assert!(end(&words).1.contains("line 1 of the input is not a record"), "{words}");
    let empty = tried("empty.jsonl", "");
    empty.assert_code(0);
    assert!(end(&empty).1.contains("no earlier run in it yet"), "{empty}");
    let other =
        tried("other.jsonl", &text.replace(&format!("\"database\":\"{}\"", database.name()), "\"database\":\"x\""));
    other.assert_code(3);
    assert!(end(&other).1.contains("another database: it is of x"), "{other}");

    let none = run(&database, &["tables", "--baseline", "no/such.jsonl"]);
    none.assert_code(3).assert_stderr_has("open no/such.jsonl (--baseline)");
    assert_eq!(none.records().len(), 2, "{none}");
    let unasked = run(&database, &["changes"]);
    unasked.assert_code(0);
    let (severity, message) = end(&unasked);
    assert!(severity == "info" && message.contains("--baseline FILE"), "{message}");
}

#[test]
fn another_server_is_no_baseline() {
    let (_first, _folder, before) = scene("pgstats_changes_server");
    let newest = TempPg::shared_of(pg::newest().expect("a version")).expect("PostgreSQL");
    // Of the same name, so that only the cluster tells them apart.
    let name = serde_json::from_str::<Value>(
        fs::read_to_string(&before).expect("read").lines().find(|line| line.contains("\"pg.server\"")).expect("there"),
    )
    .expect("JSON")["database"]
        .as_str()
        .expect("a name")
        .to_owned();
    let second = newest.database("pgstats_changes_second").expect("a database");
    second.execute_as_admin(&format!("CREATE DATABASE \"{name}\"")).expect("created");
    let tool = Tool::new("pso-pgstats").expect("built").envs(second.env()).env("PGDATABASE", &name);
    let outcome = tool.args(["tables", "--baseline", path(&before)]).folder(std::env::temp_dir()).run().expect("ends");
    second.execute_as_admin(&format!("DROP DATABASE \"{name}\"")).expect("dropped");
    outcome.assert_code(3);
    assert!(end(&outcome).1.contains("of another server: it is of system identifier"), "{outcome}");
}

#[test]
fn a_file_may_be_appended_to_and_compared_with() {
    let database = database("pgstats_changes_appended");
    database.execute("CREATE TABLE t (id int)").expect("created");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("runs.jsonl");
    let next = || run(&database, &["sizes", "--records", path(&file), "--baseline", path(&file)]);
    let first = {
        fs::write(&file, "").expect("written");
        next()
    };
    first.assert_code(0);
    assert!(end(&first).1.contains("no earlier run in it yet"), "{first}");
    database.execute("INSERT INTO t SELECT generate_series(1, 5000)").expect("grown");
    let second = next();
    second.assert_code(0);
    let grown = second.record("pg.change", "pg.size:public.t:size_bytes");
    assert_eq!(grown["before"], 0, "{grown}");
    let third = next();
    assert!(third.records_of_kind("pg.change").iter().all(|change| change["field"] != "table_bytes"), "{third}");
}

#[test]
fn a_run_takes_its_leave_of_the_server() {
    // From 14 on the server counts sessions whose client just vanished.
    let server = TempPg::shared_of(pg::newest().expect("a version")).expect("PostgreSQL");
    let database = server.database("pgstats_leave").expect("a database");
    let counted = |field: &str| {
        let sql = format!("SELECT {field} FROM pg_stat_database WHERE datname = current_database()");
        database.scalar(&sql).expect("asked").parse::<u64>().expect("a number")
    };
    let before = counted("sessions");
    for _ in 0..3 {
        run(&database, &["tables"]).assert_code(0);
    }
    wait::until("the sessions", STATISTICS, || (counted("sessions") >= before + 3).then_some(())).expect("counted");
    assert_eq!(counted("sessions_abandoned"), 0);
}
