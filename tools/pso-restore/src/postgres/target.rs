//! The server and the database that are to be restored into.

use anyhow::{Context as _, anyhow};
use pso_common::postgres::{self, Client, PgSettings, Purpose};

pub(super) const APPLICATION: &str = "pso-restore";
/// Databases from which others can be created and renamed.
const MAINTENANCE: [&str; 2] = ["postgres", "template1"];

/// A server that answers.
pub(super) struct Target {
    /// A session in a maintenance database, where there may be one.
    pub(super) admin: Option<Client>,
    /// A session in the database itself, where it exists and lets us in; else why not.
    pub(super) database: Result<Client, anyhow::Error>,
    pub(super) major: u32,
    pub(super) role: String,
    pub(super) is_superuser: bool,
    pub(super) may_create: bool,
    /// The database as it is; `None` when it does not exist.
    pub(super) now: Option<Shape>,
}

/// A database as `CREATE DATABASE` would make it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(super) owner: String,
    pub(super) is_ours: bool,
    pub(super) encoding: String,
    pub(super) collate: String,
    pub(super) ctype: String,
    pub(super) locale_provider: String,
    pub(super) locale: Option<String>,
    /// Whether anybody may connect.
    pub(super) lets_in: bool,
    pub(super) connection_limit: i32,
    pub(super) tablespace: Option<String>,
    pub(super) has_acl: bool,
    pub(super) comment: Option<String>,
}

impl Target {
    /// Looks at the server; changes nothing.
    pub(super) fn look(settings: &PgSettings) -> anyhow::Result<Self> {
        let mut database = connect(settings);
        let mut admin = admin(settings).ok();
        let Some(session) = admin.as_mut().or(database.as_mut().ok()) else {
            return Err(database.err().unwrap_or_else(|| anyhow!("there is no session")));
        };
        let context = || format!("look at the PostgreSQL server {}", settings.shown());
        let server = session.query_one(include_str!("../../queries/server.sql"), &[]).with_context(context)?;
        let now = session
            .query_opt(include_str!("../../queries/database.sql"), &[&settings.dbname])
            .with_context(context)?
            .map(|row| Shape {
                owner: row.get("owner"),
                is_ours: row.get("is_ours"),
                encoding: row.get("encoding"),
                collate: row.get("collate"),
                ctype: row.get("ctype"),
                locale_provider: row.get("locale_provider"),
                locale: row.get("locale"),
                lets_in: row.get("lets_in"),
                connection_limit: row.get("connection_limit"),
                tablespace: row.get("tablespace"),
                has_acl: row.get("has_acl"),
                comment: row.get("comment"),
            });
        Ok(Self {
            major: u32::try_from(server.get::<_, i32>("server_version_num"))? / 10_000,
            role: server.get("role"),
            is_superuser: server.get("is_superuser"),
            may_create: server.get("may_create"),
            now,
            admin,
            database,
        })
    }

    pub(super) fn role_exists(&mut self, role: &str) -> anyhow::Result<bool> {
        let row = self.session()?.query_one(include_str!("../../queries/role_exists.sql"), &[&role])?;
        Ok(row.get(0))
    }

    /// Which of `names` the server does not have at all, and which this role may not create.
    pub(super) fn extensions(&mut self, names: &[String]) -> anyhow::Result<Extensions> {
        let is_superuser = self.is_superuser;
        let rows = self.session()?.query(include_str!("../../queries/extensions.sql"), &[&names])?;
        let known: Vec<(String, bool)> =
            rows.iter().map(|row| (row.get("name"), is_superuser || row.get("may_create"))).collect();
        let installed = match &mut self.database {
            Ok(client) => client.query(include_str!("../../queries/installed_extensions.sql"), &[])?,
            Err(_) => Vec::new(),
        };
        let state = |name: &String| known.iter().find(|(known, _)| known == name).map(|(_, may_create)| *may_create);
        Ok(Extensions {
            missing: names.iter().filter(|name| state(name).is_none()).cloned().collect(),
            forbidden: names.iter().filter(|name| state(name) == Some(false)).cloned().collect(),
            installed: installed.iter().map(|row| (row.get("name"), row.get("schema"))).collect(),
        })
    }

    fn session(&mut self) -> anyhow::Result<&mut Client> {
        self.admin.as_mut().or(self.database.as_mut().ok()).context("there is no session")
    }
}

/// The extensions of a dump, seen from the server.
pub(super) struct Extensions {
    /// Not on the server.
    pub(super) missing: Vec<String>,
    /// Only a superuser may create them.
    pub(super) forbidden: Vec<String>,
    /// In the database already, with their schemas.
    pub(super) installed: Vec<(String, String)>,
}

impl Extensions {
    pub(super) fn is_installed(&self, name: &str) -> bool {
        self.installed.iter().any(|(installed, _)| installed == name)
    }
}

/// A session that may last as long as the restore.
pub(super) fn connect(settings: &PgSettings) -> anyhow::Result<Client> {
    postgres::connect(settings, APPLICATION, Purpose::Work)
}

/// A session outside of the database that is replaced.
pub(super) fn admin(settings: &PgSettings) -> anyhow::Result<Client> {
    let mut result = Err(anyhow!("there is no maintenance database"));
    for name in MAINTENANCE.iter().filter(|name| **name != settings.dbname) {
        result = connect(&settings.with_dbname(name));
        if result.is_ok() {
            break;
        }
    }
    result
}

/// An SQL identifier.
pub(super) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// An SQL string, whatever `standard_conforming_strings` says.
pub(super) fn literal(text: &str) -> String {
    format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        assert_eq!(ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("a'b\\"), " E'a\\'b\\\\'");
    }
}
