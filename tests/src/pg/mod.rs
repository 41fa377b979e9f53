//! A real PostgreSQL server in a temp folder.
//!
//! It asks everybody for a password (SCRAM), over TCP on 127.0.0.1 as well as over its private socket, so that a wrong password is refused as it
//! would be in the field. When we are root it runs as another user.

mod builder;
mod database;
mod install;
mod shared;
mod standby;
mod tls;
mod tree;
mod versions;

use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use postgres::{Client, NoTls};
use tempfile::TempDir;

pub use builder::Builder;
pub use database::Database;
pub use install::server_programs;
pub use versions::{newest, programs_of, refused_versions, versions};

use crate::supervised::{self, Owner, Program, Supervised};
use crate::wait;

/// The role that owns every test database, as in the maintained system. It is no superuser.
pub const APPLICATION_USER: &str = "sync_user";
/// The superuser.
pub const ADMIN_USER: &str = "postgres";

const START_LIMIT: Duration = Duration::from_secs(60);
const LOCALHOST: &str = "127.0.0.1";

/// What everybody who connects has to know; outlives a stop and a start.
#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) port: u16,
    pub(crate) socket_folder: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) admin_password: String,
    pub(crate) application_password: String,
    databases: AtomicUsize,
}

/// A PostgreSQL server of our own. Dropping it stops it and removes its folder, unless the test is failing: then the folder is kept and its path
/// printed. When this process is killed, the server ends and its folder goes too.
#[derive(Debug)]
pub struct TempPg {
    address: Arc<Address>,
    /// Where they were found, and where they are run from: a copy of them when PostgreSQL's user cannot reach them.
    installed: PathBuf,
    programs: PathBuf,
    settings: Vec<(String, String)>,
    owner: Option<Owner>,
    running: Option<Supervised>,
    folder: TempDir,
}

impl TempPg {
    /// A server of your own, for a test that stops or kills it.
    ///
    /// # Errors
    /// When PostgreSQL is missing (the message names the package) or does not start (the message has its last words).
    pub fn start_new() -> Result<Self> {
        Self::with_settings(&[])
    }

    /// As [`TempPg::start_new`], with settings as in `postgresql.conf`. They win over the harness's own.
    ///
    /// # Errors
    /// As [`TempPg::start_new`].
    pub fn with_settings(settings: &[(&str, &str)]) -> Result<Self> {
        settings.iter().fold(Self::builder(), |builder, (name, value)| builder.setting(name, value)).start()
    }

    /// A server of your own, of a version and with settings of your choice.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A server of your own of a major version.
    ///
    /// # Errors
    /// When that version is missing (the message says how to get it) or does not start.
    pub fn of_version(major: u32) -> Result<Self> {
        Self::builder().version(major).start()
    }

    fn create(programs: &Path, settings: &[(String, String)]) -> Result<Self> {
        // The application's has everything that a URL, a connection string, .pgpass or a YAML file has to escape.
        let mut server = Self::prepare(programs, settings, [word(24), format!("p@:/%'\\ {}", word(24))])?;
        server.initialise()?;
        server.start()?;
        let password = server.address.application_password.replace('\'', "''");
        // E'' because of the backslash; standard_conforming_strings would do as well, but this says it.
        let role = format!("CREATE ROLE {APPLICATION_USER} LOGIN PASSWORD E'{}'", password.replace('\\', "\\\\"));
        server.admin("postgres")?.batch_execute(&role).context("create the application's role")?;
        Ok(server)
    }

