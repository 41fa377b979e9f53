//! How long commands take and how much memory they need, by the field's own tools: hyperfine and GNU time.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pso_common::record::{AnyRecord, RunEndRecord};
use serde_json::Value;

/// Mean wall-clock seconds of each command over `runs` runs, without a shell, after three runs to warm up. The commands'
/// output goes to /dev/null, their exit codes are not looked at.
pub(crate) fn seconds(commands: &[String], runs: u32) -> Result<Vec<f64>> {
    let report = tempfile::NamedTempFile::new().context("create a temporary file")?;
    let output = Command::new("hyperfine")
        .args(["--shell=none", "--ignore-failure", "--style=none", "--warmup=3", "--runs", &runs.to_string()])
        .arg("--export-json")
        .arg(report.path())
        .args(commands)
        .output()
        .context("run hyperfine (apt-get install hyperfine)")?;
    ensure!(output.status.success(), "hyperfine: {}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_reader(File::open(report.path())?).context("read hyperfine's report")?;
    report["results"]
        .as_array()
        .context("hyperfine gave no results")?
        .iter()
        .map(|result| result["mean"].as_f64().context("hyperfine gave no mean"))
        .collect()
}

/// How long a command took.
pub(crate) struct Timing {
    pub(crate) mean: Duration,
    pub(crate) best: Duration,
}

/// Time from the start of a command to its end over `runs` runs, each of which reads `stdin` anew (Debian 12's hyperfine has
/// no `--input`), after three to warm up. Its output goes to /dev/null, its exit code is not looked at.
pub(crate) fn timing(command: &[&str], runs: u32, stdin: &Path) -> Result<Timing> {
    const WARM_UP: u32 = 3;
    let (program, args) = command.split_first().context("a command without words")?;
    let mut times = Vec::new();
    for _ in 0..runs + WARM_UP {
        let input = File::open(stdin).with_context(|| format!("open {}", stdin.display()))?;
        let started = Instant::now();
        let status = Command::new(program).args(args).stdin(input).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.with_context(|| format!("run {program}"))?;
        times.push(started.elapsed());
    }
    let times = times.split_off(WARM_UP as usize);
    let best = times.iter().min().copied().unwrap_or_default();
    Ok(Timing { mean: times.iter().sum::<Duration>() / runs, best })
}

/// What a run needed.
pub(crate) struct Peak {
    /// The largest resident set in KiB: of the tool, or of a child that it waited for (`pg_dump`) if that was larger.
    pub(crate) kib: u64,
    /// How the run ended.
    pub(crate) exit_code: u8,
}

/// Peak memory of a run, by GNU time's `%M`.
///
/// # Errors
/// When the tool did not come to its end, or could not do its job: then nothing was measured. What it found on the way
/// there, and so its exit code, does not matter.
pub(crate) fn peak(program: &Path, args: &[&str], env: &[(&str, &str)], stdin: Option<&Path>) -> Result<Peak> {
    let stdin = match stdin {
        Some(path) => Stdio::from(File::open(path).with_context(|| format!("open {}", path.display()))?),
        None => Stdio::null(),
    };
    let report = tempfile::NamedTempFile::new().context("create a temporary file")?;
    let output = Command::new("/usr/bin/time")
        .args(["--quiet", "--format=%M", "--output"])
        .arg(report.path())
        .arg(program)
        .args(args)
        .envs(env.iter().copied())
        .stdin(stdin)
        .output()
        .context("run /usr/bin/time (apt-get install time)")?;
    let ran = || format!("{} {args:?}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    let end = run_end(&output.stdout).with_context(ran)?;
    ensure!(end.error.is_none(), "{}", ran());
    let text = std::fs::read_to_string(report.path()).context("read the report of time")?;
    let kib = text.trim().parse().with_context(|| format!("time printed {text:?}"))?;
    Ok(Peak { kib, exit_code: end.exit_code })
}

/// The tool's last record.
fn run_end(stdout: &[u8]) -> Result<RunEndRecord> {
    let last = stdout.trim_ascii_end().rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    let last = std::str::from_utf8(last).context("the last record is not UTF-8")?;
    let end = AnyRecord::parse(last).context("the last line is no record")?;
    Ok(end.as_kind::<RunEndRecord>().context("the last record is not run.end: the tool died")??.body)
}
