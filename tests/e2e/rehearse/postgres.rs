//! Databases restored into a cluster of their own, good ones and others.

use std::path::PathBuf;

use pso_tests::pg::{Database, TempPg};
use pso_tests::tool::{Outcome, Tool, built_binary};
use serde_json::Value;
use tempfile::TempDir;

use super::{assert_empty, open_folder};
use crate::parts::checked;

const HARD: &str = include_str!("../backup_restore/hard.sql");

/// A database, and a folder in which its archives are.
pub(super) struct Db {
    pub(super) database: Database,
    pub(super) folder: TempDir,
    pub(super) temp: TempDir,
    superuser: Vec<(String, String)>,
}

impl Db {
    /// A database of this content on a server of all tests.
    pub(super) fn of(name: &str, sql: &str) -> Self {
        let pg = TempPg::shared().expect("PostgreSQL");
        Self::on(pg, name, sql)
    }

    pub(super) fn on(pg: &TempPg, name: &str, sql: &str) -> Self {
        let database = pg.database(name).expect("a database");
        database.execute_as_admin(sql).expect("filled");
        let superuser = [("PGUSER", "postgres"), ("PGPASSWORD", pg.admin_password())];
        Self {
            database,
            folder: tempfile::tempdir().expect("a folder"),
            temp: open_folder(),
            superuser: superuser.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        }
    }

    /// An archive of it.
    pub(super) fn archive(&self) -> PathBuf {
        let tool = Tool::new("pso-backup").expect("built").args(["--only", "postgres"]).folder(self.folder.path());
        let outcome = checked(tool.envs(self.database.env()).envs(self.superuser.clone()));
        outcome.assert_code(0);
        let records = outcome.records_of_kind("backup.archive");
        self.folder.path().join(records.last().expect("an archive")["path"].as_str().expect("a path"))
    }

    /// Knows nothing of the server: a rehearsal needs none.
    pub(super) fn tool(&self, args: &[&str]) -> Tool {
        let tool = Tool::new("pso-rehearse").expect("built").args(["latest", "--only", "postgres"]).args(args);
        tool.folder(self.folder.path()).env("TMPDIR", self.temp.path()).env("PGPORT", "1").env("PGHOST", "127.0.0.1")
    }

    #[track_caller]
    pub(super) fn rehearse(&self, args: &[&str]) -> Outcome {
        let outcome = checked(self.tool(args));
        assert_empty(self.temp.path(), &outcome);
        outcome
    }
}

/// The sentences of the component's record.
pub(super) fn sentences(outcome: &Outcome, field: &str) -> Vec<String> {
    let record = outcome.record("rehearse.component", "postgres");
    let all = record[field].as_array().cloned().unwrap_or_default();
    all.iter().map(|text| text.as_str().expect("a sentence").to_owned()).collect()
}

#[track_caller]
pub(super) fn assert_says(outcome: &Outcome, field: &str, words: &str) {
    let all = sentences(outcome, field);
    assert!(all.iter().any(|sentence| sentence.contains(words)), "{words:?} is not in {all:#?}\n{outcome}");
}

#[test]
fn a_hard_database_is_restored_and_all_of_it_is_checked() {
    let pg = TempPg::start_new().expect("PostgreSQL");
    let roles = "CREATE ROLE alice; CREATE ROLE \"Zoé B.\"; GRANT alice, \"Zoé B.\" TO sync_user";
    let sql = format!("{roles}; CREATE EXTENSION btree_gist; GRANT ALL ON SCHEMA public TO alice, \"Zoé B.\"");
    let db = Db::on(&pg, "Été \"2026\" d'ici", &sql);
    db.database.execute_as_admin(HARD).expect("filled");
    db.archive();
    // There is no server any more.
    drop(pg);
    let outcome = db.rehearse(&[]);
    outcome.assert_code(0);
    let record = outcome.record("rehearse.component", "postgres");
    assert_eq!(record["rows"]["public.no_key"], 8, "{outcome}");
    assert_eq!(record["rows"]["public.measured_2025"], 1);
    assert_eq!(record["rows"]["\"Été . \"\"1\"\"\".\"a \"\"b\"\" 'c' 🚀\""], 2);
    assert!(record["restored_bytes"].as_u64().expect("bytes") > 5_000_000);
    assert!(record["restore_ms"].as_u64().expect("a time") <= record["elapsed_ms"].as_u64().expect("a time"));
    for words in [
        "17 tables have the manifest's row counts, 111 rows",
        "was restored into PostgreSQL",
        "18 indexes are valid",
        "3 extensions are there: btree_gist ",
        "3 large objects are there, as in the dump",
        "columns' sequences are not behind",
        "amcheck finds nothing wrong in 18 tables",
        "amcheck finds 14 B-tree indexes in order, with every row in it",
    ] {
        assert_says(&outcome, "proven", words);
    }
    assert_says(&outcome, "unproven", "1 constraint or index is not valid in the dump already: public.ruled: positive");
    assert_eq!(sentences(&outcome, "refuted"), [""; 0]);
}

