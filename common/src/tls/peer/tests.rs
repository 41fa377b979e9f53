use std::net::SocketAddr;

use super::*;
use crate::tls::Roots;
use crate::tls::test_end::{Authority, BOTH, Clients, Identity, ONLY_12, TlsEnd, serve};

const LIMIT: Duration = Duration::from_secs(10);

fn ask(address: SocketAddr, name: &str, starttls: StartTls, trust: &Trust, limit: Duration) -> Result<Peer, TlsFault> {
    let stream = TcpStream::connect(address).expect("connected");
    peer(&stream, name, starttls, trust, limit)
}

fn trust(authority: &Authority) -> Trust {
    Trust::load(&Roots::File(authority.file())).expect("roots")
}

/// What a server is seen as that has this certificate and is asked for as `name`.
fn seen(authority: &Authority, identity: Identity, name: &str) -> Peer {
    ask(TlsEnd::new(identity).start(), name, StartTls::None, &trust(authority), LIMIT).expect("a peer")
}

#[test]
fn a_good_server_is_seen_and_trusted() {
    let authority = Authority::new();
    let peer = seen(&authority, authority.identity(&["a.example", "127.0.0.1"], -1, 30), "127.0.0.1");
    assert_eq!((peer.verdict, peer.version, peer.asks_for_client_certificate), (Ok(()), Some("TLSv1.3"), false));
    let certificate = peer.certificate;
    assert_eq!((certificate.subject.as_str(), certificate.issuer.as_str()), ("CN=Test server", "CN=Test authority"));
    assert_eq!(
        (certificate.names, certificate.self_signed),
        (vec!["a.example".to_owned(), "127.0.0.1".to_owned()], false)
    );
    let left = crate::Timestamp::now().until(certificate.not_after).as_secs();
    assert!((29 * 86_400..=30 * 86_400).contains(&left), "{left} seconds");
    assert!(certificate.not_before < crate::Timestamp::now());

    let old = TlsEnd { versions: ONLY_12, ..TlsEnd::new(authority.identity(&["a.example"], -1, 30)) }.start();
    let peer = ask(old, "a.example", StartTls::None, &trust(&authority), LIMIT).expect("a peer");
    assert_eq!((peer.verdict, peer.version), (Ok(()), Some("TLSv1.2")));
}

#[test]
fn a_bad_certificate_is_named_and_still_tells_its_dates() {
    let authority = Authority::new();
    let expired = seen(&authority, authority.identity(&["a.example"], -30, -3), "a.example");
    assert_eq!(expired.verdict, Err(TlsFault::Expired(Some(expired.certificate.not_after))));
    assert!(expired.certificate.not_after < crate::Timestamp::now());

    let early = seen(&authority, authority.identity(&["a.example"], 3, 30), "a.example");
    assert_eq!(early.verdict, Err(TlsFault::NotYetValid(Some(early.certificate.not_before))));

    let other = seen(&authority, authority.identity(&["a.example"], -1, 30), "b.example");
    let names = vec!["a.example".to_owned()];
    assert_eq!(other.verdict, Err(TlsFault::WrongName { expected: "b.example".to_owned(), names }));

    let own = seen(&authority, Identity::self_signed(&["a.example"], false), "a.example");
    assert_eq!((own.verdict, own.certificate.self_signed), (Err(TlsFault::UnknownIssuer), true));
    let own = seen(&authority, Identity::self_signed(&["a.example"], true), "a.example");
    assert_eq!((own.verdict, own.certificate.self_signed), (Err(TlsFault::CaAsServer), true));
    let stranger = seen(&authority, Authority::named("Stranger").identity(&["a.example"], -1, 30), "a.example");
    assert_eq!((stranger.verdict, stranger.certificate.self_signed), (Err(TlsFault::UnknownIssuer), false));
    // An authority that was made anew under its old name.
    let renewed = seen(&authority, Authority::new().identity(&["a.example"], -1, 30), "a.example");
    assert_eq!(renewed.verdict, Err(TlsFault::BadSignature));
}

