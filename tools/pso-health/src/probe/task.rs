//! One check in one round: its attempts, its time, and what became of it.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::check::{Check, Context};
use crate::finding::{Finding, Findings};
use crate::settings::Settings;

/// How much longer than its time-out a check is waited for: its own message says at which layer it failed, ours cannot.
const GRACE: Duration = Duration::from_secs(1);

/// The pause before the first further attempt; before each later one it is twice as long. Half of it is left to chance, so
/// that many probes do not come back at once.
const PAUSE: Duration = Duration::from_millis(200);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What has become of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It waits for its turn, or runs.
    Running = 0,
    Ended = 1,
    Panicked = 2,
}

/// A check under way.
pub(super) struct Probe {
    pub(super) check: Arc<dyn Check>,
    /// How long one attempt may take.
    pub(super) timeout: Duration,
    retries: u32,
    started: OnceLock<Instant>,
    state: AtomicU8,
}

impl Probe {
    pub(super) fn new(check: Arc<dyn Check>, settings: &Settings) -> Self {
        Self {
            timeout: check.timeout().unwrap_or(settings.timeout),
            retries: check.retries().unwrap_or(settings.retries),
            check,
            started: OnceLock::new(),
            state: AtomicU8::new(State::Running as u8),
        }
    }

    pub(super) fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::Running,
            1 => State::Ended,
            _ => State::Panicked,
        }
    }

    /// When it was begun; now, if it waits for its turn.
    pub(super) fn started(&self) -> Instant {
        self.started.get().copied().unwrap_or_else(Instant::now)
    }

    pub(super) fn age(&self) -> Duration {
        Duration::from_secs(self.started().elapsed().as_secs())
    }

    /// How long it may still take, with all its attempts.
    pub(super) fn left(&self) -> Duration {
        let pauses: Duration = (0..self.retries).map(longest_pause).sum();
        let all = (self.timeout + GRACE).saturating_mul(self.retries + 1) + pauses;
        all.saturating_sub(self.started().elapsed())
    }
}

/// A probe that waits for a thread.
pub(super) struct Task {
    probe: Arc<Probe>,
    sender: Sender<Finding>,
}

impl Task {
    pub(super) const fn new(probe: Arc<Probe>, sender: Sender<Finding>) -> Self {
        Self { probe, sender }
    }

    /// Runs the check, again as long as a probe of it fails and attempts are left.
    pub(super) fn run(self, context: &Context) {
        let Self { probe, sender } = self;
        let _ = probe.started.set(Instant::now());
        // Nobody listens any more to a check that was given up.
        let send = |finding: Finding| drop(sender.send(finding));
        let result = catch_unwind(AssertUnwindSafe(|| attempts(&probe, context, &send)));
        let state = if result.is_ok() { State::Ended } else { State::Panicked };
        // Before the sender goes: who sees it gone asks for the state.
        probe.state.store(state as u8, Ordering::Release);
    }
}

fn attempts(probe: &Probe, context: &Context, send: &dyn Fn(Finding)) {
    for attempt in 0..probe.retries {
        let kept = RefCell::new(Vec::new());
        probe.check.run(context, &Findings::new(&|finding| kept.borrow_mut().push(finding)));
        let kept = kept.into_inner();
        if !kept.iter().any(Finding::failed) {
            return kept.into_iter().for_each(|finding| send(finding.of_attempt(attempt + 1)));
        }
        thread::sleep(longest_pause(attempt).mul_f64(0.5 + fastrand::f64() / 2.0));
    }
    probe.check.run(context, &Findings::new(&|finding| send(finding.of_attempt(probe.retries + 1))));
}

/// The longest pause after an attempt, counted from 0.
fn longest_pause(attempt: u32) -> Duration {
    PAUSE.saturating_mul(2_u32.saturating_pow(attempt)).min(LONGEST_PAUSE)
}
