//! `make bench`: the tools against what people use today, in the same run, on this machine. Ratios are printed; nothing
//! is asserted, because machines differ and are shared. `pso-bench PART…` measures only these parts: `start`, `logs`,
//! `templates` (with `LOGHUB`, a folder of labelled logs, their grouping too), `memory`, `backup`, `pgstats`,
//! `health`, `alert`, `rehearse`, `prune`.

mod alert;
mod backup;
mod database;
mod health;
mod input;
mod logs;
mod measure;
mod pgstats;
mod prune;
mod rehearse;
mod templates;
mod watch;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use pso_tests::deployment::{self, Spec};
use pso_tests::pg::TempPg;
use pso_tests::qdrant::TempQdrant;
use pso_tests::service::Service;
use time::OffsetDateTime;

use measure::{Peak, peak, seconds};

const TOOLS: [&str; 7] =
    ["pso-health", "pso-logscan", "pso-pgstats", "pso-backup", "pso-restore", "pso-alert", "pso-audit"];

/// Records on the standard input of pso-alert.
const RECORDS: u64 = 1_000_000;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell when stderr is gone.
            let _ = writeln!(std::io::stderr(), "pso-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let folder = Path::new("target/bench");
    std::fs::create_dir_all(folder).context("create target/bench")?;
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let loghub = std::env::var_os("LOGHUB").map(PathBuf::from);
    let parts: [(&str, &dyn Fn() -> Result<()>); 10] = [
        ("start", &start_up),
        ("logs", &|| logs::logs(folder)),
        ("templates", &|| templates::templates(folder, loghub.as_deref())),
        ("memory", &|| memory(folder)),
        ("backup", &backup::backup_and_restore),
        ("rehearse", &rehearse::rehearse),
        ("pgstats", &|| pgstats::pgstats(folder)),
        ("health", &|| health::health(folder)),
        ("alert", &|| alert::alert(folder)),
        ("prune", &|| prune::prune(folder)),
    ];
    let unknown = wanted.iter().find(|name| parts.iter().all(|(part, _)| part != name));
    ensure!(unknown.is_none(), "there is no part {unknown:?}; there are {}", parts.map(|(part, _)| part).join(", "));
    for (_, measure) in parts.iter().filter(|(part, _)| wanted.is_empty() || wanted.iter().any(|name| name == part)) {
        measure()?;
    }
    Ok(())
}

/// A number from the environment.
fn number(variable: &str, default: u64) -> Result<u64> {
    match std::env::var(variable) {
        Ok(text) => text.parse().with_context(|| format!("{variable}={text} is not a number")),
        Err(_) => Ok(default),
    }
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("write to stdout")
}

/// The release build, which `make bench` has made.
fn tool(name: &str) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let path = target.join("release").join(name);
    ensure!(path.is_file(), "{} is not there: run `make bench`, which builds it", path.display());
    Ok(path)
}

fn start_up() -> Result<()> {
    say("start-up: `TOOL --version`, mean of 200 runs (goal: 3 ms)")?;
    for name in TOOLS {
        let mean = seconds(&[format!("{} --version", tool(name)?.display())], 200)?;
        say(&format!("  {name:<12} {:>6.2} ms", mean[0] * 1000.0))?;
    }
    Ok(())
}

fn memory(folder: &Path) -> Result<()> {
    say(
        "\npeak resident memory (goal: 64 MiB); of pg_dump, pg_restore or psql where the tool waited for one that needed more",
    )?;
    let show =
        |what: &str, peak: Peak| say(&format!("  {what:<58} {:>6.1} MiB  exit code {}", mib(peak.kib), peak.exit_code));
    let log = logs::log(folder)?;
    let scan = tool("pso-logscan")?;
    show("pso-logscan, a log of 1 GiB", peak(&scan, &[path(&log)?], &[], None)?)?;
    show("pso-logscan --templates, the same", peak(&scan, &["--templates", path(&log)?], &[], None)?)?;
    let line = input::one_line(folder, 1 << 30)?;
    // Only the first MiB of a line is searched, and a run that has not looked at everything ends in 3.
    show("pso-logscan, one line of 1 GiB", peak(&scan, &[path(&line)?], &[], None)?)?;
    let records = input::records(folder, RECORDS)?;
    show("pso-alert, a million records", peak(&tool("pso-alert")?, &["--exit-zero"], &[], Some(&records))?)?;

    let pg = TempPg::start_new()?;
    let database = pg.database("planning_sync")?;
    database.execute_as_admin(&format!("ALTER ROLE {} CREATEDB", database.user()))?;
    let (qdrant, service) = (TempQdrant::start()?, Service::start()?);
    let temp = tempfile::tempdir().context("create a temporary folder")?;
    let spec = Spec { rows: 400_000, points: 5_000, ..Spec::demo(OffsetDateTime::now_utc()) };
    let spec = spec.with_database(&database).with_qdrant(&qdrant).with_service(&service);
    deployment::write_files(temp.path(), &spec)?;
    deployment::fill_database(&mut database.connect()?, &spec)?;
    deployment::fill_qdrant(&qdrant.client(), &spec)?;
    let config = temp.path().join("config/config.yaml");
    let env = [("PSO_CONFIG", path(&config)?)];
    for (name, args) in [
        ("pso-health", &[][..]),
        ("pso-pgstats", &[]),
        ("pso-backup", &["create"]),
        ("pso-backup", &["verify", "latest"]),
        ("pso-restore", &["latest", "--yes"]),
    ] {
        let what = format!("{name} {}, 400,000 rows and 5,000 points", args.join(" "));
        show(&what, peak(&tool(name)?, args, &env, None)?)?;
    }
    Ok(())
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("the path is not UTF-8")
}

#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
