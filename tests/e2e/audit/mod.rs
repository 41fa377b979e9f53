//! `pso-audit` against real files, ports and servers: what is open is told, and what was closed is told no more.

mod accept;
mod deployment;
mod events;
mod files;
mod pg_fixes;
mod pg_hba;
mod ports;
mod postgres;
mod qdrant;
mod secrets;
mod token;

use pso_tests::tool::Outcome;
use serde_json::Value;
use tempfile::TempDir;

/// An empty folder to run in: no configuration but what the test writes.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

pub(crate) fn text<'r>(record: &'r Value, field: &str) -> &'r str {
    record[field].as_str().unwrap_or_else(|| panic!("{field} of {record}"))
}

/// The names of all findings, in their order.
pub(crate) fn findings(outcome: &Outcome) -> Vec<String> {
    outcome.records_of_kind("audit.finding").iter().map(|record| text(record, "name").to_owned()).collect()
}

/// The finding of that name, if it is there.
pub(crate) fn finding(outcome: &Outcome, name: &str) -> Option<Value> {
    outcome.records_of_kind("audit.finding").into_iter().find(|record| record["name"] == name)
}

/// The end of a section.
pub(crate) fn section(outcome: &Outcome, name: &str) -> Value {
    outcome.record("audit.section", name)
}
