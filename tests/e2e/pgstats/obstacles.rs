//! What others hold, have broken, or have saved: the rest is shown, and what is missing is said in few words.

use std::fs;
use std::path::Path;
use std::process::Command;

use pso_tests::pg::{self, TempPg};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;

use super::{STATISTICS, database, major, message, names, run, text, tool};

/// No section that it could not read.
fn assert_all_read(outcome: &Outcome) {
    let unread: Vec<_> =
        outcome.records_of_kind("pg.section").into_iter().filter(|end| end["severity"] == "unknown").collect();
    assert!(unread.is_empty(), "{unread:#?}");
}

#[test]
fn what_a_prepared_transaction_or_a_changed_sequence_holds_is_left_out() {
    let builder = TempPg::builder().setting("max_prepared_transactions", "2").setting("lock_timeout", "7s");
    let server = builder.start().expect("PostgreSQL");
    let database = server.database("pgstats_held").expect("a database");
    database
        .execute(
            "CREATE TABLE changed (id int PRIMARY KEY, a text); CREATE TABLE free (id int PRIMARY KEY);
             CREATE INDEX ON changed ((id + 1)); CREATE SEQUENCE counts; SELECT nextval('counts')",
        )
        .expect("created");
    let mut session = database.connect().expect("connected");
    session
        .batch_execute("BEGIN; ALTER TABLE changed ADD COLUMN b int; PREPARE TRANSACTION 'nobody ends it'")
        .expect("prepared");
    let mut holder = database.connect().expect("connected");
    holder.batch_execute("BEGIN; ALTER SEQUENCE counts INCREMENT 2").expect("changed");

    let outcome = run(&database, &[]);
    outcome.assert_quiet();
    assert_all_read(&outcome);
    assert_eq!(names(&outcome, "pg.size"), ["public.free"], "{outcome}");
    assert!(message(&outcome.record("pg.section", "sizes")).contains("public.changed"), "{outcome}");
    let sequence = outcome.record("pg.sequence", "public.counts");
    assert_eq!((&sequence["held"], sequence.get("last_value")), (&true.into(), None), "{sequence}");
    assert_eq!(outcome.record("pg.section", "indexes")["rows"], 3, "{outcome}");

    // What the tool sets for its own session does not hide who has set it for all others.
    let setting = outcome.record("pg.setting", "lock_timeout");
    assert_eq!((text(&setting, "setting"), text(&setting, "source")), ("7000", "command line"), "{setting}");

    drop(holder);
    session.batch_execute("ROLLBACK PREPARED 'nobody ends it'").expect("ended");
    let outcome = run(&database, &["sizes", "sequences"]);
    outcome.assert_code(0);
    assert_eq!(outcome.record("pg.sequence", "public.counts")["last_value"], 1);
    assert_eq!(names(&outcome, "pg.size").len(), 2, "{outcome}");
}

#[test]
fn a_catalogue_that_another_session_holds_is_one_clear_message() {
    let database = database("pgstats_catalogue");
    let mut holder = database.connect_as_admin().expect("connected");
    holder.batch_execute("BEGIN; LOCK TABLE pg_statistic IN ACCESS EXCLUSIVE MODE").expect("held");
    let outcome = run(&database, &["tables"]);
    outcome.assert_code(3).assert_stderr_has("holds a system catalogue").assert_stderr_has("lock_timeout");
    assert_eq!((outcome.stderr.lines().count(), outcome.records().len()), (1, 2), "{outcome}");
    drop(holder);
    let shown = wait::until("the catalogue", STATISTICS, || run(&database, &["tables"]).code.filter(|code| *code == 0));
    shown.expect("shown again");
}

