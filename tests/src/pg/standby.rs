//! Standbys: servers that replay what another writes, and can be read meanwhile.
//!
//! The copy is made through the server's own functions for a backup rather than by `pg_basebackup`, which not every installation has.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{ADMIN_USER, Database, LOCALHOST, TempPg, chown_to, on_a_free_port, tree};
use crate::wait;

const REPLAY_LIMIT: Duration = Duration::from_secs(30);

impl TempPg {
    /// A server that follows this one, which keeps running. It has the same roles, passwords, settings and version.
    ///
    /// # Errors
    /// When it cannot be copied, or the copy does not start.
    pub fn standby(&self) -> Result<Self> {
        self.standby_with(&[])
    }

    /// As [`TempPg::standby`], with settings that win over those of this server.
    ///
    /// # Errors
    /// As [`TempPg::standby`].
    pub fn standby_with(&self, settings: &[(&str, &str)]) -> Result<Self> {
        let own = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings: Vec<_> = self.settings.iter().cloned().chain(own).collect();
        let passwords = [self.admin_password(), self.application_password()].map(str::to_owned);
        on_a_free_port(|| {
            let mut standby = Self::prepare(&self.installed, &settings, passwords.clone())?;
            self.copy_to(&standby).context("copy a running server for a standby")?;
            standby.start()?;
            Ok(standby)
        })
    }

    /// Waits until this standby has replayed all that the primary has written by now.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn catch_up(&self, primary: &TempPg) -> Result<()> {
        let written = primary.admin("postgres")?.query_one("SELECT pg_current_wal_lsn()::text", &[])?;
        let written: String = written.try_get(0)?;
        let mut standby = self.admin("postgres")?;
        let replayed = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
        wait::until(&format!("the standby to replay up to {written}"), REPLAY_LIMIT, || {
            standby.query_one(replayed, &[&written]).ok()?.get::<_, Option<bool>>(0)?.then_some(())
        })
    }

    /// A database of the primary, as it is on this standby: what is asked of it is asked here.
    #[must_use]
    pub fn replica_of(&self, database: &Database) -> Database {
        Database::new(Arc::clone(&self.address), database.name().to_owned())
    }

    fn copy_to(&self, standby: &TempPg) -> Result<()> {
        let (from, to) = (self.data_folder(), standby.data_folder());
        let mut admin = self.admin("postgres")?;
        let number: i32 = admin.query_one("SELECT current_setting('server_version_num')::int", &[])?.try_get(0)?;
        let (start, stop) = if number >= 150_000 {
            ("SELECT pg_backup_start('pso-tests', true)", "SELECT labelfile FROM pg_backup_stop(false)")
        } else {
            ("SELECT pg_start_backup('pso-tests', true, false)", "SELECT labelfile FROM pg_stop_backup(false, false)")
        };
        admin.batch_execute(start)?;
        tree::copy(&from, &to, standby.owner, |path| !is_left_out(path))?;
        let label: String = admin.query_one(stop, &[])?.try_get(0)?;
        tree::copy(&from.join("pg_wal"), &to.join("pg_wal"), standby.owner, |_| true)?;
        let write = |name: &str, text: &str| -> Result<()> {
            let path = to.join(name);
            let opened = OpenOptions::new().append(true).create(true).open(&path);
            let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
            written.with_context(|| format!("write {}", path.display()))?;
            chown_to(&path, standby.owner)
        };
        write("backup_label", &label)?;
        write("standby.signal", "")?;
        // Not on the command line: all users see that.
        let quoted = |text: &str| text.replace('\'', "''");
        let conninfo = format!(
            "host={LOCALHOST} port={} user={ADMIN_USER} password={} application_name=standby",
            self.port(),
            self.admin_password()
        );
        write("postgresql.auto.conf", &format!("primary_conninfo = '{}'\n", quoted(&conninfo)))
    }
}

/// What the manual says to leave out ("Making a Base Backup"), and the log of changes, which is copied last.
fn is_left_out(path: &Path) -> bool {
    const FILES: [&str; 3] = ["postmaster.pid", "postmaster.opts", "backup_label.old"];
    const EMPTIED: [&str; 8] = [
        "pg_wal",
        "pg_replslot",
        "pg_dynshmem",
        "pg_notify",
        "pg_serial",
        "pg_snapshots",
        "pg_stat_tmp",
        "pg_subtrans",
    ];
    let is = |names: &[&str], path: &Path| names.iter().any(|name| path == Path::new(name));
    is(&FILES, path) || path.parent().is_some_and(|folder| is(&EMPTIED, folder))
}
