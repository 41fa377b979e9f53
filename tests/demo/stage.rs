//! The servers and the folder of the demo, and how its tools are run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use pso_tests::deployment::{self, FilesTruth, Spec};
use pso_tests::fingerprint::{self, Fingerprint};
use pso_tests::pg::{Database, TempPg};
use pso_tests::qdrant::TempQdrant;
use pso_tests::service::Service;
use pso_tests::smtp::{self, SmtpSink};
use pso_tests::tool::built_binary;
use pso_tests::webhook::WebhookSink;
use tempfile::TempDir;
use time::OffsetDateTime;

/// What was there, by component.
pub(crate) struct Fingerprints {
    pub(crate) rows: Fingerprint,
    pub(crate) points: Fingerprint,
    pub(crate) plans: Fingerprint,
}

/// A running deployment. Dropping it ends and removes all of it.
pub(crate) struct Stage {
    pub(crate) database: Database,
    pub(crate) qdrant: TempQdrant,
    pub(crate) webhook: WebhookSink,
    pub(crate) mail: SmtpSink,
    pub(crate) truth: FilesTruth,
    pub(crate) folder: PathBuf,
    records: PathBuf,
    cancelled: Arc<AtomicBool>,
    started: Instant,
    // Dropped in this order: the folder goes last.
    _service: Service,
    _pg: TempPg,
    temp: TempDir,
}