#[test]
fn a_small_database_says_what_is_proven() {
    let db = Db::of(
        "rehearse_pg_small",
        "CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t SELECT FROM generate_series(1, 1500)",
    );
    db.archive();
    let outcome = db.rehearse(&["--jobs", "1"]);
    outcome.assert_code(0);
    let proven = sentences(&outcome, "proven");
    assert_eq!(
        proven[1..],
        [
            "1 constraint is validated",
            "1 index is valid",
            "1 column's sequence is not behind",
            "1 table has the manifest's row counts, 1,500 rows",
            "amcheck finds nothing wrong in 1 table",
            "amcheck finds 1 B-tree index in order, with every row in it",
        ],
        "{outcome}"
    );
    let left = "postgres/globals.sql was not executed: the roles were made by their names only";
    let unproven = sentences(&outcome, "unproven");
    assert_eq!((unproven.len(), unproven[0].as_str()), (2, left), "{outcome}");
    assert!(unproven[1].starts_with("whether the server had more views, functions, triggers"), "{outcome}");
    let result = outcome.records_of_kind("rehearse.result").remove(0);
    assert_eq!(result["rows"], serde_json::json!({"public.t": 1500}));
    assert_eq!((&result["rehearsed_at"], result["severity"].as_str()), (&Value::Null, Some("ok")), "not all of it");
}

#[test]
fn an_index_by_a_function_that_is_none_is_found() {
    let lying = "
        CREATE FUNCTION lies(n int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT (pg_catalog.random() * 1e9)::int $$;
        CREATE TABLE t AS SELECT n FROM generate_series(1, 100) AS n; CREATE INDEX liar ON t (lies(n))";
    let db = Db::of("rehearse_pg_liar", lying);
    db.archive();
    let outcome = db.rehearse(&[]);
    outcome.assert_code(2);
    assert_says(&outcome, "refuted", "public.liar is damaged: ");
}

#[test]
fn an_ordinary_user_needs_no_other() {
    let db = Db::of("rehearse_pg_user", "CREATE TABLE t AS SELECT 1 AS one");
    let archive = db.archive();
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("/proc")) == 0;
    let mut program = built_binary("pso-rehearse").expect("built");
    let mut args: Vec<std::ffi::OsString> = Vec::new();
    if is_root {
        // The tool may lie where only root may go.
        let copy = db.folder.path().join("pso-rehearse");
        std::fs::copy(&program, &copy).expect("copied");
        program = copy;
        let folder = [db.folder.path(), db.temp.path()].map(|path| path.to_str().expect("UTF-8").to_owned());
        let given = std::process::Command::new("chown").arg("-R").arg("65534:65534").args(folder).status();
        assert!(given.expect("chown").success());
        args.extend(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"].map(Into::into));
    }
    args.push(program.into());
    let mut tool = Tool::program(&args[0]).args(&args[1..]).arg(&archive).args(["--only", "postgres"]);
    tool = tool.folder("/").env("TMPDIR", db.temp.path()).env("PATH", "/usr/bin:/bin");
    let mut outcome = tool.run().expect("it ends");
    // Its own, and not that of what has started it.
    outcome.name = "pso-rehearse".to_owned();
    assert_empty(db.temp.path(), &outcome);
    outcome.assert_code(0);
    assert_says(&outcome, "proven", "1 table has the manifest's row counts, 1 row");
}

#[test]
fn another_user_can_be_named_and_has_to_be_one() {
    if std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("/proc")) != 0 {
        return;
    }
    let db = Db::of("rehearse_pg_named", "CREATE TABLE t AS SELECT 1 AS one");
    db.archive();
    db.rehearse(&["--user", "nobody"]).assert_code(0);
    for (user, said) in
        [("nobody-of-this-name", "there is no user nobody-of-this-name"), ("root", "PostgreSQL does not run as root")]
    {
        let outcome = db.rehearse(&["--user", user]);
        outcome.assert_code(3);
        assert_says(&outcome, "unproven", said);
    }
}

#[test]
fn what_is_not_held_for_every_row_on_purpose_is_no_damage() {
    // A key that refers to a partitioned table has a part for each partition, under a name that is in no dump.
    let parts = "
        CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
        CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
        CREATE TABLE f (id int); INSERT INTO f VALUES (99);
        ALTER TABLE f ADD CONSTRAINT f_fk FOREIGN KEY (id) REFERENCES p NOT VALID";
    let db = Db::of("rehearse_pg_parts", parts);
    db.archive();
    let outcome = db.rehearse(&[]);
    outcome.assert_code(0);
    assert_says(&outcome, "unproven", "1 constraint or index is not valid in the dump already: public.f: f_fk");
    assert_says(&outcome, "proven", "1 constraint is validated");
}
