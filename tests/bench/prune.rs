//! `pso-prune` on a table of 5 million rows, beside pgbench: what those see of it who work with the database, against one
//! `DELETE` statement of the same rows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use pso_common::record::{AnyRecord, PruneStepRecord, Record, StepState};
use pso_tests::pg::{Database, TempPg};

use crate::{number, say, tool};

/// The load: TPC-B transactions a second, whatever they take, so that a slow server makes a queue and no holiday.
const RATE: u64 = 100;
/// How long the load runs alone, and between the two.
const QUIET: Duration = Duration::from_secs(30);

/// Two tables of the same rows: of 75 days, of which 45 are old. As they are written: in the order of their time.
const TABLES: &str = "\
CREATE TABLE sync_operations (
    id bigserial PRIMARY KEY, operation_type varchar(50) NOT NULL, status text NOT NULL, started_at timestamptz NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}'
);
INSERT INTO sync_operations (operation_type, status, started_at, metadata)
SELECT 'markdown_to_dynamic', 'completed', now() - interval '75 days' * (1 - n / ROWS.0), jsonb_build_object('job_id', n, 'duration_ms', n % 997)
FROM generate_series(1, ROWS) AS n;
CREATE INDEX ON sync_operations (started_at DESC);
CREATE TABLE single (LIKE sync_operations INCLUDING ALL);
INSERT INTO single SELECT * FROM sync_operations";

const SINGLE: &str = "DELETE FROM single WHERE started_at < now() - interval '30 days'";

