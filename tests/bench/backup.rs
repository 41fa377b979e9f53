//! Backup and restore against PostgreSQL's own programs and the way that the maintenance procedures describe.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use pso_tests::deployment::{self, Spec};
use pso_tests::pg::{Database, TempPg};
use pso_tests::qdrant::TempQdrant;
use pso_tests::service::Service;
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::database::{fill, fill_points};
use crate::watch::{Watched, watched};
use crate::{mib, number, say, tool};

/// The server's settings are PostgreSQL's own defaults: the harness's would spare both sides the disk.
const SETTINGS: [(&str, &str); 3] = [("fsync", "on"), ("full_page_writes", "on"), ("shared_buffers", "128MB")];

/// A deployment, and where baselines put what they make.
struct Scene {
    pg: TempPg,
    database: Database,
    folder: TempDir,
    /// `TMPDIR` of what is measured.
    temporary: PathBuf,
    _qdrant: TempQdrant,
    _service: Service,
}

/// A line of the table, and the best of today's ways that it is compared with.
struct Line<'a> {
    what: &'a str,
    run: Watched,
    /// What it is compared with, and the ratio that is the goal.
    against: Option<(f64, f64)>,
}

pub(crate) fn backup_and_restore() -> Result<()> {
    let size = number("PSO_BENCH_MIB", 1024)?;
    let points = number("PSO_BENCH_POINTS", 100_000)?;
    let scene = Scene::make(size, usize::try_from(points)?)?;
    let dump = scene.folder.path().join("baseline.dump");
    let dumped = scene.run(scene.program("pg_dump").arg("-Fc").arg("-f").arg(&dump))?;
    line("pg_dump -Fc", dumped)?;
    let zip = scene.specification()?;

    let default = scene.backup(&["--only", "postgres"], "pso-backup --only postgres", Some((dumped.seconds, 0.5)))?;
    ratio("  its size against dump and `zip -6`", bytes(&default)?, zip, 1.05)?;
    scene.verify(&default)?;
    let zstd = ["--only", "postgres", "--compression", "zstd"];
    let zstd = scene.backup(&zstd, "pso-backup --compression zstd", Some((dumped.seconds, 0.3)))?;
    fs::remove_file(&zstd).context("remove the archive")?;

    scene
        .pg
        .admin("postgres")?
        .batch_execute("CREATE DATABASE baseline OWNER sync_user")
        .context("create a database")?;
    let mut restore = scene.program("pg_restore");
    let restored = scene.run(restore.args(["-j2", "--exit-on-error", "--dbname=baseline"]).arg(&dump))?;
    line("pg_restore -j2", restored)?;
    scene.pg.admin("postgres")?.batch_execute("DROP DATABASE baseline").context("drop the database")?;
    fs::remove_file(&dump).context("remove the dump")?;
    let name = default.to_str().context("a path that is not UTF-8")?;
    let args = [name, "--yes", "--only", "postgres"];
    scene.restore(&args, "pso-restore --only postgres", bytes(&default)?, Some((restored.seconds, 1.15)))?;

    let whole = scene.backup(&["create"], "pso-backup, everything", None)?;
    scene.damage()?;
    scene.restore(&["latest", "--yes"], "pso-restore, everything", bytes(&whole)?, None)
}

impl Scene {
    fn make(size: u64, points: usize) -> Result<Self> {
        let pg = TempPg::with_settings(&SETTINGS)?;
        let database = pg.database("planning_sync")?;
        database.execute_as_admin(&format!("ALTER ROLE {} CREATEDB", database.user()))?;
        let (qdrant, service) = (TempQdrant::start()?, Service::start()?);
        let made = fill(&mut database.connect()?, size << 20)?;
        fill_points(&qdrant.client(), points)?;
        // On the same disk as the databases, as on a small server.
        let folder = tempfile::tempdir().context("create a temporary folder")?;
        let spec = Spec { plans: 200, ..Spec::small(OffsetDateTime::now_utc()) };
        let spec = spec.with_database(&database).with_qdrant(&qdrant).with_service(&service);
        deployment::write_files(folder.path(), &spec)?;
        let temporary = folder.path().join("tmp");
        fs::create_dir(&temporary).context("create a folder")?;
        let version = database.scalar("SHOW server_version")?;
        let stored: u64 =
            database.scalar("SELECT pg_database_size(current_database())")?.parse().context("read a size")?;
        say(&format!(
            "\nbackup and restore: a database of {:.0} MiB of text in {} rows ({:.0} MiB on the disk), {points} points, 200 plans\n\
             PostgreSQL {version} with its default settings on this machine; each once, page cache warm; memory of the tool, and of the child that needed most",
            mib(made.text >> 10),
            made.rows,
            mib(stored >> 10)
        ))?;
        Ok(Self { pg, database, folder, temporary, _qdrant: qdrant, _service: service })
    }

