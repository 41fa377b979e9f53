//! A program of one's own, which gets the notices as records on its stdin.

use std::io::{Read, Write as _};
use std::process::{Child, Command as Process, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use super::post::fingerprint;
use super::{Channel, Digest, Outcome, records};
use crate::text::one_line;

/// Notices in one message.
const MAX_NOTICES: usize = 500;

/// As much of what it says is kept, in bytes.
const MAX_SAID: u64 = 4_096;

/// How often to look whether it has ended.
const LOOK: Duration = Duration::from_millis(10);

/// How long its last words may take when it has ended: a process of its own may hold its stdout open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The program. No shell looks at the words.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) words: Vec<String>,
}

impl Channel for Command {
    fn kind(&self) -> &'static str {
        "command"
    }

    fn capacity(&self) -> usize {
        MAX_NOTICES
    }

    fn is_for_people(&self) -> bool {
        false
    }

    fn fingerprint(&self) -> String {
        fingerprint(self.words.iter().map(String::as_str))
    }

    fn send(&self, digest: &Digest<'_>, timeout: Duration) -> Outcome {
        let deadline = Instant::now() + timeout;
        let input = match records::lines(digest) {
            Ok(input) => input,
            Err(error) => return Outcome::Refused { status: None, reason: error.to_string() },
        };
        let name = &one_line(self.words.first().map_or("", String::as_str), 200);
        let mut child = match self.start() {
            Ok(child) => child,
            // It is not there, or may not be run: that is for somebody to change.
            Err(error) => return Outcome::Unusable { status: None, reason: format!("start {name}: {error}") },
        };
        let stdin = child.stdin.take();
        thread::spawn(move || {
            // It may end without having read all; its exit code says what that means.
            stdin.map(|mut stdin| stdin.write_all(&input))
        });
        let said = [words(child.stdout.take()), words(child.stderr.take())];
        let status = wait(&mut child, deadline);
        let said: Vec<String> = said.iter().filter_map(|text| text.recv_timeout(LAST_WORDS).ok()).collect();
        let said = one_line(&said.join(" "), 300);
        match status {
            Ok(Some(status)) => outcome(name, status, said),
            Ok(None) => {
                let reason = format!("{name} did not end within the time-out, and was killed");
                Outcome::Again { status: None, after: Duration::ZERO, reason }
            }
            Err(error) => {
                Outcome::Again { status: None, after: Duration::ZERO, reason: format!("wait for {name}: {error}") }
            }
        }
    }
}

impl Command {
    fn start(&self) -> std::io::Result<Child> {
        let mut process = Process::new(self.words.first().map_or("", String::as_str));
        process.args(self.words.iter().skip(1));
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that what it has started can be ended with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut process, 0);
        process.spawn()
    }
}

/// What its codes mean. 75, 64, 65, 77 and 78 are those of sysexits.h, which mail programs have made common; any other code
/// may stand for a network that is down, so it is tried again.
fn outcome(name: &str, status: ExitStatus, said: String) -> Outcome {
    let code = status.code().and_then(|code| u16::try_from(code).ok());
    let ended = code.map_or_else(|| "was killed by a signal".to_owned(), |code| format!("ended with {code}"));
    let reason = if said.is_empty() { format!("{name} {ended}") } else { format!("{name} {ended}: {said}") };
    match code {
        Some(0) => Outcome::Sent { status: code, said, pause: Duration::ZERO, complaint: None },
        Some(64 | 65) => Outcome::Refused { status: code, reason },
        Some(77 | 78 | 126 | 127) => Outcome::Unusable { status: code, reason },
        _ => Outcome::Again { status: code, after: Duration::ZERO, reason },
    }
}

/// Waits for its end; kills it, and all that it has started, when the time is up.
fn wait(child: &mut Child, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            end(child);
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// Its group has its id, which nobody else can have as long as it was not waited for.
#[cfg(unix)]
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    let killed = group.map(|group| rustix::process::kill_process_group(group, rustix::process::Signal::KILL));
    if !matches!(killed, Some(Ok(()))) {
        let _ = child.kill();
    }
}

#[cfg(not(unix))]
fn end(child: &mut Child) {
    let _ = child.kill();
}

/// The beginning of what it says; the rest is read and dropped, so that it never waits for us.
fn words(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (said, text) = mpsc::channel();
    thread::spawn(move || {
        let Some(mut pipe) = pipe else { return };
        let mut bytes = Vec::new();
        let _ = pipe.by_ref().take(MAX_SAID).read_to_end(&mut bytes);
        let whole = std::io::copy(&mut pipe, &mut std::io::sink());
        drop(whole);
        // Nobody listens any more when the time is up.
        let _ = said.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    text
}
