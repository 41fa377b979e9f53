//! A cluster of our own: made, running, and gone again whatever happens.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail, ensure};
use pso_archive::{command, private_folder};
use pso_common::io::{Cancel, Env};
use pso_common::postgres::{Client, PgSettings, Purpose, connect};

use super::child::{self, lead_a_group};
use super::ending;
use super::memory;
use super::owner::Owner;
use super::programs::Programs;
use super::server_log::ServerLog;
use super::socket::{PORT, Socket};

/// The superuser of the cluster.
pub(super) const SUPERUSER: &str = "postgres";
/// The database from which others are made and dropped.
pub(super) const MAINTENANCE: &str = "template1";
/// The folder in the task's that belongs to the user whom the cluster runs as. What we write lies outside of it.
pub(super) const CLUSTER: &str = "cluster";
/// The data folder in it.
pub(super) const DATA: &str = "data";
/// How our sessions are called.
pub(super) const APPLICATION: &str = "pso-rehearse";
/// How long a new cluster may take until it accepts: nothing has to be recovered.
const START: Duration = Duration::from_secs(120);
/// How much write-ahead log there is before it is used again, in bytes.
pub(super) const MAX_WAL_SIZE: u64 = 256 << 20;
/// How often we look.
const STEP: Duration = Duration::from_millis(20);

/// A running cluster. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) socket: Socket,
    pub(super) log: ServerLog,
    pub(super) major: u32,
    owner: Option<Owner>,
    data: PathBuf,
    child: Arc<Mutex<Child>>,
    over: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

/// What a cluster is made with.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    pub(super) programs: &'a Programs,
    /// The user that it runs as, where that is not ours.
    pub(super) owner: Option<Owner>,
    /// The task's folder, in which it gets one of its own.
    pub(super) folder: &'a Path,
    pub(super) jobs: usize,
    pub(super) env: &'a Env,
    pub(super) cancel: &'a Cancel,
}

impl Ground<'_> {
    /// A program that runs as the owner, in the folder, and finds nothing of ours there: no passwords, no settings.
    pub(super) fn command(&self, program: &pso_common::postgres::Program) -> Command {
        let mut command = command(program, None, self.env);
        let home = self.folder.join(CLUSTER);
        command.env("HOME", &home).env("TMPDIR", &home).env("LC_ALL", "C").env("TZ", "UTC");
        command.env_remove("APPDATA").env_remove("KRB5CCNAME").current_dir(&home);
        if let Some(owner) = &self.owner {
            owner.become_in(&mut command);
        }
        command
    }
}

impl Cluster {
    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// When it cannot be made or does not start, with the last words of the program; or the run is to stop.
    pub(super) fn start(ground: &Ground<'_>) -> anyhow::Result<Self> {
        ensure!(cfg!(unix), "there is no scratch cluster on this system yet; name a server with --server");
        let home = ground.folder.join(CLUSTER);
        let data = home.join(DATA);
        // All that is made in it is made while it is ours: later its user could put a link in the place of it.
        let folder = home.join("socket");
        private_folder(&folder).with_context(|| format!("make {}", folder.display()))?;
        let socket = Socket::new(&folder)?;
        give(ground, &folder)?;
        give(ground, &home)?;
        initialise(ground, &data)?;
        let log = ServerLog::new(ground.folder.join("server.log"));
        let mut command = Command::new(&ground.programs.postgres);
        command.env_clear().current_dir(&home);
        for (name, value) in ground.command(&ground.programs.initdb).get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command.arg("-D").arg(&data);
        for (name, value) in settings(ground, &socket) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let file = fs::File::create(log.path()).with_context(|| format!("write {}", log.path().display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        if let Some(owner) = &ground.owner {
            owner.become_in(&mut command);
        }
        lead_a_group(&mut command);
        let child = command.spawn().with_context(|| format!("start {}", ground.programs.postgres.display()))?;
        let child = Arc::new(Mutex::new(child));
        let over = Arc::new(AtomicBool::new(false));
        let (its_child, its_over, its_cancel) = (Arc::clone(&child), Arc::clone(&over), ground.cancel.clone());
        // A session that waits for an answer cannot look whether the run is to stop: its server ends instead.
        let watcher = thread::spawn(move || {
            while !its_over.load(Ordering::Relaxed) {
                if its_cancel.is_cancelled() {
                    ending::quit(&mut locked(&its_child));
                    return;
                }
                thread::sleep(STEP);
            }
        });
        let major = ground.programs.initdb.major;
        let owner = ground.owner.clone();
        let cluster = Self { socket, log, major, owner, data, child, over, watcher: Some(watcher) };
        cluster.wait_until_it_accepts(ground.cancel)?;
        Ok(cluster)
    }

    fn wait_until_it_accepts(&self, cancel: &Cancel) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        loop {
            cancel.check()?;
            if let Some(ended) = locked(&self.child).try_wait().context("look at the scratch cluster")? {
                bail!("the scratch cluster did not start ({ended}): {}", self.log.last_words());
            }
            match self.connect(MAINTENANCE) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context(format!("the scratch cluster does not accept after {START:?}")));
                }
                Err(_) => thread::sleep(STEP),
            }
        }
    }

    /// How we connect to one of its databases.
    pub(super) fn settings(&self, dbname: &str) -> PgSettings {
        PgSettings::own(&self.socket.of_us, PORT, dbname, SUPERUSER)
    }

    /// How a program connects that runs in the folder of the socket.
    pub(super) fn settings_of_programs(&self, dbname: &str) -> PgSettings {
        PgSettings::own(&self.socket.of_programs, PORT, dbname, SUPERUSER)
    }

    /// A session with one of its databases.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn connect(&self, dbname: &str) -> anyhow::Result<Client> {
        connect(&self.settings(dbname), APPLICATION, Purpose::Work)
    }

    /// Whether it still runs. Where it does not, somebody has killed it, or it has fallen over something.
    pub(super) fn is_running(&self) -> bool {
        matches!(locked(&self.child).try_wait(), Ok(None))
    }

    /// Ends it. Nothing that it has need be kept, so it does not write it down first.
    pub(super) fn stop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
        ending::end(&mut locked(&self.child), &self.data, self.owner.as_ref());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.watcher.is_some() {
            self.stop();
        }
    }
}

