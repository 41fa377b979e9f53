//! The child in which the engine runs, as its parent sees it: started, listened to, and what its end means.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use pso_archive::{Ended, Running};
use pso_common::io::{Cancel, Env};
use pso_common::output::{bytes, duration_ms};

use super::limits;
use super::message::{Said, Work};
use crate::scratch::free;

/// A child that is silent for longer than this, and a second for each MiB of its snapshot, hangs.
const SILENCE: Duration = Duration::from_secs(120);
/// With less room than this on the disk, an end without a reason is the disk's (bytes).
const LITTLE_ROOM: u64 = 8 << 20;
/// What the engine takes whatever it opens (bytes).
const MEMORY_ANYHOW: u64 = 1 << 30;
/// How many times the size of a snapshot the engine may take: what is compressed in it, and indexes that it builds.
const MEMORY_TIMES: u64 = 16;

/// How much memory the engine may take for a snapshot of so many bytes. More is not what its content needs.
pub(super) const fn memory_for(size: u64) -> u64 {
    MEMORY_ANYHOW + size.saturating_mul(MEMORY_TIMES)
}

/// How a child ended before it was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As it should.
    Done,
    /// The snapshot is what did it.
    OfSnapshot(String),
    /// Something else did, or may have.
    Unclear(String),
}

/// Runs a child on its work in `folder`; `hear` is told what it says.
///
/// # Errors
/// When it cannot be started, or the run is to stop.
pub(super) fn run(
    (folder, work, size): (&Path, &Work, u64),
    (env, cancel): (&Env, &Cancel),
    mut hear: impl FnMut(Said),
) -> anyhow::Result<End> {
    let mut command = ourselves()?;
    command.arg("--engine").arg(folder).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Libraries, on systems where they are not in the usual places; Windows needs the other to start anything.
    for name in ["LD_LIBRARY_PATH", "SystemRoot"] {
        if let Some(value) = env.path(name) {
            command.env(name, value);
        }
    }
    // One thread is enough to read with, and each takes memory of its own.
    command.env("RAYON_NUM_THREADS", "1").env("RUST_BACKTRACE", "0").env("MALLOC_ARENA_MAX", "2");
    let stall = SILENCE + Duration::from_secs(size >> 20);
    let mut child = Running::start(command, cancel, Some(stall)).context("start Qdrant's engine")?;
    // Held until the child has ended: the end of its stdin is its own.
    let mut stdin = child.take_stdin().context("the engine has no stdin")?;
    let mut line = serde_json::to_string(work)?;
    line.push('\n');
    // One that died at once tells by its end.
    let _ = stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush());
    let stdout = child.take_stdout().context("the engine has no stdout")?;
    let (mut does, mut is_done, mut is_garbled) = (String::from("being started"), false, false);
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { break };
        child.beat();
        match serde_json::from_str(&line) {
            Ok(Said::Done) => is_done = true,
            Ok(Said::Does(what)) => {
                does.clone_from(&what);
                hear(Said::Does(what));
            }
            Ok(said) => hear(said),
            // What a process says whose memory is not what it was.
            Err(_) => {
                (is_garbled, does) = (true, "saying what cannot be read".to_owned());
            }
        }
    }
    let ended = child.end()?;
    drop(stdin);
    cancel.check()?;
    // Among what cannot be read may be that something does not hold.
    if is_done && !is_garbled && ended.status.success() {
        return Ok(End::Done);
    }
    let about = About {
        does: &does,
        room: free(folder),
        memory: work.memory,
        available: [available_memory(), limits::allowed_memory()].into_iter().flatten().min(),
        is_file_limited: limits::are_files_limited(),
        stall,
    };
    Ok(meaning(&ended, &about))
}

/// Our own program: the one that runs, also where its file was replaced or removed meanwhile.
fn ourselves() -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("find our own program")?;
    let running = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && running.exists() {
        let mut command = Command::new(running);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::arg0(&mut command, program);
        return Ok(command);
    }
    Ok(Command::new(program))
}

/// What is known when a child has ended too early.
struct About<'a> {
    /// What it was at.
    does: &'a str,
    /// Free bytes on the disk.
    room: Option<u64>,
    /// What it was allowed to take.
    memory: u64,
    /// Memory that it could have had: free now that it is gone, and allowed to this process.
    available: Option<u64>,
    /// Whether somebody has limited how long our files may be (`ulimit -f`).
    is_file_limited: bool,
    stall: Duration,
}

