//! A program that somebody else wrote: run to its end, or to the end of its time, together with what it has started.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// So much of what it writes is kept, of each stream; the rest is read and dropped, so that it does not block.
const MOST_OUTPUT: usize = 64 << 10;

/// How often it is looked whether it has ended.
const STEP: Duration = Duration::from_millis(20);

/// How long a program that has ended is listened to when something that it started still holds its output.
const HELD: Duration = Duration::from_millis(200);

/// How it came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Code(i32),
    /// A signal ended it; its number where it is known.
    Killed(Option<i32>),
    /// It was ended when its time was over.
    TimedOut,
}

/// A program that has ended, and what it wrote.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) exit: Exit,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// The place of at most one running program, so that another thread can end it.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<Slot>);

#[derive(Debug, Default)]
struct Slot {
    child: Option<Child>,
    stopped: bool,
}

impl Running {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what runs; nothing is started from here any more.
    pub(super) fn stop(&self) {
        let mut slot = self.slot();
        slot.stopped = true;
        if let Some(child) = &mut slot.child {
            kill(child);
        }
    }

    /// Runs a program with nothing on its stdin, for so long at most.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn run(&self, mut command: Command, timeout: Duration) -> io::Result<Ended> {
        let deadline = Instant::now() + timeout;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that it can be ended with all that it has started.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let (sender, closed) = mpsc::channel();
        let (stdout, stderr) = {
            let mut slot = self.slot();
            if slot.stopped {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let mut child = command.spawn()?;
            let outputs = (gather(child.stdout.take(), &sender), gather(child.stderr.take(), &sender));
            slot.child = Some(child);
            outputs
        };
        drop(sender);
        let mut ended: Option<(ExitStatus, Instant)> = None;
        let mut open = 2;
        let exit = loop {
            if ended.is_none() {
                ended = self.try_wait()?.map(|status| (status, Instant::now()));
            }
            match ended {
                Some((status, _)) if open == 0 => break exit(status),
                Some((status, at)) if at.elapsed() >= HELD => {
                    // What it has left behind would write to nobody.
                    self.kill();
                    break exit(status);
                }
                _ => {}
            }
            if Instant::now() >= deadline {
                self.kill();
                break Exit::TimedOut;
            }
            if open == 0 {
                thread::sleep(Duration::from_millis(1));
            } else if closed.recv_timeout(STEP).is_ok() {
                open -= 1;
            }
        };
        // Not under the lock: what hangs in the kernel outlives its kill, and must not keep the run from ending.
        let child = self.slot().child.take();
        if let Some(mut child) = child {
            // It has ended, or was killed just now.
            let _ = child.wait();
        }
        Ok(Ended { exit, stdout: taken(&stdout), stderr: taken(&stderr) })
    }

    fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.slot().child.as_mut().map_or(Ok(None), Child::try_wait)
    }

    fn kill(&self) {
        if let Some(child) = &mut self.slot().child {
            kill(child);
        }
    }
}

#[cfg(unix)]
fn kill(child: &mut Child) {
    // An error says that nothing of the group is left.
    let _ = rustix::process::kill_process_group(rustix::process::Pid::from_child(child), rustix::process::Signal::KILL);
}

/// Without groups of processes only the program itself is ended, not what it has started.
#[cfg(not(unix))]
fn kill(child: &mut Child) {
    // An error says that it has ended.
    let _ = child.kill();
}

fn exit(status: ExitStatus) -> Exit {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None;
    status.code().map_or(Exit::Killed(signal), Exit::Code)
}

type Output = Arc<Mutex<Vec<u8>>>;

/// Reads a stream in a thread of its own, and says when it was closed.
fn gather(stream: Option<impl Read + Send + 'static>, closed: &Sender<()>) -> Output {
    let output = Output::default();
    let Some(mut stream) = stream else { return output };
    let (kept, closed) = (Arc::clone(&output), closed.clone());
    // Where no thread can be started the stream is closed, which the program notices.
    let _ = thread::Builder::new().name("output".to_owned()).stack_size(64 << 10).spawn(move || {
        let mut chunk = [0; 4096];
        loop {
            match stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    let room = MOST_OUTPUT.saturating_sub(kept.len());
                    kept.extend_from_slice(&chunk[..read.min(room)]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        // Nobody listens any more to a program that was given up.
        let _ = closed.send(());
    });
    output
}

fn taken(output: &Output) -> Vec<u8> {
    std::mem::take(&mut *output.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn sh(line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        command
    }

    #[test]
    fn what_it_writes_and_how_it_ends() {
        let ended = Running::default().run(sh("echo out; echo err >&2; cat; exit 3"), LONG).expect("started");
        assert_eq!((ended.exit, &ended.stdout[..], &ended.stderr[..]), (Exit::Code(3), &b"out\n"[..], &b"err\n"[..]));
        let ended = Running::default().run(sh("kill -9 $$"), LONG).expect("started");
        assert_eq!(ended.exit, Exit::Killed(Some(9)));
        assert!(Running::default().run(Command::new("/no/such/program"), LONG).is_err());
    }

    #[test]
    fn more_than_is_kept_does_not_block_it() {
        let ended = Running::default().run(sh("head -c 1000000 /dev/zero; echo done >&2"), LONG).expect("started");
        assert_eq!((ended.exit, ended.stdout.len(), &ended.stderr[..]), (Exit::Code(0), MOST_OUTPUT, &b"done\n"[..]));
    }

    /// Whether a process is there that is not a zombie.
    fn lives(pid: &str) -> bool {
        let state = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().expect("ps").stdout;
        !String::from_utf8_lossy(&state).trim().is_empty() && !state.starts_with(b"Z")
    }

    fn wait_until_dead(pid: &str) {
        let deadline = Instant::now() + LONG;
        while lives(pid) {
            assert!(Instant::now() < deadline, "{pid} still lives");
            thread::yield_now();
        }
    }

    #[test]
    fn when_its_time_is_over_all_of_it_ends() {
        let started = Instant::now();
        let ended =
            Running::default().run(sh("sleep 600 & echo $!; sleep 600"), Duration::from_millis(300)).expect("ok");
        assert_eq!(ended.exit, Exit::TimedOut);
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        wait_until_dead(String::from_utf8_lossy(&ended.stdout).trim());
    }

    #[test]
    fn what_it_leaves_behind_does_not_hold_the_check() {
        let started = Instant::now();
        let ended = Running::default().run(sh("sleep 600 & echo $!; exit 1"), LONG).expect("started");
        assert_eq!(ended.exit, Exit::Code(1));
        assert!(started.elapsed() < LONG / 2, "{:?}", started.elapsed());
        wait_until_dead(String::from_utf8_lossy(&ended.stdout).trim());
    }

    #[test]
    fn another_thread_can_end_it() {
        let running = Running::default();
        let started = Instant::now();
        thread::scope(|scope| {
            let run = scope.spawn(|| running.run(sh("sleep 600"), LONG));
            while running.slot().child.is_none() && !run.is_finished() {
                thread::yield_now();
            }
            running.stop();
            let ended = run.join().expect("whole").expect("started");
            assert_eq!(ended.exit, Exit::Killed(Some(9)));
        });
        assert!(started.elapsed() < LONG / 2, "{:?}", started.elapsed());
        assert!(running.run(sh("true"), LONG).is_err(), "nothing is started any more");
    }
}
