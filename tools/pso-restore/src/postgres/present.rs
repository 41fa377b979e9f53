//! A database as it is now, for the plan's hash.

use anyhow::Context as _;
use pso_archive::user_tables;
use pso_common::io::Cancel;
use pso_common::postgres::{Client, PgSettings};

use super::target::{admin, connect};

/// What changes when the database does: its identity, and every table with its rows and their versions.
pub(crate) fn present(settings: &PgSettings, database: &str, cancel: &Cancel) -> anyhow::Result<Vec<String>> {
    let context = || format!("look at what is in {database}");
    let own = settings.with_dbname(database);
    let mut session = match admin(settings).or_else(|_| connect(&own)) {
        Ok(session) => session,
        Err(error) => return Err(error).with_context(context),
    };
    let identity = session.query_opt(include_str!("../../queries/identity.sql"), &[&database]).with_context(context)?;
    let Some(identity) = identity else { return Ok(vec!["there is none".to_owned()]) };
    let mut facts = vec![identity.get(0)];
    if !identity.get::<_, bool>(1) {
        facts.push("nobody may connect".to_owned());
        return Ok(facts);
    }
    let mut client = connect(&own).with_context(context)?;
    for table in user_tables(&mut client)? {
        cancel.check()?;
        let rows = rows(&mut client, &table);
        facts.push(format!("{table} {rows}"));
    }
    Ok(facts)
}

/// How many rows there are, and a sum that each insert, update and delete changes: `xmin` is the transaction that wrote
/// the row's version. A table that may not be read counts as such.
fn rows(client: &mut Client, table: &str) -> String {
    let sql = format!(
        "SELECT pg_catalog.count(*)::text || ' ' || coalesce(pg_catalog.sum(xmin::text::bigint), 0)::text FROM ONLY {table}"
    );
    match client.query_one(&sql, &[]) {
        Ok(row) => row.get(0),
        Err(error) => format!("not readable: {}", error.code().map_or("", |code| code.code())),
    }
}
