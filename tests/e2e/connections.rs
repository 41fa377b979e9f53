//! How the tools connect: TLS to PostgreSQL as `sslmode` has it, and leaving a server in good order.

use std::time::Duration;

use pso_tests::certificates::{Certificates, Kind};
use pso_tests::pg::{Database, TempPg};
use pso_tests::proxy::{Mode, TcpProxy};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;

const LIMIT: Duration = Duration::from_secs(30);

fn tool(database: &Database) -> Tool {
    Tool::new("pso-pgstats").expect("built").args(["settings"]).envs(database.env())
}

#[test]
fn the_servers_certificate_is_checked_and_what_is_wrong_with_it_said() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("tls").expect("a database");
    for (kind, mode, expected) in [
        (Kind::Good, "verify-full", None),
        (Kind::Expired, "verify-full", Some("the certificate expired on 2")),
        (Kind::NotYetValid, "verify-ca", Some("the certificate is not valid before 2")),
        (Kind::WrongName, "verify-full", Some("the certificate is for elsewhere.example, not for 127.0.0.1")),
        (Kind::WrongName, "verify-ca", None),
        (Kind::SelfSigned, "verify-full", Some("the certificate's issuer is not trusted")),
        (Kind::Expired, "prefer", None),
    ] {
        let certificates = Certificates::new(kind).expect("certificates");
        server.speak_tls(&certificates).expect("certificate in place");
        let run = || -> Outcome {
            let root = certificates.ca_file().display().to_string();
            tool(&database).env("PGSSLMODE", mode).env("PGSSLROOTCERT", root).run().expect("ends")
        };
        // The server reads its new certificate a moment after it was told to.
        let outcome = wait::until(&format!("{kind:?} with {mode}"), LIMIT, || {
            let outcome = run();
            let seen = match expected {
                None => outcome.stderr.is_empty(),
                Some(expected) => outcome.stderr.contains(expected),
            };
            seen.then_some(outcome)
        });
        let outcome = outcome.unwrap_or_else(|error| panic!("{error}: {}", run()));
        outcome.assert_no_secret(&[database.password()]);
        if expected.is_some() {
            assert_eq!((outcome.code, outcome.stderr.lines().count()), (Some(3), 1), "{outcome}");
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a session that ends as no tool's may")]
fn a_tool_takes_leave_of_the_server() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("leave").expect("a database");
    let count = |column: &str| -> i64 {
        let sql = format!("SELECT {column} FROM pg_stat_database WHERE datname = current_database()");
        database.scalar(&sql).expect("counted").parse().expect("a number")
    };
    // PostgreSQL counts a session when it ends.
    let before = count("sessions");
    for _ in 0..3 {
        tool(&database).run().expect("ends").assert_quiet();
    }
    wait::until("three sessions", LIMIT, || (count("sessions") >= before + 3).then_some(())).expect("counted");
    assert_eq!(count("sessions_abandoned"), 0);

    // And it does count who goes without a word.
    let proxy = TcpProxy::start(database.port()).expect("a proxy");
    let cut = database.conninfo().replace(&format!("port={}", database.port()), &format!("port={}", proxy.port()));
    let mut rude = postgres::Client::connect(&cut, postgres::NoTls).expect("connected");
    rude.batch_execute("SELECT 1").expect("asked");
    proxy.set(Mode::Drop).expect("cut");
    wait::until("the abandoned session", LIMIT, || (count("sessions_abandoned") == 1).then_some(())).expect("counted");
}
