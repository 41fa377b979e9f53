//! A server under a small supervisor, so that it cannot outlive the process that started it.
//!
//! The supervisor is a shell that holds a pipe from us as its stdin. A word on the pipe ends the server; the end of the pipe (we died, SIGKILL
//! included) ends it too, and then the folder is removed, since nobody is left to do it. The shell is the server's parent, so the id that it
//! signals cannot be someone else's.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::wait;

/// `$1` folder, `$2` signal that asks the server to stop, then the server's command line.
///
/// In a shell without job control `&` gives the server /dev/null as stdin, and leaves SIGINT ignored until the server sets its own handler.
const SUPERVISOR: &str = r#"
folder=$1 signal=$2
shift 2
exec 3<&0
"$@" 3<&- &
pid=$!
(
    read -r word <&3 || : >"$folder/orphaned"
    [ "$word" = kill ] && signal=KILL
    kill -s "$signal" "$pid"
    tries=0
    while kill -0 "$pid"; do
        [ "$tries" -eq 150 ] && kill -s KILL "$pid"
        sleep 0.1
        tries=$((tries + 1))
    done
) >/dev/null 2>&1 &
reader=$!
wait "$pid"
status=$?
kill "$reader" 2>/dev/null
if [ -e "$folder/orphaned" ] && [ ! -e "$folder/keep" ]; then
    cd / && rm -rf -- "$folder"
fi
exit "$status"
"#;

/// How long a server may take to end once it was told to. The supervisor kills it before that.
const END_LIMIT: Duration = Duration::from_secs(20);

/// The user and group that a server runs as, when it is not our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// What to run. The environment is `env` and PATH, nothing else.
pub(crate) struct Program<'a> {
    pub(crate) argv: Vec<OsString>,
    pub(crate) env: Vec<(String, String)>,
    /// Working folder; also where the logs go, and what is removed when we die.
    pub(crate) folder: &'a Path,
    pub(crate) stop_signal: &'static str,
    pub(crate) owner: Option<Owner>,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Supervised {
    child: Child,
    word: Option<ChildStdin>,
}

impl Supervised {
    pub(crate) fn spawn(program: &Program<'_>) -> Result<Self> {
        let log = |name: &str| -> Result<File> {
            let path = program.folder.join(name);
            File::create(&path).with_context(|| format!("create {}", path.display()))
        };
        let mut command = Command::new("sh");
        command.arg("-c").arg(SUPERVISOR).arg("supervisor").arg(program.folder).arg(program.stop_signal);
        command.args(&program.argv).current_dir(program.folder).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(program.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(log("stdout.log")?).stderr(log("stderr.log")?);
        // A group of its own: Ctrl-C ends us, and our end ends the server in good order.
        command.process_group(0);
        if let Some(owner) = program.owner {
            command.uid(owner.uid).gid(owner.gid);
        }
        let mut child = command.spawn().with_context(|| format!("start {}", program.argv[0].display()))?;
        let word = child.stdin.take();
        Ok(Self { child, word })
    }

    /// The exit status, once the server has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks the server to stop and waits until it has.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.end("stop")
    }

    /// SIGKILL, and waits until the server is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.end("kill")
    }

    fn end(&mut self, word: &str) -> Result<()> {
        if let Some(mut pipe) = self.word.take() {
            // A server that has ended by itself has taken its supervisor with it.
            let _ = writeln!(pipe, "{word}");
        }
        wait::until("a server to end", END_LIMIT, || self.ended()).map(|_| ())
    }
}

/// Leaves the folder for a person to look at, and says where it is.
pub(crate) fn keep(folder: &Path, what: &str) {
    let _ = fs::write(folder.join("keep"), "");
    // Not eprintln!, which the test runner captures: the path is wanted most when the output is lost.
    let _ = writeln!(std::io::stderr(), "{what} of a failed test is kept in {}", folder.display());
}

/// The end of a server's own words, for an error message.
pub(crate) fn last_words(folder: &Path) -> String {
    let mut words = String::new();
    for name in ["stdout.log", "stderr.log"] {
        let text =
            fs::read(folder.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        for line in &lines[lines.len().saturating_sub(8)..] {
            words.push_str("\n  ");
            words.push_str(line);
        }
    }
    words
}

/// The folders that a program may be in: those of PATH.
pub(crate) fn path_folders() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// A built binary of this workspace: in the folder that PSO_TEST_BIN_DIR names, else beside the test executable.
///
/// # Errors
/// When it is not built; the message says `make test`.
pub fn built_binary(name: &str) -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("PSO_TEST_BIN_DIR") {
        let path = PathBuf::from(folder).join(name);
        anyhow::ensure!(
            path.is_file(),
            "PSO_TEST_BIN_DIR has no {name} ({}): run `make test`, which builds it",
            path.display()
        );
        return Ok(path);
    }
    let executable = std::env::current_exe().context("find the test executable")?;
    // target/debug/deps/e2e-1234 and target/debug/pso-demo both have target/debug above them.
    let found = executable.ancestors().skip(1).take(3).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| {
        format!(
            "{name} is not built beside {}: run `make test`, which builds it, or set PSO_TEST_BIN_DIR",
            executable.display()
        )
    })
}

/// A program on the PATH under one of its names.
///
/// # Errors
/// When it is not there.
pub(crate) fn on_path(names: &[&str]) -> Result<PathBuf> {
    let mut paths = path_folders().into_iter().flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    paths.find(|path| path.is_file()).with_context(|| format!("{} is not on the PATH", names.join(" or ")))
}

/// `promtool`, where `tests/promtool.sh` puts it, or on the PATH.
///
/// # Errors
/// When it is neither.
pub fn promtool() -> Result<PathBuf> {
    let built = built_binary("pso-health")?;
    let fetched = built.ancestors().nth(2).map(|target| target.join("prometheus/promtool"));
    match fetched.filter(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => on_path(&["promtool"]).context("nor did tests/promtool.sh fetch it"),
    }
}
