//! A rehearsal against `pg_restore -j2` of the same dump into a throwaway cluster that runs already.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pso_common::record::{AnyRecord, Record, RehearseComponentRecord, RehearseResultRecord};
use pso_tests::deployment::{self, Spec};
use pso_tests::pg::TempPg;
use pso_tests::qdrant::TempQdrant;
use pso_tests::service::Service;
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::database::{fill, fill_points};
use crate::watch::{descendants, high_water};
use crate::{mib, number, say, tool};

/// How often both are run, one after the other, so that what else the machine does meets both.
const ROUNDS: usize = 3;
/// What everybody tells a throwaway cluster.
const PLAIN: [(&str, &str); 3] = [("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off")];
/// The same with all that the rehearsal tells its own.
const TUNED: [(&str, &str); 10] = [
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("synchronous_commit", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("autovacuum", "off"),
    ("max_wal_size", "4GB"),
    ("shared_buffers", "128MB"),
    ("maintenance_work_mem", "256MB"),
    ("max_parallel_maintenance_workers", "0"),
];
/// The dump that `pg_restore` is given.
const DUMP: &str = "baseline.dump";
/// How often the processes are looked at; the high-water marks are the kernel's own.
const STEP: Duration = Duration::from_millis(20);

/// One rehearsal.
struct Rehearsal {
    seconds: f64,
    /// The largest `VmHWM` in bytes by process: `pso-rehearse`, `engine`, and PostgreSQL's.
    memory: BTreeMap<String, u64>,
    components: Vec<RehearseComponentRecord>,
    result: RehearseResultRecord,
}

pub(crate) fn rehearse() -> Result<()> {
    let size = number("PSO_BENCH_MIB", 1024)?;
    let points = number("PSO_BENCH_POINTS", 100_000)?;
    let (folder, archive) = archive(size << 20, usize::try_from(points)?)?;
    let dump = folder.path().join(DUMP);
    let (plain, tuned) = (cluster(&PLAIN)?, cluster(&TUNED)?);
    say(&format!(
        "\nrehearsal: an archive of {:.0} MiB with a dump of {size} MiB and {points} points, page cache warm; {ROUNDS} times each, by turns",
        mib(fs::metadata(&archive).context("look at the archive")?.len() >> 10),
    ))?;
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary).context("create a folder")?;
    open(&temporary)?;
    let (mut in_plain, mut in_tuned, mut all, mut database) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        in_plain.push(baseline(&plain, &dump)?);
        all.push(run(&archive, &temporary, &[])?);
        in_tuned.push(baseline(&tuned, &dump)?);
        database.push(run(&archive, &temporary, &["--only", "postgres"])?.seconds);
    }
    let (base, base_tuned, database) = (median(in_plain.clone()), median(in_tuned.clone()), median(database));
    all.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    let whole = all.swap_remove(ROUNDS / 2);
    let line = |what: &str, seconds: f64, more: String| say(&format!("  {what:<46} {seconds:>8.1} s  {more}"));
    line("pg_restore -j2, into a running cluster", base, shown(&in_plain))?;
    line("the same, with the rehearsal's settings", base_tuned, shown(&in_tuned))?;
    let against = |seconds: f64| format!("{:>5.2} and {:.2}  (goal 1.2)", seconds / base, seconds / base_tuned);
    line("pso-rehearse, everything", whole.seconds, against(whole.seconds))?;
    line("pso-rehearse --only postgres", database, against(database))?;
    details(&whole)?;
    sizes()
}

fn cluster(settings: &[(&str, &str)]) -> Result<TempPg> {
    settings.iter().fold(TempPg::builder(), |builder, (name, value)| builder.setting(name, value)).start()
}

/// An archive of a deployment that is gone again, and the folder that it lies in.
fn archive(size: u64, points: usize) -> Result<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir().context("create a temporary folder")?;
    open(folder.path())?;
    let pg = TempPg::start_new()?;
    let database = pg.database("planning_sync")?;
    let (qdrant, service) = (TempQdrant::start()?, Service::start()?);
    fill(&mut database.connect()?, size)?;
    fill_points(&qdrant.client(), points)?;
    let spec = Spec { plans: 200, ..Spec::small(OffsetDateTime::now_utc()) };
    let spec = spec.with_database(&database).with_qdrant(&qdrant).with_service(&service);
    deployment::write_files(folder.path(), &spec)?;
    let program = fs::canonicalize(tool("pso-backup")?).context("find pso-backup")?;
    let made = Command::new(program).current_dir(folder.path()).stdin(Stdio::null()).output();
    let made = made.context("run pso-backup")?;
    ensure!(made.status.success(), "pso-backup: {}", String::from_utf8_lossy(&made.stderr));
    // The same once more, as a file in which `pg_restore` finds its way: what it need not unpack is not timed.
    let dump = Command::new(pg.programs().join("pg_dump"))
        .args(["-Fc", "-Z0", "-f"])
        .arg(folder.path().join(DUMP))
        .envs(database.env())
        .output()
        .context("run pg_dump")?;
    ensure!(dump.status.success(), "pg_dump: {}", String::from_utf8_lossy(&dump.stderr));
    let daily = fs::read_dir(folder.path().join("backups/daily")).context("read the folder of archives")?;
    let archive =
        daily.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|ext| ext == "zip"));
    Ok((folder, archive.context("there is no archive")?))
}

