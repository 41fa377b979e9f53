//! The one session, what is known of the server behind it, and what can go wrong with a query.

use std::collections::BTreeMap;

use anyhow::Context as _;
use pso_common::config::ConfigValue as _;
use pso_common::postgres::types::ToSql;
use pso_common::postgres::{Client, Error, PgSettings, Purpose, connect};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::settings::PostgresSettings;

/// Names are found in `pg_catalog` only, so that nobody can put an object of his own before it, and are printed qualified.
const SET_UP: &str = "SET search_path = pg_catalog, pg_temp; SET timezone = 'UTC'; SET jit = off";

/// An open session, and what every rule may need to know.
pub(crate) struct Server {
    client: Client,
    pg: PgSettings,
    pub(crate) facts: Facts,
    pub(crate) values: Values,
    pub(crate) options: PostgresSettings,
}

/// A row of `server.sql`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Facts {
    pub(crate) version_num: i32,
    pub(crate) version: String,
    pub(crate) database: String,
    pub(crate) database_quoted: String,
    /// As an identifier in SQL.
    pub(crate) role_quoted: String,
    pub(crate) reads_passwords: bool,
    pub(crate) reads_hba: bool,
    pub(crate) reads_files: bool,
    /// Whether it is a standby.
    pub(crate) in_recovery: bool,
    /// Whether this very session is encrypted.
    pub(crate) encrypted: bool,
    /// Our address as the server sees it; none over a socket.
    pub(crate) client_address: Option<String>,
}

/// Why a part could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is not for this role, in the server's words; no failure of anything.
    Hidden(String),
    /// Could not tell.
    Unknown(String),
    /// There is no connection any more.
    Lost(String),
}

impl Server {
    /// Connects and looks at whom it has got.
    pub(crate) fn open(pg: &PgSettings, options: &PostgresSettings) -> anyhow::Result<Self> {
        let mut client = connect(pg, "pso-audit", Purpose::Watch)?;
        client.batch_execute(SET_UP).with_context(|| format!("set the session with {} up", pg.shown()))?;
        let mut server = Self {
            client,
            pg: pg.clone(),
            facts: Facts::default(),
            values: Values::default(),
            options: options.clone(),
        };
        let look = |failure: Failure| {
            let (Failure::Hidden(text) | Failure::Unknown(text) | Failure::Lost(text)) = failure;
            anyhow::anyhow!("look at the server {}: {text}", pg.shown())
        };
        let facts = server.rows(include_str!("../../../queries/server.sql")).map_err(look)?;
        server.facts = facts.into_iter().next().context("the server says nothing about itself")?;
        let settings: Vec<Setting> = server.rows(include_str!("../../../queries/settings.sql")).map_err(look)?;
        let values = Values::new(settings);
        server.values =
            Values { database: server.facts.database_quoted.clone(), role: server.facts.role_quoted.clone(), ..values };
        Ok(server)
    }

    /// The rows of a query of `queries/`: PostgreSQL prints each as a JSON object, and serde reads it by the columns' names.
    pub(crate) fn rows<R: DeserializeOwned>(&mut self, sql: &str) -> Result<Vec<R>, Failure> {
        self.rows_with(sql, &[])
    }

    /// As [`Server::rows`], for a query with parameters.
    pub(crate) fn rows_with<R: DeserializeOwned>(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<R>, Failure> {
        // The line breaks keep a comment at the query's end from hiding ours.
        let wrapped = format!("SELECT pg_catalog.row_to_json(q)::pg_catalog.text FROM (\n{sql}\n) AS q");
        let rows = self.client.query(&wrapped, params).map_err(|error| self.failure(&error))?;
        rows.iter()
            .map(|row| {
                let text: &str = row.try_get(0).map_err(|error| self.failure(&error))?;
                serde_json::from_str(text)
                    .map_err(|error| Failure::Unknown(format!("a row is not understood: {error}")))
            })
            .collect()
    }

    /// The folder of PostgreSQL's socket, or its host.
    pub(crate) fn host(&self) -> &str {
        &self.pg.host
    }

    /// What a server's SQLSTATE means for the part that was asked for (PostgreSQL's manual, appendix A).
    fn failure(&self, error: &Error) -> Failure {
        let last = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source()).last();
        let text = error
            .as_db_error()
            .map_or_else(|| last.map_or_else(String::new, ToString::to_string), |db| db.message().to_owned());
        let code = error.code().map_or("", |code| code.code());
        match code {
            // A FATAL comes before the connection is seen to be closed.
            _ if self.client.is_closed() || code.starts_with("57P0") || code.starts_with("08") => Failure::Lost(text),
            "42501" => Failure::Hidden(text),
            "57014" => Failure::Unknown(format!(
                "no answer within {} (maintenance.postgres.statement_timeout): {text}",
                self.pg.statement_timeout.show()
            )),
            "55P03" => Failure::Unknown(format!(
                "another session holds what was to be read, and it is waited for only {} \
                 (maintenance.postgres.lock_timeout): {text}",
                self.pg.lock_timeout.show()
            )),
            code => Failure::Unknown(format!("{text} (SQLSTATE {code})")),
        }
    }
}

