//! What the logs say, and how soon: against ripgrep, which only extracts.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use pso_common::Timestamp;
use pso_common::record::{AnyRecord, LogCoverageRecord};

use crate::measure::seconds;
use crate::{input, say, tool};

/// Size of the generated log, and the hours that it covers.
const LOG_BYTES: u64 = 1 << 30;
const LOG_HOURS: u32 = 105;

/// Size of one of ten rotated logs, before it is packed.
const ROTATED_BYTES: u64 = 100 << 20;

/// The log that all of this is measured on.
pub(crate) fn log(folder: &Path) -> Result<PathBuf> {
    input::log(folder, LOG_BYTES, LOG_HOURS)
}

/// Prints how the scan compares.
pub(crate) fn logs(folder: &Path) -> Result<()> {
    let log = log(folder)?;
    let scan = tool("pso-logscan")?;
    let since = hour_before(last_stamp(&log)?);
    let (scan, path) = (scan.display(), log.display());
    say(&format!("\na sorted log of 1 GiB over {LOG_HOURS} hours, page cache warm, mean of 10 runs"))?;
    let means = seconds(
        &[
            format!("rg -oN 'ERROR\\s+(\\w+)' {path}"),
            format!("{scan} {path}"),
            format!("{scan} --whole --since {since} {path}"),
            format!("{scan} --since {since} {path}"),
        ],
        10,
    )?;
    let line = |what: &str, at: usize, goal: &str| {
        say(&format!("  {what:<46} {:>8.1} ms  {:>6.3}  {goal}", means[at] * 1000.0, means[at] / means[0]))
    };
    line("rg -oN 'ERROR\\s+(\\w+)'", 0, "")?;
    line("pso-logscan: errors by type, all of it", 1, "goal 0.6")?;
    line("pso-logscan --whole --since: the last hour", 2, "")?;
    line("pso-logscan --since: the last hour", 3, "goal 0.02")?;
    let coverage = coverage(&log, since)?;
    #[expect(clippy::cast_precision_loss, reason = "two decimals are shown")]
    let share = coverage.read_bytes as f64 / LOG_BYTES as f64 * 100.0;
    say(&format!("  bytes read for the last hour: {share:.2} %  goal 1 %"))?;
    rotated(folder, &log)
}

fn rotated(folder: &Path, log: &Path) -> Result<()> {
    let packed = input::rotated(folder, log, ROTATED_BYTES)?;
    let scan = tool("pso-logscan")?;
    let (packed, scan) = (packed.display(), scan.display());
    say("\nten rotated .gz of 100 MiB each before packing, mean of 5 runs")?;
    let means = seconds(
        &[format!("sh -c \"zcat {packed}/*.gz | rg -oN 'ERROR\\s+(\\w+)' > /dev/null\""), format!("{scan} {packed}")],
        5,
    )?;
    say(&format!("  {:<46} {:>8.1} ms", "zcat | rg -oN 'ERROR\\s+(\\w+)'", means[0] * 1000.0))?;
    say(&format!("  {:<46} {:>8.1} ms  {:>6.3}  goal 0.6", "pso-logscan", means[1] * 1000.0, means[1] / means[0]))
}

/// What a run says of the file.
fn coverage(log: &Path, since: Timestamp) -> Result<LogCoverageRecord> {
    let output = Command::new(tool("pso-logscan")?)
        .args(["--events", "none", "--since", &since.to_string()])
        .arg(log)
        .output()
        .context("run pso-logscan")?;
    let text = String::from_utf8(output.stdout).context("read the records")?;
    for line in text.lines() {
        if let Some(record) = AnyRecord::parse(line).context("a line is no record")?.as_kind::<LogCoverageRecord>() {
            return Ok(record?.body);
        }
    }
    anyhow::bail!("there is no coverage: {}", String::from_utf8_lossy(&output.stderr))
}

/// The stamp of the last line.
fn last_stamp(log: &Path) -> Result<Timestamp> {
    let mut file = File::open(log)?;
    let size = fs::metadata(log)?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(4096)))?;
    let mut end = String::new();
    file.read_to_string(&mut end)?;
    let line = end.lines().last().context("the log is empty")?;
    ensure!(line.len() > 24, "the last line is {line:?}");
    line[..24].parse().map_err(|error: String| anyhow::anyhow!("the last line is {line:?}: {error}"))
}

fn hour_before(at: Timestamp) -> Timestamp {
    at.minus(std::time::Duration::from_secs(3600))
}
