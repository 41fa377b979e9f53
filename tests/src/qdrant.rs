//! A vector store in a temp folder: a real Qdrant when there is one, else the project's stand-in over Qdrant's own engine.

mod client;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

pub use client::{Point, QdrantClient};

use crate::pg::free_port;
use crate::supervised::{self, Program, Supervised};
use crate::wait;

const START_LIMIT: Duration = Duration::from_secs(60);
/// The variable that the stand-in reads its key from; the real one has its own.
const KEY_VARIABLE: &str = "PSO_TEST_STANDIN_KEY";

/// Which program answers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Engine {
    Real(PathBuf),
    Standin(PathBuf),
}

/// A vector store of our own. Dropping it stops it and removes its folder, unless the test is failing: then the folder is kept and its path
/// printed. When this process is killed, the store ends and its folder goes too.
#[derive(Debug)]
pub struct TempQdrant {
    engine: Engine,
    port: u16,
    key: Option<String>,
    running: Option<Supervised>,
    folder: TempDir,
}

impl TempQdrant {
    /// A store without a key.
    ///
    /// # Errors
    /// When neither a Qdrant nor the stand-in is there (the message says what to do), or it does not start.
    pub fn start() -> Result<Self> {
        Self::create(None)
    }

    /// A store that asks for an API key.
    ///
    /// # Errors
    /// As [`TempQdrant::start`].
    pub fn start_with_key(key: &str) -> Result<Self> {
        Self::create(Some(key))
    }

    fn create(key: Option<&str>) -> Result<Self> {
        let engine = engine()?;
        // A port that is free now can be taken when the server binds it.
        let attempt = || -> Result<Self> {
            let folder =
                tempfile::Builder::new().prefix("pso-qdrant-").tempdir().context("create Qdrant's temp folder")?;
            for name in ["storage", "snapshots"] {
                fs::create_dir(folder.path().join(name)).context("create Qdrant's folders")?;
            }
            let key = key.map(str::to_owned);
            let mut store = Self { engine: engine.clone(), port: 0, key, running: None, folder };
            store.restart()?;
            Ok(store)
        };
        let mut attempts = 0;
        loop {
            attempts += 1;
            match attempt() {
                Err(error) if attempts < 5 && format!("{error:#}").contains("Address already in use") => {}
                result => return result,
            }
        }
    }

    /// Starts the store again after [`TempQdrant::stop`] or [`TempQdrant::kill`], on the same port and with the same data.
    ///
    /// # Errors
    /// When it is running already, or does not come up.
    pub fn restart(&mut self) -> Result<()> {
        if self.running.is_some() {
            bail!("Qdrant is running already");
        }
        let folder = self.folder.path();
        let program = match &self.engine {
            Engine::Real(path) => {
                if self.port == 0 {
                    self.port = free_port()?;
                }
                Program {
                    argv: vec![path.into()],
                    env: real_environment(folder, self.port, free_port()?, self.key.as_deref()),
                    folder,
                    stop_signal: "TERM",
                    owner: None,
                }
            }
            Engine::Standin(path) => {
                let mut argv: Vec<OsString> = vec![path.into(), "--storage".into(), folder.join("storage").into()];
                argv.extend(["--port".into(), self.port.to_string().into()]);
                let mut env = Vec::new();
                if let Some(key) = &self.key {
                    argv.extend(["--api-key-env".into(), KEY_VARIABLE.into()]);
                    env.push((KEY_VARIABLE.to_owned(), key.clone()));
                }
                Program { argv, env, folder, stop_signal: "TERM", owner: None }
            }
        };
        let mut running = Supervised::spawn(&program)?;
        let name = program.argv[0].display().to_string();
        let port = &mut self.port;
        wait::until_ok("Qdrant to be ready", START_LIMIT, || {
            if let Some(status) = running.ended() {
                return Ok(Err(anyhow::anyhow!("{name} ended with {status}:{}", supervised::last_words(folder))));
            }
            if *port == 0 {
                *port = announced_port(folder).with_context(|| format!("{name} has not said its address"))?;
            }
            let (status, _) =
                QdrantClient::new(&format!("http://127.0.0.1:{port}"), None).request("GET", "/readyz", None)?;
            anyhow::ensure!(status == 200, "/readyz answers {status}");
            Ok(Ok(()))
        })??;
        self.running = Some(running);
        Ok(())
    }

    /// Stops the store in good order. The data stay.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop(&mut self) -> Result<()> {
        self.running.take().map_or(Ok(()), |mut running| running.stop()).context("stop Qdrant")
    }

    /// SIGKILL. The data stay, as the crash left them.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn kill(&mut self) -> Result<()> {
        self.running.take().map_or(Ok(()), |mut running| running.kill()).context("kill Qdrant")
    }

    /// Whether it is a real Qdrant.
    #[must_use]
    pub fn is_real(&self) -> bool {
        matches!(self.engine, Engine::Real(_))
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port on 127.0.0.1; the same for the store's whole life.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The API key, when it asks for one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// A client with the right key.
    #[must_use]
    pub fn client(&self) -> QdrantClient {
        QdrantClient::new(&self.url(), self.key())
    }
}

impl Drop for TempQdrant {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.stop();
        }
        if thread::panicking() {
            supervised::keep(self.folder.path(), "Qdrant's storage");
            self.folder.disable_cleanup(true);
        }
    }
}

fn engine() -> Result<Engine> {
    if let Some(path) = std::env::var_os("PSO_TEST_QDRANT").map(PathBuf::from) {
        anyhow::ensure!(path.is_file(), "PSO_TEST_QDRANT={} is no file", path.display());
        return Ok(Engine::Real(path));
    }
    if let Ok(path) = supervised::on_path(&["qdrant"]) {
        return Ok(Engine::Real(path));
    }
    if let Some(path) = std::env::var_os("PSO_TEST_STANDIN").map(PathBuf::from) {
        anyhow::ensure!(path.is_file(), "PSO_TEST_STANDIN={} is no file", path.display());
        return Ok(Engine::Standin(path));
    }
    supervised::built_binary("qdrant-standin")
        .map(Engine::Standin)
        .context("no vector store for the tests: neither PSO_TEST_QDRANT nor a qdrant on PATH, nor the stand-in")
}

fn real_environment(folder: &Path, http: u16, grpc: u16, key: Option<&str>) -> Vec<(String, String)> {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut env = vec![
        ("QDRANT__SERVICE__HOST", "127.0.0.1".to_owned()),
        ("QDRANT__SERVICE__HTTP_PORT", http.to_string()),
        ("QDRANT__SERVICE__GRPC_PORT", grpc.to_string()),
        ("QDRANT__STORAGE__STORAGE_PATH", path("storage")),
        ("QDRANT__STORAGE__SNAPSHOTS_PATH", path("snapshots")),
        ("QDRANT__TELEMETRY_DISABLED", "true".to_owned()),
    ];
    env.extend(key.map(|key| ("QDRANT__SERVICE__API_KEY", key.to_owned())));
    env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The port in the line that the stand-in prints when it is ready.
fn announced_port(folder: &Path) -> Option<u16> {
    let said = fs::read_to_string(folder.join("stdout.log")).ok()?;
    // A line without its end is still being written.
    let line = said.split_inclusive('\n').find(|line| line.ends_with('\n') && line.starts_with('{'))?;
    let line: Value = serde_json::from_str(line).ok()?;
    line.get("url")?.as_str()?.trim_end_matches('/').rsplit(':').next()?.parse().ok()
}
