//! The one connection, what is known of the server behind it, and what can go wrong with a query.

use std::time::Duration;

use anyhow::{Context as _, bail};
use pso_common::Timestamp;
use pso_common::config::ConfigValue as _;
use pso_common::postgres::types::{FromSql, ToSql};
use pso_common::postgres::{Client, Purpose, Row, connect};
use time::OffsetDateTime;

use crate::settings::Settings;

/// `server_version_num` of PostgreSQL 10, the oldest whose views have the columns that are read.
const OLDEST: i32 = 100_000;

/// Names are found in `pg_catalog` only, which also makes `pg_get_indexdef` qualify every name it prints; times are
/// printed in the form that every session reads.
const SET_UP: &str = "SET search_path = pg_catalog, pg_temp; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'";

/// What the sections need to know of the server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// The role, quoted as SQL needs it.
    pub(crate) role: String,
    /// Whether the role sees other roles' sessions and statements.
    pub(crate) reads_all_stats: bool,
    /// Whether it is a standby.
    pub(crate) in_recovery: bool,
}

/// An open session.
pub(crate) struct Watch {
    client: Client,
    pub(crate) server: Server,
    pub(crate) settings: Settings,
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
    pub(crate) fn open(settings: Settings) -> anyhow::Result<Self> {
        let mut client = connect(&settings.pg, "pso-pgstats", Purpose::Watch)?;
        let ask = |client: &mut Client| -> anyhow::Result<Server> {
            let version = client.query_one(include_str!("../queries/version.sql"), &[])?;
            let (number, shown): (i32, String) = (version.try_get("version_num")?, version.try_get("version")?);
            if number < OLDEST {
                bail!(
                    "this is PostgreSQL {shown}; pso-pgstats reads PostgreSQL 10 and newer, so the server must be upgraded"
                );
            }
            client.batch_execute(SET_UP)?;
            let server = client.query_one(include_str!("../queries/server.sql"), &[])?;
            Ok(Server {
                role: server.try_get("role")?,
                reads_all_stats: server.try_get("reads_all_stats")?,
                in_recovery: server.try_get("in_recovery")?,
            })
        };
        let server = ask(&mut client).with_context(|| format!("look at the server {}", settings.pg.shown()))?;
        Ok(Self { client, server, settings })
    }

    /// Runs a query of `queries/`.
    pub(crate) fn query(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Failure> {
        let result = self.client.query(sql, params);
        result.map_err(|error| {
            let code = error.code().map(|code| code.code().to_owned());
            let text = error.as_db_error().map_or_else(|| innermost(&error), |db| db.message().to_owned());
            if self.client.is_closed() { Failure::Lost(text) } else { self.classify(code.as_deref(), text) }
        })
    }

    /// Runs a query of `queries/` that always gives one row.
    pub(crate) fn query_one(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Failure> {
        let row = self.query(sql, params)?.into_iter().next();
        row.ok_or_else(|| Failure::Unknown("the server gave no row where there is always one".to_owned()))
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
                self.settings.pg.statement_timeout.show()
            )),
            Some("55P03") => Failure::Unknown(format!(
                "another session holds what was to be read, and it is waited for only {} \
                 (maintenance.postgres.lock_timeout): {text}",
                self.settings.pg.lock_timeout.show()
            )),
            Some(code) => Failure::Unknown(format!("{text} (SQLSTATE {code})")),
        }
    }
}

/// The last of a chain of errors: the driver's own say only what it was doing.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

/// A column's value. One that has another type than expected is the query's fault; the section says so and the others go on.
pub(crate) fn get<'r, T: FromSql<'r>>(row: &'r Row, column: &str) -> Result<T, Failure> {
    row.try_get(column).map_err(|error| Failure::Unknown(format!("column {column}: {}", innermost(&error))))
}

/// A column of seconds since 1970 in UTC (`extract(epoch FROM …)::float8`) as a moment.
pub(crate) fn moment(row: &Row, column: &str) -> Result<Option<Timestamp>, Failure> {
    Ok(get::<Option<f64>>(row, column)?.and_then(from_epoch))
}

/// A column of milliseconds (`float8`) in whole ones. Clocks may run backwards; spans do not.
pub(crate) fn milliseconds(row: &Row, column: &str) -> Result<Option<u64>, Failure> {
    Ok(get::<Option<f64>>(row, column)?.map(whole))
}

/// A column of seconds (`float8`) as a span.
pub(crate) fn span(row: &Row, column: &str) -> Result<Option<Duration>, Failure> {
    Ok(get::<Option<f64>>(row, column)?.map(|seconds| Duration::from_millis(whole(seconds * 1000.0))))
}

/// Rounded, and not below zero.
fn whole(value: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, which is what is wanted"
    )]
    let whole = value.max(0.0).round() as u64;
    whole
}

/// Seconds since 1970 as a moment; none for those outside the calendar.
fn from_epoch(seconds: f64) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and the calendar is far smaller")]
    let nanoseconds = ((seconds * 1000.0).round() as i128).saturating_mul(1_000_000);
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok().map(Timestamp::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_utc_to_the_millisecond() {
        assert_eq!(
            from_epoch(1_795_338_000.123_456).map(|at| at.to_string()).as_deref(),
            Some("2026-11-22T09:00:00.123Z")
        );
        assert_eq!(from_epoch(f64::INFINITY), None);
    }

    #[test]
    fn spans_are_never_negative() {
        assert_eq!([-0.4, 0.4, 1.5, f64::NAN].map(whole), [0, 0, 2, 0]);
    }
}
