//! We yield to those who work: nobody waits for a rehearsal.

/// Lets other processes go first. Threads and processes that are started later inherit it (setpriority(2), on Linux a thread's
/// own), and the disk's queue goes by it too: without an I/O class of its own a process has the one of its nice value
/// (ioprio_set(2)). Who yields more already stays as polite; it cannot be taken back without privileges.
#[cfg(unix)]
pub(crate) fn yield_to_others(nice: u8) {
    use rustix::process::{getpriority_process, setpriority_process};
    let now = getpriority_process(None).unwrap_or_default();
    if now < i32::from(nice) {
        // It is only a courtesy.
        let _ = setpriority_process(None, i32::from(nice));
    }
}

/// Windows has no such number.
#[cfg(not(unix))]
pub(crate) const fn yield_to_others(_nice: u8) {}
