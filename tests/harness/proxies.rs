//! The proxy does to bytes what it says.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use pso_tests::proxy::{Direction, Mode, TcpProxy};
use pso_tests::wait;

/// A server that sends back whatever comes, for as many connections as come.
fn echo() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut copy = stream.try_clone().unwrap();
                std::io::copy(&mut stream, &mut copy)
            });
        }
    });
    port
}

fn connect(proxy: &TcpProxy) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// What comes back of `sent`, until the connection ends.
fn round(stream: &mut TcpStream, sent: &[u8]) -> Vec<u8> {
    let mut out = stream.try_clone().unwrap();
    let sent = sent.to_vec();
    let writer = thread::spawn(move || {
        let _ = out.write_all(&sent);
        let _ = out.shutdown(std::net::Shutdown::Write);
    });
    let mut back = Vec::new();
    let _ = stream.read_to_end(&mut back);
    writer.join().unwrap();
    back
}

fn bytes(count: u32) -> Vec<u8> {
    (0..count).map(|number| u8::try_from(number % 251).unwrap()).collect()
}

#[test]
fn passes_everything() {
    let proxy = TcpProxy::start(echo()).unwrap();
    let sent = bytes(300_000);
    assert_eq!(round(&mut connect(&proxy), &sent), sent);
    assert_eq!(proxy.connections(), 1);
    assert_eq!((proxy.passed(Direction::ToServer), proxy.passed(Direction::ToClient)), (300_000, 300_000));
}

#[test]
fn refuses_and_comes_back_on_the_same_port() {
    let proxy = TcpProxy::start(echo()).unwrap();
    let mut open = connect(&proxy);
    open.write_all(b"x").unwrap();
    assert_eq!(open.read(&mut [0; 8]).unwrap(), 1);
    proxy.set(Mode::Refuse).unwrap();
    assert!(matches!(open.read(&mut [0; 8]), Ok(0) | Err(_)), "an open connection lives on");
    let refused = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    proxy.set(Mode::Pass).unwrap();
    assert_eq!(round(&mut connect(&proxy), b"again"), b"again");
}

#[test]
fn drops_at_once() {
    let proxy = TcpProxy::start(echo()).unwrap();
    proxy.set(Mode::Drop).unwrap();
    assert_eq!(round(&mut connect(&proxy), b"hello"), b"");
}

#[test]
fn cuts_in_either_direction() {
    let proxy = TcpProxy::start(echo()).unwrap();
    for direction in [Direction::ToServer, Direction::ToClient] {
        proxy.set(Mode::CutAfter { direction, bytes: 70_001 }).unwrap();
        let before = proxy.passed(direction);
        let back = round(&mut connect(&proxy), &bytes(300_000));
        assert_eq!(proxy.passed(direction) - before, 70_001, "{direction:?}");
        assert!(back.len() <= 70_001, "{direction:?}: {}", back.len());
        assert_eq!(back, bytes(300_000)[..back.len()], "{direction:?}");
    }
}

#[test]
fn corrupts_one_byte_of_each_connection() {
    let proxy = TcpProxy::start(echo()).unwrap();
    let sent = bytes(100_000);
    for (direction, offset) in [(Direction::ToServer, 0), (Direction::ToServer, 77_777), (Direction::ToClient, 99_999)]
    {
        proxy.set(Mode::Corrupt { direction, offset }).unwrap();
        for _ in 0..2 {
            let back = round(&mut connect(&proxy), &sent);
            assert_eq!(back.len(), sent.len());
            let differ: Vec<_> = (0..sent.len()).filter(|at| sent[*at] != back[*at]).collect();
            assert_eq!(differ, [usize::try_from(offset).unwrap()]);
        }
    }
}

#[test]
fn delays() {
    let proxy = TcpProxy::start(echo()).unwrap();
    proxy.set(Mode::Delay(Duration::from_millis(150))).unwrap();
    let start = Instant::now();
    assert_eq!(round(&mut connect(&proxy), b"slow"), b"slow");
    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}: each way counts", start.elapsed());
}

#[test]
fn trickles_until_told_otherwise() {
    let proxy = TcpProxy::start(echo()).unwrap();
    proxy.set(Mode::Trickle { bytes: 10, every: Duration::from_millis(20) }).unwrap();
    let start = Instant::now();
    assert_eq!(round(&mut connect(&proxy), &bytes(100)), bytes(100));
    assert!(start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
    let mut stream = connect(&proxy);
    stream.write_all(&bytes(100_000)).unwrap();
    proxy.set(Mode::Pass).unwrap();
    let start = Instant::now();
    let mut back = vec![0; 100_000];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, bytes(100_000));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn swallows_and_lets_go() {
    let proxy = TcpProxy::start(echo()).unwrap();
    proxy.set(Mode::BlackHole).unwrap();
    let mut stream = connect(&proxy);
    stream.write_all(b"anybody?").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let error = stream.read(&mut [0; 8]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    assert_eq!(proxy.passed(Direction::ToServer), 0);
    let port = proxy.port();
    drop(proxy);
    wait::until("the port to close", Duration::from_secs(5), || TcpStream::connect(("127.0.0.1", port)).err()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert!(matches!(stream.read(&mut [0; 8]), Ok(0) | Err(_)));
}

#[test]
fn a_missing_server_ends_the_connection() {
    let proxy = TcpProxy::start(pso_tests::pg::free_port().unwrap()).unwrap();
    assert_eq!(round(&mut connect(&proxy), b"hello"), b"");
}
