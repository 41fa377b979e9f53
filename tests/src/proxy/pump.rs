//! One direction of one connection.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Direction, Mode, Shared};

/// How often a quiet connection looks whether the mode has changed.
const LOOK: Duration = Duration::from_millis(10);

/// Passes until one of the two ends it, or the proxy breaks its connections for the next time after `breaks`.
pub(super) fn run(direction: Direction, mut from: TcpStream, mut to: TcpStream, breaks: u64, shared: &Shared) {
    let ready = from.set_nonblocking(false).and_then(|()| from.set_read_timeout(Some(LOOK)));
    // A peer that does not read must not keep the proxy from ending.
    let ready = ready
        .and_then(|()| to.set_nonblocking(false))
        .and_then(|()| to.set_write_timeout(Some(Duration::from_secs(5))));
    if ready.is_err() || pass(direction, &mut from, &mut to, breaks, shared).is_none() {
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}

/// Passes bytes on until the sender ends (`Some`: the other direction goes on) or the connection is to be cut (`None`).
fn pass(direction: Direction, from: &mut TcpStream, to: &mut TcpStream, breaks: u64, shared: &Shared) -> Option<()> {
    let is_over = || shared.is_ending() || shared.breaks.load(Ordering::SeqCst) > breaks;
    let mut buffer = vec![0; 16 * 1024];
    let mut passed: u64 = 0;
    loop {
        let mode = shared.mode();
        if is_over() || matches!(mode, Mode::Refuse | Mode::Drop) {
            return None;
        }
        if mode == Mode::BlackHole {
            shared.pause(LOOK);
            continue;
        }
        let count = match from.read(&mut buffer) {
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write);
                return Some(());
            }
            Ok(count) => count,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) =>
            {
                continue;
            }
            Err(_) => return None,
        };
        let piece = &mut buffer[..count];
        // Read again: the bytes may have been long in coming.
        match shared.mode() {
            Mode::Pass => write(to, piece, &mut passed, direction, shared)?,
            Mode::Delay(delay) => {
                shared.pause(delay);
                write(to, piece, &mut passed, direction, shared)?;
            }
            Mode::CutAfter { direction: cut, bytes } if cut == direction => {
                let rest = usize::try_from(bytes.saturating_sub(passed)).unwrap_or(usize::MAX);
                write(to, &piece[..rest.min(count)], &mut passed, direction, shared)?;
                if passed >= bytes {
                    return None;
                }
            }
            Mode::Corrupt { direction: corrupted, offset } if corrupted == direction => {
                if let Some(byte) = offset.checked_sub(passed).and_then(|at| piece.get_mut(usize::try_from(at).ok()?)) {
                    *byte ^= 1;
                }
                write(to, piece, &mut passed, direction, shared)?;
            }
            Mode::CutAfter { .. } | Mode::Corrupt { .. } => write(to, piece, &mut passed, direction, shared)?,
            Mode::Trickle { bytes, every } => {
                for part in piece.chunks(bytes.max(1)) {
                    // A change of mode ends the trickle; the rest of the piece passes at once.
                    if matches!(shared.mode(), Mode::Trickle { .. }) {
                        shared.pause(every);
                    }
                    if is_over() {
                        return None;
                    }
                    write(to, part, &mut passed, direction, shared)?;
                }
            }
            // The piece is lost with the connection.
            Mode::Refuse | Mode::Drop => return None,
            Mode::BlackHole => {}
        }
    }
}

fn write(to: &mut TcpStream, piece: &[u8], passed: &mut u64, direction: Direction, shared: &Shared) -> Option<()> {
    to.write_all(piece).ok()?;
    *passed += piece.len() as u64;
    shared.passed(direction).fetch_add(piece.len() as u64, Ordering::SeqCst);
    Some(())
}
