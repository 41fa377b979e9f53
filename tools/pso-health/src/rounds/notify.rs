//! What systemd is told, where it asks for it (`Type=notify`, `WatchdogSec=`): that the service is ready, alive, stopping.

use std::time::{Duration, Instant};

use pso_common::Severity;

/// The other end of `NOTIFY_SOCKET`; without one nothing is sent.
pub(super) struct Notify {
    /// Half of systemd's patience (`sd_watchdog_enabled(3)`).
    watchdog: Option<Duration>,
    last: Instant,
}

impl Notify {
    pub(super) fn new() -> Self {
        Self { watchdog: watchdog().map(|patience| patience / 2), last: Instant::now() }
    }

    /// Up, and at work.
    pub(super) fn ready(&mut self) {
        tell(&["READY=1", "WATCHDOG=1"]);
    }

    /// Still at work. Called from the loop that schedules, so that systemd learns when that one hangs.
    pub(super) fn alive(&mut self) {
        if self.watchdog.is_some_and(|every| self.last.elapsed() >= every) {
            tell(&["WATCHDOG=1"]);
            self.last = Instant::now();
        }
    }

    /// One line for `systemctl status`.
    pub(super) fn status(&mut self, round: u64, worst: Severity) {
        tell(&[&format!("STATUS=round {round}: {worst}")]);
    }

    pub(super) fn stopping(&mut self) {
        tell(&["STOPPING=1"]);
    }
}

#[cfg(target_os = "linux")]
fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

#[cfg(target_os = "linux")]
fn tell(states: &[&str]) {
    let states: Vec<_> = states.iter().map(|state| sd_notify::NotifyState::Custom(state)).collect();
    // Without systemd there is nobody to tell, and a socket that is gone is no reason to stop watching.
    let _ = sd_notify::notify(&states);
}

#[cfg(not(target_os = "linux"))]
fn watchdog() -> Option<Duration> {
    None
}

#[cfg(not(target_os = "linux"))]
fn tell(_states: &[&str]) {}