pub(crate) fn prune(folder: &Path) -> Result<()> {
    let rows = number("PSO_BENCH_ROWS", 5_000_000)?;
    // As a server comes out of the box: what is committed is on the disk.
    let settings =
        [("fsync", "on"), ("full_page_writes", "on"), ("synchronous_commit", "on"), ("shared_buffers", "128MB")];
    let pg = TempPg::with_settings(&settings)?;
    let database = pg.database("load")?;
    database.execute(&TABLES.replace("ROWS", &rows.to_string()))?;
    let quiet = |command: &mut Command| -> Result<()> {
        command.envs(database.env()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        ensure!(command.status().context("run pgbench")?.success(), "pgbench failed");
        Ok(())
    };
    let pgbench = pg.programs().join("pgbench");
    quiet(Command::new(&pgbench).args(["-i", "-q", "-s", "10"]))?;
    database.execute_as_admin("VACUUM (ANALYZE)")?;
    let version = database.scalar("SHOW server_version")?;
    say(&format!(
        "\npso-prune: 60 % of a table of {rows} rows, beside pgbench (TPC-B, {RATE} a second, 4 clients); PostgreSQL {version}, \
         its default settings"
    ))?;

    let log = tempfile::tempdir_in(folder).context("create a folder")?;
    let mut load = Command::new(&pgbench)
        .args(["-c", "4", "-M", "prepared", "-T", "3600", "-l", "--rate", &RATE.to_string()])
        .arg(format!("--log-prefix={}", fs::canonicalize(log.path())?.join("load").display()))
        .envs(database.env())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("run pgbench")?;
    let measured = measure(&database);
    // What it has not written yet is of after the last phase.
    std::thread::sleep(Duration::from_secs(10));
    load.kill().context("stop pgbench")?;
    load.wait().context("stop pgbench")?;
    let phases = measured?;
    let latencies = latencies(log.path())?;
    let alone = phases.first().context("no phase")?.p99(&latencies);
    for phase in &phases {
        let mut all = phase.of(&latencies);
        all.sort_by(f64::total_cmp);
        let at = |share: f64| at(&all, share);
        let speed = phase.rows.map_or_else(String::new, |rows| format!("{:>9.0} rows/s", f(rows) / phase.seconds()));
        say(&format!(
            "  {:<44} {:>6.1} s  {speed:>17}  p50 {:>6.1} ms  p99 {:>7.1} ms  {:>5.2}  longest {:>7.1} ms",
            phase.name,
            phase.seconds(),
            at(0.5),
            at(0.99),
            at(0.99) / alone,
            at(1.0)
        ))?;
    }
    Ok(())
}

/// A span of time, in seconds since 1970.
struct Phase {
    name: &'static str,
    from: f64,
    until: f64,
    rows: Option<u64>,
}

impl Phase {
    fn during(name: &'static str, work: impl FnOnce() -> Result<Option<u64>>) -> Result<Self> {
        let from = now()?;
        let rows = work()?;
        Ok(Self { name, from, until: now()?, rows })
    }

    fn seconds(&self) -> f64 {
        self.until - self.from
    }

    /// The latencies in milliseconds of what ended within it.
    fn of(&self, all: &[(f64, f64)]) -> Vec<f64> {
        all.iter().filter(|(at, _)| (self.from..self.until).contains(at)).map(|(_, ms)| *ms).collect()
    }

    fn p99(&self, all: &[(f64, f64)]) -> f64 {
        let mut own = self.of(all);
        own.sort_by(f64::total_cmp);
        at(&own, 0.99)
    }
}

fn measure(database: &Database) -> Result<Vec<Phase>> {
    let program: PathBuf = fs::canonicalize(tool("pso-prune")?).context("find pso-prune")?;
    let wait = || {
        std::thread::sleep(QUIET);
        Ok(None)
    };
    let mut phases = Vec::new();
    // Two clean beginnings: the dirty pages of one are not written in the other's time.
    database.execute_as_admin("CHECKPOINT")?;
    phases.push(Phase::during("pgbench alone", wait)?);
    let deleted = || {
        let folder = tempfile::tempdir().context("create a folder")?;
        fs::create_dir(folder.path().join("config")).context("create a folder")?;
        let config = "maintenance: {prune: {max_share: 70}}\n";
        fs::write(folder.path().join("config/config.yaml"), config).context("write the configuration")?;
        let output = Command::new(&program)
            .args(["rows", "--yes", "--without-backup", "--format", "jsonl"])
            .envs(database.env())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .context("run pso-prune")?;
        ensure!(output.status.success(), "pso-prune failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Some(rows_deleted(&output.stdout)?))
    };
    phases.push(Phase::during("beside pso-prune rows, counting included", deleted)?);
    database.execute_as_admin("CHECKPOINT")?;
    phases.push(Phase::during("pgbench alone again", wait)?);
    let single = || {
        let started = Instant::now();
        let rows = database.connect()?.execute(SINGLE, &[]).context("delete in one statement")?;
        ensure!(started.elapsed() > Duration::ZERO, "the clock stands still");
        Ok(Some(rows))
    };
    phases.push(Phase::during("beside one DELETE statement", single)?);
    let left = database.scalar("SELECT (SELECT count(*) FROM sync_operations) - (SELECT count(*) FROM single)")?;
    let apart: i64 = left.parse().context("count what is left")?;
    // A few rows have come of age between the two.
    ensure!(apart >= 0, "{apart} rows more are gone by pso-prune than by the statement");
    Ok(phases)
}

fn rows_deleted(stdout: &[u8]) -> Result<u64> {
    let text = std::str::from_utf8(stdout).context("the records are not UTF-8")?;
    for line in text.lines() {
        let Some(Ok(record)) = AnyRecord::parse(line)?.as_kind::<PruneStepRecord>() else { continue };
        let record: Record<PruneStepRecord> = record;
        if record.body.state == StepState::Done {
            return record.body.rows.context("a step without rows");
        }
    }
    anyhow::bail!("nothing was deleted")
}

fn now() -> Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs_f64())
}

/// When each transaction ended, and its latency in milliseconds, from when it should have begun:
/// <https://www.postgresql.org/docs/15/pgbench.html>, "Per-Transaction Logging".
fn latencies(folder: &Path) -> Result<Vec<(f64, f64)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).context("list pgbench's logs")?.flatten() {
        let text = fs::read_to_string(entry.path()).context("read pgbench's log")?;
        for line in text.lines() {
            let words: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
            // The last line may not be whole.
            let [_, _, latency, _, seconds, micros, ..] = words[..] else { continue };
            all.push((seconds + micros / 1e6, latency / 1000.0));
        }
    }
    ensure!(!all.is_empty(), "pgbench has logged nothing");
    Ok(all)
}

/// The value below which a share of sorted values lies.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place in a list"
)]
fn at(sorted: &[f64], share: f64) -> f64 {
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(at.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a speed")]
fn f(number: u64) -> f64 {
    number as f64
}