#[test]
fn a_broken_control_file_hides_no_extension() {
    let newest = pg::newest().expect("a version");
    let server = TempPg::of_version(newest).expect("PostgreSQL");
    let database = server.database("pgstats_control").expect("a database");
    // Before 18 the files stand among the server's own.
    if major(&database) < 18 {
        return;
    }
    let folder = server.data_folder().join("more");
    fs::create_dir_all(folder.join("extension")).expect("a folder");
    fs::write(folder.join("extension/broken.control"), "default_version = = '1'\n").expect("written");
    let path = format!("ALTER SYSTEM SET extension_control_path = '$system:{}'", folder.display());
    database.execute_as_admin(&path).expect("set");
    database.execute_as_admin("SELECT pg_reload_conf()").expect("reloaded");
    let broken = || database.execute("SELECT * FROM pg_available_extensions").is_err();
    wait::until("the broken file", STATISTICS, || broken().then_some(())).expect("broken");

    let outcome = run(&database, &["extensions", "advice"]);
    outcome.assert_code(0).assert_quiet();
    let end = outcome.record("pg.section", "extensions");
    assert_eq!((&end["severity"], &end["rows"]), (&"info".into(), &1.into()), "{end}");
    assert!(message(&end).contains("broken.control"), "{end}");
    let shown = outcome.record("pg.extension", "plpgsql");
    assert_eq!((&shown["files_unread"], shown.get("default_version")), (&true.into(), None), "{shown}");
    assert!(!names(&outcome, "pg.advice").iter().any(|name| name.starts_with("extension_update")), "{outcome}");
}

/// Replays a text.
fn replayed(content: &str, args: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("saved.jsonl"), content).expect("written");
    let tool = Tool::new("pso-pgstats").expect("built").args(["--input", "saved.jsonl"]).args(args);
    tool.folder(folder.path()).run().expect("ends")
}

#[test]
fn a_saved_run_that_is_no_good_says_so_in_few_words() {
    let database = database("pgstats_saved");
    database.execute("CREATE TABLE t (id int PRIMARY KEY)").expect("created");
    let saved = run(&database, &["tables", "sizes"]).text().to_owned();
    replayed(&saved, &["tables", "sizes"]).assert_code(0).assert_quiet();

    let newer = replayed(&saved.replace("\"schema\":1", "\"schema\":2"), &["tables"]);
    newer.assert_code(3).assert_stderr_has("of a newer pso-pgstats (schema 2");
    assert_eq!(newer.stderr.lines().count(), 1, "{newer}");
    assert!(newer.records_of_kind("pg.table").is_empty(), "{newer}");

    let flood = replayed(&format!("{}{saved}", "no record\n".repeat(5000)), &["tables"]);
    flood.assert_code(3).assert_stderr_has("line 3 of the input").assert_stderr_has("4997 more lines of the input");
    assert_eq!(flood.stderr.lines().count(), 4, "{flood}");
    assert_eq!(names(&flood, "pg.table"), ["public.t"], "{flood}");
}

#[test]
fn a_file_that_never_ends_or_begins_is_left_at_a_signal() {
    let database = database("pgstats_endless");
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("run mkfifo").success());
    for (flag, file) in [("--baseline", Path::new("/dev/zero")), ("--baseline", &pipe), ("--input", &pipe)] {
        let records = folder.path().join(format!("{flag}{}", file.display()).replace('/', "_"));
        let mut running = tool(&database, &["tables", "--format", "jsonl"])
            .arg(flag)
            .arg(file)
            .arg("--records")
            .arg(&records)
            .spawn()
            .expect("started");
        let begun = || fs::read_to_string(&records).is_ok_and(|text| text.contains("run.start")).then_some(());
        wait::until("the start", STATISTICS, begun).expect("begun");
        running.signal("TERM").expect("told");
        let outcome = running.finish().expect("ends");
        outcome.assert_code(3).assert_stderr_has("stopped by SIGTERM");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
    }
}

#[test]
fn a_connection_string_in_the_place_of_a_name_does_not_show_its_password() {
    let database = database("pgstats_string");
    for (name, value) in [
        ("PGHOST", "postgresql://me:hunter2-in-url@127.0.0.1/plans"),
        ("PGDATABASE", "postgresql://me:hunter2-in-url@127.0.0.1/plans"),
        ("PGDATABASE", "host=127.0.0.1 password=hunter2-in-url"),
    ] {
        for args in [&["tables"][..], &["--print-config"]] {
            let outcome = tool(&database, args).env(name, value).run().expect("ends");
            outcome.assert_code(3).assert_stderr_has("connection string").assert_no_secret(&["hunter2-in-url"]);
        }
    }
}