#[test]
fn a_self_signed_certificate_can_be_trusted_itself() {
    let authority = Authority::new();
    let identity = Identity::self_signed(&["a.example"], false);
    std::fs::write(authority.file(), identity.pem()).expect("written");
    assert_eq!(seen(&authority, identity, "a.example").verdict, Ok(()));
}

#[test]
fn an_end_that_wants_a_certificate_says_so() {
    let authority = Authority::new();
    for versions in [BOTH, ONLY_12] {
        for (clients, verdict) in [
            (Clients::MustShowCertificate, Err(TlsFault::ClientCertificateWanted)),
            (Clients::MayShowCertificate, Ok(())),
        ] {
            let identity = authority.identity(&["a.example"], -1, 30);
            let end = TlsEnd { versions, clients, ..TlsEnd::new(identity) }.start();
            let peer = ask(end, "a.example", StartTls::None, &trust(&authority), LIMIT).expect("a peer");
            assert_eq!((&peer.verdict, peer.asks_for_client_certificate), (&verdict, true), "{:?}", peer.version);
            assert_eq!(peer.certificate.names, ["a.example"]);
        }
    }
}

#[test]
fn what_is_not_tls_is_told_apart() {
    let trust = Trust::load(&Roots::Mozilla).expect("roots");
    let talks = |first: &'static [u8]| {
        serve(move |mut stream| {
            let _ = stream.write_all(first);
            let _ = io::copy(&mut stream, &mut io::sink());
        })
    };
    let asked = |address, limit| ask(address, "localhost", StartTls::None, &trust, limit).expect_err("no TLS");
    assert_eq!(asked(talks(b"HTTP/1.1 400 Bad Request\r\n\r\n"), LIMIT), TlsFault::NotTls);
    assert_eq!(asked(talks(b"SSH-2.0-OpenSSH_9.9\r\n"), LIMIT), TlsFault::NotTls);
    // An alert that the protocol's version is not spoken.
    let alert = asked(talks(&[21, 3, 1, 0, 2, 2, 70]), LIMIT);
    assert!(matches!(&alert, TlsFault::Handshake(why) if why.contains("neither TLS 1.2 nor 1.3")), "{alert:?}");
    assert_eq!(asked(serve(drop), LIMIT), TlsFault::Closed);

    let started = Instant::now();
    assert_eq!(asked(talks(b""), Duration::from_millis(200)), TlsFault::Timeout);
    // A record of 16,000 bytes that comes byte by byte.
    let trickle = serve(|mut stream| {
        let _ = stream.write_all(&[22, 3, 3, 0x3e, 0x80, 2, 0, 0x3e, 0x7c]);
        while stream.write_all(&[3]).is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(asked(trickle, Duration::from_millis(300)), TlsFault::Timeout);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn postgresql_is_asked_for_tls_first() {
    let authority = Authority::new();
    let trust = trust(&authority);
    let request: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];
    let identity = authority.identity(&["db.example"], -1, 30);
    let end = TlsEnd { before: Some((request, b"S")), ..TlsEnd::new(identity) }.start();
    let peer = ask(end, "db.example", StartTls::Postgres, &trust, LIMIT).expect("a peer");
    assert_eq!(peer.verdict, Ok(()));

    let answers = |answer: &'static [u8]| {
        let end = serve(move |mut stream| {
            let _ = stream.read_exact(&mut [0; 8]);
            let _ = stream.write_all(answer);
        });
        ask(end, "db.example", StartTls::Postgres, &trust, LIMIT).expect_err("no TLS")
    };
    assert_eq!(answers(b"N"), TlsFault::NotOffered);
    assert_eq!(answers(b""), TlsFault::Closed);
    assert!(matches!(answers(b"HTTP/1.1 400\r\n\r\n"), TlsFault::Other(why) if why.contains("PostgreSQL")));
}
