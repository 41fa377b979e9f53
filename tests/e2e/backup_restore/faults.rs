//! Everything that may fail, at the beginning, in the middle and at the end: exit code, message, and nothing half done.

use std::fs;
use std::time::Duration;

use pso_tests::deployment::Spec;
use pso_tests::pg::TempPg;
use pso_tests::proxy::{Direction, Mode, TcpProxy};
use pso_tests::tool::{Outcome, Running, Tool};
use pso_tests::wait;

use crate::parts::{LIMIT, Parts, checked};

fn spec() -> Spec {
    Spec::small(time::OffsetDateTime::now_utc())
}

/// The bytes that an undisturbed run gets from a server.
fn usual(parts: &Parts, proxy: &TcpProxy, tool: &str, args: &[&str], direction: Direction) -> u64 {
    let before = proxy.passed(direction);
    checked(parts.tool(tool, args).envs(parts.through(proxy))).assert_code(0);
    proxy.passed(direction) - before
}

/// Starts a tool behind a line of a few MB a second, and returns once so many bytes have passed: not when all have.
fn midway(proxy: &TcpProxy, direction: Direction, bytes: u64, tool: Tool) -> Running {
    proxy.set(Mode::Trickle { bytes: 8 << 10, every: Duration::from_millis(3) }).expect("set");
    let seen = proxy.passed(direction);
    let mut running = tool.spawn().expect("started");
    let passed = wait::until("bytes to pass, or the tool to end", LIMIT, || {
        let passed = proxy.passed(direction) >= seen + bytes;
        (passed || !running.is_running().expect("a state")).then_some(passed)
    });
    match passed {
        Ok(true) => running,
        Ok(false) => panic!("it ended too early: {}", running.finish().expect("ended")),
        Err(error) => panic!("{} bytes have passed: {error:#}", proxy.passed(direction) - seen),
    }
}

#[test]
fn a_backup_whose_connections_are_cut_publishes_nothing() {
    let parts = Parts::start("fault_cut");
    parts.fatten();
    let proxy = TcpProxy::start(parts.database.port()).expect("a proxy");
    let all = usual(&parts, &proxy, "pso-backup", &["--only", "postgres"], Direction::ToClient);
    let before = parts.daily();
    for (bytes, code) in [(1, 3), (all / 2, 2), (all * 97 / 100, 2)] {
        proxy.set(Mode::CutAfter { direction: Direction::ToClient, bytes }).expect("set");
        let outcome = checked(parts.tool("pso-backup", &[]).envs(parts.through(&proxy)));
        outcome.assert_code(code).assert_stderr_has(if code == 3 { "PostgreSQL" } else { "pg_dump" });
        parts.assert_no_trace(&before);
    }
    let proxy = TcpProxy::start(parts.qdrant.port()).expect("a proxy");
    let url = proxy.url();
    let made = parts.backup(&["--only", "qdrant", "--qdrant-url", &url]);
    let size = made.record("backup.component", "qdrant")["size_bytes"].as_u64().expect("a size");
    let before = parts.daily();
    // The two snapshots are of about one size.
    for (bytes, code) in [(1, 3), (size / 4, 2), (size * 45 / 100, 2)] {
        proxy.set(Mode::CutAfter { direction: Direction::ToClient, bytes }).expect("set");
        let outcome = parts.backup(&["--qdrant-url", &url]);
        outcome.assert_code(code).assert_stderr_has(if code == 3 { "Qdrant" } else { "collection" });
        proxy.set(Mode::Pass).expect("set");
        // What could not be deleted while nothing passed, the next run deletes.
        parts.backup(&["--only", "qdrant", "--qdrant-url", &url, "--to", "elsewhere"]);
        fs::remove_dir_all(parts.path("elsewhere")).expect("removed");
        assert_eq!(zips(&parts.daily()), zips(&before));
    }
}

fn zips(names: &[String]) -> Vec<String> {
    names.iter().filter(|name| name.contains(".zip")).cloned().collect()
}

/// Everything is as it was: at once, or, where the server was still away while it was undone, by `rollback`.
fn undone(parts: &Parts, outcome: &Outcome, rollback: Tool) {
    outcome.assert_code(2);
    if !outcome.stderr.contains("everything is as it was before") {
        outcome.assert_stderr_has("not everything could be undone").assert_stderr_has("--rollback");
        checked(rollback).assert_code(0);
    }
    parts.assert_no_trace_of_restore();
}

