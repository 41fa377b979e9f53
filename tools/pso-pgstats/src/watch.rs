//! The one connection, what is known of the server behind it, and what can go wrong with a query.

use anyhow::{Context as _, bail};
use pso_common::config::ConfigValue as _;
use pso_common::postgres::fallible_iterator::FallibleIterator as _;
use pso_common::postgres::types::ToSql;
use pso_common::postgres::{Client, Error, PgSettings, Purpose, connect};
use pso_common::record::PgServerRecord;
use serde::de::DeserializeOwned;

use crate::records::Row;
use crate::row;
use crate::settings::Limits;

/// `server_version_num` of PostgreSQL 13, the oldest whose views have the columns that are read.
const OLDEST: i32 = 130_000;

/// Names are found in `pg_catalog` only, which also makes `pg_get_indexdef` qualify every name it prints; times are
/// printed in the form that every session reads. The planner takes our queries for dearer than they are: compiling them
/// (`jit`) costs more than it saves, nearly half of a whole run on 5,000 tables; and who watches takes one process, not three.
/// Sorting the indexes of 5,000 tables takes 7 MiB: with the usual 4 each run would be a temporary file in the statistics.
const SET_UP: &str = "SET search_path = pg_catalog, pg_temp; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; \
                      SET intervalstyle = 'postgres'; SET jit = off; SET max_parallel_workers_per_gather = 0; \
                      SET work_mem = '16MB'";

/// A query in the forms that the servers' versions want: each from its `server_version_num` on, the oldest first.
pub(crate) type Variants = &'static [(i32, &'static str)];

/// An open session.
pub(crate) struct Watch {
    client: Client,
    pg: PgSettings,
    pub(crate) server: PgServerRecord,
    pub(crate) limits: Limits,
}

/// Why a section has no rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is not there, or not for this role; with the way out. No error of the tool's or the server's.
    Unavailable(String),
    /// Could not tell.
    Unknown(String),
    /// There is no connection any more.
    Lost(String),
}

impl Watch {
    /// Connects and looks at whom it has got.
    pub(crate) fn open(pg: PgSettings, limits: Limits) -> anyhow::Result<Self> {
        let mut client = connect(&pg, "pso-pgstats", Purpose::Watch)?;
        let ask = |client: &mut Client| -> anyhow::Result<PgServerRecord> {
            let version = client.query_one(include_str!("../queries/version.sql"), &[])?;
            let (number, shown): (i32, String) = (version.try_get("version_num")?, version.try_get("version")?);
            if number < OLDEST {
                bail!(
                    "this is PostgreSQL {shown}; pso-pgstats reads PostgreSQL 13 and newer, so the server must be upgraded"
                );
            }
            client.batch_execute(SET_UP)?;
            let server = client.query_one(&row::wrapped(include_str!("../queries/server.sql")), &[])?;
            let mut server: PgServerRecord = row::parse(server.try_get(0)?).map_err(anyhow::Error::msg)?;
            if version.try_get("reads_control")? {
                // It is read from a file that may just be being written: no reason to fail.
                let identity = client.query_one(include_str!("../queries/identity.sql"), &[]);
                server.system_identifier = identity.and_then(|row| row.try_get(0)).ok();
            }
            Ok(server)
        };
        let server = ask(&mut client)
            .map_err(|error| explained(error, &pg))
            .with_context(|| format!("look at the server {}", pg.shown()))?;
        Ok(Self { client, pg, server, limits })
    }