/// What the end of a child means.
fn meaning(ended: &Ended, about: &About<'_>) -> End {
    let does = about.does;
    if ended.stalled {
        let silence = duration_ms(u64::try_from(about.stall.as_millis()).unwrap_or(u64::MAX));
        return End::Unclear(format!("Qdrant's engine was silent for {silence} while {does}, and was ended"));
    }
    let said = if ended.said.is_empty() { String::new() } else { format!(": {}", ended.said) };
    let Some(by) = died_of(ended.status) else {
        return End::Unclear(format!("Qdrant's engine ended while {does} ({}){said}", ended.status));
    };
    if !is_crash(by) {
        return End::Unclear(format!(
            "Qdrant's engine was ended by {by} while {does}: by somebody, or for want of memory on this machine"
        ));
    }
    if about.room.is_some_and(|room| room < LITTLE_ROOM) {
        return End::Unclear(format!("Qdrant's engine died of {by} while {does}, and the disk is full"));
    }
    if ended.said.contains("memory allocation of") || ended.said.contains("bad_alloc") {
        let memory = bytes(about.memory);
        return match about.available {
            Some(available) if available < about.memory => End::Unclear(format!(
                "Qdrant's engine had too little memory while {does}: it may take {memory}, and {} could be had (free memory, \
                 ulimit -v, ulimit -d)",
                bytes(available)
            )),
            _ => End::OfSnapshot(format!(
                "it makes Qdrant's engine ask for more than {memory} of memory while {does}, which nothing of its size takes"
            )),
        };
    }
    if by == "SIGXFSZ" && about.is_file_limited {
        return End::Unclear(format!(
            "Qdrant's engine may not write files as long as it needs while {does}: a limit of this process (ulimit -f)"
        ));
    }
    if by == "SIGXFSZ" {
        return End::OfSnapshot(format!(
            "it makes Qdrant's engine begin a file far longer than any of its own while {does}"
        ));
    }
    End::OfSnapshot(format!("Qdrant's engine dies on it ({by}) while {does}{said}"))
}

/// The signals that a process gets for what it did itself.
fn is_crash(signal: &str) -> bool {
    ["SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS", "SIGXFSZ", "an exception"]
        .contains(&signal)
}

/// The signal that ended a process.
#[cfg(unix)]
fn died_of(status: ExitStatus) -> Option<&'static str> {
    use rustix::process::Signal;

    let signal = Signal::from_named_raw(std::os::unix::process::ExitStatusExt::signal(&status)?);
    Some(match signal {
        Some(Signal::ILL) => "SIGILL",
        Some(Signal::TRAP) => "SIGTRAP",
        Some(Signal::ABORT) => "SIGABRT",
        Some(Signal::BUS) => "SIGBUS",
        Some(Signal::FPE) => "SIGFPE",
        Some(Signal::SEGV) => "SIGSEGV",
        Some(Signal::SYS) => "SIGSYS",
        Some(Signal::XFSZ) => "SIGXFSZ",
        Some(Signal::KILL) => "SIGKILL",
        Some(Signal::TERM) => "SIGTERM",
        Some(Signal::INT) => "SIGINT",
        Some(Signal::HUP) => "SIGHUP",
        _ => "a signal",
    })
}

/// Windows has exceptions, whose numbers begin with `C` (`STATUS_ACCESS_VIOLATION` is C0000005).
#[cfg(not(unix))]
fn died_of(status: ExitStatus) -> Option<&'static str> {
    status.code().filter(|code| code.cast_unsigned() >= 0xC000_0000).map(|_| "an exception")
}

/// Memory that could be had now; absent where the system does not say in this way.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
    };
    // With `vm.overcommit_memory` = 2 no more is promised than there is, however much of it is free.
    let is_strict = std::fs::read_to_string("/proc/sys/vm/overcommit_memory").is_ok_and(|mode| mode.trim() == "2");
    let promised = is_strict.then(|| Some(of("CommitLimit")?.saturating_sub(of("Committed_AS")?))).flatten();
    [of("MemAvailable"), promised].into_iter().flatten().min()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    fn meant(status: i32, said: &str, room: u64, available: u64) -> End {
        let ended = Ended { status: ExitStatus::from_raw(status), said: said.to_owned(), stalled: false };
        let about = About {
            does: "opening shard 0",
            room: Some(room),
            memory: 1 << 30,
            available: Some(available),
            is_file_limited: false,
            stall: SILENCE,
        };
        meaning(&ended, &about)
    }

    #[test]
    fn a_crash_is_the_snapshots_unless_the_machine_had_no_room() {
        let plenty = 1 << 40;
        assert_eq!(
            meant(11, "", plenty, plenty),
            End::OfSnapshot("Qdrant's engine dies on it (SIGSEGV) while opening shard 0".to_owned())
        );
        assert!(matches!(meant(7, "", 4096, plenty), End::Unclear(_)), "a full disk");
        assert!(matches!(meant(9, "", plenty, plenty), End::Unclear(_)), "somebody, or the kernel for want of memory");
        assert!(matches!(meant(15, "", plenty, plenty), End::Unclear(_)));
        assert!(matches!(meant(3 << 8, "x", plenty, plenty), End::Unclear(_)), "an exit code");
        let greedy = "memory allocation of 21474836480 bytes failed";
        assert_eq!(
            meant(6, greedy, plenty, plenty),
            End::OfSnapshot(
                "it makes Qdrant's engine ask for more than 1.0 GiB of memory while opening shard 0, which nothing of its \
                 size takes"
                    .to_owned()
            )
        );
        assert_eq!(
            meant(25, "", plenty, plenty),
            End::OfSnapshot(
                "it makes Qdrant's engine begin a file far longer than any of its own while opening shard 0".to_owned()
            )
        );
        assert!(matches!(meant(6, greedy, plenty, 1 << 20), End::Unclear(_)), "a machine without memory");
        let ended = Ended { status: ExitStatus::from_raw(25), said: String::new(), stalled: false };
        let about = About {
            does: "opening shard 0",
            room: Some(plenty),
            memory: 1 << 30,
            available: None,
            is_file_limited: true,
            stall: SILENCE,
        };
        assert!(matches!(meaning(&ended, &about), End::Unclear(_)), "ulimit -f");
    }
}