    /// All but the data: the folder, the address, the settings. `passwords` are the superuser's and the application's.
    fn prepare(installed: &Path, settings: &[(String, String)], passwords: [String; 2]) -> Result<Self> {
        let ours = tempfile::tempdir().context("create a temp folder")?;
        let owner = install::owner(ours.path())?;
        let parent = install::temp_parent(owner);
        let folder =
            tempfile::Builder::new().prefix("pso-pg-").tempdir_in(parent).context("create PostgreSQL's temp folder")?;
        chown_to(folder.path(), owner)?;
        let [admin_password, application_password] = passwords;
        let address = Address {
            port: free_port()?,
            socket_folder: folder.path().to_owned(),
            folder: folder.path().to_owned(),
            admin_password,
            application_password,
            databases: AtomicUsize::new(0),
        };
        let mut all = [
            // A crash of the server loses nothing that was committed; only one of the machine would.
            ("fsync", "off"),
            ("full_page_writes", "off"),
            ("shared_buffers", "32MB"),
            ("timezone", "UTC"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        if install::has_statements_module(installed) {
            all.push(("shared_preload_libraries".to_owned(), "pg_stat_statements".to_owned()));
        }
        all.extend_from_slice(settings);
        let programs = install::runnable(installed, owner, folder.path())?;
        let installed = installed.to_owned();
        Ok(Self { address: Arc::new(address), installed, programs, settings: all, owner, running: None, folder })
    }

    fn initialise(&self) -> Result<()> {
        let folder = self.folder.path();
        let password_file = folder.join("password");
        fs::write(&password_file, format!("{}\n", self.address.admin_password)).context("write the password file")?;
        fs::set_permissions(&password_file, fs::Permissions::from_mode(0o600)).context("close the password file")?;
        let mut command = Command::new(self.programs.join("initdb"));
        command.arg("-D").arg(folder.join("data")).arg("--pwfile").arg(&password_file);
        command.args([
            "--username",
            ADMIN_USER,
            "--auth",
            "scram-sha-256",
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
        ]);
        command.args(["--data-checksums", "--no-sync"]).env_clear().current_dir(folder);
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        chown_to(&password_file, self.owner)?;
        if let Some(Owner { uid, gid }) = self.owner {
            command.uid(uid).gid(gid);
        }
        let output = command.output().with_context(|| format!("run {}", self.programs.join("initdb").display()))?;
        if !output.status.success() {
            bail!(
                "initdb failed: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        fs::remove_file(&password_file).context("remove the password file")
    }

    /// Starts the server again after [`TempPg::stop`] or [`TempPg::kill`], on the same port and with the same data.
    ///
    /// # Errors
    /// When it is running already, or does not come up.
    pub fn start(&mut self) -> Result<()> {
        if self.running.is_some() {
            bail!("PostgreSQL is running already");
        }
        // After a crash the old server's children may hold its shared memory for a moment, and the new one refuses to start.
        let mut start = || match self.start_once() {
            Err(error) if format!("{error:#}").contains("shared memory block") => Err(error),
            result => Ok(result),
        };
        wait::until_ok("PostgreSQL to start", START_LIMIT, &mut start)?
    }

    fn start_once(&mut self) -> Result<()> {
        let folder = self.folder.path();
        let mut argv: Vec<OsString> =
            vec![self.programs.join("postgres").into(), "-D".into(), folder.join("data").into()];
        let own = [
            ("listen_addresses".to_owned(), LOCALHOST.to_owned()),
            ("port".to_owned(), self.address.port.to_string()),
            ("unix_socket_directories".to_owned(), path_text(folder)?),
        ];
        // Of two of the same name the later wins.
        for (name, value) in own.iter().chain(&self.settings) {
            argv.push("-c".into());
            argv.push(format!("{name}={value}").into());
        }
        let env = vec![("LC_ALL".to_owned(), "C.UTF-8".to_owned())];
        let program = Program { argv, env, folder, stop_signal: "INT", owner: self.owner };
        let mut running = Supervised::spawn(&program)?;
        wait::until_ok("PostgreSQL to answer", START_LIMIT, || {
            if let Some(status) = running.ended() {
                return Ok(Err(anyhow::anyhow!("PostgreSQL ended with {status}:{}", supervised::last_words(folder))));
            }
            self.admin("postgres").map(Ok)
        })??;
        self.running = Some(running);
        Ok(())
    }

    /// Stops the server in good order (`fast` shutdown). The data stay.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop(&mut self) -> Result<()> {
        self.running.take().map_or(Ok(()), |mut running| running.stop()).context("stop PostgreSQL")
    }

    /// SIGKILL for the server's main process: a crash. The data stay, as the crash left them.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn kill(&mut self) -> Result<()> {
        self.running.take().map_or(Ok(()), |mut running| running.kill()).context("kill PostgreSQL")
    }

    /// A fresh, empty database owned by [`APPLICATION_USER`]. It is called `name`, or `name_2` and so on when that is taken.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn database(&self, name: &str) -> Result<Database> {
        let mut admin = self.admin("postgres")?;
        let taken = |name: &str, admin: &mut Client| -> Result<bool> {
            let found = admin.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]);
            Ok(found.context("look for the database")?.is_some())
        };
        let mut chosen = name.to_owned();
        loop {
            if !taken(&chosen, &mut admin)? {
                let create = format!("CREATE DATABASE {} OWNER {APPLICATION_USER}", database::quoted(&chosen));
                match admin.batch_execute(&create) {
                    Ok(()) => return Ok(Database::new(Arc::clone(&self.address), chosen)),
                    // Another test was faster.
                    Err(_) if taken(&chosen, &mut admin)? => {}
                    Err(error) => return Err(error).with_context(|| format!("create database {chosen}")),
                }
            }
            chosen = format!("{name}_{}", self.address.databases.fetch_add(1, Ordering::Relaxed) + 2);
        }
    }

    /// A connection as superuser.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn admin(&self, database: &str) -> Result<Client> {
        self.address.connect(database, ADMIN_USER, &self.address.admin_password)
    }

    /// The port on 127.0.0.1; the same for the server's whole life.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port
    }

    /// The folder of the private socket, a value for `PGHOST`.
    #[must_use]
    pub fn socket_folder(&self) -> &Path {
        &self.address.socket_folder
    }

    /// The superuser's password.
    #[must_use]
    pub fn admin_password(&self) -> &str {
        &self.address.admin_password
    }

    /// The password of [`APPLICATION_USER`]. It has characters that URLs, connection strings, `.pgpass` and YAML must escape.
    #[must_use]
    pub fn application_password(&self) -> &str {
        &self.address.application_password
    }

    /// The folder with the server's programs (`pg_dump`, `psql`, … among them).
    #[must_use]
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// The server's data folder.
    #[must_use]
    pub fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The user id that the server runs as, when it is not ours.
    #[must_use]
    pub fn runs_as(&self) -> Option<u32> {
        self.owner.map(|owner| owner.uid)
    }
}

