//! How long commands take and how much memory they need, by the field's own tools: hyperfine and GNU time.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
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

/// Peak resident set in KiB of a program, or of the largest of its children if that needs more.
pub(crate) fn peak_kib(program: &Path, args: &[&str], env: &[(&str, &str)], stdin: Option<&Path>) -> Result<u64> {
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
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .context("run /usr/bin/time (apt-get install time)")?;
    // Exit codes 0 to 2 say what was found; 3 would mean that nothing was measured.
    ensure!(
        output.status.code().is_some_and(|code| code < 3),
        "{} {args:?}: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = std::fs::read_to_string(report.path()).context("read the report of time")?;
    text.trim().parse().with_context(|| format!("time printed {text:?}"))
}
