use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::*;
use crate::record::Layer;
use crate::secret::Secret;
use crate::tls::TlsFault;
use crate::tls::test_end::{Authority, Clients, Identity, TlsEnd, serve};

const SSL_REQUEST: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];

fn settings(host: &str, port: u16, sslmode: SslMode) -> PgSettings {
    PgSettings {
        host: host.to_owned(),
        port,
        dbname: "d".to_owned(),
        user: "u".to_owned(),
        password: Some(Secret::new("hunter2")),
        sslmode,
        sslrootcert: None,
        connect_timeout: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(1),
        lock_timeout: Duration::from_secs(1),
        bin_dir: None,
        password_note: None,
    }
}

/// Where connecting ended, and what is said.
fn failed(settings: &PgSettings) -> (ConnectFailure, String) {
    let error = connect(settings, "test", Purpose::Watch).err().expect("no session");
    let said = format!("{error:#}");
    assert!(said.starts_with("connect to PostgreSQL at ") && !said.contains("hunter2"), "{said}");
    (error.downcast_ref::<ConnectFailure>().expect("a typed failure").clone(), said)
}

/// A server that answers the first message of a session with these bytes.
fn answers(bytes: Vec<u8>) -> u16 {
    let end = serve(move |mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(&bytes);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    end.port()
}

/// PostgreSQL's ErrorResponse (protocol 3.0).
fn error_response(code: &str, message: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
    let length = u32::try_from(fields.len() + 4).expect("short").to_be_bytes();
    [b"E", &length[..], fields.as_bytes()].concat()
}

#[test]
fn what_is_not_reached_is_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    // Both of localhost's addresses refuse.
    for host in ["127.0.0.1", "localhost"] {
        let (failure, said) = failed(&settings(host, closed, SslMode::Prefer));
        assert_eq!((&failure.stage, failure.layer()), (&ConnectStage::Refused, Some(Layer::Connect)));
        assert!(said.contains("connection refused: is PostgreSQL running there?"), "{said}");
    }
    let name = format!("{}.invalid", "x".repeat(64));
    let (failure, said) = failed(&settings(&name, 5432, SslMode::Prefer));
    assert_eq!((&failure.stage, failure.layer()), (&ConnectStage::Resolve, Some(Layer::Resolve)), "{said}");
    assert!(said.contains("the host name does not resolve: ") && said.contains("PGHOST"), "{said}");
    let folder = tempfile::tempdir().expect("a folder");
    if cfg!(unix) {
        let (failure, said) = failed(&settings(&folder.path().display().to_string(), 5432, SslMode::Prefer));
        assert_eq!((failure.stage, said.contains("there is no PostgreSQL socket in ")), (ConnectStage::Refused, true));
    }
}

#[test]
fn a_name_with_several_addresses_is_tried_to_the_end() {
    // Where localhost is ::1 first, that one refuses.
    let port = answers(error_response("57P03", "the database system is starting up"));
    assert_eq!(failed(&settings("localhost", port, SslMode::Disable)).0.stage, ConnectStage::StartingUp);
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let refused = |code: &str| {
        let (failure, said) = failed(&settings("127.0.0.1", answers(error_response(code, "no")), SslMode::Disable));
        assert_eq!(failure.layer(), Some(Layer::Login));
        (failure.stage, said)
    };
    let login = |code: &str| ConnectStage::Login(Some(code.to_owned()));
    for (code, stage, hint) in [
        ("57P03", ConnectStage::StartingUp, "try again shortly"),
        ("28P01", login("28P01"), "check the password"),
        ("28000", login("28000"), "pg_hba.conf"),
        ("3D000", login("3D000"), "PGDATABASE"),
        ("53300", login("53300"), "all connections are in use"),
        ("42501", login("42501"), "GRANT CONNECT ON DATABASE \"d\" TO \"u\""),
        ("XX000", login("XX000"), "no (SQLSTATE XX000)"),
    ] {
        let (found, said) = refused(code);
        assert_eq!(found, stage);
        assert!(said.contains(hint), "{said}");
    }
    // AuthenticationCleartextPassword, and no password at hand.
    let asking = settings("127.0.0.1", answers(vec![b'R', 0, 0, 0, 8, 0, 0, 0, 3]), SslMode::Disable);
    let (failure, said) = failed(&PgSettings { password: None, ..asking });
    assert_eq!(failure.stage, ConnectStage::Login(None));
    assert!(said.contains("wants a password and none was found"), "{said}");
}

#[test]
fn an_end_that_does_not_speak_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("bound").port();
    let hurried =
        PgSettings { connect_timeout: Duration::from_millis(200), ..settings("127.0.0.1", port, SslMode::Prefer) };
    let started = Instant::now();
    let (failure, said) = failed(&hurried);
    assert_eq!((failure.stage, said.contains("no answer within 200ms")), (ConnectStage::Read, true), "{said}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());

    for bytes in [Vec::new(), b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()] {
        let end = serve(move |mut stream| {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(&bytes);
        });
        let (failure, said) = failed(&settings("127.0.0.1", end.port(), SslMode::Disable));
        assert_eq!((failure.stage, failure.message.is_empty()), (ConnectStage::Read, false), "{said}");
    }
}

#[test]
fn tls_fails_for_a_reason() {
    let (failure, said) = failed(&settings("127.0.0.1", answers(b"N".to_vec()), SslMode::Require));
    assert_eq!((&failure.stage, failure.layer()), (&ConnectStage::Tls(TlsFault::NotOffered), Some(Layer::Tls)));
    assert!(said.contains("the server offers no TLS"), "{said}");

    let authority = Authority::new();
    let fault = |identity: Identity, clients: Clients| {
        let answer = b"R\0\0\0\x08\0\0\0\0";
        let end = TlsEnd { before: Some((SSL_REQUEST, b"S")), clients, answer, ..TlsEnd::new(identity) }.start();
        let settings = settings("localhost", end.port(), SslMode::VerifyFull);
        let (failure, said) = failed(&PgSettings { sslrootcert: Some(authority.file()), ..settings });
        match failure.stage {
            ConnectStage::Tls(fault) => (fault, said),
            stage => panic!("{stage:?}: {said}"),
        }
    };
    let (expired, said) = fault(authority.identity(&["localhost"], -30, -3), Clients::Anybody);
    assert!(matches!(expired, TlsFault::Expired(Some(_))) && said.contains("the certificate expired on 2"), "{said}");
    let (wrong, said) = fault(authority.identity(&["db.example"], -1, 30), Clients::Anybody);
    assert!(matches!(wrong, TlsFault::WrongName { .. }), "{wrong:?}");
    assert!(said.contains("the certificate is for db.example, not for localhost; check PGSSLROOTCERT"), "{said}");
    let (own, _) = fault(Identity::self_signed(&["localhost"], false), Clients::Anybody);
    assert_eq!(own, TlsFault::UnknownIssuer);
    let (wanted, _) = fault(authority.identity(&["localhost"], -1, 30), Clients::MustShowCertificate);
    assert_eq!(wanted, TlsFault::ClientCertificateWanted);

    let missing = PgSettings {
        sslrootcert: Some("/nowhere/root.crt".into()),
        ..settings("127.0.0.1", answers(b"S".to_vec()), SslMode::VerifyCa)
    };
    let (failure, said) = failed(&missing);
    assert_eq!((failure.stage.clone(), failure.layer()), (ConnectStage::Prepare, None));
    assert!(said.contains("PGSSLROOTCERT") && said.contains("/nowhere/root.crt"), "{said}");
}