impl Drop for TempPg {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.stop();
        }
        if thread::panicking() {
            supervised::keep(self.folder.path(), "The PostgreSQL server");
        }
        if self.folder.path().join("keep").exists() {
            self.folder.disable_cleanup(true);
        }
    }
}

impl Address {
    pub(crate) fn connect(&self, database: &str, user: &str, password: &str) -> Result<Client> {
        let mut config = postgres::Config::new();
        config.host(LOCALHOST).port(self.port).user(user).password(password).dbname(database);
        config.application_name("pso-tests").connect_timeout(Duration::from_secs(10));
        #[expect(
            clippy::disallowed_methods,
            reason = "the harness must not see the database through the code under test"
        )]
        let connected = config.connect(NoTls);
        connected.with_context(|| format!("connect to {LOCALHOST}:{}/{database} as {user}", self.port))
    }
}

/// Tries again when a port that was free a moment ago has been taken by the time the server binds it.
fn on_a_free_port(mut create: impl FnMut() -> Result<TempPg>) -> Result<TempPg> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match create() {
            Err(error) if attempts < 5 && format!("{error:#}").contains("Address already in use") => {}
            result => return result,
        }
    }
}

fn chown_to(path: &Path, owner: Option<Owner>) -> Result<()> {
    let Some(Owner { uid, gid }) = owner else { return Ok(()) };
    chown(path, Some(uid), Some(gid)).with_context(|| format!("give {} to PostgreSQL's user", path.display()))
}

/// A port on 127.0.0.1 that nobody had a moment ago.
///
/// # Errors
/// When the system gives none.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr().context("find a free port")?.port())
}

fn word(length: usize) -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(length).collect()
}

fn path_text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).with_context(|| format!("{} is not UTF-8", path.display()))
}
