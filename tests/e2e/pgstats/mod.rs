//! `pso-pgstats` against a real server: what it sees, what it advises, and that it never waits.

use postgres::Client;
use pso_tests::pg::{Database, TempPg};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;
use serde_json::Value;
use std::time::Duration;

mod activity;
mod advice;
mod baseline;
mod bloat;
mod blocking;
mod databases;
mod faults;
mod indexes;
mod io;
mod metrics;
mod obstacles;
mod progress;
mod sections;
mod sequences;
mod server;
mod settings;
mod statements;
mod tables;
mod vacuum;
mod versions;

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
    text(record, "message")
}

pub(crate) fn text<'r>(record: &'r Value, field: &str) -> &'r str {
    record[field].as_str().unwrap_or_else(|| panic!("{field} of {record}"))
}

pub(crate) fn number(record: &Value, field: &str) -> i64 {
    record[field].as_i64().unwrap_or_else(|| panic!("{field} of {record}"))
}

/// The first part of the server's version.
pub(crate) fn major(database: &Database) -> u32 {
    let number = database.scalar("SHOW server_version_num").expect("asked");
    number.parse::<u32>().expect("a number") / 10_000
}

pub(crate) fn pid(client: &mut Client) -> i32 {
    client.query_one("SELECT pg_backend_pid()", &[]).expect("asked").get(0)
}

/// Runs `advice` until the answer is yes.
pub(crate) fn advised(database: &Database, args: &[&str], name: &str) -> Value {
    let args = [&["advice"], args].concat();
    wait::until(&format!("the advice {name}"), STATISTICS, || {
        run(database, &args).records_of_kind("pg.advice").into_iter().find(|advice| advice["name"] == name)
    })
    .expect("advised")
}

/// Runs `advice` until the rule speaks of exactly these objects, in their order.
pub(crate) fn advised_on(database: &Database, args: &[&str], rule: &str, expected: &[&str]) -> Vec<Value> {
    let args = [&["advice"], args].concat();
    let mut last = None;
    let advice = wait::until(&format!("{rule} of {expected:?}"), STATISTICS, || {
        let outcome = run(database, &args);
        let advice = advice_of(&outcome, rule);
        last = Some(outcome);
        (objects(&advice) == expected).then_some(advice)
    });
    advice.unwrap_or_else(|error| panic!("{error:#}\n{}", last.expect("ran once")))
}

/// The twin just inside the limit: nothing of this name, or of this rule.
pub(crate) fn silent(database: &Database, args: &[&str], unwanted: &str) {
    let outcome = run(database, &[&["advice"], args].concat());
    let is = |advice: &Value| advice["name"] == unwanted || advice["rule"] == unwanted;
    assert!(!outcome.records_of_kind("pg.advice").iter().any(is), "{unwanted}\n{outcome}");
}

/// Runs what brings back what was there. CONCURRENTLY wants to be alone, so each statement of several is run by itself.
pub(crate) fn undo(database: &Database, advice: &Value) {
    for statement in text(advice, "undo_sql").split(";\n") {
        database.execute(statement).expect("brought back");
    }
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

/// What one rule advises, by object: the order in which it is written follows from sizes and severities.
pub(crate) fn advice_of(outcome: &Outcome, rule: &str) -> Vec<Value> {
    let mut advice = outcome.records_of_kind("pg.advice");
    advice.retain(|advice| advice["rule"] == rule);
    advice.sort_by_key(|advice| text(advice, "object").to_owned());
    advice
}

pub(crate) fn objects(advice: &[Value]) -> Vec<&str> {
    advice.iter().map(|advice| text(advice, "object")).collect()
}
