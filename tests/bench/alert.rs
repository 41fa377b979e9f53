//! `pso-alert`: records through a hundred rules on one core, ten thousand incidents at once, and a run with nothing to tell.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::measure::{Timing, peak, timing};
use crate::{input, mib, path, say, tool};

const RULES: usize = 100;
const RECORDS: u64 = 1_000_000;
const INCIDENTS: u64 = 10_000;

pub(crate) fn alert(folder: &Path) -> Result<()> {
    let temp = tempfile::tempdir_in(folder).context("create a temporary folder")?;
    rules(folder, temp.path())?;
    incidents(folder, temp.path())?;
    quiet(temp.path())
}

/// As a deployment of many parts has them: each kind is judged by ten rules, some by name, some by label, some by severity.
fn rules_file(folder: &Path) -> Result<PathBuf> {
    const KINDS: [&str; 10] = [
        "health.metric",
        "health.check",
        "log.count",
        "log.event",
        "log.template",
        "pg.table",
        "pg.index",
        "backup.archive",
        "audit.finding",
        "restore.step",
    ];
    let mut text = "rules:\n".to_owned();
    for at in 0..RULES {
        let kind = KINDS[at % KINDS.len()];
        let rule = match at / KINDS.len() % 5 {
            0 => format!("match: {{kind: {kind}, name: 'name{at}_*'}}, above: 1000, for: 5m"),
            1 => format!("match: {{kind: {kind}, labels: {{host: 'db-*'}}}}, above: 1000, severity: high"),
            2 => format!("match: {{name: '*_{at}', severity: warning}}, message: '{{name}} at {{value}}'"),
            3 => format!("match: {{kind: {kind}, labels: {{mount: '/data*'}}}}, field: elapsed_ms, above: 90000"),
            _ => format!("match: {{kind: {kind}}}, above: 99999"),
        };
        writeln!(text, "  - {{name: r{at}, {rule}}}")?;
    }
    let file = folder.join("rules.yaml");
    fs::write(&file, text).context("write the rules")?;
    Ok(file)
}

fn rules(folder: &Path, temp: &Path) -> Result<()> {
    let records = input::judged_records(folder, RECORDS)?;
    let rules = rules_file(temp)?;
    let alert = tool("pso-alert")?;
    say(&format!("\npso-alert, {RECORDS} records through {RULES} rules on one core (goal: 100,000 a second)"))?;
    let state = temp.join("rules.db");
    let ours = [path(&alert)?, "--alerts", path(&rules)?, "--state", path(&state)?];
    let jq = ["jq", "-c", "select(.severity != \"ok\")"];
    let commands: [(&str, &[&str]); 3] =
        [("pso-alert", &ours), ("jq -c 'select(.severity != \"ok\")'", &jq), ("cat", &["cat"])];
    let mut fastest = Vec::new();
    for (name, command) in commands {
        // The best of three: the machine is shared.
        let mut best = f64::INFINITY;
        for _ in 0..3 {
            best = best.min(cpu_seconds(command, &records)?);
        }
        fastest.push(best);
        #[expect(clippy::cast_precision_loss, reason = "a rate to three digits")]
        let rate = RECORDS as f64 / best;
        say(&format!("  {name:<38} {best:>7.2} s of CPU  {rate:>12.0} records/s  {:>6.2} ×", best / fastest[0]))?;
    }
    Ok(())
}

/// Seconds of CPU time, user and system, of a command on the first core; GNU time's `%U` and `%S`.
fn cpu_seconds(command: &[&str], stdin: &Path) -> Result<f64> {
    let report = tempfile::NamedTempFile::new().context("create a temporary file")?;
    let status = Command::new("taskset")
        .args(["-c", "0", "/usr/bin/time", "--quiet", "--format=%U %S", "--output"])
        .arg(report.path())
        .args(command)
        .stdin(Stdio::from(File::open(stdin).with_context(|| format!("open {}", stdin.display()))?))
        .stdout(Stdio::null())
        .status()
        .context("run taskset and /usr/bin/time (apt-get install util-linux time)")?;
    ensure!(status.success(), "{command:?}: {status}");
    let text = fs::read_to_string(report.path()).context("read the report of time")?;
    text.split_whitespace().map(|part| part.parse::<f64>().with_context(|| format!("time printed {text:?}"))).sum()
}

fn incidents(folder: &Path, temp: &Path) -> Result<()> {
    say(&format!("\npso-alert, {INCIDENTS} incidents that fire (goal: 64 MiB)"))?;
    let records = input::failing_checks(folder, INCIDENTS)?;
    let alerts = temp.join("incidents.yaml");
    fs::write(&alerts, "alerts: {stdout: {enabled: true}}\n").context("write the configuration")?;
    let state = temp.join("incidents.db");
    let args = ["--exit-zero", "--alerts", path(&alerts)?, "--state", path(&state)?];
    for what in ["all of them new", "all of them known"] {
        let started = std::time::Instant::now();
        let peak = peak(&tool("pso-alert")?, &args, &[], Some(&records))?;
        say(&format!(
            "  {what:<20} {:>6.1} MiB  {:>6.2?}  exit code {}",
            mib(peak.kib),
            started.elapsed(),
            peak.exit_code
        ))?;
    }
    Ok(())
}

fn quiet(temp: &Path) -> Result<()> {
    say("\npso-alert, a run of 20 records with nothing to tell, 200 times (goal: 10 ms)")?;
    let records = input::judged_records(temp, 20)?;
    let (alerts, state) = (temp.join("quiet.yaml"), temp.join("quiet.db"));
    fs::write(&alerts, "alerts: {stdout: {enabled: true}}\n").context("write the configuration")?;
    let alert = tool("pso-alert")?;
    let ours = [path(&alert)?, "--alerts", path(&alerts)?, "--state", path(&state)?];
    let commands: [(&str, &[&str]); 3] = [("pso-alert", &ours), ("jq -c .", &["jq", "-c", "."]), ("cat", &["cat"])];
    for (name, command) in commands {
        let Timing { mean, best } = timing(command, 200, &records)?;
        say(&format!("  {name:<12} {mean:>8.2?} on average, {best:>8.2?} at best"))?;
    }
    Ok(())
}
