//! pso-health and PostgreSQL: each way of not being let in, standbys and their primary, and leaving in good order.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pso_tests::dead_port::DeadPort;
use pso_tests::pg::{Database, TempPg};
use pso_tests::proxy::{Direction, Mode, TcpProxy};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

fn tool(database: &Database) -> Tool {
    let tool = Tool::new("pso-health").expect("built").args(["--only", "postgres"]).envs(database.env());
    tool.env("PSO_HEALTH_TIMEOUT", "3s")
}

fn run(database: &Database) -> Outcome {
    tool(database).run().expect("ends")
}

fn message(record: &Value) -> &str {
    record["message"].as_str().expect("a message")
}

/// That it is one critical record of that layer, with that in its message.
fn assert_down(outcome: &Outcome, layer: &str, said: &str) {
    outcome.assert_code(2).assert_quiet();
    let checks = outcome.records_of_kind("health.check");
    assert_eq!(checks.len(), 1, "{outcome}");
    let postgres = outcome.record("health.check", "postgres");
    assert_eq!((&postgres["severity"], &postgres["layer"]), (&json!("critical"), &json!(layer)), "{outcome}");
    assert!(message(&postgres).contains(said), "{outcome}");
}

#[test]
fn every_way_of_not_being_let_in_has_its_layer() {
    let server = TempPg::with_settings(&[("max_connections", "8"), ("superuser_reserved_connections", "2")])
        .expect("PostgreSQL");
    let database = server.database("health_login").expect("a database");
    let with = |name: &str, value: &str| tool(&database).env(name, value).run().expect("ends");
    let wrong = with("PGPASSWORD", "correct-horse-battery");
    wrong.assert_no_secret(&["correct-horse-battery", database.password()]);
    assert_down(&wrong, "login", "PGPASSWORD");
    assert_down(&with("PGDATABASE", "nowhere"), "login", "nowhere");
    assert_down(&with("PGHOST", &format!("{}.invalid", "x".repeat(64))), "resolve", "does not resolve");
    assert_down(&with("PGHOST", "/no/such/folder"), "connect", "/no/such/folder");
    let dead = DeadPort::start().expect("a dead port");
    assert_down(&with("PGPORT", &dead.port().to_string()), "connect", "no connection within");
    assert_down(&with("PGSSLMODE", "require"), "tls", "TLS");

    let proxy = TcpProxy::start(database.port()).expect("a port");
    for (mode, layer, said) in [
        (Mode::Refuse, "connect", "connection refused"),
        (Mode::BlackHole, "read", "no answer within"),
        (Mode::Drop, "read", ""),
        // Let in, and then the connection breaks in the middle of an answer.
        (Mode::CutAfter { direction: Direction::ToClient, bytes: 700 }, "read", ""),
    ] {
        proxy.set(mode).expect("in force");
        let outcome = with("PGPORT", &proxy.port().to_string());
        outcome.assert_no_secret(&[database.password()]);
        assert_down(&outcome, layer, said);
    }

    // All connections are in use.
    let mut held = Vec::new();
    while let Ok(client) = database.connect() {
        held.push(client);
    }
    assert!(held.len() >= 3, "{}", held.len());
    assert_down(&run(&database), "login", "connections");
    drop(held);
    wait::until("a free connection", LIMIT, || (run(&database).code == Some(0)).then_some(())).expect("free");
}

#[test]
fn a_server_that_hangs_in_the_middle_is_left_in_time() {
    let server = TempPg::shared().expect("PostgreSQL");
    let database = server.database("health_hang").expect("a database");
    let proxy = TcpProxy::start(database.port()).expect("a port");
    // Each piece so late that the question is asked, and its answer does not come in time.
    proxy.set(Mode::Delay(Duration::from_millis(700))).expect("in force");
    let tool = tool(&database).args(["--timeout", "1s"]).env("PGPORT", proxy.port().to_string());
    let outcome = tool.run().expect("ends");
    outcome.assert_code(2).assert_no_secret(&[database.password()]);
    assert_eq!(outcome.record("health.check", "postgres")["severity"], "critical", "{outcome}");
}

#[test]
fn a_server_that_is_well_is_fast_and_left_in_good_order() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("health_well").expect("a database");
    let outcome = run(&database);
    outcome.assert_code(0).assert_quiet();
    let latency = outcome.record("health.metric", "postgres_latency");
    assert_eq!((&latency["unit"], &latency["limit"]), (&json!("ms"), &json!(1000.0)), "{latency:#}");
    assert!(latency["value"].as_f64().is_some_and(|ms| ms > 0.0 && ms < 1000.0), "{latency:#}");
    let name = database.name();
    let counted = |what: &str| {
        let sql = format!("SELECT {what} FROM pg_stat_database WHERE datname = '{name}'");
        database.scalar(&sql).expect("asked").parse::<i64>().expect("a number")
    };
    wait::until("the session to be counted", LIMIT, || (counted("sessions") > 0).then_some(())).expect("counted");
    assert_eq!(counted("sessions_abandoned + sessions_killed + sessions_fatal"), 0);
}

/// Whether a running server shuts down while somebody is still there: it takes nobody in any more.
#[test]
fn a_server_that_shuts_down_says_so() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("health_leaving").expect("a database");
    let held = database.connect().expect("connected");
    // SIGTERM is the smart shutdown, which waits for sessions.
    signal(&server.data_folder(), "TERM");
    let outcome = wait::until("the server to shut down", LIMIT, || {
        let outcome = run(&database);
        (outcome.code == Some(2)).then_some(outcome)
    });
    assert_down(&outcome.expect("refused"), "login", "shutting down");
    drop(held);
}

