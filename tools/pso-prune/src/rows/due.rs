//! What makes a row due, as SQL. Values are parameters, and names come quoted from the server.

use anyhow::{bail, ensure};
use pso_common::postgres::Transaction;
use pso_common::postgres::types::ToSql;

use super::references::Path;
use super::rules::{Rule, Test};

const COLUMN: &str = include_str!("../../queries/row_column.sql");

/// `pg_type.oid` of date, timestamp and timestamptz: they are the same everywhere,
/// <https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat>.
const TIMES: [u32; 3] = [1082, 1114, 1184];

/// When a row of a table is due.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    /// The quoted column, and the type that the cut-off is given in.
    column: String,
    kind: String,
    /// Conditions: the quoted column and what of it must hold.
    conditions: Vec<(String, String)>,
    /// `$1` is the cut-off, then come the values of the conditions.
    params: Vec<String>,
    /// Rows that are referred to in a way that keeps them from being deleted are not due.
    pub(crate) blockers: Vec<Path>,
}

impl Due {
    /// Finds out what the rule's columns are, and what the time of its cut-off is: once, so that what is done is what was
    /// planned. Time is the server's, as that of the rows most often is.
    ///
    /// # Errors
    /// When a column is not there, or is not of a type that has a time.
    pub(crate) fn find(tx: &mut Transaction<'_>, table: u32, rule: &Rule) -> anyhow::Result<Option<Self>> {
        let Some(row) = tx.query_opt(COLUMN, &[&table, &rule.column])? else {
            ensure!(!rule.is_configured, "table {} has no column {:?}", rule.shown(), rule.column);
            return Ok(None);
        };
        let (column, kind, base): (String, String, u32) = (row.get("sql"), row.get("type"), row.get("base"));
        ensure!(
            TIMES.contains(&base),
            "column {:?} of {} is of type {kind}; give one of type timestamptz, timestamp or date",
            rule.column,
            rule.shown()
        );
        let cutoff = format!("SELECT (pg_catalog.now() - pg_catalog.make_interval(secs => $1))::{kind}::text");
        let cutoff: String = tx.query_one(&cutoff, &[&rule.older_than.as_secs_f64()])?.get(0);
        let mut due = Self { column, kind, conditions: Vec::new(), params: vec![cutoff], blockers: Vec::new() };
        for condition in &rule.conditions {
            let Some(row) = tx.query_opt(COLUMN, &[&table, &condition.column])? else {
                ensure!(!rule.is_configured, "table {} has no column {:?}", rule.shown(), condition.column);
                return Ok(None);
            };
            let (column, kind): (String, String) = (row.get("sql"), row.get("type"));
            let test = match &condition.test {
                Test::Null => "IS NULL".to_owned(),
                Test::NotNull => "IS NOT NULL".to_owned(),
                Test::In(values) => format!("IN ({})", due.values(values, &kind)),
                Test::NotIn(values) => format!("NOT IN ({})", due.values(values, &kind)),
            };
            due.conditions.push((column, test));
        }
        Ok(Some(due))
    }

    fn values(&mut self, values: &[String], kind: &str) -> String {
        let each = values.iter().map(|value| {
            self.params.push(value.clone());
            format!("${}::text::{kind}", self.params.len())
        });
        each.collect::<Vec<_>>().join(", ")
    }

    /// The cut-off, as the server writes it.
    pub(crate) fn cutoff(&self) -> &str {
        self.params.first().map_or("", String::as_str)
    }

    /// How the cut-off is named in SQL.
    pub(crate) fn cutoff_sql(&self) -> String {
        format!("$1::text::{}", self.kind)
    }

    pub(crate) fn column_type(&self) -> &str {
        &self.kind
    }

    pub(crate) fn has_conditions(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// Whether a row is old and meets the conditions, whatever refers to it.
    pub(crate) fn aged(&self, alias: &str) -> String {
        let mut sql = format!("{alias}.{} < {}", self.column, self.cutoff_sql());
        for (column, test) in &self.conditions {
            sql.push_str(&format!(" AND {alias}.{column} {test}"));
        }
        sql
    }

    /// Whether a row of this table, or this partition of it, is due.
    pub(crate) fn sql(&self, alias: &str, table: u32) -> String {
        let mut sql = self.aged(alias);
        for path in self.blockers.iter().filter(|path| path.starts_at(table)) {
            sql.push_str(&format!(" AND NOT {}", path.refers_to(alias)));
        }
        sql
    }

    /// The parameters of all these.
    pub(crate) fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.params.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
    }
}

/// A count as the server gives it.
pub(crate) fn count(value: i64) -> anyhow::Result<u64> {
    match u64::try_from(value) {
        Ok(count) => Ok(count),
        Err(_) => bail!("the server counted {value}"),
    }
}
