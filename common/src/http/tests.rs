use std::io::Write as _;
use std::net::TcpListener;

use super::*;
use crate::record::Layer;
use crate::tls::TlsFault;
use crate::tls::test_end::{self, Authority, BOTH, Clients, Identity, ONLY_12, TlsEnd};

/// Answers one connection with `bytes`, after reading the request's head.
fn serve(bytes: &'static [u8]) -> String {
    serve_later(b"\r\n\r\n", Duration::ZERO, bytes)
}

/// Reads one request up to `end`, waits, and answers with `bytes`.
fn serve_later(end: &'static [u8], wait: Duration, bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/x", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().expect("a client");
        let mut request = Vec::new();
        let mut chunk = [0; 1024];
        while !request.windows(end.len()).any(|window| window == end) {
            let read = peer.read(&mut chunk).expect("readable");
            request.extend_from_slice(&chunk[..read]);
        }
        std::thread::sleep(wait);
        // A client that has lost its patience is gone.
        let _ = peer.write_all(bytes);
    });
    url
}

fn client() -> HttpClient {
    let timeout = Duration::from_millis(500);
    HttpClient::new(&HttpSettings { timeout, max_body_bytes: 100, ..HttpSettings::default() })
}

fn get(url: &str) -> Result<Answer, HttpError> {
    client().request("GET", url).send()
}

#[test]
fn an_error_status_and_a_redirect_are_answers() {
    let answer = get(&serve(b"HTTP/1.1 503 Down\r\ncontent-length: 2\r\n\r\nno")).expect("an answer");
    assert_eq!((answer.status, answer.body.as_slice(), answer.is_success()), (503, &b"no"[..], false));
    let answer = get(&serve(b"HTTP/1.1 302 F\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n"));
    assert_eq!(answer.expect("not followed").status, 302);
}

#[test]
fn each_failure_names_its_layer() {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    assert!(matches!(get(&format!("http://{closed}/")), Err(HttpError::Refused)));
    assert!(matches!(get("no url"), Err(HttpError::Malformed)));
    // A label of a name has 63 letters at most: the resolver refuses this without asking anybody.
    let unresolved = format!("http://{}.invalid/", "x".repeat(64));
    assert!(matches!(get(&unresolved), Err(HttpError::Resolve)));
    assert!(matches!(get(&serve(b"")), Err(HttpError::Io(_) | HttpError::Protocol(_))));
    assert!(matches!(get(&serve(b"SSH-2.0-x\r\n")), Err(HttpError::Protocol(_))));
    let large = b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n01234567890123456789012345678901234567890123456789\
        012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";
    assert!(matches!(get(&serve(large)), Err(HttpError::TooLarge(_))));
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", silent.local_addr().expect("bound"));
    assert!(matches!(get(&url), Err(HttpError::Timeout)));
}

#[test]
fn a_streamed_request_waits_as_long_as_it_was_told() {
    // The answer comes after the client's own time-out.
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let slow = || serve_later(b"body", Duration::from_secs(1), answer);
    let client = client();
    let answer = client
        .request("POST", slow())
        .timeout(Duration::from_secs(20))
        .send_reader(4, &mut b"body".as_slice())
        .expect("an answer");
    assert_eq!(answer.body, b"ok");
    let impatient = client.request("POST", slow()).send_reader(4, &mut b"body".as_slice());
    assert!(matches!(impatient, Err(HttpError::Timeout)), "{impatient:?}");
}

#[test]
fn a_malformed_header_is_not_shown() {
    let error = client().request("GET", "http://127.0.0.1:9/").header("api-key", "sec\nret").send();
    let message = error.expect_err("malformed").to_string();
    assert!(!message.contains("ret\n") && !message.contains("sec"), "{message}");
}

#[test]
fn the_layer_of_each_failure_is_told() {
    let layer = |url: &str| get(url).expect_err("no answer").layer();
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    assert_eq!(layer(&format!("http://{closed}/")), Some(Layer::Connect));
    assert_eq!(layer(&format!("http://{}.invalid/", "x".repeat(64))), Some(Layer::Resolve));
    assert_eq!(layer("no url"), None);
    assert_eq!(layer(&serve(b"SSH-2.0-x\r\n")), Some(Layer::Http));
    // Forbidden, or no way there: a connection that never was, not one that broke.
    let broadcast = get("http://255.255.255.255/").expect_err("forbidden");
    assert_eq!(broadcast.layer(), Some(Layer::Connect), "{broadcast:?}");
    assert!(!broadcast.to_string().contains("broke"), "{broadcast}");
}

/// What a client that trusts the authority gets from an end.
fn get_secure(authority: &Authority, end: TlsEnd, name: &str) -> Result<Answer, HttpError> {
    let settings = HttpSettings { timeout: Duration::from_secs(10), ..HttpSettings::default() };
    let client = HttpClient::with_ca_file(&settings, &authority.file()).expect("a client");
    client.request("GET", format!("https://{name}:{}/", end.start().port())).send()
}

