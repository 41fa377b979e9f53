//! Archives of the specification's own script, which carry no manifest.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Command;

use pso_tests::pg::TempPg;

use super::raw_zip::{Raw, zip};
use crate::parts::{Parts, checked, on_own_server};

/// What `pg_dump … | Out-File -Encoding UTF8` writes.
fn dumped(pg: &TempPg, parts: &Parts) -> String {
    let dump = Command::new(pg.programs().join("pg_dump"))
        .args(["--clean", "--no-owner", "--no-acl"])
        .envs(parts.database.env())
        .output()
        .expect("run");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    format!("\u{feff}{}", String::from_utf8(dump.stdout).expect("UTF-8").replace('\n', "\r\n"))
}

/// The snapshot of `plans`, as it lies in an archive of ours.
fn snapshot(parts: &Parts) -> Vec<u8> {
    let archive = parts.path(
        checked(parts.tool("pso-backup", &["--only", "qdrant"]))
            .records_of_kind("backup.archive")
            .pop()
            .expect("an archive")["path"]
            .as_str()
            .expect("a path"),
    );
    let mut content = Vec::new();
    let mut opened = pso_archive::Archive::open(&archive).expect("opened");
    opened.entry("qdrant/plans.snapshot").expect("there").read_to_end(&mut content).expect("read");
    fs::remove_dir_all(archive.parent().expect("a folder")).expect("removed");
    content
}

impl Parts {
    /// All that the script packs, with the backslashes of Windows PowerShell 5.
    fn old_entries(&self, sql: &str, snapshot: &[u8]) -> Vec<Raw> {
        let mut entries = vec![Raw::stored("postgres.sql", sql.as_bytes()), Raw::stored("qdrant_snapshot", snapshot)];
        for (folder, prefix) in [("config", ""), ("scripts", "scripts\\"), ("roadmaps/plans", "plans\\")] {
            let folder = self.path(folder);
            for path in crate::parts::walk(&folder) {
                let path = PathBuf::from(path);
                let name = path.strip_prefix(&folder).expect("below").to_str().expect("UTF-8").replace('/', "\\");
                if prefix.is_empty() && !name.ends_with(".yaml") {
                    continue;
                }
                entries.push(Raw::stored(&format!("{prefix}{name}"), &fs::read(&path).expect("readable")));
            }
        }
        // Windows notes no kind of file, and folders as entries that end in a separator.
        entries.push(Raw::stored("plans\\empty\\", b""));
        entries.iter_mut().for_each(|entry| entry.mode = 0);
        entries
    }

    fn old_archive(&self, entries: &[Raw]) -> PathBuf {
        let path = self.path("old/20251122_090000.zip");
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(&path, zip(entries)).expect("written");
        path
    }
}

#[test]
fn an_archive_of_the_old_script_is_back() {
    let (pg, parts) = on_own_server("br_old");
    parts
        .database
        .execute(
            r"CREATE TABLE hard (id int, text text); INSERT INTO hard VALUES (1, E'a\r\nb\tc\\.\n\\! ls'), (2, NULL), (3, 'été');
              CREATE FUNCTION told(a int) RETURNS text LANGUAGE plpgsql AS $f$ BEGIN /* it's; */ RETURN 'x;
COPY nowhere FROM stdin;'; END $f$;
              CREATE FUNCTION chosen(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN a > 1 THEN 1 ELSE 2 END; SELECT 3; END;
              COMMENT ON TABLE hard IS 'it''s; $$ -- no comment'",
        )
        .expect("filled");
    let (sql, snapshot) = (dumped(&pg, &parts), snapshot(&parts));
    let before = parts.content();
    let archive = parts.old_archive(&parts.old_entries(&sql, &snapshot));
    parts.database.execute("DROP TABLE hard; DROP FUNCTION told; DELETE FROM conflicts").expect("damaged");
    assert!(parts.qdrant.client().delete_collection("plans").expect("deleted"));
    fs::remove_dir_all(parts.path("roadmaps/plans")).expect("removed");
    let damaged = parts.content();
    let env = parts.database.env();
    let run = |args: &[&str]| checked(parts.tool("pso-restore", args).envs(env.clone()));
    let path = archive.to_str().expect("UTF-8");
    let outcome = run(&[path, "--dry-run"]);
    outcome.assert_code(1).assert_stderr_has("carries no manifest");
    damaged.assert_same(&parts.content());
    let outcome = run(&[path, "--yes"]);
    outcome.assert_code(1).assert_stderr_has("carries no manifest").assert_no_secret(&[parts.database.password()]);
    let now = parts.content();
    before.rows.assert_same(&now.rows);
    before.files.iter().zip(&now.files).for_each(|(before, now)| before.assert_same(now));
    let functions = parts.database.scalar("SELECT told(1) || chosen(1)").expect("functions");
    assert!(
        functions.replace('\r', "").contains("COPY nowhere FROM stdin;") && functions.ends_with('3'),
        "{functions:?}"
    );
    assert_eq!(before.points.parts["plans"], now.points.parts["plans"]);
    let kept = parts.database.scalar("SELECT count(*) FROM pg_database WHERE datname LIKE 'planning_sync_before_%'");
    assert_eq!(kept.expect("a count"), "1");
}

#[test]
fn what_the_old_script_did_not_make_is_refused() {
    let (pg, parts) = on_own_server("br_old_bad");
    let (sql, snapshot) = (dumped(&pg, &parts), snapshot(&parts));
    let before = parts.content();
    let entries = parts.old_entries(&sql, &snapshot);
    let env = parts.database.env();
    let refuse = |what: &str, said: &str, entries: &[Raw]| {
        let path = parts.old_archive(entries);
        let outcome = checked(parts.tool("pso-restore", &[path.to_str().expect("UTF-8"), "--yes"]).envs(env.clone()));
        assert_eq!(outcome.code, Some(3), "{what}\n{outcome}");
        outcome.assert_stderr_has(said);
    };
    let with_sql = |sql: &str| {
        let mut entries = entries.clone();
        entries[0] = Raw::stored("postgres.sql", sql.as_bytes());
        entries
    };
    let lines = sql.lines().count();
    let half: String = sql.split_inclusive('\n').take(lines / 2).collect();
    refuse("half a dump", "breaks off", &with_sql(&half));
    refuse("an empty dump", "no table in the dump", &with_sql("\u{feff}\r\n"));
    refuse("a shell", "a command for psql", &with_sql(&format!("{sql}\\! touch {}\r\n", parts.path("x").display())));
    let hidden = format!("{sql}SELECT 1 \\! touch {}\r\n;\r\n", parts.path("x").display());
    refuse("a hidden shell", "outside of a text", &with_sql(&hidden));
    let torn: &[u8] = &snapshot[..snapshot.len() / 3];
    let mut bad = entries.clone();
    bad[1] = Raw::stored("qdrant_snapshot", torn);
    refuse("a torn snapshot", "damaged", &bad);
    for name in ["plans\\..\\..\\x", "C:\\x", "\\\\host\\x", "plans/../../x"] {
        let mut bad = entries.clone();
        bad.push(Raw::stored(name, b"x"));
        refuse(name, "is refused", &bad);
    }
    let mut twice = entries.clone();
    twice.push(Raw::stored("plans/Twice.md", b"1"));
    twice.push(Raw::stored("plans\\twice.md", b"2"));
    refuse("two of a name", "two entries have the name", &twice);
    before.assert_same(&parts.content());
    assert!(!parts.path("x").exists());
    parts.assert_no_trace_of_restore();
}