    /// One of PostgreSQL's programs, with the way to the database in its environment.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.pg.programs().join(name));
        command.envs(self.database.env());
        command
    }

    fn run(&self, command: &mut Command) -> Result<Watched> {
        // Each begins with nothing left to write.
        self.pg.admin("postgres")?.batch_execute("CHECKPOINT").context("write the server's buffers")?;
        let folders = ["backups", ".pso-restore", "tmp"].map(|name| self.folder.path().join(name));
        watched(command.current_dir(self.folder.path()).env("TMPDIR", &self.temporary), &folders)
    }

    fn tool(&self, name: &str, args: &[&str]) -> Result<Watched> {
        let program = fs::canonicalize(tool(name)?).with_context(|| format!("find {name}"))?;
        self.run(Command::new(program).args(args))
    }

    /// A backup, its line, and its archive.
    fn backup(&self, args: &[&str], what: &str, against: Option<(f64, f64)>) -> Result<PathBuf> {
        let daily = self.folder.path().join("backups/daily");
        let before = archives(&daily);
        let run = self.tool("pso-backup", args)?;
        let made: Vec<PathBuf> = archives(&daily).into_iter().filter(|path| !before.contains(path)).collect();
        let [archive] = made.as_slice() else { anyhow::bail!("{what} has made {} archives", made.len()) };
        Line { what, run, against }.show()?;
        ratio("  disk that it held at most, against its size", run.disk, bytes(archive)?, 1.0)?;
        Ok(archive.clone())
    }

    fn restore(&self, args: &[&str], what: &str, archive: u64, against: Option<(f64, f64)>) -> Result<()> {
        let run = self.tool("pso-restore", args)?;
        Line { what, run, against }.show()?;
        ratio("  disk that it held at most, against the archive", run.disk, archive, 1.0)
    }

    fn verify(&self, archive: &Path) -> Result<()> {
        let summed = self.run(Command::new("sha256sum").arg(archive))?;
        line("sha256sum ARCHIVE", summed)?;
        let name = archive.to_str().context("a path that is not UTF-8")?;
        let run = self.tool("pso-backup", &["verify", name])?;
        Line { what: "pso-backup verify ARCHIVE", run, against: Some((summed.seconds, 1.0)) }.show()
    }

    /// The maintenance procedures' way: a plain dump, then a ZIP file of it. Gives the ZIP file's size.
    fn specification(&self) -> Result<u64> {
        let (plain, zip) = (self.folder.path().join("postgres.sql"), self.folder.path().join("specification.zip"));
        let dumped = self.run(self.program("pg_dump").arg("-f").arg(&plain))?;
        let mut command = Command::new("zip");
        let packed = self.run(command.args(["-6", "-q"]).arg(&zip).arg("postgres.sql").stdout(Stdio::null()))?;
        let both = Watched {
            seconds: dumped.seconds + packed.seconds,
            memory: dumped.memory.max(packed.memory),
            ..Watched::default()
        };
        line("pg_dump, then `zip -6`", both)?;
        let (from, to) = (bytes(&plain)?, bytes(&zip)?);
        say(&format!("  {:<46} {:>10}  {:.2} : 1", "  which packs", "", float(from) / float(to)))?;
        fs::remove_file(plain).and_then(|()| fs::remove_file(zip)).context("remove the specification's archive")?;
        Ok(to)
    }

    /// Something of each component, so that the restore has something to do everywhere.
    fn damage(&self) -> Result<()> {
        self.database.execute("TRUNCATE sync_events")?;
        fs::remove_dir_all(self.folder.path().join("roadmaps/plans")).context("remove the plans")
    }
}

impl Line<'_> {
    fn show(&self) -> Result<()> {
        let Self { what, run, against } = self;
        let compared = against
            .map_or_else(|| " ".repeat(17), |(other, goal)| format!("{:>5.2}  (goal {goal})", run.seconds / other));
        let memory = format!("{:>6.1} + {:>5.1} MiB", mib(run.memory >> 10), mib(run.children >> 10));
        say(&format!("  {what:<46} {:>8.1} s  {compared:<18} {memory}", run.seconds))
    }
}

fn line(what: &str, run: Watched) -> Result<()> {
    Line { what, run, against: None }.show()
}

fn ratio(what: &str, ours: u64, other: u64, goal: f64) -> Result<()> {
    ensure!(other > 0, "{what}: nothing to compare with");
    let (size, ratio) = (mib(ours >> 10), float(ours) / float(other));
    say(&format!("  {what:<46} {size:>6.1} MiB  {ratio:>5.2}  (goal {goal})"))
}

/// The archives of a folder.
fn archives(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "zip")).collect()
}

fn bytes(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path).with_context(|| format!("look at {}", path.display()))?.len())
}

#[expect(clippy::cast_precision_loss, reason = "two decimals are shown")]
fn float(number: u64) -> f64 {
    number as f64
}
