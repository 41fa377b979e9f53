//! A database on somebody's server that is ours, and that is dropped whatever happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use pso_common::io::Cancel;
use pso_common::postgres::{Client, PgSettings, Purpose, connect};

use super::cluster::APPLICATION;
use super::database::ident;

/// How often we look whether the run is to stop.
const STEP: Duration = Duration::from_millis(50);

/// Dropped with this, and with all sessions in it as soon as the run is to stop: one that waits for an answer cannot look.
#[derive(Debug)]
pub(super) struct ScratchDatabase {
    settings: PgSettings,
    name: String,
    over: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl ScratchDatabase {
    /// Watches over the database `name`, which need not be there yet.
    pub(super) fn new(settings: &PgSettings, name: &str, cancel: &Cancel) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (its_over, its_cancel) = (Arc::clone(&over), cancel.clone());
        let (its_settings, its_name) = (settings.clone(), name.to_owned());
        let watcher = thread::spawn(move || {
            while !its_over.load(Ordering::Relaxed) {
                if its_cancel.is_cancelled() {
                    let _ = drop_by(&its_settings, &its_name);
                    return;
                }
                thread::sleep(STEP);
            }
        });
        Self { settings: settings.clone(), name: name.to_owned(), over, watcher: Some(watcher) }
    }

    /// Drops a database that is ours.
    ///
    /// # Errors
    /// When the server refuses.
    pub(super) fn drop_of(client: &mut Client, name: &str) -> anyhow::Result<()> {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", ident(name));
        client.batch_execute(&sql).with_context(|| format!("drop the scratch database {name}"))
    }

    /// Drops it now.
    ///
    /// # Errors
    /// When it cannot be dropped: the message names it.
    pub(super) fn drop_now(mut self) -> anyhow::Result<()> {
        self.end()
    }

    fn end(&mut self) -> anyhow::Result<()> {
        let Some(watcher) = self.watcher.take() else { return Ok(()) };
        self.over.store(true, Ordering::Relaxed);
        let _ = watcher.join();
        drop_by(&self.settings, &self.name)
    }
}

impl Drop for ScratchDatabase {
    fn drop(&mut self) {
        // The next rehearsal on this server finds it.
        let _ = self.end();
    }
}

fn drop_by(settings: &PgSettings, name: &str) -> anyhow::Result<()> {
    ScratchDatabase::drop_of(&mut connect(settings, APPLICATION, Purpose::Work)?, name)
}