/// A row of `settings.sql`.
#[derive(Clone, Debug, Default, Deserialize)]
struct Setting {
    name: String,
    value: Option<String>,
    source: String,
    context: String,
}

/// The settings that rules judge.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    settings: BTreeMap<String, Setting>,
    /// This session's, as identifiers in SQL: a setting may be theirs alone.
    database: String,
    role: String,
}

impl Values {
    fn new(settings: Vec<Setting>) -> Self {
        let settings = settings.into_iter().map(|setting| (setting.name.clone(), setting)).collect();
        Self { settings, ..Self::default() }
    }

    /// Values that PostgreSQL's file gives, for tests of rules.
    #[cfg(test)]
    pub(crate) fn of(values: &[(&str, &str)]) -> Self {
        let setting = |(name, value): &(&str, &str)| Setting {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
            source: "configuration file".to_owned(),
            context: if *name == "listen_addresses" { "postmaster" } else { "sighup" }.to_owned(),
        };
        Self::new(values.iter().map(setting).collect())
    }

    /// How many were read.
    pub(crate) fn len(&self) -> usize {
        self.settings.len()
    }

    /// The value of a setting; none where this role may not see it.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.settings.get(name)?.value.as_deref()
    }

    /// Whether a switch is on; false where it is not seen.
    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.get(name) == Some(value)
    }

    /// Whether the server listens at an address that other machines may reach.
    pub(crate) fn listens_outside(&self) -> bool {
        // It is shown to every role; where it is not, the worse is assumed.
        self.get("listen_addresses").is_none_or(|list| list.split(',').map(str::trim).any(is_outside))
    }

    /// How to set it to `value`. What stands on the server's command line ALTER SYSTEM does not reach.
    pub(crate) fn fix(&self, name: &str, value: &str) -> String {
        let setting = self.settings.get(name);
        if setting.is_some_and(|setting| setting.source == "command line") {
            return format!(
                "start the server with -c {name}={value}: it is given on its command line, which wins over ALTER SYSTEM"
            );
        }
        // What was set for a database or a role wins over ALTER SYSTEM, and its RESET counts from the next session on.
        let Self { database, role, .. } = self;
        let own = match setting.map_or("", |setting| setting.source.as_str()) {
            "database" => format!("ALTER DATABASE {database} RESET {name};\n"),
            "user" => format!("ALTER ROLE {role} RESET {name};\n"),
            "database user" => format!("ALTER ROLE {role} IN DATABASE {database} RESET {name};\n"),
            _ => String::new(),
        };
        let restart = setting.is_some_and(|setting| setting.context == "postmaster");
        let then = if restart { "-- then restart the server" } else { "SELECT pg_reload_conf()" };
        format!("{own}ALTER SYSTEM SET {name} = '{value}';\n{then}")
    }
}

/// Whether an entry of `listen_addresses` is more than this machine's own loopback.
fn is_outside(entry: &str) -> bool {
    let loopback = entry.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    !(entry.is_empty() || entry == "localhost" || loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_outside_is_told_from_loopback() {
        let outside = |list: &str| Values::of(&[("listen_addresses", list)]).listens_outside();
        let seen = ["*", "0.0.0.0", "::", "localhost, 10.0.0.5", "db.example"].map(outside);
        assert_eq!(seen, [true; 5]);
        assert_eq!(["localhost", "", "127.0.0.1,::1", "127.0.1.1"].map(outside), [false; 4]);
        assert!(Values::default().listens_outside());
    }

    #[test]
    fn the_fix_reaches_the_setting_where_it_is_given() {
        let mut values = Values::of(&[("ssl", "off"), ("listen_addresses", "*")]);
        assert_eq!(values.fix("ssl", "on"), "ALTER SYSTEM SET ssl = 'on';\nSELECT pg_reload_conf()");
        assert!(values.fix("listen_addresses", "localhost").ends_with("restart the server"));
        values.settings.get_mut("ssl").expect("there").source = "command line".to_owned();
        assert!(values.fix("ssl", "on").starts_with("start the server with -c ssl=on"));
        (values.database, values.role) = ("\"a b\"".to_owned(), "me".to_owned());
        for (source, first) in [
            ("database", "ALTER DATABASE \"a b\" RESET ssl;\n"),
            ("user", "ALTER ROLE me RESET ssl;\n"),
            ("database user", "ALTER ROLE me IN DATABASE \"a b\" RESET ssl;\n"),
        ] {
            values.settings.get_mut("ssl").expect("there").source = source.to_owned();
            assert!(values.fix("ssl", "on").starts_with(&format!("{first}ALTER SYSTEM SET ssl = 'on'")), "{source}");
        }
    }
}