fn signal(data_folder: &Path, name: &str) {
    let pid = fs::read_to_string(data_folder.join("postmaster.pid")).expect("running");
    let pid = pid.lines().next().expect("a number").trim().to_owned();
    let status = Command::new("kill").args(["-s", name, &pid]).status().expect("kill");
    assert!(status.success(), "{status}");
}

#[test]
fn a_server_that_starts_up_says_so() {
    let primary = TempPg::start_new().expect("PostgreSQL");
    let database = primary.database("health_starting").expect("a database");
    let mut standby = primary.standby().expect("a standby");
    let replica = standby.replica_of(&database);
    standby.stop().expect("stopped");
    assert_down(&run(&replica), "connect", "connection refused");
    // A standby that takes nobody in is starting up as long as it lasts.
    let standby_folder = standby.data_folder();
    let settings = standby_folder.join("postgresql.auto.conf");
    let text = fs::read_to_string(&settings).expect("there");
    fs::write(&settings, format!("{text}hot_standby = off\n")).expect("written");
    std::thread::scope(|scope| {
        let starting = scope.spawn(|| standby.start());
        let outcome = wait::until("the server to listen", LIMIT, || {
            let outcome = run(&replica);
            (outcome.record("health.check", "postgres")["layer"] == "login").then_some(outcome)
        });
        assert_down(&outcome.expect("refused"), "login", "");
        let said = message(&run(&replica).record("health.check", "postgres")).to_owned();
        assert!(said.contains("starting up") || said.contains("not accepting connections"), "{said}");
        // The harness waits for a server that answers; it is told that there is none.
        signal(&standby_folder, "INT");
        assert!(starting.join().expect("whole").is_err());
    });
    fs::write(&settings, text).expect("written");
    standby.start().expect("started");
    run(&replica).assert_code(1);
}

#[test]
fn a_standby_and_its_primary_tell_how_far_it_is_behind() {
    let primary = TempPg::start_new().expect("PostgreSQL");
    let database = primary.database("health_standby").expect("a database");
    let alone = run(&database);
    assert!(alone.records_of_kind("health.metric").iter().all(|record| record["name"] != "replication_lag"), "{alone}");
    let standby = primary.standby().expect("a standby");
    let replica = standby.replica_of(&database);
    database.execute("CREATE TABLE t AS SELECT 1 AS x").expect("created");
    standby.catch_up(&primary).expect("caught up");

    let outcome = run(&replica);
    // A standby takes no writes: that is a warning for who synchronises into it.
    outcome.assert_code(1).assert_quiet();
    assert_eq!(outcome.record("health.check", "postgres")["status"], "standby");
    assert_eq!(outcome.record("health.check", "postgres.replication")["severity"], "ok", "{outcome}");
    assert_eq!(outcome.record("health.metric", "replication_lag")["value"], 0.0, "{outcome}");

    let outcome = run(&database);
    outcome.assert_code(0).assert_quiet();
    let hidden = outcome.record("health.check", "postgres.replication");
    assert!(hidden["severity"] == "info" && message(&hidden).contains("GRANT pg_monitor TO sync_user"), "{hidden:#}");
    database.execute_as_admin("GRANT pg_monitor TO sync_user").expect("granted");
    let outcome = run(&database);
    outcome.assert_code(0).assert_quiet();
    let lag = outcome.record("health.metric", "replication_lag");
    assert_eq!(lag["labels"]["standby"], "standby", "{lag:#}");
    assert!(lag["value"].as_f64().is_some_and(|lag| (0.0..60.0).contains(&lag)), "{lag:#}");

    // What is received and held back is a lag, as old as what was replayed last.
    let mut admin = standby.admin("postgres").expect("connected");
    admin.batch_execute("SELECT pg_wal_replay_pause()").expect("paused");
    database.execute("INSERT INTO t SELECT generate_series(1, 1000)").expect("inserted");
    let behind = wait::until("the standby to be behind", LIMIT, || {
        let outcome = run(&replica);
        let lag = outcome.record("health.metric", "replication_lag")["value"].as_f64()?;
        (lag > 0.5).then_some(outcome)
    });
    let behind = behind.expect("behind");
    assert!(message(&behind.record("health.check", "postgres.replication")).contains("paused"), "{behind}");
    let strict = tool(&replica).args(["--limit", "replication_lag=0.1:0.2"]).run().expect("ends");
    strict.assert_code(2);
    admin.batch_execute("SELECT pg_wal_replay_resume()").expect("resumed");
    standby.catch_up(&primary).expect("caught up");

    // Cut off, it has replayed all that it knows of, and must not say that it is up to date.
    drop(primary);
    let outcome = wait::until("the standby to notice", LIMIT, || {
        let outcome = run(&replica);
        (outcome.code == Some(2)).then_some(outcome)
    });
    let outcome = outcome.expect("noticed");
    let cut_off = outcome.record("health.check", "postgres.replication");
    assert!(cut_off["severity"] == "high" && message(&cut_off).contains("no WAL receiver"), "{outcome}");
    assert!(
        outcome.records_of_kind("health.metric").iter().all(|record| record["name"] != "replication_lag"),
        "{outcome}"
    );
}