#[test]
fn a_restore_whose_connections_are_cut_changes_nothing() {
    let parts = Parts::start("fault_cut_restore");
    parts.fatten();
    parts.archive();
    let proxy = TcpProxy::start(parts.database.port()).expect("a proxy");
    let args = ["latest", "--yes"];
    let all = usual(&parts, &proxy, "pso-restore", &args, Direction::ToServer);
    parts.restore(&["--drop-previous", "--yes"]).assert_code(0);
    parts.damage();
    parts.database.execute("TRUNCATE fat").expect("damaged");
    let damaged = parts.content();
    for (bytes, code) in [(1, 3), (all / 2, 2), (all * 97 / 100, 2)] {
        proxy.set(Mode::CutAfter { direction: Direction::ToServer, bytes }).expect("set");
        let outcome = checked(parts.tool("pso-restore", &args).envs(parts.through(&proxy)));
        outcome.assert_code(code);
        if code == 2 {
            proxy.set(Mode::Pass).expect("set");
            undone(&parts, &outcome, parts.tool("pso-restore", &["--rollback", "--yes"]).envs(parts.through(&proxy)));
        }
        damaged.assert_same(&parts.content());
    }
    // Qdrant goes away for a moment while a snapshot is uploaded, and what was done is undone.
    let proxy = TcpProxy::start(parts.qdrant.port()).expect("a proxy");
    let url = proxy.url();
    let tool = || parts.tool("pso-restore", &["latest", "--yes", "--only", "qdrant,plans", "--qdrant-url", &url]);
    for bytes in [30_000, 150_000] {
        let running = midway(&proxy, Direction::ToServer, bytes, tool());
        proxy.set(Mode::Drop).expect("set");
        proxy.set(Mode::Pass).expect("set");
        let outcome = running.finish().expect("ends");
        undone(&parts, &outcome, parts.tool("pso-restore", &["--rollback", "--yes", "--qdrant-url", &url]));
        damaged.assert_same(&parts.content());
    }
}

#[test]
fn servers_that_are_killed_leave_the_old_or_the_new() {
    let mut pg = TempPg::start_new().expect("PostgreSQL");
    let mut parts = Parts::on(&pg, "planning_sync", spec());
    parts.fatten();
    parts.archive();
    let slow = Mode::Trickle { bytes: 512, every: Duration::from_millis(20) };
    let proxy = TcpProxy::start(parts.database.port()).expect("a proxy");
    let whole = parts.content();
    let archives = parts.daily();
    let running =
        midway(&proxy, Direction::ToClient, 500_000, parts.tool("pso-backup", &[]).envs(parts.through(&proxy)));
    proxy.set(slow).expect("set");
    pg.kill().expect("killed");
    running.finish().expect("ends").assert_code(2).assert_stderr_has("no archive was published");
    assert_eq!(parts.daily(), archives);
    pg.start().expect("started again");
    parts.database.execute("DELETE FROM conflicts; TRUNCATE fat").expect("damaged");
    let damaged = parts.content();
    let restore = parts.tool("pso-restore", &["latest", "--yes"]).envs(parts.through(&proxy));
    let running = midway(&proxy, Direction::ToServer, 500_000, restore);
    proxy.set(slow).expect("set");
    pg.kill().expect("killed");
    running.finish().expect("ends").assert_code(2);
    pg.start().expect("started again");
    damaged.assert_same(&parts.content());
    parts.restore(&["latest", "--yes"]).assert_code(0);
    whole.assert_same(&parts.content());

    let proxy = TcpProxy::start(parts.qdrant.port()).expect("a proxy");
    let url = proxy.url();
    let archives = parts.daily();
    let running = midway(&proxy, Direction::ToClient, 60_000, parts.tool("pso-backup", &["--qdrant-url", &url]));
    proxy.set(slow).expect("set");
    parts.qdrant.kill().expect("killed");
    running.finish().expect("ends").assert_code(2).assert_stderr_has("collection");
    assert_eq!(zips(&parts.daily()), zips(&archives));
    parts.qdrant.restart().expect("started again");
    proxy.set(Mode::Pass).expect("set");
    parts.backup(&["--qdrant-url", &url]).assert_code(0);
    parts.assert_no_trace(&parts.daily());
    whole.assert_same(&parts.content());
}

