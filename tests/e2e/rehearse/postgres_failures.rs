//! Dumps that cannot be restored, and machines on which nobody can tell.

use std::path::{Path, PathBuf};
use std::process::Command;

use pso_tests::pg::TempPg;
use pso_tests::tool::{Outcome, Running, Tool};
use pso_tests::wait;

use super::altered::{Altered, Beside, content, dump_of};
use super::assert_empty;
use super::postgres::{Db, assert_says, sentences};
use crate::parts::{LIMIT, checked};

/// A view that is filled at once where it is made, and that takes an hour wherever else it is filled.
const SLOW: &str = "
    SET app.here = 'on';
    CREATE FUNCTION slow() RETURNS int LANGUAGE plpgsql AS $$
    BEGIN
        IF current_setting('app.here', true) IS DISTINCT FROM 'on' THEN PERFORM pg_sleep(3600); END IF;
        RETURN 1;
    END $$;
    CREATE MATERIALIZED VIEW slowly AS SELECT public.slow() AS one;
    CREATE TABLE t AS SELECT 1 AS one";

/// The one private folder.
fn place(db: &Db) -> Option<PathBuf> {
    std::fs::read_dir(db.temp.path()).ok()?.flatten().map(|entry| entry.path()).next()
}

fn data(db: &Db) -> Option<PathBuf> {
    Some(place(db)?.join("postgres/cluster/data"))
}

fn postmaster(db: &Db) -> Option<String> {
    let text = std::fs::read_to_string(data(db)?.join("postmaster.pid")).ok()?;
    (text.lines().count() >= 8).then(|| text.lines().next().map(str::to_owned))?
}

/// Processes whose command line has this word and the private folder.
fn processes(db: &Db, word: &str) -> Vec<String> {
    let folder = db.temp.path().display().to_string();
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let ids = entries.filter_map(|entry| entry.file_name().into_string().ok());
    ids.filter(|id| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        id.parse::<u32>().is_ok() && line.contains(&folder) && line.contains(word)
    })
    .collect()
}

fn kill(signal: &str, id: &str) {
    assert!(Command::new("kill").args(["-s", signal, id]).status().expect("kill").success());
}

/// Waits until the restore hangs in the view; the session that does. A `pg_restore` that is seen may be the one that makes the
/// tables, and gone the next moment.
fn hangs(db: &Db) -> String {
    let session = wait::until("the restore to hang", LIMIT, || {
        let server = postmaster(db)?;
        let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children")).ok()?;
        let is_it = |id: &&str| {
            let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains("REFRESH")
        };
        children.split_whitespace().find(is_it).map(str::to_owned)
    });
    session.expect("it hangs")
}

fn started(db: &Db) -> Running {
    db.tool(&[]).spawn().expect("started")
}

/// Nothing is left of it: no process, no file, no shared memory of ours.
#[track_caller]
fn assert_gone(db: &Db, outcome: &Outcome) {
    assert_empty(db.temp.path(), outcome);
    wait::until("all processes to be gone", LIMIT, || processes(db, "").is_empty().then_some(())).expect("gone");
}

#[track_caller]
fn assert_told(outcome: &Outcome, code: i32, words: &str) {
    outcome.assert_code(code);
    let record = outcome.record("rehearse.component", "postgres");
    assert!(record["message"].as_str().is_some_and(|text| text.contains(words)), "{words:?}\n{outcome}");
}

#[test]
fn without_server_programs_nobody_can_tell() {
    let db = Db::of("rehearse_pg_missing", "CREATE TABLE t AS SELECT 1 AS one");
    db.archive();
    let empty = tempfile::tempdir().expect("a folder");
    let outcome = checked(db.tool(&[]).env("PSO_PG_BIN_DIR", empty.path()).env("PATH", "/nowhere"));
    assert_told(&outcome, 3, "there is no initdb here");
    assert_says(&outcome, "unproven", "postgresql-1");
    assert_gone(&db, &outcome);
}

#[test]
fn a_dump_that_fails_in_the_middle_is_refuted_with_the_object() {
    let rule = "
        SET app.here = 'on';
        CREATE FUNCTION is_small(n int) RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN
            IF current_setting('app.here', true) IS DISTINCT FROM 'on' THEN RAISE 'not here'; END IF;
            RETURN true;
        END $$;
        CREATE TABLE a AS SELECT n FROM generate_series(1, 10) AS n;
        CREATE TABLE z (n int CHECK (public.is_small(n)));
        INSERT INTO z VALUES (1)";
    let db = Db::of("rehearse_pg_middle", rule);
    db.archive();
    let outcome = db.rehearse(&[]);
    assert_told(&outcome, 2, "rehearse_pg_middle cannot be restored: public.z: not here");
    assert_says(&outcome, "refuted", "not here (SQLSTATE P0001)");
    assert!(outcome.record("rehearse.component", "postgres").get("restore_ms").is_none(), "it was not restored");
}

