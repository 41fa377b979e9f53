//! Prometheus' Alertmanager, as Debian packages it, in a temp folder.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::pg::free_port;
use crate::supervised::{self, Program, Supervised, on_path};
use crate::wait;

const START_LIMIT: Duration = Duration::from_secs(30);
/// Debian's name, and upstream's.
const NAMES: [&str; 2] = ["prometheus-alertmanager", "alertmanager"];

/// A server of our own, which tells nobody. Dropping it stops it and removes its folder.
#[derive(Debug)]
pub struct Alertmanager {
    port: u16,
    running: Supervised,
    _folder: TempDir,
}

impl Alertmanager {
    /// Starts it.
    ///
    /// # Errors
    /// When it is not installed (the message names the package), or does not start.
    pub fn start() -> Result<Self> {
        let program = on_path(&NAMES).context("install prometheus-alertmanager")?;
        let mut attempts = 0;
        loop {
            attempts += 1;
            match Self::attempt(&program) {
                // A port that is free now can be taken when the server binds it.
                Err(error) if attempts < 5 && format!("{error:#}").contains("address already in use") => {}
                result => return result,
            }
        }
    }

    fn attempt(program: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("pso-alertmanager-")
            .tempdir()
            .context("create Alertmanager's temp folder")?;
        let config = folder.path().join("alertmanager.yml");
        fs::write(&config, "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
            .context("write Alertmanager's configuration")?;
        let port = free_port()?;
        let arguments = [
            format!("--config.file={}", config.display()),
            format!("--storage.path={}", folder.path().join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            // No cluster: it would listen on every address.
            "--cluster.listen-address=".to_owned(),
        ];
        let argv = std::iter::once(program.into()).chain(arguments.map(OsString::from)).collect();
        let program = Program { argv, env: Vec::new(), folder: folder.path(), stop_signal: "TERM", owner: None };
        let running = Supervised::spawn(&program)?;
        let mut server = Self { port, running, _folder: folder };
        let ready = wait::until_ok("Alertmanager to be ready", START_LIMIT, || {
            if let Some(status) = server.running.ended() {
                // Said once: `until_ok` would go on.
                return Ok(Err(status));
            }
            server.get("/-/ready").map(|_| Ok(()))
        })?;
        if let Err(status) = ready {
            bail!("Alertmanager ended with {status}:{}", supervised::last_words(server._folder.path()));
        }
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The alerts that it holds as active; those that are over it lists no more.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn alerts(&self) -> Result<Vec<Value>> {
        let text = self.get("/api/v2/alerts?active=true&silenced=true&inhibited=true")?;
        serde_json::from_str(&text).context("read Alertmanager's answer")
    }

    #[expect(clippy::disallowed_methods, reason = "the harness must not see the server through the code under test")]
    fn get(&self, path: &str) -> Result<String> {
        let mut answer = ureq::get(format!("{}{path}", self.url())).call()?;
        Ok(answer.body_mut().read_to_string()?)
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.running.stop();
    }
}