#[test]
fn a_password_that_changes_in_between_is_told() {
    let pg = TempPg::start_new().expect("PostgreSQL");
    let parts = Parts::on(&pg, "planning_sync", spec());
    let archives = parts.daily();
    let mut session = parts.database.connect().expect("connected");
    session.batch_execute("BEGIN; LOCK TABLE plans IN ACCESS EXCLUSIVE MODE").expect("locked");
    let running = parts.tool("pso-backup", &[]).spawn().expect("started");
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pso-backup' AND wait_event_type = 'Lock'";
    wait::until("the backup to count", LIMIT, || {
        (parts.database.scalar(waiting).expect("sessions") != "0").then_some(())
    })
    .expect("it counts");
    let mut admin = pg.admin("postgres").expect("connected");
    admin.batch_execute("ALTER ROLE sync_user PASSWORD 'an0therSecret4711'").expect("changed");
    session.batch_execute("ROLLBACK").expect("unlocked");
    let outcome = running.finish().expect("ends");
    outcome.assert_code(2).assert_stderr_has("password authentication failed").assert_stderr_has("pg_dump");
    outcome.assert_no_secret(&[parts.database.password(), "an0therSecret4711"]);
    assert_eq!(parts.daily(), archives);
    // From the beginning, nothing is attempted.
    parts.backup(&[]).assert_code(3).assert_stderr_has("password");
    parts.restore(&["latest", "--yes"]).assert_code(3);
}

#[test]
fn servers_that_refuse_hang_or_are_slow() {
    let short = spec()
        .with_maintenance("postgres: {connect_timeout: 1s}")
        .with_maintenance("qdrant: {connect_timeout: 1s, timeout: 1s, snapshot_timeout: 5s}");
    let parts = Parts::on(TempPg::shared().expect("PostgreSQL"), "fault_hang", short);
    parts.fatten();
    parts.archive();
    let content = parts.content();
    let archives = parts.daily();
    let postgres = TcpProxy::start(parts.database.port()).expect("a proxy");
    let qdrant = TcpProxy::start(parts.qdrant.port()).expect("a proxy");
    let url = qdrant.url();
    let run = |name: &str, args: &[&str]| {
        let tool = parts.tool(name, args).arg("--qdrant-url").arg(&url).envs(parts.through(&postgres));
        tool.limit(Duration::from_secs(30)).run().expect("ends in time")
    };
    for mode in [Mode::Refuse, Mode::Drop, Mode::BlackHole] {
        for (proxy, named) in [(&postgres, "PostgreSQL"), (&qdrant, "Qdrant")] {
            proxy.set(mode).expect("set");
            for (name, args) in [("pso-backup", &[][..]), ("pso-restore", &["latest", "--yes"])] {
                run(name, args).assert_code(3).assert_stderr_has(named);
            }
            proxy.set(Mode::Pass).expect("set");
        }
    }
    parts.assert_no_trace(&archives);
    content.assert_same(&parts.content());
    // Slow is not broken.
    postgres.set(Mode::Trickle { bytes: 8192, every: Duration::from_millis(1) }).expect("set");
    qdrant.set(Mode::Trickle { bytes: 8192, every: Duration::from_millis(1) }).expect("set");
    run("pso-backup", &[]).assert_code(0);
    run("pso-restore", &["latest", "--yes"]).assert_code(0);
    content.assert_same(&parts.content());
}

#[test]
fn a_server_that_hangs_in_the_middle_does_not_hold_the_backup() {
    let short =
        spec().with_maintenance("postgres: {connect_timeout: 1s}").with_maintenance("backup: {stall_timeout: 5s}");
    let parts = Parts::on(TempPg::shared().expect("PostgreSQL"), "fault_stall", short);
    parts.fatten();
    parts.archive();
    let archives = parts.daily();
    let proxy = TcpProxy::start(parts.database.port()).expect("a proxy");
    let backup = parts.tool("pso-backup", &[]).envs(parts.through(&proxy)).limit(Duration::from_secs(30));
    let running = midway(&proxy, Direction::ToClient, 500_000, backup);
    proxy.set(Mode::BlackHole).expect("set");
    running.finish().expect("ends in time").assert_code(2).assert_stderr_has("pg_dump");
    proxy.set(Mode::Drop).expect("set");
    parts.assert_no_trace(&archives);
}
