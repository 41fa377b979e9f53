//! Disks that are full, folders and files that may not be written or read.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::path::Path;

use pso_tests::deployment::Spec;
use pso_tests::mount::Mount;
use pso_tests::pg::TempPg;
use pso_tests::tool::{Outcome, Tool, built_binary};

use crate::parts::{Parts, walk};

const NOBODY: u32 = 65_534;

/// Only root may mount and give away; whoever runs the tests as somebody else is told.
fn not_tested(why: &str) {
    let _ = writeln!(std::io::stderr(), "not tested: {why}");
}

/// A tmpfs, or a note that there can be none here.
fn tmpfs(path: &Path, kib: u64) -> Option<Mount> {
    match Mount::tmpfs(path, kib) {
        Ok(mount) => Some(mount),
        Err(error) => {
            not_tested(&format!("{error:#}"));
            None
        }
    }
}

/// By the system's words or by the tool's own.
fn assert_says_full(outcome: &Outcome) {
    let said = ["space", "room"].iter().any(|word| outcome.stderr.contains(word));
    assert!(said, "it does not say that there is no room\n{outcome}");
}

#[test]
fn a_full_disk_is_told_and_nothing_is_half_done() {
    let parts = Parts::start("fault_full");
    parts.fatten();
    let archive = parts.archive();
    let size = fs::metadata(&archive).expect("there").len() >> 10;
    let before = parts.content();
    for (number, kib) in [64, size / 2, size - 8].into_iter().enumerate() {
        let folder = parts.path(&format!("small-{number}"));
        let Some(_mount) = tmpfs(&folder, kib) else { return };
        let outcome = parts.backup(&["--to", &format!("small-{number}")]);
        assert!(matches!(outcome.code, Some(2 | 3)), "{kib} KiB\n{outcome}");
        assert_says_full(&outcome);
        outcome.assert_stderr_has(&format!("small-{number}"));
        let left: Vec<String> = walk(&folder).into_iter().filter(|path| !path.ends_with(".pso-backup.lock")).collect();
        assert_eq!(left, [""; 0], "{kib} KiB");
        parts.assert_no_trace(&parts.daily());
    }
    let path = archive.to_str().expect("UTF-8");
    parts.damage();
    let damaged = parts.content();
    // Where snapshots of what is there are kept, and where new plans wait.
    for (place, kib) in [(".pso-restore", 100), ("roadmaps", 256)] {
        let held = if place == "roadmaps" { fs::rename(parts.path(place), parts.path("held")).is_ok() } else { false };
        let Some(mount) = tmpfs(&parts.path(place), kib) else { return };
        let now = if held { parts.content() } else { damaged.clone() };
        let outcome = parts.restore(&[path, "--yes"]);
        assert!(matches!(outcome.code, Some(2 | 3)), "{place}\n{outcome}");
        assert_says_full(&outcome);
        now.assert_same(&parts.content());
        parts.assert_no_trace_of_restore();
        drop(mount);
        if held {
            fs::remove_dir_all(parts.path(place))
                .and_then(|()| fs::rename(parts.path("held"), parts.path(place)))
                .expect("back");
        }
    }
    parts.restore(&[path, "--yes"]).assert_code(0);
    before.assert_same(&parts.content());
}

#[test]
fn a_full_tablespace_costs_nothing() {
    let pg = TempPg::start_new().expect("PostgreSQL");
    pg.admin("postgres").expect("connected").batch_execute("ALTER ROLE sync_user CREATEDB").expect("granted");
    let parts = Parts::on(&pg, "planning_sync", Spec::small(time::OffsetDateTime::now_utc()));
    parts.fatten();
    parts.backup(&["--only", "postgres"]).assert_code(0);
    let place = pg.data_folder().with_file_name("small");
    let Some(_mount) = tmpfs(&place, 200 << 10) else { return };
    chown(&place, pg.runs_as(), None).expect("given away");
    let mut admin = pg.admin("postgres").expect("connected");
    let create = format!("CREATE TABLESPACE small LOCATION '{}'", place.display());
    admin.batch_execute(&create).expect("created");
    admin.batch_execute("GRANT CREATE ON TABLESPACE small TO sync_user").expect("granted");
    admin.batch_execute("ALTER DATABASE planning_sync SET TABLESPACE small").expect("moved");
    let used: u64 = admin
        .query_one("SELECT pg_tablespace_size('small')", &[])
        .map(|row| row.get::<_, i64>(0))
        .expect("a size")
        .unsigned_abs();
    // Room for a new database, and not for its rows.
    _mount.resize((used * 3 / 2) >> 10).expect("resized");
    let before = parts.content();
    let outcome = parts.restore(&["latest", "--yes"]);
    assert!(matches!(outcome.code, Some(2 | 3)), "{outcome}");
    assert_says_full(&outcome);
    before.assert_same(&parts.content());
    let databases = "SELECT count(*) FROM pg_database WHERE datname LIKE 'planning_sync%'";
    assert_eq!(parts.database.scalar(databases).expect("a count"), "1");
}