/// The scratch cluster's user has to get there when we are root.
fn open(folder: &Path) -> Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    fs::set_permissions(folder, mode).with_context(|| format!("open {}", folder.display()))
}

/// Seconds that `pg_restore` takes.
fn baseline(cluster: &TempPg, dump: &Path) -> Result<f64> {
    let database = cluster.database("baseline")?;
    let mut command = Command::new(cluster.programs().join("pg_restore"));
    command.args(["-j2", "--exit-on-error", "--no-owner"]).arg("--dbname").arg(database.name()).arg(dump);
    command.envs(database.env()).env("PGUSER", "postgres").env("PGPASSWORD", cluster.admin_password());
    command.env("PGHOST", cluster.socket_folder()).stdin(Stdio::null());
    let began = Instant::now();
    let output = command.output().context("run pg_restore")?;
    let seconds = began.elapsed().as_secs_f64();
    ensure!(output.status.success(), "pg_restore: {}", String::from_utf8_lossy(&output.stderr));
    Ok(seconds)
}

fn run(archive: &Path, temporary: &Path, args: &[&str]) -> Result<Rehearsal> {
    let program = fs::canonicalize(tool("pso-rehearse")?).context("find pso-rehearse")?;
    let mut command = Command::new(program);
    // As hard at work as what it is compared with; by default it lets others go first.
    command
        .arg(archive)
        .args(args)
        .args(["--nice", "0"])
        .env("TMPDIR", temporary)
        .current_dir(temporary)
        .stdin(Stdio::null());
    let (records, errors) = (tempfile::NamedTempFile::new()?, tempfile::NamedTempFile::new()?);
    let began = Instant::now();
    let mut child = command.stdout(records.reopen()?).stderr(errors.reopen()?).spawn().context("run pso-rehearse")?;
    let mut memory = BTreeMap::new();
    let status = loop {
        if let Some(status) = child.try_wait().context("wait for pso-rehearse")? {
            break status;
        }
        let own = child.id();
        for id in descendants(own).into_iter().chain([own]) {
            let largest = memory.entry(name_of(id)).or_default();
            *largest = high_water(id).max(*largest);
        }
        std::thread::sleep(STEP);
    };
    let seconds = began.elapsed().as_secs_f64();
    let (records, said) = (fs::read_to_string(records.path())?, fs::read_to_string(errors.path())?);
    ensure!(status.success(), "pso-rehearse ended with {status}: {said}{records}");
    let parsed: Vec<AnyRecord> = records.lines().filter_map(|line| AnyRecord::parse(line).ok()).collect();
    let components = parsed.iter().filter_map(AnyRecord::as_kind::<RehearseComponentRecord>).flatten();
    let result = parsed.iter().find_map(AnyRecord::as_kind::<RehearseResultRecord>).context("there is no result")?;
    Ok(Rehearsal {
        seconds,
        memory,
        components: components.map(|record: Record<RehearseComponentRecord>| record.body).collect(),
        result: result?.body,
    })
}

/// What a process is: the engine is `pso-rehearse` again, with `--engine`.
fn name_of(id: u32) -> String {
    let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let words: Vec<String> =
        line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    if words.iter().any(|word| word == "--engine") {
        return "the engine's child".to_owned();
    }
    let name = words.first().map(String::as_str).unwrap_or_default();
    // A server's processes say what they do after a colon.
    let name = name.split(':').next().unwrap_or_default();
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

fn details(whole: &Rehearsal) -> Result<()> {
    let ms = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{:.1} s", seconds(ms)));
    say(&format!(
        "  what it promises: restored after {}, of {:.1} s",
        ms(whole.result.restore_ms),
        seconds(whole.result.elapsed_ms)
    ))?;
    for part in &whole.components {
        say(&format!(
            "    {:<10} restored in {:>7}, with checks {:>6.1} s, {:>7.1} MiB on the disk",
            part.component.as_str(),
            ms(part.restore_ms),
            seconds(part.elapsed_ms),
            mib(part.restored_bytes.unwrap_or_default() >> 10)
        ))?;
    }
    say("  peak resident memory by process (VmHWM; goal for the engine: 1024 MiB)")?;
    for (name, bytes) in whole.memory.iter().filter(|(name, _)| !name.is_empty()) {
        say(&format!("    {name:<44} {:>8.1} MiB", mib(bytes >> 10)))?;
    }
    Ok(())
}

/// The engine is in one tool only.
fn sizes() -> Result<()> {
    say("  size of the release binaries")?;
    for name in crate::TOOLS.iter().chain(&["pso-rehearse"]) {
        let bytes = fs::metadata(tool(name)?).with_context(|| format!("look at {name}"))?.len();
        say(&format!("    {name:<44} {:>8.1} MiB", mib(bytes >> 10)))?;
    }
    Ok(())
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or_default()
}

fn shown(all: &[f64]) -> String {
    all.iter().map(|seconds| format!("{seconds:.1}")).collect::<Vec<_>>().join(" ")
}

#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