#[test]
fn doubled_rows_break_the_unique_index() {
    let db = Db::of("rehearse_pg_doubled", "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)");
    let archive = db.archive();
    let dump = content(&archive, &dump_of(&archive));
    let doubled = super::dumps::with_rows(&dump, "t", |rows| Some([b"2\n", &rows[..]].concat()));
    let altered =
        Altered::of(&archive).replace(&dump_of(&archive), doubled).beside(Beside::All).write(db.folder.path());
    let outcome = rehearse(&db, &altered);
    assert_told(&outcome, 2, "ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY (id): ");
    assert_says(&outcome, "refuted", "could not create unique index \"t_pkey\" (SQLSTATE 23505)");
    assert!(!outcome.text().contains("(id)=(2)"), "no values of rows\n{outcome}");
}

fn rehearse(db: &Db, archive: &Path) -> Outcome {
    let tool = Tool::new("pso-rehearse").expect("built").arg(archive).folder(db.folder.path());
    let outcome = checked(tool.env("TMPDIR", db.temp.path()));
    assert_gone(db, &outcome);
    outcome
}

#[test]
fn an_extension_that_is_not_installed_is_no_fault_of_the_archive() {
    let db = Db::of("rehearse_pg_extension", "CREATE EXTENSION pg_trgm");
    let archive = db.archive();
    let mut dump = content(&archive, &dump_of(&archive));
    while let Some(at) = dump.windows(7).position(|word| word == b"pg_trgm") {
        dump[at..at + 7].copy_from_slice(b"pg_rare");
    }
    let altered = Altered::of(&archive).replace(&dump_of(&archive), dump).beside(Beside::All).write(db.folder.path());
    let outcome = rehearse(&db, &altered);
    assert_told(&outcome, 3, "install the package that brings pg_rare");
    assert_eq!(sentences(&outcome, "refuted"), [""; 0]);
}

#[test]
fn who_kills_the_server_or_pg_restore_leaves_nobody_the_wiser() {
    let db = Db::of("rehearse_pg_killed", SLOW);
    db.archive();
    let running = started(&db);
    hangs(&db);
    kill("KILL", &postmaster(&db).expect("it runs"));
    let outcome = running.finish().expect("it ends");
    assert_told(&outcome, 3, "the scratch server");
    assert_gone(&db, &outcome);

    let running = started(&db);
    hangs(&db);
    processes(&db, "pg_restore").iter().for_each(|id| kill("KILL", id));
    let outcome = running.finish().expect("it ends");
    assert_told(&outcome, 3, "could not be restored here: ");
    assert_gone(&db, &outcome);
}

#[test]
fn a_signal_ends_all_of_it_in_every_phase() {
    type Reached = fn(&Db) -> bool;
    let db = Db::of("rehearse_pg_signal", SLOW);
    db.archive();
    // While the cluster is made, while it starts, and while the dump is restored.
    let phases: [(&str, Reached); 3] = [
        ("initdb", |db| data(db).is_some_and(|data| data.exists())),
        ("the start", |db| data(db).is_some_and(|data| data.join("postmaster.pid").exists())),
        ("pg_restore", |db| !processes(db, "pg_restore").is_empty()),
    ];
    for (name, reached) in phases {
        let mut running = started(&db);
        wait::until(name, LIMIT, || reached(&db).then_some(())).expect("reached");
        running.signal("TERM").expect("sent");
        let outcome = running.finish().expect("it ends");
        outcome.assert_code(3);
        assert_gone(&db, &outcome);
    }
}

#[test]
fn what_a_killed_rehearsal_leaves_the_next_one_ends_and_removes() {
    let db = Db::of("rehearse_pg_leftover", SLOW);
    db.archive();
    let mut running = started(&db);
    hangs(&db);
    let server = postmaster(&db).expect("it runs");
    running.signal("KILL").expect("sent");
    running.finish().expect("it is dead");
    assert!(Path::new("/proc").join(&server).exists(), "the server lives on");
    let outcome = checked(
        Tool::new("pso-rehearse")
            .expect("built")
            .args(["latest", "--only", "postgres"])
            .folder(db.folder.path())
            .env("TMPDIR", db.temp.path())
            .env("PSO_PG_BIN_DIR", "/nowhere"),
    );
    outcome.assert_code(3).assert_stderr_has("which a killed rehearsal had left");
    // Whoever should wait for it may not have done so yet.
    assert!(std::fs::read_link(Path::new("/proc").join(&server).join("cwd")).is_err(), "{outcome}");
    assert_gone(&db, &outcome);
}

