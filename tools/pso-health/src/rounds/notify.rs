//! What systemd is told, where it asks for it (`Type=notify`, `WatchdogSec=`): that the service is ready, alive, stopping.

use std::time::{Duration, Instant};

use pso_common::Severity;

/// How long a supervisor may take to make room for a word.
#[cfg(target_os = "linux")]
const PATIENCE: Duration = Duration::from_secs(1);

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
    if let Some(name) = std::env::var_os("NOTIFY_SOCKET") {
        // A socket that is gone is no reason to stop watching.
        let _ = send(&name, &states.join("\n"));
    }
}

/// `sd_notify` of the crate does not know names that begin with `@`, sockets without a file, as container managers have them.
#[cfg(target_os = "linux")]
fn send(name: &std::ffi::OsStr, text: &str) -> std::io::Result<()> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // Whoever does not read must not stop us.
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.send_to_addr(text.as_bytes(), &address).map(drop)
}

#[cfg(not(target_os = "linux"))]
fn watchdog() -> Option<Duration> {
    None
}

#[cfg(not(target_os = "linux"))]
fn tell(_states: &[&str]) {}