#[test]
fn what_may_not_be_written_or_read_is_told() {
    let parts = Parts::start("fault_rights");
    let archive = parts.archive();
    let before = parts.content();
    if let Some(mount) = tmpfs(&parts.path("fixed"), 1024) {
        mount.read_only().expect("read-only");
        parts.backup(&["--to", "fixed"]).assert_code(3).assert_stderr_has("fixed");
        assert_eq!(walk(&parts.path("fixed")), [""; 0]);
        // The plans are gone, and where they were nothing can be written.
        let plans = parts.path("roadmaps/plans");
        fs::rename(&plans, parts.path("held")).expect("moved");
        let mount = Mount::tmpfs(&plans, 1024).expect("mounted");
        mount.read_only().expect("read-only");
        let outcome = parts.restore(&[archive.to_str().expect("UTF-8"), "--yes"]);
        assert!(matches!(outcome.code, Some(2 | 3)), "{outcome}");
        outcome.assert_stderr_has("roadmaps/plans");
        drop(mount);
        fs::remove_dir(&plans).and_then(|()| fs::rename(parts.path("held"), &plans)).expect("back");
        before.assert_same(&parts.content());
        parts.assert_no_trace_of_restore();
    }
    // A table that the role may not read any more.
    let archives = parts.daily();
    parts.database.execute_as_admin("CREATE TABLE theirs (id int); REVOKE ALL ON theirs FROM PUBLIC").expect("created");
    let outcome = parts.backup(&[]);
    assert!(matches!(outcome.code, Some(2 | 3)), "{outcome}");
    outcome.assert_stderr_has("theirs").assert_stderr_has("permission denied");
    parts.assert_no_trace(&archives);
    parts.database.execute_as_admin("DROP TABLE theirs").expect("dropped");
    as_nobody(&parts, &archives);
}

/// Root may read everything, so somebody else has to try.
fn as_nobody(parts: &Parts, archives: &[String]) {
    let root = parts.folder.path();
    let binary = parts.path("pso-backup");
    fs::copy(built_binary("pso-backup").expect("built"), &binary).expect("copied");
    let plan = walk(&parts.path("roadmaps/plans")).pop().expect("a plan");
    for path in walkdir(root) {
        if chown(&path, Some(NOBODY), Some(NOBODY)).is_err() {
            not_tested("nothing can be given away here");
            return;
        }
    }
    let secret = Path::new(&plan);
    chown(secret, Some(0), Some(0)).expect("taken back");
    fs::set_permissions(secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("closed");
    let id = NOBODY.to_string();
    let run = |args: &[&str]| -> Outcome {
        let tool = Tool::program("/usr/bin/setpriv").args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
        tool.arg(&binary).args(args).folder(root).run().expect("ends")
    };
    let outcome = run(&[]);
    assert!(matches!(outcome.code, Some(2 | 3)), "{outcome}");
    let name = secret.file_name().expect("a name").to_string_lossy().into_owned();
    outcome.assert_stderr_has(&name).assert_stderr_has("ermission denied");
    parts.assert_no_trace(archives);
    chown(secret, Some(NOBODY), None).expect("given away");
    assert_eq!(run(&[]).code, Some(0), "with that file it is a backup");
}

fn walkdir(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() { found.extend(walkdir(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}
