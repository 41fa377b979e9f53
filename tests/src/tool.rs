//! Runs a built tool as its user would, and looks at all that came out: exit code, stdout and stderr.

mod outcome;

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

pub use outcome::Outcome;

pub use crate::supervised::{built_binary, promtool};

use crate::supervised;
use crate::wait;

/// A run that is being put together. The child's environment is PATH and what [`Tool::env`] gives, nothing else.
#[derive(Debug, Clone)]
pub struct Tool {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    stdin: Vec<u8>,
    limit: Duration,
}

impl Tool {
    /// A tool of this workspace: `pso-health` and so on, in `PSO_TEST_BIN_DIR` or beside the test executable.
    ///
    /// # Errors
    /// When it is not built; the message says `make test`.
    pub fn new(name: &str) -> Result<Self> {
        Ok(Self::program(supervised::built_binary(name)?))
    }

    /// Any other program.
    #[must_use]
    pub fn program(path: impl Into<PathBuf>) -> Self {
        let limit = Duration::from_secs(60);
        Self { program: path.into(), args: Vec::new(), env: Vec::new(), folder: None, stdin: Vec::new(), limit }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// One more variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// More variables, such as [`crate::pg::Database::env`].
    #[must_use]
    pub fn envs<N: AsRef<OsStr>, V: AsRef<OsStr>>(mut self, env: impl IntoIterator<Item = (N, V)>) -> Self {
        self.env.extend(env.into_iter().map(|(name, value)| (name.as_ref().to_owned(), value.as_ref().to_owned())));
        self
    }

    /// The working folder.
    #[must_use]
    pub fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// What it reads on stdin; nothing by default.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// How long it may run; 60 s by default. Past it, it is killed and the run is an error.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it cannot be started, or does not end in time. A failure of the tool is an [`Outcome`].
    pub fn run(self) -> Result<Outcome> {
        let bytes = self.stdin.clone();
        let mut running = self.spawn()?;
        // In a thread of its own: a tool that does not read would block us, and one that ends early closes the pipe, which is its right.
        if let Some(mut pipe) = running.stdin.take() {
            thread::spawn(move || {
                let _ = pipe.write_all(&bytes);
            });
        }
        running.finish()
    }

    /// Starts it and leaves its stdin open; [`Tool::stdin`] does not count here.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(self) -> Result<Running> {
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear().process_group(0);
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path))).envs(self.env);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {}", self.program.display()))?;
        let stdin = child.stdin.take();
        let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
        let name = self.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Running { child, name, stdin, stdout, stderr, limit: self.limit })
    }
}

/// A tool that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
    /// Its stdin; take and drop it to close it.
    pub stdin: Option<ChildStdin>,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    limit: Duration,
}

impl Running {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal: `running.signal("TERM")`.
    ///
    /// # Errors
    /// When it has ended already, or the signal cannot be sent.
    pub fn signal(&mut self, name: &str) -> Result<()> {
        if let Some(status) = self.child.try_wait().context("look at the tool")? {
            bail!("{} has ended already: {status}", self.name);
        }
        send(name, &self.id().to_string())
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait().context("look at the tool")?.is_none())
    }

    /// Waits for its end. Its stdin is closed.
    ///
    /// # Errors
    /// When it does not end in time; then it is killed, together with the children it started.
    pub fn finish(mut self) -> Result<Outcome> {
        drop(self.stdin.take());
        let limit = self.limit;
        let ended = wait::until(&format!("{} to end", self.name), limit, || self.child.try_wait().ok().flatten());
        let status = match ended {
            Ok(status) => status,
            Err(error) => {
                self.end();
                let said = (received(&self.stdout), received(&self.stderr));
                let said =
                    (String::from_utf8_lossy(&said.0).into_owned(), String::from_utf8_lossy(&said.1).into_owned());
                return Err(error).with_context(|| format!("stdout: {}\nstderr: {}", said.0, said.1));
            }
        };
        Ok(Outcome {
            name: self.name.clone(),
            code: status.code(),
            signal: status.signal(),
            stdout: received(&self.stdout),
            stderr: String::from_utf8_lossy(&received(&self.stderr)).into_owned(),
        })
    }

    fn end(&mut self) {
        // Not reaped yet, so the id is still its own, and that of the group it leads: a pg_dump of its must not live on.
        if let Ok(None) = self.child.try_wait() {
            let _ = send("KILL", &format!("-{}", self.id()));
            let _ = self.child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn send(signal: &str, target: &str) -> Result<()> {
    let status =
        Command::new("sh").args(["-c", "kill -s \"$1\" -- \"$2\" 2>/dev/null", "kill", signal, target]).status();
    anyhow::ensure!(status.context("run kill")?.success(), "signal {signal} could not be sent to {target}");
    Ok(())
}

/// Reads a pipe to its end in a thread.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(mut pipe) = pipe {
        thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            while let Ok(count) = pipe.read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
    }
    receiver
}

/// What came out of a pipe. A grandchild may hold it open: then what has come within a moment counts.
fn received(receiver: &Receiver<Vec<u8>>) -> Vec<u8> {
    let mut all = Vec::new();
    while let Ok(part) = receiver.recv_timeout(Duration::from_secs(2)) {
        all.extend(part);
    }
    all
}
