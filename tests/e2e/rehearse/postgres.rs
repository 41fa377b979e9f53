//! Databases restored into a cluster of their own, good ones and others.

use std::path::PathBuf;

use pso_tests::pg::{Database, TempPg};
use pso_tests::tool::{Outcome, Tool};
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
        "amcheck finds every row in 14 B-tree indexes, and in order",
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
            "amcheck finds every row in 1 B-tree index, and in order",
        ],
        "{outcome}"
    );
    assert_eq!(sentences(&outcome, "unproven"), [""; 0]);
    let result = outcome.records_of_kind("rehearse.result").remove(0);
    assert_eq!(result["rows"], serde_json::json!({"public.t": 1500}));
    assert_eq!((&result["rehearsed_at"], result["severity"].as_str()), (&Value::Null, Some("ok")), "not all of it");
}
