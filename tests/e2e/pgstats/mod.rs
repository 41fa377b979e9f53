//! `pso-pgstats` against a real server: what it sees, what it advises, and that it never waits.

use postgres::Client;
use pso_tests::pg::{Database, TempPg};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;
use serde_json::Value;
use std::time::Duration;

mod advice;
mod faults;
mod sections;

/// Statistics reach the view a moment after the session that made them ended.
pub(crate) const STATISTICS: Duration = Duration::from_secs(20);

/// Those that are never empty in a filled database, in their order.
pub(crate) const SECTIONS: [(&str, &str); 6] = [
    ("activity", "pg.activity"),
    ("tables", "pg.table"),
    ("sizes", "pg.size"),
    ("indexes", "pg.index"),
    ("statements", "pg.statement"),
    ("advice", "pg.advice"),
];

pub(crate) fn tool(database: &Database, args: &[&str]) -> Tool {
    Tool::new("pso-pgstats").expect("built").envs(database.env()).args(args).folder(std::env::temp_dir())
}

pub(crate) fn run(database: &Database, args: &[&str]) -> Outcome {
    tool(database, args).run().expect("ends")
}

pub(crate) fn database(name: &str) -> Database {
    TempPg::shared().expect("PostgreSQL").database(name).expect("a database")
}

pub(crate) fn message(record: &Value) -> &str {
    record["message"].as_str().expect("a message")
}

/// Runs `advice` until the answer is yes.
pub(crate) fn advised(database: &Database, args: &[&str], name: &str) -> Value {
    let args = [&["advice"], args].concat();
    wait::until(&format!("the advice {name}"), STATISTICS, || {
        run(database, &args).records_of_kind("pg.advice").into_iter().find(|advice| advice["name"] == name)
    })
    .expect("advised")
}

/// Runs `advice` until the answer is no.
pub(crate) fn advised_no_more(database: &Database, args: &[&str], name: &str) {
    let args = [&["advice"], args].concat();
    wait::until(&format!("no advice {name}"), STATISTICS, || {
        let outcome = run(database, &args);
        (!outcome.records_of_kind("pg.advice").iter().any(|advice| advice["name"] == name)).then_some(())
    })
    .expect("not advised");
}

pub(crate) fn names(outcome: &Outcome, kind: &str) -> Vec<String> {
    let name = |record: &Value| record["name"].as_str().expect("a name").to_owned();
    outcome.records_of_kind(kind).iter().map(name).collect()
}

/// A view can be locked like a table, and the one of the statements is read by one section only: the way to make one
/// query, and no other, wait.
pub(crate) fn lock_statements(database: &Database) -> Client {
    database.enable_statements().expect("statements");
    let mut holder = database.connect_as_admin().expect("connected");
    holder.batch_execute("BEGIN; LOCK TABLE pg_stat_statements IN ACCESS EXCLUSIVE MODE").expect("locked");
    holder
}

/// The names of what one rule advises.
pub(crate) fn of_rule(outcome: &Outcome, rule: &str) -> Vec<String> {
    let of_rule = |name: &String| name.strip_prefix(rule).is_some_and(|rest| rest.starts_with(':'));
    names(outcome, "pg.advice").into_iter().filter(of_rule).collect()
}
