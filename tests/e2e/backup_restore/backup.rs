//! Backups that begin, break off, meet one another and are stopped: an archive, or nothing.

use std::fs;
use std::time::Duration;

use pso_tests::proxy::{Direction, Mode, TcpProxy};
use pso_tests::wait;

use crate::parts::{LIMIT, Parts, checked};

#[test]
fn a_backup_that_cannot_begin_says_why_and_leaves_nothing() {
    let parts = Parts::start("br_begin");
    let before = parts.daily();
    let outcome = checked(parts.tool("pso-backup", &[]).env("PGPASSWORD", "wr0ngsecret4711"));
    outcome.assert_code(3).assert_stderr_has("check the password").assert_no_secret(&["wr0ngsecret4711"]);
    assert_eq!(parts.last_log()["status"], "failed");
    let closed = pso_tests::pg::free_port().expect("a port").to_string();
    checked(parts.tool("pso-backup", &["--pg-port", &closed])).assert_code(3).assert_stderr_has("connection refused");
    let elsewhere = checked(parts.tool("pso-backup", &["--pg-port", &closed, "--to", "elsewhere"]));
    elsewhere.assert_code(3);
    assert!(!parts.path("elsewhere").exists(), "not even a folder");
    let url = format!("http://127.0.0.1:{closed}");
    checked(parts.tool("pso-backup", &["--qdrant-url", &url])).assert_code(3).assert_stderr_has("connect to Qdrant");
    let plans = parts.path("roadmaps/plans");
    fs::rename(&plans, parts.path("roadmaps/away")).expect("renamed");
    parts.backup(&[]).assert_code(3).assert_stderr_has("does not exist").assert_stderr_has("--only");
    parts.backup(&["verify", "nothing.zip"]).assert_code(3).assert_stderr_has("there is no archive nothing.zip");
    parts.backup(&["verify"]).assert_code(3).assert_stderr_has("there is no archive in");
    parts.restore(&["latest", "--yes"]).assert_code(3).assert_stderr_has("there is no archive in");
    parts.assert_no_trace(&before);
}

#[test]
fn a_backup_that_breaks_off_leaves_nothing() {
    let parts = Parts::start("br_break");
    parts.fatten();
    let before = parts.daily();
    let postgres = TcpProxy::start(parts.database.port()).expect("a proxy");
    // The dump is the only connection through which so much comes.
    postgres.set(Mode::CutAfter { direction: Direction::ToClient, bytes: 2_000_000 }).expect("set");
    let outcome = checked(parts.tool("pso-backup", &[]).envs(parts.through(&postgres)));
    outcome.assert_code(2).assert_stderr_has("no archive was published").assert_stderr_has("pg_dump failed");
    assert_eq!(parts.last_log()["status"], "failed");
    parts.assert_no_trace(&before);

    let qdrant = TcpProxy::start(parts.qdrant.port()).expect("a proxy");
    qdrant.set(Mode::CutAfter { direction: Direction::ToClient, bytes: 60_000 }).expect("set");
    let outcome = parts.backup(&["--qdrant-url", &qdrant.url()]);
    outcome.assert_code(2).assert_stderr_has("no archive was published").assert_stderr_has("collection plans");
    parts.assert_no_trace(&before);
    // A byte that is changed on the way.
    qdrant.set(Mode::Corrupt { direction: Direction::ToClient, offset: 60_000 }).expect("set");
    let outcome = parts.backup(&["--qdrant-url", &qdrant.url()]);
    outcome.assert_code(2).assert_stderr_has("changed on its way");
    parts.assert_no_trace(&before);
    qdrant.set(Mode::Pass).expect("set");
    parts.backup(&["--qdrant-url", &qdrant.url()]).assert_code(0);
}

#[test]
fn two_backups_and_signals() {
    let parts = Parts::start("br_signal");
    parts.fatten();
    let before = parts.daily();
    let slow = TcpProxy::start(parts.database.port()).expect("a proxy");
    let start = || {
        slow.set(Mode::Pass).expect("set");
        let running = parts.tool("pso-backup", &[]).envs(parts.through(&slow)).spawn().expect("started");
        let seen = slow.passed(Direction::ToClient);
        wait::until("the dump to begin", LIMIT, || (slow.passed(Direction::ToClient) > seen + 200_000).then_some(()))
            .expect("the dump has begun");
        slow.set(Mode::Trickle { bytes: 512, every: Duration::from_millis(20) }).expect("set");
        assert!(parts.daily().iter().any(|name| name.contains(".zip.partial-")), "{:?}", parts.daily());
        running
    };
    let mut first = start();
    let outcome = parts.backup(&[]);
    outcome.assert_code(3).assert_stderr_has("already running").assert_stderr_has(&format!("process {}", first.id()));
    first.signal("TERM").expect("sent");
    let outcome = first.finish().expect("ends");
    outcome.assert_code(2).assert_stderr_has("SIGTERM").assert_stderr_has("no archive was published");
    slow.set(Mode::Drop).expect("set");
    parts.assert_no_trace(&before);
    // SIGKILL leaves what the next run removes.
    let mut killed = start();
    killed.signal("KILL").expect("sent");
    assert_eq!(killed.finish().expect("ends").signal, Some(9));
    slow.set(Mode::Drop).expect("set");
    assert_eq!(parts.daily().len(), before.len() + 1);
    parts.backup(&["list"]).assert_code(0);
    parts.backup(&[]).assert_code(0);
    assert_eq!(parts.daily().len(), before.len() + 3, "the archive, its hash and its status: {:?}", parts.daily());
    let mut last = start();
    let outcome = parts.restore(&["latest", "--yes", "--only", "plans"]);
    outcome.assert_code(3).assert_stderr_has("a backup into").assert_stderr_has(&format!("process {}", last.id()));
    last.signal("TERM").expect("sent");
    last.finish().expect("ends").assert_code(2);
}

#[test]
fn a_snapshot_that_nobody_waits_for_is_deleted_by_the_next_run() {
    let parts = Parts::start("br_pending");
    let pending = parts.path("backups/daily/.pso-backup.pending");
    let slow = TcpProxy::start(parts.qdrant.port()).expect("a proxy");
    let url = slow.url();
    let args = ["--only", "qdrant", "--qdrant-url", &url];
    for signal in ["TERM", "KILL"] {
        slow.set(Mode::Delay(Duration::from_millis(200))).expect("set");
        let mut running = parts.tool("pso-backup", &args).spawn().expect("started");
        wait::until("a snapshot to be asked for", LIMIT, || {
            fs::read_to_string(&pending).ok().filter(|text| text.contains("before"))
        })
        .expect("asked for");
        // The server hears of it, and its answer does not come.
        let client = parts.qdrant.client();
        let made = || client.snapshots("plans").expect("snapshots").into_iter().next();
        wait::until("the server to make it", LIMIT, made).expect("made");
        let sent = std::time::Instant::now();
        running.signal(signal).expect("sent");
        let outcome = running.finish().expect("ends");
        assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());
        if signal == "TERM" {
            outcome.assert_code(2).assert_stderr_has("SIGTERM");
        }
        if made().is_some() {
            assert!(pending.exists(), "{outcome}");
        }
        slow.set(Mode::Pass).expect("set");
        parts.backup(&args).assert_code(0);
        parts.assert_no_trace(&parts.daily());
        assert!(!pending.exists());
    }
}
