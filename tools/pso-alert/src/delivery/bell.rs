//! How the workers of a run wait: for something new in the outbox, for a moment, and for the end.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pso_common::io::Cancel;

/// How often somebody who waits looks whether a signal has come.
const GLANCE: Duration = Duration::from_millis(50);

/// Shared by the workers; clones are the same bell.
#[derive(Clone, Debug)]
pub(super) struct Bell(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug)]
struct State {
    /// How many times something came into the outbox.
    rings: u64,
    /// Nothing more comes from the input, and all is to be over by then.
    end: Option<Instant>,
    /// For each worker the ring after which it had nothing more to do.
    done: Vec<Option<u64>>,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// Look again.
    Again,
    /// No worker has anything more to do, or the time is over.
    Over,
}

impl Bell {
    pub(super) fn new(workers: usize) -> Self {
        let state = State { rings: 0, end: None, done: vec![None; workers] };
        Self(Arc::new((Mutex::new(state), Condvar::new())))
    }

    /// Something came into the outbox.
    pub(super) fn ring(&self) {
        self.lock().rings += 1;
        self.0.1.notify_all();
    }

    /// Nothing more comes from the input.
    pub(super) fn end(&self, deadline: Instant) {
        self.lock().end = Some(deadline);
        self.0.1.notify_all();
    }

    /// The number of rings so far.
    pub(super) fn rings(&self) -> u64 {
        self.lock().rings
    }

    /// By when all is to be over, once that is known.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.lock().end
    }

    /// Has a worker that has seen so many rings wait, until `next` at most. What it does next may be the work of another one,
    /// who reports that its channel fails: so all wait for all.
    pub(super) fn wait(&self, worker: usize, seen: u64, next: Option<Instant>, cancel: &Cancel) -> Woken {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let over = cancel.is_cancelled() || state.end.is_some_and(|end| now >= end);
            if state.end.is_some() && over {
                return Woken::Over;
            }
            if state.rings != seen || next.is_some_and(|next| now >= next) {
                return Woken::Again;
            }
            let mut limit = next;
            if let Some(end) = state.end {
                if next.is_none_or(|next| next > end) {
                    state.done[worker] = Some(seen);
                    if state.done.iter().all(|done| *done == Some(state.rings)) {
                        self.0.1.notify_all();
                        return Woken::Over;
                    }
                }
                limit = Some(next.map_or(end, |next| next.min(end)).min(now + GLANCE));
            }
            state = match limit {
                Some(limit) => {
                    let timeout = limit.saturating_duration_since(now);
                    let waited = self.0.1.wait_timeout(state, timeout);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Numbers, whole after each change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn the_last_one_without_work_ends_it_for_all() {
        let (bell, cancel) = (Bell::new(2), Cancel::default());
        bell.end(Instant::now() + LONG);
        let other = {
            let (bell, cancel) = (bell.clone(), cancel.clone());
            std::thread::spawn(move || {
                let first = bell.wait(1, 0, None, &cancel);
                (first, bell.wait(1, 1, None, &cancel))
            })
        };
        // This one still works, and what it does rings.
        bell.ring();
        assert_eq!(bell.wait(0, 1, None, &cancel), Woken::Over);
        assert_eq!(other.join().expect("ended"), (Woken::Again, Woken::Over));
    }

    #[test]
    fn a_moment_beyond_the_end_is_not_waited_for() {
        let (bell, cancel) = (Bell::new(1), Cancel::default());
        let soon = Instant::now() + Duration::from_millis(20);
        assert_eq!(bell.wait(0, 0, Some(soon), &cancel), Woken::Again);
        assert!(Instant::now() >= soon);
        bell.end(Instant::now() + LONG);
        assert_eq!(bell.wait(0, 0, Some(Instant::now() + 2 * LONG), &cancel), Woken::Over);
        let bell = Bell::new(2);
        bell.end(Instant::now() + LONG);
        cancel.cancel(15);
        assert_eq!(bell.wait(0, 0, None, &cancel), Woken::Over);
    }
}
