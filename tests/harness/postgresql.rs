//! A real server: it starts, refuses, crashes, comes back, and leaves nothing behind.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use postgres::{Client, NoTls};
use pso_tests::pg::TempPg;
use pso_tests::wait;

#[test]
fn answers_over_tcp_and_over_the_socket() {
    let database = TempPg::shared().unwrap().database("answers").unwrap();
    assert_eq!(database.scalar("SELECT current_user || '@' || current_database()").unwrap(), "sync_user@answers");
    assert_eq!(database.scalar("SHOW data_checksums").unwrap(), "on");
    assert_eq!(database.scalar("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").unwrap(), "f");
    for conninfo in [database.conninfo(), database.url()] {
        let mut client = Client::connect(&conninfo, NoTls).unwrap();
        assert_eq!(client.query_one("SELECT 1", &[]).unwrap().get::<_, i32>(0), 1, "{conninfo}");
    }
    let socket = TempPg::shared().unwrap().socket_folder();
    let mut config = postgres::Config::new();
    config.host_path(socket).port(database.port()).user(database.user()).dbname(database.name());
    assert!(config.connect(NoTls).is_err(), "no password, and yet let in");
    config.password(database.password()).connect(NoTls).unwrap();
}

#[test]
fn psql_understands_the_environment_and_pgpass() {
    let database = TempPg::shared().unwrap().database("psql").unwrap();
    let ask = |configure: &dyn Fn(&mut Command) -> &mut Command| {
        let mut psql = Command::new(TempPg::shared().unwrap().programs().join("psql"));
        psql.env_clear().args(["-X", "-w", "-t", "-A", "-c", "SELECT 42"]);
        configure(&mut psql);
        String::from_utf8(psql.output().unwrap().stdout).unwrap()
    };
    assert_eq!(ask(&|psql| psql.envs(database.env())), "42\n");
    assert_eq!(ask(&|psql| psql.args(["-d", &database.url()])), "42\n");
    assert_eq!(ask(&|psql| psql.args(["-d", &database.conninfo()])), "42\n");
    let folder = tempfile::tempdir().unwrap();
    let pgpass = folder.path().join("pgpass");
    fs::write(&pgpass, database.pgpass_line()).unwrap();
    fs::set_permissions(&pgpass, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let without_password = database.env().into_iter().filter(|(name, _)| name != "PGPASSWORD");
    let without_password: Vec<_> = without_password.collect();
    assert_eq!(ask(&|psql| psql.envs(without_password.clone())), "");
    assert_eq!(ask(&|psql| psql.envs(without_password.clone()).env("PGPASSFILE", &pgpass)), "42\n");
}

#[test]
fn refuses_a_wrong_password() {
    let database = TempPg::shared().unwrap().database("wrong").unwrap();
    let conninfo = format!("host=127.0.0.1 port={} user=sync_user password=wrong dbname=wrong", database.port());
    let error = Client::connect(&conninfo, NoTls).err().expect("a wrong password must not do");
    assert!(
        error.to_string().contains("password authentication failed") || format!("{error:?}").contains("28P01"),
        "{error:?}"
    );
}

#[test]
fn gives_every_test_its_own_database() {
    let server = TempPg::shared().unwrap();
    let (first, second) = (server.database("own").unwrap(), server.database("own").unwrap());
    assert_ne!(first.name(), second.name());
    first.execute("CREATE TABLE t (x int)").unwrap();
    assert!(second.rows("SELECT * FROM t").is_err());
    let name = first.name().to_owned();
    drop(first);
    let found =
        server.admin("postgres").unwrap().query("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).unwrap();
    assert!(found.is_empty(), "the database is still there");
}

#[test]
fn counts_statements() {
    let database = TempPg::shared().unwrap().database("statements").unwrap();
    database.enable_statements().unwrap();
    database.rows("SELECT 'counted' AS witness").unwrap();
    let calls = database.scalar("SELECT sum(calls) FROM pg_stat_statements WHERE query LIKE '%AS witness%'").unwrap();
    assert_eq!(calls, "1");
}

#[test]
fn never_runs_as_root() {
    let server = TempPg::shared().unwrap();
    assert_ne!(server.runs_as(), Some(0));
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(server.data_folder()).unwrap());
    assert_ne!(owner, 0, "the data folder belongs to root");
    let mut admin = server.admin("postgres").unwrap();
    // The server reads the id of its own process: only its owner and root may read its environment.
    let process: i32 = admin.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(format!("/proc/{process}")).unwrap());
    assert_ne!(owner, 0, "the server runs as root");
}

#[test]
fn survives_a_crash_and_a_stop() {
    let mut server = TempPg::start_new().unwrap();
    let database = server.database("crash").unwrap();
    database.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number").unwrap();
    let mut open = database.connect().unwrap();
    server.kill().unwrap();
    wait::until("the open connection to break", Duration::from_secs(10), || open.batch_execute("SELECT 1").err())
        .unwrap();
    assert!(database.connect().is_err(), "it was killed");
    server.start().unwrap();
    assert_eq!(database.scalar("SELECT count(*) FROM kept").unwrap(), "1000");
    server.stop().unwrap();
    assert!(database.connect().is_err(), "it was stopped");
    server.start().unwrap();
    assert_eq!(database.scalar("SELECT count(*) FROM kept").unwrap(), "1000");
    let (folder, port) = (server.socket_folder().to_owned(), server.port());
    drop(server);
    assert!(!folder.exists(), "the folder is still there");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "the server is still there");
}

#[test]
fn a_bad_setting_is_named() {
    let error = TempPg::with_settings(&[("no_such_setting", "1")]).unwrap_err();
    assert!(format!("{error:#}").contains("no_such_setting"), "{error:#}");
}

/// Runs itself again as a process of its own, which starts a server and is then killed.
#[test]
fn ends_with_the_process_that_started_it() {
    const VARIABLE: &str = "PSO_TESTS_START_AND_WAIT";
    if std::env::var_os(VARIABLE).is_some() {
        let server = TempPg::start_new().unwrap();
        println!("\nserver {} {}", server.port(), server.socket_folder().display());
        std::thread::sleep(Duration::from_secs(600));
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "postgresql::ends_with_the_process_that_started_it", "--nocapture"])
        .env(VARIABLE, "1")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let said = lines.map_while(Result::ok).find(|line| line.starts_with("server ")).expect("the child starts a server");
    let [_, port, folder] = said.split(' ').collect::<Vec<_>>()[..] else { panic!("{said}") };
    let port: u16 = port.parse().unwrap();
    std::net::TcpStream::connect(("127.0.0.1", port)).expect("it runs");
    child.kill().unwrap();
    child.wait().unwrap();
    wait::until("the server to end and its folder to go", Duration::from_secs(30), || {
        (std::net::TcpStream::connect(("127.0.0.1", port)).is_err() && !Path::new(folder).exists()).then_some(())
    })
    .unwrap();
}
