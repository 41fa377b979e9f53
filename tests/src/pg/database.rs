//! One database of a [`super::TempPg`], and all the ways to name it to a program.

use std::fmt::Write;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};
use postgres::{Client, SimpleQueryMessage};

use super::{ADMIN_USER, APPLICATION_USER, Address, LOCALHOST};
use crate::supervised;

/// A database of its own for one test. Dropping it drops the database, unless the test is failing: then the server's folder is kept.
#[derive(Debug)]
pub struct Database {
    address: Arc<Address>,
    name: String,
}

impl Database {
    pub(super) fn new(address: Arc<Address>, name: String) -> Self {
        Self { address, name }
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Always 127.0.0.1.
    #[must_use]
    pub fn host(&self) -> &'static str {
        LOCALHOST
    }

    /// The server's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port
    }

    /// The role that owns it, [`APPLICATION_USER`].
    #[must_use]
    pub fn user(&self) -> &'static str {
        APPLICATION_USER
    }

    /// The owner's password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.address.application_password
    }

    /// libpq's connection string, with the password.
    #[must_use]
    pub fn conninfo(&self) -> String {
        let quoted = |value: &str| format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"));
        let (name, password) = (quoted(&self.name), quoted(self.password()));
        format!("host={LOCALHOST} port={} user={APPLICATION_USER} password={password} dbname={name}", self.port())
    }

    /// The same as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        let (name, password) = (percent_encoded(&self.name), percent_encoded(self.password()));
        format!("postgresql://{APPLICATION_USER}:{password}@{LOCALHOST}:{}/{name}", self.port())
    }

    /// The same as libpq's environment variables; and that `pso-pgstats` is not to mind what the harness sets for speed.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        [
            ("PGHOST", LOCALHOST.to_owned()),
            ("PGPORT", self.port().to_string()),
            ("PGUSER", APPLICATION_USER.to_owned()),
            ("PGPASSWORD", self.password().to_owned()),
            ("PGDATABASE", self.name.clone()),
            ("PSO_PGSTATS_ACCEPT", "setting_dangerous:fsync, setting_dangerous:full_page_writes".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// A line for `.pgpass`.
    #[must_use]
    pub fn pgpass_line(&self) -> String {
        let escaped = |value: &str| value.replace('\\', "\\\\").replace(':', "\\:");
        let (name, password) = (escaped(&self.name), escaped(self.password()));
        format!("{LOCALHOST}:{}:{name}:{APPLICATION_USER}:{password}\n", self.port())
    }

    /// A connection as the owner.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn connect(&self) -> Result<Client> {
        self.address.connect(&self.name, APPLICATION_USER, self.password())
    }

    /// A connection as superuser.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn connect_as_admin(&self) -> Result<Client> {
        self.address.connect(&self.name, ADMIN_USER, &self.address.admin_password)
    }

    /// A connection as superuser to another database of the same server.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn connect_to(&self, database: &str) -> Result<Client> {
        self.address.connect(database, ADMIN_USER, &self.address.admin_password)
    }

    /// Runs statements as the owner.
    ///
    /// # Errors
    /// When one of them fails.
    pub fn execute(&self, sql: &str) -> Result<()> {
        self.connect()?.batch_execute(sql).with_context(|| format!("execute {sql}"))
    }

    /// Runs statements as superuser.
    ///
    /// # Errors
    /// When one of them fails.
    pub fn execute_as_admin(&self, sql: &str) -> Result<()> {
        self.connect_as_admin()?.batch_execute(sql).with_context(|| format!("execute {sql}"))
    }

    /// The rows of a query as text, `None` for NULL.
    ///
    /// # Errors
    /// When it fails.
    pub fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let messages = self.connect()?.simple_query(sql).with_context(|| format!("query {sql}"))?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.map(|row| (0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()).collect())
    }

    /// The first column of a query's first row as text.
    ///
    /// # Errors
    /// When the query fails, gives no row, or NULL.
    pub fn scalar(&self, sql: &str) -> Result<String> {
        let first = self.rows(sql)?.into_iter().next().and_then(|row| row.into_iter().next().flatten());
        first.with_context(|| format!("no value from {sql}"))
    }

    /// Installs `pg_stat_statements` in this database, and lets the owner read it as an administrator of the field would (`pg_read_all_stats`).
    ///
    /// # Errors
    /// When the installation does not have it (Debian: package `postgresql`, which brings the contrib modules).
    pub fn enable_statements(&self) -> Result<()> {
        self.execute_as_admin(&format!(
            "CREATE EXTENSION IF NOT EXISTS pg_stat_statements; GRANT pg_read_all_stats TO {APPLICATION_USER}"
        ))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if thread::panicking() {
            supervised::keep(&self.address.folder, &format!("Database {}", self.name));
            return;
        }
        // The server may have been stopped or killed by the test; then there is nothing to drop.
        if let Ok(mut admin) = self.address.connect("postgres", ADMIN_USER, &self.address.admin_password) {
            let _ = admin.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(&self.name)));
        }
    }
}

/// An SQL identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
