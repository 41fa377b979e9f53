//! Threads that read one input each, not too far ahead of what was told.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};

use pso_common::io::{Cancelled, Interruptible};

use crate::bookmark::plan::Planned;
use crate::pass::reading::{Kit, Result, read};

/// Inputs that may be done before their turn, for each thread: what they hold waits in memory.
const AHEAD: usize = 4;

/// A signal that nobody can send: what ends the other threads when nobody wants their results any more.
const GONE: usize = 13;

struct Shared<'a> {
    state: Mutex<State>,
    moved: Condvar,
    /// Held while a large plain file is read, which takes all threads.
    large: Mutex<()>,
    stdin: Mutex<Option<Interruptible>>,
    kit: &'a Kit<'a>,
    inputs: &'a [Planned],
}

struct State {
    /// The input that a thread takes next.
    next: usize,
    /// The input that is told next.
    told: usize,
    done: BTreeMap<usize, std::result::Result<Result, Cancelled>>,
    panicked: bool,
}

/// Reads all inputs with `kit.threads` threads and calls `each` with what came of them, in their order.
///
/// # Errors
/// Those of `each`, and when a signal asked to stop.
pub(super) fn each_in_order(
    kit: &Kit<'_>,
    inputs: &[Planned],
    stdin: Option<Interruptible>,
    mut each: impl FnMut(usize, Result) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let state = State { next: 0, told: 0, done: BTreeMap::new(), panicked: false };
    let (state, moved, large, stdin) = (Mutex::new(state), Condvar::new(), Mutex::new(()), Mutex::new(stdin));
    let shared = Shared { state, moved, large, stdin, kit, inputs };
    std::thread::scope(|scope| {
        for _ in 0..kit.threads.clamp(1, inputs.len().max(1)) {
            scope.spawn(|| shared.work());
        }
        for number in 0..inputs.len() {
            let Some(result) = shared.take(number) else { break };
            let told = result.map_err(Into::into).and_then(|result| each(number, result));
            if told.is_err() {
                kit.cancel.cancel(kit.cancel.signal().unwrap_or(GONE));
                shared.moved.notify_all();
                return told;
            }
        }
        Ok(())
    })
}

impl Shared<'_> {
    fn work(&self) {
        let _guard = TellOfPanic(self);
        while let Some(number) = self.next() {
            let result = read(self.kit, &self.inputs[number], number, self.inputs, &self.stdin, &self.large);
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.done.insert(number, result);
            self.moved.notify_all();
        }
    }

    /// The next input for a thread, once it is not too far ahead.
    fn next(&self) -> Option<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.next >= self.inputs.len() || self.kit.cancel.signal() == Some(GONE) {
                return None;
            }
            if state.next < state.told + AHEAD * self.kit.threads {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for what came of an input; `None` if its thread panicked, which is passed on when the threads are joined.
    fn take(&self, number: usize) -> Option<std::result::Result<Result, Cancelled>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(result) = state.done.remove(&number) {
                state.told = number + 1;
                self.moved.notify_all();
                return Some(result);
            }
            if state.panicked {
                return None;
            }
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A thread that panics must not leave the others waiting for what it would have told.
struct TellOfPanic<'s, 'a>(&'s Shared<'a>);

impl Drop for TellOfPanic<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.kit.cancel.cancel(GONE);
            self.0.state.lock().unwrap_or_else(PoisonError::into_inner).panicked = true;
            self.0.moved.notify_all();
        }
    }
}
