//! Several looks side by side, each in a thread of its own: one that hangs holds up no other, and is not begun again while it
//! hangs.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::paths::DiskPath;
use super::place::Place;

/// `statvfs` and a canonical path need little.
const STACK_BYTES: usize = 256 << 10;

/// What came of a look, and how long it took or has been taking.
pub(super) struct Looked {
    pub(super) result: Result<Place, Trouble>,
    pub(super) took: Duration,
}

/// Why there is no place.
#[derive(Debug)]
pub(super) enum Trouble {
    Io(io::Error),
    /// No answer within that time.
    Silent(Duration),
    /// No answer yet to the look of an earlier round.
    StillSilent,
}

type Answer = (io::Result<Place>, Duration);

/// A look that was given up.
struct Hanging {
    path: PathBuf,
    since: Instant,
    answer: Receiver<Answer>,
}

/// Looks, and remembers what hangs.
#[derive(Default)]
pub(super) struct Looks(Mutex<Vec<Hanging>>);

impl Looks {
    /// Looks at all paths at once; gives what came of each, in their order, within `timeout` in all.
    pub(super) fn at(
        &self,
        wanted: &[DiskPath],
        timeout: Duration,
        look: impl Fn(&DiskPath) -> io::Result<Place> + Clone + Send + 'static,
        mut each: impl FnMut(&DiskPath, Looked),
    ) {
        let started = Instant::now();
        let mut hanging = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A thread that has died says nothing any more either.
        hanging.retain(|one| matches!(one.answer.try_recv(), Err(TryRecvError::Empty)));
        let begun: Vec<_> = wanted
            .iter()
            .map(|path| match hanging.iter().find(|one| one.path == path.path) {
                Some(one) => Err(Looked { result: Err(Trouble::StillSilent), took: one.since.elapsed() }),
                None => begin(path.clone(), look.clone())
                    .map_err(|error| Looked { result: Err(Trouble::Io(error)), took: started.elapsed() }),
            })
            .collect();
        for (path, begun) in wanted.iter().zip(begun) {
            let answer = match begun {
                Ok(answer) => answer,
                Err(looked) => {
                    each(path, looked);
                    continue;
                }
            };
            let looked = match answer.recv_timeout(timeout.saturating_sub(started.elapsed())) {
                Ok((result, took)) => Looked { result: result.map_err(Trouble::Io), took },
                Err(RecvTimeoutError::Timeout) => {
                    hanging.push(Hanging { path: path.path.clone(), since: started, answer });
                    Looked { result: Err(Trouble::Silent(timeout)), took: started.elapsed() }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let error = io::Error::other("the look itself failed; this is a mistake in pso-health");
                    Looked { result: Err(Trouble::Io(error)), took: started.elapsed() }
                }
            };
            each(path, looked);
        }
    }
}

fn begin(
    wanted: DiskPath,
    look: impl Fn(&DiskPath) -> io::Result<Place> + Send + 'static,
) -> io::Result<Receiver<Answer>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new().name("disk".to_owned()).stack_size(STACK_BYTES).spawn(move || {
        let started = Instant::now();
        let result = look(&wanted);
        // Nobody waits any more if this fails.
        let _ = sender.send((result, started.elapsed()));
    })?;
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::place;
    use super::*;

    #[test]
    fn what_hangs_holds_up_no_other_and_is_not_begun_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |path: PathBuf| DiskPath { path, named: true, written: false };
        let wanted = [path("/hangs".into()), path(folder.path().into())];
        let begun = Arc::new(AtomicU32::new(0));
        let (free, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let looks = Looks::default();
        let round = |timeout| {
            let (begun, held) = (Arc::clone(&begun), Arc::clone(&held));
            let mut shown = Vec::new();
            let look = move |wanted: &DiskPath| match wanted.path.to_str() {
                Some("/hangs") => {
                    begun.fetch_add(1, Ordering::Relaxed);
                    // Until the test lets it go.
                    let _ = held.lock().expect("whole").recv();
                    Err(io::ErrorKind::NotConnected.into())
                }
                _ => place::look(wanted),
            };
            looks.at(&wanted, timeout, look, |_, looked| {
                shown.push(match looked.result {
                    Ok(_) => "found".to_owned(),
                    Err(Trouble::Io(error)) => error.to_string(),
                    Err(trouble) => format!("{trouble:?}"),
                });
            });
            shown
        };
        assert_eq!(round(Duration::from_millis(500)), ["Silent(500ms)", "found"]);
        let started = Instant::now();
        assert_eq!(round(Duration::from_secs(60)), ["StillSilent", "found"]);
        assert!(started.elapsed() < Duration::from_secs(30), "what hangs is not waited for");
        assert_eq!(begun.load(Ordering::Relaxed), 1);
        drop(free);
        let deadline = Instant::now() + Duration::from_secs(30);
        while round(Duration::from_secs(60))[0] == "StillSilent" {
            assert!(Instant::now() < deadline, "it is begun again once the earlier look has ended");
            thread::yield_now();
        }
        assert_eq!(begun.load(Ordering::Relaxed), 2);
    }
    #[test]
    fn a_look_that_fails_in_itself_is_told() {
        let wanted = [DiskPath { path: "/dies".into(), named: true, written: false }];
        let mut told = false;
        Looks::default().at(&wanted, Duration::from_secs(60), |_| panic!("on purpose"), |_, looked| {
            told = matches!(looked.result, Err(Trouble::Io(error)) if error.to_string().contains("a mistake in pso-health"));
        });
        assert!(told);
    }
}