fn locked(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets it belong to the cluster's user. Nobody else can enter it.
fn give(ground: &Ground<'_>, path: &Path) -> anyhow::Result<()> {
    let Some(owner) = &ground.owner else { return Ok(()) };
    owner.give(path).with_context(|| format!("give {} to {}", path.display(), owner.name))
}

fn initialise(ground: &Ground<'_>, data: &Path) -> anyhow::Result<()> {
    let program = &ground.programs.initdb;
    let mut command = ground.command(program);
    command.arg("-D").arg(data);
    command.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username", SUPERUSER]);
    if program.major >= 18 {
        // They are the default since then, and what lives for minutes needs none.
        command.arg("--no-data-checksums");
    }
    let ended =
        child::run(command, &ground.folder.join("initdb.log"), ground.cancel).map_err(|error| hint(error, ground))?;
    ensure!(
        ended.status.success(),
        "initdb of PostgreSQL {} failed ({}): {}",
        program.version,
        ended.status,
        one_line(&ended.said)
    );
    Ok(())
}

/// The usual reason why a program cannot be started as another user.
fn hint(error: anyhow::Error, ground: &Ground<'_>) -> anyhow::Error {
    let is_denied = error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    });
    match &ground.owner {
        Some(owner) if is_denied => anyhow!(
            "{error:#}; the user {} must be able to run it, and to get to {}: give another with --user, or another folder \
             with --temp-dir",
            owner.name,
            ground.folder.display()
        ),
        _ => error,
    }
}

/// Lines of a program as one.
pub(super) fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let text: String = lines.join(" | ").chars().take(600).collect();
    pso_common::output::printable(&text).into_owned()
}

/// On the command line, where nothing in the dump can change them.
fn settings(ground: &Ground<'_>, socket: &Socket) -> Vec<(&'static str, String)> {
    let memory = memory::available() >> 20;
    let jobs = ground.jobs as u64;
    let megabytes = |size: u64| format!("{size}MB");
    let text = |text: &str| text.to_owned();
    let mut settings = vec![
        // Nobody else gets in.
        ("listen_addresses", String::new()),
        ("unix_socket_directories", socket.of_server.clone()),
        ("unix_socket_permissions", text("0700")),
        ("port", PORT.to_string()),
        ("max_connections", (4 * jobs + 20).to_string()),
        // Nothing is to outlive this.
        ("fsync", text("off")),
        ("full_page_writes", text("off")),
        ("synchronous_commit", text("off")),
        // With these a new index writes no log.
        ("wal_level", text("minimal")),
        ("max_wal_senders", text("0")),
        ("max_wal_size", megabytes(MAX_WAL_SIZE >> 20)),
        ("checkpoint_timeout", text("1h")),
        ("autovacuum", text("off")),
        ("shared_buffers", megabytes((memory / 8).clamp(16, 256))),
        ("maintenance_work_mem", megabytes((memory / 8 / jobs).clamp(16, 512))),
        ("work_mem", megabytes((memory / 64 / jobs).clamp(4, 64))),
        // The jobs keep the cores busy; workers beside them only get in each other's way.
        ("max_parallel_maintenance_workers", text("0")),
        // A dump with many partitions locks all of them at once.
        ("max_locks_per_transaction", text("256")),
        // Files of ours: what lies in /dev/shm would be left behind by a kill, and is small in containers.
        ("dynamic_shared_memory_type", text("mmap")),
        // A subscription is not followed, and nothing starts by itself.
        ("max_logical_replication_workers", text("0")),
        ("shared_preload_libraries", String::new()),
        ("jit", text("off")),
        // What went wrong, with its SQLSTATE, in English, and without values of rows.
        ("logging_collector", text("off")),
        ("log_destination", text("stderr")),
        ("log_line_prefix", text("%e ")),
        ("log_min_messages", text("error")),
        ("log_min_error_statement", text("panic")),
        ("log_error_verbosity", text("terse")),
        ("lc_messages", text("C")),
    ];
    if ground.programs.initdb.major >= 17 {
        // Those of the dump would run in our sessions.
        settings.push(("event_triggers", text("off")));
    }
    settings
}