#[test]
fn nothing_connects_to_another_server() {
    let far = "
        CREATE EXTENSION postgres_fdw;
        CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'far');
        CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'u', password 'p-far');
        CREATE FOREIGN TABLE far_away (n int) SERVER far;
        CREATE MATERIALIZED VIEW \"near\" AS SELECT n FROM far_away WITH NO DATA;
        CREATE TABLE t AS SELECT 1 AS one";
    let db = Db::of("rehearse_pg_far", far);
    // As if it had been filled.
    db.database.execute_as_admin("UPDATE pg_class SET relispopulated = true WHERE relname = 'near'").expect("marked");
    db.archive();
    let outcome = db.rehearse(&[]);
    outcome.assert_code(0).assert_no_secret(&["p-far"]);
    assert_says(&outcome, "unproven", "1 user mapping was not restored, so that nothing connects to another server");
    assert_says(&outcome, "unproven", "the materialized view public.near was not filled: it reads from another server");
}

#[test]
fn row_security_hides_nothing_and_roles_are_made() {
    let secret = "
        CREATE ROLE rehearse_pg_owner; CREATE ROLE \"rehearse pg, reader\";
        CREATE TABLE hidden (n int); INSERT INTO hidden VALUES (1), (2);
        ALTER TABLE hidden OWNER TO rehearse_pg_owner; ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
        ALTER TABLE hidden FORCE ROW LEVEL SECURITY;
        CREATE POLICY none ON hidden TO \"rehearse pg, reader\" USING (false);
        GRANT SELECT ON hidden TO \"rehearse pg, reader\"";
    let pg = TempPg::start_new().expect("PostgreSQL");
    let db = Db::on(&pg, "rehearse_pg_rls", secret);
    db.archive();
    let outcome = db.rehearse(&[]);
    outcome.assert_code(0);
    assert_eq!(outcome.record("rehearse.component", "postgres")["rows"]["public.hidden"], 2);
}

#[test]
fn a_long_path_and_a_newer_version_do() {
    let db = Db::of("rehearse_pg_long", "CREATE TABLE t AS SELECT 1 AS one");
    db.archive();
    let long = db.temp.path().join("x".repeat(120));
    std::fs::create_dir(&long).expect("made");
    let outcome = checked(db.tool(&[]).env("TMPDIR", &long));
    outcome.assert_code(0);
    assert_empty(&long, &outcome);

    let newest = pso_tests::pg::newest().expect("a version");
    let newer = TempPg::of_version(newest).expect("PostgreSQL");
    let outcome = checked(db.tool(&[]).env("PSO_PG_BIN_DIR", newer.programs()));
    outcome.assert_code(0);
    assert_says(&outcome, "unproven", &format!("it was restored into PostgreSQL {newest}, since"));
}

#[test]
fn a_sequence_that_is_behind_is_a_warning() {
    let behind = "
        CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t VALUES (7);
        CREATE TABLE down (id int PRIMARY KEY); CREATE SEQUENCE backwards INCREMENT -1 MAXVALUE -1;
        ALTER TABLE down ALTER id SET DEFAULT nextval('backwards'); INSERT INTO down DEFAULT VALUES;
        CREATE TABLE nothing (id int GENERATED ALWAYS AS IDENTITY)";
    let db = Db::of("rehearse_pg_behind", behind);
    db.archive();
    let outcome = db.rehearse(&[]);
    assert_told(&outcome, 1, "the sequence public.t_id_seq gives 1 next, and public.t.id has 7 already");
    assert_says(&outcome, "proven", "2 columns' sequences are not behind");
}

#[test]
fn doubled_rows_are_found_by_those_who_build_an_index_together() {
    let rows = "
        CREATE TABLE t (id int, text text);
        INSERT INTO t SELECT n, repeat('x', 80) FROM generate_series(1, 200000) AS n;
        ALTER TABLE t SET (parallel_workers = 2);
        CREATE UNIQUE INDEX once ON t (id)";
    let db = Db::of("rehearse_pg_together", rows);
    let archive = db.archive();
    let dump = content(&archive, &dump_of(&archive));
    let doubled = super::dumps::with_rows(&dump, "t", |rows| Some([b"2\tdouble\n", &rows[..]].concat()));
    let altered =
        Altered::of(&archive).replace(&dump_of(&archive), doubled).beside(Beside::All).write(db.folder.path());
    let outcome = rehearse(&db, &altered);
    assert_told(&outcome, 2, "could not create unique index \"once\"");
}

#[test]
fn who_kills_one_session_leaves_nobody_the_wiser() {
    let db = Db::of("rehearse_pg_session", SLOW);
    db.archive();
    let running = started(&db);
    kill("KILL", &hangs(&db));
    let outcome = running.finish().expect("it ends");
    assert_told(&outcome, 3, "the scratch server fell over: ");
    assert_gone(&db, &outcome);
}
