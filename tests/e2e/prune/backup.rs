//! Without a recent backup that was verified nothing is deleted.

use std::fs;
use std::time::Duration;

use pso_tests::tool::Outcome;

use crate::parts::{Parts, checked, flip};

const ARGS: [&str; 3] = ["logs", "rows", "--yes"];

/// Something to delete, and what becomes of it.
fn prune(parts: &Parts, args: &[&str]) -> Outcome {
    let log = parts.path("logs/ancient.log");
    fs::write(&log, "x").expect("written");
    let file = fs::File::options().write(true).open(&log).expect("opened");
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(90 * 86_400)).expect("dated");
    drop(file);
    let outcome = checked(parts.tool("pso-prune", args));
    assert_eq!(log.exists(), outcome.code == Some(3), "{outcome}");
    outcome
}

#[test]
fn a_recent_verified_backup_of_the_database_is_wanted() {
    let parts = Parts::start("prune_backup");
    let refused = |outcome: Outcome, said: &str| {
        outcome.assert_code(3).assert_stderr_has("nothing was changed").assert_stderr_has(said);
        outcome.assert_stderr_has("--without-backup");
    };
    refused(prune(&parts, &ARGS), "there is no backup in");
    checked(parts.tool("pso-prune", &["logs", "--dry-run"])).assert_code(0);
    checked(parts.tool("pso-prune", &["logs", "--yes", "--without-backup"])).assert_code(0);
    // An archive of files is enough for logs, and not for rows.
    let files = parts.backup(&["--only", "config"]);
    files.assert_code(0);
    refused(prune(&parts, &ARGS), "does not hold the database");
    prune(&parts, &["logs", "--yes"]).assert_code(0);
    let archive = parts.archive();
    prune(&parts, &ARGS).assert_code(0);
    parts.configure("prune: {require_backup_within: 1ms}");
    refused(prune(&parts, &ARGS), "it was taken at");
    parts.reconfigure("require_backup_within: 1ms", "require_backup_within: 7d");
    // Damage that somebody has found.
    let length = fs::metadata(&archive).expect("there").len();
    flip(&archive, length / 2);
    let verified = parts.backup(&["verify", "latest"]);
    assert_ne!(verified.code, Some(0), "{verified}");
    refused(prune(&parts, &ARGS), "not verified");
    // Nothing was noted of it, as by a version that noted nothing.
    flip(&archive, length / 2);
    prune(&parts, &["logs", "rows", "--yes", "--without-backup"]).assert_code(0);
    fs::remove_file(archive.with_extension("zip.json")).expect("removed");
    refused(prune(&parts, &ARGS), "`pso-backup verify latest`");
    parts.backup(&["verify", "latest"]).assert_code(0);
    prune(&parts, &ARGS).assert_code(0);
}

#[test]
fn another_servers_backup_does_not_count() {
    let parts = Parts::start("prune_backup_other");
    parts.database.execute_as_admin("GRANT EXECUTE ON FUNCTION pg_control_system() TO sync_user").expect("granted");
    let archive = parts.archive();
    prune(&parts, &ARGS).assert_code(0);
    // Another server with the same tables.
    let (_pg, other) = crate::parts::on_own_server("prune_backup_own");
    other.database.execute_as_admin("GRANT EXECUTE ON FUNCTION pg_control_system() TO sync_user").expect("granted");
    fs::create_dir_all(other.path("backups/daily")).expect("created");
    for name in ["zip", "zip.json", "zip.sha256"] {
        let from = archive.with_extension(name);
        let to = other.path("backups/daily").join(from.file_name().expect("a name"));
        fs::copy(&from, to).expect("copied");
    }
    let outcome = checked(other.tool("pso-prune", &ARGS).envs(other.database.env()));
    outcome.assert_code(3).assert_stderr_has("comes from another server");
}
