//! Servers of other versions than the installed one, where PostgreSQL's user cannot reach them, and standbys.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pso_tests::pg::{TempPg, newest, programs_of, versions};
use pso_tests::wait;

#[test]
fn each_version_is_what_it_says_and_counts_statements() {
    let versions = versions().unwrap();
    assert!(versions.contains(&newest().unwrap()), "{versions:?}");
    for major in versions {
        let database = TempPg::shared_of(major).unwrap().database("version").unwrap();
        let number: u32 = database.scalar("SHOW server_version_num").unwrap().parse().unwrap();
        assert_eq!(number / 10_000, major);
        database.enable_statements().unwrap();
        database.rows("SELECT 'counted' AS witness").unwrap();
        let counted = "SELECT sum(calls) FROM pg_stat_statements WHERE query LIKE '%AS witness%'";
        assert_eq!(database.scalar(counted).unwrap(), "1", "{major}");
    }
}

#[test]
fn a_version_that_nobody_has_is_an_error() {
    let error = TempPg::of_version(7).unwrap_err();
    assert!(format!("{error:#}").contains("PostgreSQL 7 is not installed"), "{error:#}");
}

#[test]
fn statements_can_be_left_out() {
    let server = TempPg::builder().without_statements().start().unwrap();
    let loaded = server.admin("postgres").unwrap().query_one("SHOW shared_preload_libraries", &[]).unwrap();
    assert_eq!(loaded.get::<_, &str>(0), "");
}

#[test]
fn programs_that_cannot_be_reached_are_copied() {
    let closed = tempfile::tempdir().unwrap();
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let programs = programs_of(newest().unwrap()).unwrap();
    let copied = Command::new("cp").arg("-a").arg(programs.parent().unwrap()).arg(closed.path().join("pg")).status();
    assert!(copied.unwrap().success());
    let server = TempPg::builder().programs(closed.path().join("pg/bin")).start().unwrap();
    let database = server.database("copied").unwrap();
    database.enable_statements().unwrap();
    // An ordinary user runs what is its own.
    let moved = !server.programs().starts_with(closed.path());
    assert_eq!(moved, server.runs_as().is_some(), "{}", server.programs().display());
    let folder = server.socket_folder().to_owned();
    drop((database, server));
    assert!(!Path::new(&folder).exists(), "the copy is still there");
}

#[test]
fn a_standby_follows_a_running_server() {
    for major in versions().unwrap() {
        let primary = TempPg::of_version(major).unwrap();
        let database = primary.database("followed").unwrap();
        database.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n").unwrap();
        let mut standby = primary.standby_with(&[("hot_standby_feedback", "on")]).unwrap();
        let replica = standby.replica_of(&database);
        let counted =
            |expected: &str| assert_eq!(replica.scalar("SELECT count(*) FROM t").unwrap(), expected, "{major}");
        standby.catch_up(&primary).unwrap();
        counted("1000");
        assert_eq!(replica.scalar("SELECT pg_is_in_recovery()").unwrap(), "t");
        assert!(replica.execute("INSERT INTO t VALUES (0)").is_err(), "a standby is read-only");
        let connected = "SELECT state || ' ' || application_name FROM pg_stat_replication";
        let mut admin = primary.admin("postgres").unwrap();
        let state = wait::until("the standby to stream", Duration::from_secs(20), || {
            let row = admin.query_opt(connected, &[]).ok()??;
            Some(row.get::<_, String>(0)).filter(|state| state.starts_with("streaming"))
        });
        assert_eq!(state.unwrap(), "streaming standby");

        standby.stop().unwrap();
        database.execute("INSERT INTO t VALUES (0)").unwrap();
        standby.start().unwrap();
        standby.catch_up(&primary).unwrap();
        counted("1001");
        drop(standby);
        assert_eq!(database.scalar("SELECT count(*) FROM t").unwrap(), "1001", "the primary was not touched");
    }
}
