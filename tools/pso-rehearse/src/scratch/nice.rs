//! We yield to those who work: nobody waits for a rehearsal.

/// How much more: each step gives about a quarter more of the time to the other (sched(7)).
const BESIDE: u8 = 9;

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

/// Lets the rest of this rehearsal go first: what is started by this thread from now on takes the time that others leave.
/// Elsewhere than on Linux the number is the whole process's, and nothing is changed.
pub(crate) fn yield_beside(nice: u8) {
    if cfg!(target_os = "linux") {
        yield_to_others(nice.saturating_add(BESIDE));
    }
}

/// Windows has no such number.
#[cfg(not(unix))]
pub(crate) const fn yield_to_others(_nice: u8) {}