impl Stage {
    /// Starts the servers and fills the deployment.
    pub(crate) fn set() -> Result<Self> {
        let started = Instant::now();
        let cancelled = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&cancelled)).context("handle signals")?;
        }
        let pg = TempPg::start_new()?;
        let database = pg.database("planning_sync")?;
        // So that the restore goes into a new database beside the old one, which is kept; without CREATEDB, or with an
        // extension that only a superuser may create, it would go in place.
        database.execute_as_admin(&format!("ALTER ROLE {} CREATEDB", database.user()))?;
        let qdrant = TempQdrant::start()?;
        let service = Service::start()?;
        let webhook = WebhookSink::start()?;
        let mail = SmtpSink::start()?;
        let now = OffsetDateTime::now_utc();
        service.set(|state| {
            let stamp = now.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
            stamp.clone_into(&mut state.timestamp);
            state.last_sync = stamp;
            state.pending_conflicts = 3;
        });
        let temp = tempfile::Builder::new().prefix("pso-demo-").tempdir().context("create a temporary folder")?;
        let folder = temp.path().join("planning");
        fs::create_dir(&folder).context("create the deployment's folder")?;
        let spec =
            Spec::demo(now).with_database(&database).with_qdrant(&qdrant).with_service(&service).with_mail(&mail);
        let truth = deployment::write_files(&folder, &spec)?;
        let mut client = database.connect()?;
        let rows: u64 = deployment::fill_database(&mut client, &spec)?.values().sum();
        deployment::wear_out(&mut client)?;
        let points: u64 = deployment::fill_qdrant(&qdrant.client(), &spec)?.values().sum();
        let mut stage = Self {
            records: temp.path().join("records.jsonl"),
            database,
            qdrant,
            webhook,
            mail,
            truth,
            folder,
            cancelled,
            started,
            _service: service,
            _pg: pg,
            temp,
        };
        let engine = if stage.qdrant.is_real() { "Qdrant" } else { "the stand-in over Qdrant's own engine" };
        stage.say(&format!(
            "A deployment of Planning Ecosystem Sync, in a temporary folder, on free ports of 127.0.0.1:\n  \
             PostgreSQL {}, port {}: {rows} rows in {} tables\n  \
             {engine}, port {}: {points} points of {} dimensions in 2 collections\n  \
             {} plans ({} kB), three days of logs with {} known errors\n",
            stage.database.scalar("SHOW server_version")?,
            stage.database.port(),
            deployment::TABLES.len(),
            stage.qdrant.port(),
            deployment::DIMENSIONS,
            stage.truth.plans.len(),
            stage.truth.plans_bytes / 1000,
            stage.truth.logs.counts(None).errors_total(),
        ))?;
        Ok(stage)
    }

    /// Prints to stdout; fails when the demo was told to stop, so that every word is a place to stop at.
    pub(crate) fn say(&mut self, text: &str) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            bail!("stopped; all that was started is ended and removed");
        }
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{text}").and_then(|()| stdout.flush()).context("write to stdout")
    }

    /// Says how to try the tools on the deployment, and keeps it up until a signal comes.
    pub(crate) fn hold(&mut self) -> Result<()> {
        let env = self.env()?;
        let quoted = |value: &OsString| format!("'{}'", value.to_string_lossy().replace('\'', r"'\''"));
        let wanted = ["PATH", "SLACK_WEBHOOK", "SMTP_PASSWORD"]
            .map(|name| format!("export {name}={}", quoted(&env[&OsString::from(name)])));
        self.say(&format!(
            "In another shell:\n\ncd {}\n{}\n\nCtrl-C here ends and removes all of it.",
            self.folder.display(),
            wanted.join("\n")
        ))?;
        while !self.cancelled.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Prints a heading with the time since the start.
    pub(crate) fn scene(&mut self, title: &str) -> Result<()> {
        let line = format!("── {title} ");
        let fill = "─".repeat(100_usize.saturating_sub(line.chars().count()));
        let seconds = self.started.elapsed().as_secs_f64();
        self.say(&format!("\n{line}{fill} {seconds:.1} s\n"))
    }

    /// The arguments that make a tool show tables here and append its records to the demo's file.
    pub(crate) fn shown(&self) -> Vec<OsString> {
        vec!["--format".into(), "table".into(), "--records".into(), self.records.clone().into()]
    }

    /// Runs a program of the project in the deployment's folder, its output going to the terminal; gives its exit code.
    pub(crate) fn run(&mut self, program: &Path, args: &[OsString]) -> Result<i32> {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.folder).env_clear().stdin(Stdio::null());
        command.envs(self.env()?);
        let mut child = command.spawn().with_context(|| format!("run {}", program.display()))?;
        let status = loop {
            if let Some(status) = child.try_wait().context("wait for a tool")? {
                break status;
            }
            if self.cancelled.load(Ordering::Relaxed) {
                stop(&mut child)?;
                bail!("stopped; all that was started is ended and removed");
            }
            thread::sleep(Duration::from_millis(20));
        };
        status.code().with_context(|| format!("{} was ended by a signal", program.display()))
    }

    fn env(&self) -> Result<BTreeMap<OsString, OsString>> {
        let tools = built_binary("pso-health")?.parent().map(Path::to_path_buf).unwrap_or_default();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(tools).chain(std::env::split_paths(&path)))?;
        let mut env = BTreeMap::from([
            ("PATH".into(), path),
            ("HOME".into(), self.temp.path().into()),
            ("SLACK_WEBHOOK".into(), self.webhook.slack_url().into()),
            ("SMTP_PASSWORD".into(), smtp::PASSWORD.into()),
        ]);
        if let Some(term) = std::env::var_os("TERM") {
            env.insert("TERM".into(), term);
        }
        Ok(env)
    }

    /// What is there now.
    pub(crate) fn fingerprints(&self) -> Result<Fingerprints> {
        Ok(Fingerprints {
            rows: fingerprint::tables(&mut self.database.connect()?)?,
            points: fingerprint::points(&self.qdrant.client())?,
            plans: fingerprint::files(&self.folder.join("roadmaps/plans"))?,
        })
    }

    /// A copy of the newest archive with another byte in the middle, where the largest entries are; gives its path.
    pub(crate) fn tampered(&self) -> Result<PathBuf> {
        let newest = self.archives()?.into_iter().max().context("there is no archive")?;
        let mut bytes = fs::read(&newest).with_context(|| format!("read {}", newest.display()))?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let folder = self.folder.join("tampered");
        fs::create_dir_all(&folder).context("create a folder")?;
        let path = folder.join(newest.file_name().context("a file has a name")?);
        fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    fn archives(&self) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(self.folder.join("backups/daily")).context("read the folder of archives")?;
        let paths = entries.flatten().map(|entry| entry.path());
        Ok(paths.filter(|path| path.extension().is_some_and(|ending| ending == "zip")).collect())
    }

    /// Puts the records and the archives into `target`, whole or not at all; gives their paths.
    pub(crate) fn keep(&mut self, target: &Path) -> Result<Vec<String>> {
        fs::create_dir_all(target)?;
        let mut kept = Vec::new();
        for path in std::iter::once(self.records.clone()).chain(self.archives()?) {
            let name = path.file_name().context("a file has a name")?;
            let new = target.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
            fs::copy(&path, &new)?;
            fs::rename(&new, target.join(name))?;
            kept.push(target.join(name).display().to_string());
        }
        Ok(kept)
    }
}

/// Asks a tool to stop as a terminal would, then insists.
fn stop(child: &mut Child) -> Result<()> {
    let id = child.id().to_string();
    // The shell's builtin: no unsafe code, and the id is that of our own child, which has not been waited for.
    Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &id]).status().context("signal a tool")?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while child.try_wait().context("wait for a tool")?.is_none() {
        if Instant::now() > deadline {
            child.kill().context("kill a tool")?;
            child.wait().context("wait for a tool")?;
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
