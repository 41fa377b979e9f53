//! Running PostgreSQL's own programs: nothing of the caller's environment decides, their complaints are kept, and they
//! end with us.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use pso_common::io::{Cancel, Env};
use pso_common::postgres::{PgSettings, Program};

/// How much of a program's stderr is kept, from its end, in bytes.
const STDERR_BYTES: usize = 4 << 10;
/// How often the watcher looks.
const STEP: Duration = Duration::from_millis(20);
/// What a program needs of the caller's environment: where its libraries, temporary files and certificates are, and
/// which language to complain in.
const PASSED_ON: &[&str] =
    &["PATH", "HOME", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL", "LC_MESSAGES", "SystemRoot", "APPDATA", "KRB5CCNAME"];

/// A command line for one of PostgreSQL's programs with all three streams piped; `connection` adds where to connect,
/// with the password in the environment only.
#[must_use]
pub fn command(program: &Program, connection: Option<(&PgSettings, &str)>, env: &Env) -> Command {
    let mut command = Command::new(&program.path);
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in PASSED_ON {
        if let Some(value) = env.path(name) {
            command.env(name, value);
        }
    }
    if let Some((settings, name)) = connection {
        command.envs(settings.child_env(name));
        // A server that vanishes without a word is noticed. libpq has no variables for these.
        let dbname = settings.dbname.replace('\\', "\\\\").replace('\'', "\\'");
        let conninfo = format!(
            "dbname='{dbname}' keepalives_idle=30 keepalives_interval=10 keepalives_count=3 tcp_user_timeout=60000"
        );
        command.arg("--dbname").arg(conninfo);
    }
    command
}

/// A program that runs. It is killed when the run is to stop, when it is silent for too long, and when this is dropped.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Arc<Mutex<Child>>,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<JoinHandle<String>>,
    watch: Arc<Watch>,
    watcher: Option<JoinHandle<()>>,
    cancel: Cancel,
}

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What the system says of it.
    pub status: ExitStatus,
    /// The end of its stderr, in one line.
    pub said: String,
    /// Whether it was killed since it was silent for too long.
    pub stalled: bool,
}

#[derive(Debug)]
struct Watch {
    started: Instant,
    /// Milliseconds after `started` when something last came.
    beat: AtomicU64,
    done: AtomicBool,
    stalled: AtomicBool,
}

impl Running {
    /// Starts it. With `stall`, it is killed after so long without a [`Running::beat`].
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(mut command: Command, cancel: &Cancel, stall: Option<Duration>) -> anyhow::Result<Self> {
        let path = command.get_program().to_owned();
        let name =
            std::path::Path::new(&path).file_stem().map_or_else(|| path.to_string_lossy(), OsStr::to_string_lossy);
        let mut child = command.spawn().with_context(|| format!("start {}", path.display()))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let stderr = child.stderr.take().map(|stream| thread::spawn(move || tail(stream)));
        let child = Arc::new(Mutex::new(child));
        let watch = Arc::new(Watch {
            started: Instant::now(),
            beat: AtomicU64::new(0),
            done: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
        });
        let (its_child, its_watch, its_cancel) = (Arc::clone(&child), Arc::clone(&watch), cancel.clone());
        let watcher = thread::spawn(move || watch_over(&its_child, &its_watch, &its_cancel, stall));
        Ok(Self {
            name: name.into_owned(),
            child,
            stdin,
            stdout,
            stderr,
            watch,
            watcher: Some(watcher),
            cancel: cancel.clone(),
        })
    }

    /// Its stdin; dropping it is the end of its input.
    #[must_use]
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// Its stdout.
    #[must_use]
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.stdout.take()
    }

    /// It has given or taken something.
    pub fn beat(&self) {
        self.watch.beat.store(self.watch.millis(), Ordering::Relaxed);
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it failed: with the end of its stderr. When the run is to stop, or it was silent for too long.
    pub fn finish(mut self) -> anyhow::Result<()> {
        let Ended { status, said, .. } = self.wait()?;
        self.outcome(status, &said)
    }

    /// Waits for its end, whatever that is.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn end(mut self) -> anyhow::Result<Ended> {
        self.wait()
    }

    fn wait(&mut self) -> anyhow::Result<Ended> {
        drop(self.stdin.take());
        drop(self.stdout.take());
        let status = loop {
            if let Some(status) = locked(&self.child).try_wait().with_context(|| format!("wait for {}", self.name))? {
                break status;
            }
            thread::sleep(Duration::from_millis(2));
        };
        let said = self.stderr.take().and_then(|reader| reader.join().ok()).unwrap_or_default();
        Ok(Ended { status, said, stalled: self.watch.stalled.load(Ordering::Relaxed) })
    }

    fn outcome(&self, status: ExitStatus, said: &str) -> anyhow::Result<()> {
        if status.success() {
            return Ok(());
        }
        self.cancel.check()?;
        if self.watch.stalled.load(Ordering::Relaxed) {
            bail!(
                "{} was stopped: nothing came from it for too long (a lock on a table, or a dead connection)",
                self.name
            );
        }
        let said = if said.is_empty() { "it said nothing" } else { said };
        Err(anyhow!("{} failed ({status}): {said}", self.name))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.watch.done.store(true, Ordering::Relaxed);
        let mut child = locked(&self.child);
        if !matches!(child.try_wait(), Ok(Some(_))) {
            let _ = child.kill();
            let _ = child.wait();
        }
        drop(child);
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

impl Watch {
    fn millis(&self) -> u64 {
        pso_common::io::elapsed_ms(self.started)
    }
}

fn watch_over(child: &Mutex<Child>, watch: &Watch, cancel: &Cancel, stall: Option<Duration>) {
    while !watch.done.load(Ordering::Relaxed) {
        let silent = Duration::from_millis(watch.millis().saturating_sub(watch.beat.load(Ordering::Relaxed)));
        let stalled = stall.is_some_and(|stall| silent > stall);
        if stalled || cancel.is_cancelled() {
            watch.stalled.store(stalled, Ordering::Relaxed);
            // Its pipes close with it, and whoever reads or writes them goes on.
            let _ = locked(child).kill();
            return;
        }
        thread::sleep(STEP);
    }
}

/// Ends a command that leads a process group of its own, with everything that it has started.
pub fn end_all(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    #[cfg(windows)]
    {
        let id = child.id().to_string();
        let mut command = Command::new("taskkill");
        command.args(["/T", "/F", "/PID", &id]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let _ = command.status();
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn locked(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The end of a stream as one line of text.
fn tail(mut stream: ChildStderr) -> String {
    let mut kept: Vec<u8> = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read) = stream.read(&mut chunk) {
        if read == 0 {
            break;
        }
        kept.extend_from_slice(&chunk[..read]);
        kept.drain(..kept.len().saturating_sub(STDERR_BYTES));
    }
    let text = String::from_utf8_lossy(&kept);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    pso_common::output::printable(&lines.join(" | ")).into_owned()
}