fn fault(result: Result<Answer, HttpError>) -> TlsFault {
    match result {
        Err(HttpError::Tls(fault)) => fault,
        other => panic!("not a fault of TLS: {other:?}"),
    }
}

#[test]
fn tls_is_spoken_and_checked() {
    let authority = Authority::new();
    let good = || authority.identity(&["localhost"], -1, 30);
    for versions in [BOTH, ONLY_12] {
        let answer =
            get_secure(&authority, TlsEnd { versions, ..TlsEnd::new(good()) }, "localhost").expect("an answer");
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ok"[..]));
    }
    let seen = |identity, name: &str| fault(get_secure(&authority, TlsEnd::new(identity), name));
    assert!(matches!(seen(authority.identity(&["localhost"], -30, -3), "localhost"), TlsFault::Expired(Some(_))));
    assert!(matches!(seen(authority.identity(&["localhost"], 3, 30), "localhost"), TlsFault::NotYetValid(Some(_))));
    let wrong = seen(authority.identity(&["a.example"], -1, 30), "localhost");
    assert_eq!(wrong.to_string(), "the certificate is for a.example, not for localhost");
    assert_eq!(seen(Identity::self_signed(&["localhost"], false), "localhost"), TlsFault::UnknownIssuer);
    assert_eq!(
        seen(Authority::named("Stranger").identity(&["localhost"], -1, 30), "localhost"),
        TlsFault::UnknownIssuer
    );

    for versions in [BOTH, ONLY_12] {
        let end = TlsEnd { versions, clients: Clients::MustShowCertificate, ..TlsEnd::new(good()) };
        let wanted = fault(get_secure(&authority, end, "localhost"));
        assert!(wanted.to_string().contains("a client certificate"), "{wanted}");
    }
}

#[test]
fn an_end_without_tls_is_told_apart() {
    let secure = |address: std::net::SocketAddr| get(&format!("https://{address}/"));
    let patient = HttpClient::new(&HttpSettings::default());
    let patiently = |address: std::net::SocketAddr| patient.request("GET", format!("https://{address}/")).send();
    let plain = test_end::serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    assert_eq!(fault(patiently(plain)), TlsFault::NotTls);
    assert_eq!(fault(patiently(test_end::serve(drop))), TlsFault::Closed);
    // Nobody accepts, but the system has connected already: the handshake is what does not come.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    assert_eq!(fault(secure(silent.local_addr().expect("bound"))), TlsFault::Timeout);
}

#[test]
fn a_trickle_ends_with_the_time_out_of_the_request() {
    let trickles = |head: &'static [u8]| {
        let end = test_end::serve(move |mut stream| {
            let _ = stream.read(&mut [0; 1024]);
            let mut sent = stream.write_all(head);
            while sent.is_ok() {
                std::thread::sleep(Duration::from_millis(20));
                sent = stream.write_all(b"0");
            }
        });
        let started = Instant::now();
        let url = format!("http://{end}/");
        let limit = Duration::from_millis(400);
        let error = client().request("GET", url.as_str()).timeout(limit).send().expect_err("it never ends");
        assert!(matches!(error, HttpError::Timeout), "{error:?}");
        let elapsed = started.elapsed();
        assert!(elapsed >= limit && elapsed < Duration::from_secs(5), "{elapsed:?}");
    };
    trickles(b"HTTP/1.1 200 OK\r\nx: ");
    trickles(b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n");
    trickles(b"HTTP/1.1 200 ");
}

/// Connections that are open at the server's end, and how often one was opened.
#[test]
fn a_probing_client_keeps_no_connection() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (opened, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counts, ends) = (Arc::clone(&opened), Arc::clone(&ended));
    let end = test_end::serve(move |mut stream| {
        counts.fetch_add(1, Ordering::SeqCst);
        let mut chunk = [0; 1024];
        while stream.read(&mut chunk).is_ok_and(|read| read > 0) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
        ends.fetch_add(1, Ordering::SeqCst);
    });
    let url = format!("http://{end}/");
    let ask = |idle_connections, threads: usize| {
        let client = HttpClient::new(&HttpSettings { idle_connections, ..HttpSettings::default() });
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..5 {
                        assert_eq!(client.request("GET", url.as_str()).send().expect("an answer").status, 200);
                    }
                });
            }
        });
        client
    };
    let probing = ask(0, 20);
    assert_eq!(opened.load(Ordering::SeqCst), 100);
    let deadline = Instant::now() + Duration::from_secs(10);
    while ended.load(Ordering::SeqCst) < 100 {
        assert!(Instant::now() < deadline, "{} of 100 connections have ended", ended.load(Ordering::SeqCst));
        std::thread::yield_now();
    }
    drop(probing);
    let keeping = ask(10, 1);
    assert_eq!(opened.load(Ordering::SeqCst), 101);
    drop(keeping);
}
