//! Ending a postmaster with all that belongs to it: ours, or one that a killed rehearsal has left.

use std::io::Read as _;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use super::cluster::{CLUSTER, DATA};
use super::owner::Owner;

/// How long a server may take that was told to end at once. It kills its own children after 5 seconds.
const QUIT: Duration = Duration::from_secs(10);
/// How long those that were killed may take to vanish.
const VANISH: Duration = Duration::from_secs(5);
/// How often we look.
const STEP: Duration = Duration::from_millis(10);

/// Tells it to end at once (`immediate`): no session is waited for, and nothing is written down.
pub(super) fn quit(child: &Child) {
    #[cfg(unix)]
    signal(child.id(), rustix::process::Signal::QUIT);
    #[cfg(not(unix))]
    let _ = child;
}

/// Ends it, and waits until nothing of it is left.
pub(super) fn end(child: &mut Child, data: &Path, owner: Option<&Owner>) {
    quit(child);
    let deadline = Instant::now() + QUIT;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
        thread::sleep(STEP);
    }
    if matches!(child.try_wait(), Ok(None)) {
        let _ = child.kill();
    }
    let _ = child.wait();
    clean(data, owner);
}

/// Ends what a server whose postmaster is gone has left: sessions that have not noticed yet, and its shared memory.
fn clean(data: &Path, owner: Option<&Owner>) {
    let deadline = Instant::now() + VANISH;
    loop {
        let left = living_in(data);
        if left.is_empty() || Instant::now() > deadline {
            break;
        }
        #[cfg(unix)]
        left.into_iter().for_each(|id| signal(id, rustix::process::Signal::KILL));
        thread::sleep(STEP);
    }
    remove_shared_memory(data, owner);
}

/// Ends the server that still runs in the folder of a rehearsal that was killed, if there is one.
#[cfg(unix)]
pub(crate) fn end_leftover(folder: &Path) {
    let data = folder.join("postgres").join(CLUSTER).join(DATA);
    let Ok(owner) = Owner::of(&data) else { return };
    if let Some(postmaster) = postmaster_of(&data) {
        signal(postmaster, rustix::process::Signal::QUIT);
        let deadline = Instant::now() + QUIT;
        while postmaster_of(&data) == Some(postmaster) && Instant::now() < deadline {
            thread::sleep(STEP);
        }
        if postmaster_of(&data) == Some(postmaster) {
            signal(postmaster, rustix::process::Signal::KILL);
        }
    }
    clean(&data, Some(&owner));
}

#[cfg(not(unix))]
pub(crate) fn end_leftover(_folder: &Path) {}

/// The first line of `postmaster.pid`, if that process runs there: the number may be another's by now.
#[cfg(unix)]
fn postmaster_of(data: &Path) -> Option<u32> {
    let text = pid_file(data)?;
    let id = text.lines().next()?.trim().parse().ok()?;
    runs_in(id, data).then_some(id)
}

/// What the server has written about itself. The folder is another user's, so it is not read without end.
fn pid_file(data: &Path) -> Option<String> {
    let mut text = String::new();
    let file = std::fs::File::open(data.join("postmaster.pid")).ok()?;
    file.take(4096).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Whether a process runs in this folder, as every process of a server does in its data folder.
#[cfg(target_os = "linux")]
fn runs_in(id: u32, data: &Path) -> bool {
    std::fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|folder| folder == data.canonicalize().unwrap_or_default())
}

/// Elsewhere its command line says so.
#[cfg(all(unix, not(target_os = "linux")))]
fn runs_in(id: u32, data: &Path) -> bool {
    let output = std::process::Command::new("ps").args(["-o", "command=", "-p", &id.to_string()]).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&*data.to_string_lossy()))
}

/// The processes of the server of this data folder.
#[cfg(target_os = "linux")]
fn living_in(data: &Path) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| runs_in(*id, data)).collect()
}

#[cfg(not(target_os = "linux"))]
fn living_in(_data: &Path) -> Vec<u32> {
    Vec::new()
}

/// Removes the segment with which servers notice one another: one that was killed leaves it to the system for good.
fn remove_shared_memory(data: &Path, owner: Option<&Owner>) {
    let Some(pid_file) = pid_file(data) else { return };
    let Ok(segments) = std::fs::read_to_string("/proc/sysvipc/shm") else { return };
    let Some(number) = abandoned(&pid_file, &segments) else { return };
    let mut command = std::process::Command::new("ipcrm");
    command.args(["-m", number]).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    if let Some(owner) = owner {
        owner.become_in(&mut command);
    }
    let _ = command.status();
}

/// The number of the segment of `postmaster.pid` (its process on the first line, key and number on the seventh), where it is
/// still the one that this process made, and nobody uses it: after a restart of the machine it would be another's.
/// `/proc/sysvipc/shm`: key, shmid, perms, size, cpid, lpid, nattch, …
fn abandoned<'a>(pid_file: &'a str, segments: &str) -> Option<&'a str> {
    let process = pid_file.lines().next()?.trim();
    let (key, number) = pid_file.lines().nth(6)?.trim().split_once(char::is_whitespace)?;
    let number = number.trim();
    segments
        .lines()
        .any(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            matches!(fields[..], [its_key, its_number, _, _, made_by, _, "0", ..]
            if (its_key, its_number, made_by) == (key, number, process))
        })
        .then_some(number)
}

#[cfg(unix)]
fn signal(id: u32, signal: rustix::process::Signal) {
    if let Some(id) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(id, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_segment_of_the_very_process_is_removed() {
        let pid_file = "4711\n/tmp/x/data\n1795456789\n5432\n/tmp/x/socket\n\n 16781329         3\nready   \n";
        let with = |line: &str| format!("       key      shmid perms size  cpid  lpid nattch   uid\n{line}\n");
        let of = |line: &str| abandoned(pid_file, &with(line)).map(str::to_owned);
        assert_eq!(of("  16781329          3   600   56  4711  4720      0   101").as_deref(), Some("3"));
        assert_eq!(of("  16781329          3   600   56  4711  4720      6   101"), None, "in use");
        assert_eq!(of("  16781329          3   600   56   999  4720      0   101"), None, "another's");
        assert_eq!(of("  16781330          3   600   56  4711  4720      0   101"), None, "another");
        assert_eq!(abandoned("4711\n", "x"), None);
    }
}