    /// The variant for this server's version.
    pub(crate) fn variant(&self, variants: Variants) -> Result<&'static str, Failure> {
        variant(variants, self.server.version_num).ok_or_else(|| {
            let oldest = variants.first().map_or(OLDEST, |(from, _)| *from) / 10_000;
            Failure::Unavailable(format!("PostgreSQL {oldest} and newer tell it, this is {}", self.server.version))
        })
    }

    /// The rows of a query of `queries/`, whose columns are `R`'s fields.
    pub(crate) fn records<R: DeserializeOwned>(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<R>, Failure> {
        let mut records = Vec::new();
        self.each(sql, params, |text| {
            records.push(row::parse(text)?);
            Ok(())
        })?;
        Ok(records)
    }

    /// The rows of a query of `queries/` that gives one kind of record and nothing beside.
    pub(crate) fn rows<R: Row>(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<R>, Failure> {
        let mut records = Vec::new();
        self.each(sql, params, |text| {
            if cfg!(debug_assertions)
                && records.is_empty()
                && let Some(column) = row::stray_column(R::KIND, text)
            {
                return Err(format!("column {column}: not a field of {}", R::KIND));
            }
            records.push(row::parse(text)?);
            Ok(())
        })?;
        Ok(records)
    }

    /// As [`Watch::records`], for a query that always gives one row.
    pub(crate) fn record<R: DeserializeOwned>(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<R, Failure> {
        let row = self.records(sql, params)?.into_iter().next();
        row.ok_or_else(|| Failure::Unknown("the server gave no row where there is always one".to_owned()))
    }

    /// Hands on each row's text as it comes, so that only one of them is held besides what is made of them, and so that they
    /// are read while the server still works on the rest.
    fn each(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        mut take: impl FnMut(&str) -> Result<(), String>,
    ) -> Result<(), Failure> {
        let mut stray = None;
        let read = self.client.query_raw(&row::wrapped(sql), params.iter().copied()).and_then(|mut rows| {
            while let Some(row) = rows.next()? {
                if let Err(reason) = take(row.try_get(0)?) {
                    // The rest of the rows is of no use.
                    stray = Some(reason);
                    break;
                }
            }
            Ok(())
        });
        match (read, stray) {
            (Ok(()), None) => Ok(()),
            (Ok(()), Some(reason)) => Err(Failure::Unknown(reason)),
            (Err(error), _) => Err(self.failure(&error)),
        }
    }

    fn failure(&self, error: &Error) -> Failure {
        let code = error.code().map(|code| code.code().to_owned());
        let text = error.as_db_error().map_or_else(|| innermost(error), |db| db.message().to_owned());
        if self.client.is_closed() { Failure::Lost(text) } else { self.classify(code.as_deref(), text) }
    }

    /// What a server's SQLSTATE means for the section (PostgreSQL's manual, appendix A).
    fn classify(&self, code: Option<&str>, text: String) -> Failure {
        match code {
            None => Failure::Unknown(text),
            // A FATAL comes before the connection is seen to be closed.
            Some(code) if code.starts_with("57P0") || code.starts_with("08") => Failure::Lost(text),
            Some("42501") => Failure::Unavailable(format!("the role {} may not read it: {text}", self.server.role)),
            Some("57014") => Failure::Unknown(format!(
                "no answer within {} (maintenance.postgres.statement_timeout): {text}",
                self.pg.statement_timeout.show()
            )),
            Some("55P03") => Failure::Unknown(format!(
                "another session holds what was to be read, and it is waited for only {} \
                 (maintenance.postgres.lock_timeout): {text}",
                self.pg.lock_timeout.show()
            )),
            Some(code) => Failure::Unknown(format!("{text} (SQLSTATE {code})")),
        }
    }
}

/// What keeps the tool from the first look says what it keeps it from all others: somebody holds a catalogue, or it is slow.
fn explained(error: anyhow::Error, pg: &PgSettings) -> anyhow::Error {
    let Some(db) = error.downcast_ref::<Error>().and_then(Error::as_db_error) else { return error };
    let reason = db.message();
    match db.code().code() {
        "55P03" => anyhow::anyhow!(
            "another session holds a system catalogue, and it is waited for only {} (maintenance.postgres.lock_timeout); see \
             who with SELECT pid, relation::regclass FROM pg_locks WHERE mode = 'AccessExclusiveLock': {reason}",
            pg.lock_timeout.show()
        ),
        "57014" => anyhow::anyhow!(
            "no answer within {} (maintenance.postgres.statement_timeout): {reason}",
            pg.statement_timeout.show()
        ),
        code => anyhow::anyhow!("{reason} (SQLSTATE {code})"),
    }
}

/// The newest variant that is not newer than the server.
fn variant(variants: Variants, version_num: i32) -> Option<&'static str> {
    variants.iter().rev().find(|(from, _)| *from <= version_num).map(|(_, sql)| *sql)
}

/// The last of a chain of errors: the driver's own say only what it was doing.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_variant_that_the_server_understands_is_taken() {
        const BOTH: Variants = &[(130_000, "old"), (170_000, "new")];
        let taken = [120_022, 130_000, 169_999, 170_000, 180_001].map(|version| variant(BOTH, version));
        assert_eq!(taken, [None, Some("old"), Some("old"), Some("new"), Some("new")]);
    }
}
