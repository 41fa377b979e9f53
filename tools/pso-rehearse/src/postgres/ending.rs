//! Ending a postmaster with all that belongs to it: ours, or one that a killed rehearsal has left.
//!
//! We may be root, and the folder of the cluster belongs to a user whom a dump's SQL can start programs as: nothing that
//! lies in it decides whom we end. That is decided by where a process works and as whom, and both the system says.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use super::child::beginning;
use super::cluster::{CLUSTER, DATA};
use super::owner::Owner;

/// How long a server may take that was told to end at once. It kills its own children after 5 seconds.
const QUIT: Duration = Duration::from_secs(10);
/// How long those that were killed may take to vanish.
const VANISH: Duration = Duration::from_secs(5);
/// How often we look.
const STEP: Duration = Duration::from_millis(10);

/// Tells it to end at once (`immediate`): no session is waited for, and nothing is written down.
pub(super) fn quit(child: &mut Child) {
    // Of one that has ended already the number may be another's by now.
    #[cfg(unix)]
    if matches!(child.try_wait(), Ok(None)) {
        signal(child.id(), rustix::process::Signal::QUIT);
    }
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
    if let Some(home) = data.parent().and_then(Home::of) {
        home.clean(owner);
    }
}

/// The folder of a cluster, in which everything of its server works, and the user that it runs as.
struct Home {
    /// Without links: its parents are ours, and it is no link itself.
    path: PathBuf,
    user: Owner,
}

impl Home {
    #[cfg(unix)]
    fn of(cluster: &Path) -> Option<Self> {
        let path = cluster.parent()?.canonicalize().ok()?.join(cluster.file_name()?);
        let is_folder = std::fs::symlink_metadata(&path).is_ok_and(|is| is.is_dir());
        let user = Owner::of(&path).ok()?;
        // Where it is root's it was not given away yet, and nothing has run there.
        (is_folder && user.uid() != 0).then_some(Self { path, user })
    }

    #[cfg(not(unix))]
    fn of(_cluster: &Path) -> Option<Self> {
        None
    }

    fn data(&self) -> PathBuf {
        self.path.join(DATA)
    }

    /// Ends what a server whose postmaster is gone has left: sessions that have not noticed yet, and its shared memory.
    fn clean(&self, owner: Option<&Owner>) {
        let deadline = Instant::now() + VANISH;
        loop {
            let left = self.processes();
            if left.is_empty() || Instant::now() > deadline {
                break;
            }
            #[cfg(unix)]
            left.into_iter().for_each(|id| signal(id, rustix::process::Signal::KILL));
            thread::sleep(STEP);
        }
        remove_shared_memory(&self.data(), owner);
    }

    /// The process that the first line of `postmaster.pid` names, if it is of this server: whoever the cluster runs as can
    /// write there what he likes.
    #[cfg(unix)]
    fn postmaster(&self) -> Option<u32> {
        let text = pid_file(&self.data())?;
        let id = text.lines().next()?.trim().parse().ok()?;
        self.is_of(id).then_some(id)
    }

    /// Whether a process works in this folder, as all of a server do, and is its user's. A shell in which somebody looks
    /// around there is not, where we are root.
    #[cfg(target_os = "linux")]
    fn is_of(&self, id: u32) -> bool {
        let process = Path::new("/proc").join(id.to_string());
        let is_here = std::fs::read_link(process.join("cwd")).is_ok_and(|folder| folder.starts_with(&self.path));
        // `Uid:` real, effective, saved, file system.
        let user = || {
            let status = std::fs::read_to_string(process.join("status")).ok()?;
            status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().next()?.parse::<u32>().ok()
        };
        is_here && id != std::process::id() && user() == Some(self.user.uid())
    }

    /// Elsewhere its command line says so.
    #[cfg(all(unix, not(target_os = "linux")))]
    fn is_of(&self, id: u32) -> bool {
        let output = std::process::Command::new("ps").args(["-o", "uid=,command=", "-p", &id.to_string()]).output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let Some((user, command)) = text.trim().split_once(char::is_whitespace) else { return false };
        user.parse() == Ok(self.user.uid()) && command.contains(&*self.data().to_string_lossy())
    }

    /// The processes of this server.
    #[cfg(target_os = "linux")]
    fn processes(&self) -> Vec<u32> {
        let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
        let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(|id| self.is_of(*id)).collect()
    }

    #[cfg(not(target_os = "linux"))]
    fn processes(&self) -> Vec<u32> {
        Vec::new()
    }
}

/// Ends the server that still runs in the folder of a rehearsal that was killed, if there is one.
#[cfg(unix)]
pub(crate) fn end_leftover(folder: &Path) {
    let Some(home) = Home::of(&folder.join("postgres").join(CLUSTER)) else { return };
    if let Some(postmaster) = home.postmaster() {
        signal(postmaster, rustix::process::Signal::QUIT);
        let deadline = Instant::now() + QUIT;
        while home.is_of(postmaster) && Instant::now() < deadline {
            thread::sleep(STEP);
        }
        if home.is_of(postmaster) {
            signal(postmaster, rustix::process::Signal::KILL);
        }
    }
    home.clean(Some(&home.user));
}

#[cfg(not(unix))]
pub(crate) fn end_leftover(_folder: &Path) {}

/// What the server has written about itself.
fn pid_file(data: &Path) -> Option<String> {
    beginning(&data.join("postmaster.pid"), 4096).ok()
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
