//! Policies that somebody wrote and that nothing applies: row-level security is switched on for each table by itself.

use pso_common::Severity;
use serde::Deserialize;

use super::server::{Failure, Server};
use crate::finding::{Finding, Found};

/// A row of `policies.sql`.
#[derive(Clone, Debug, Deserialize)]
struct Table {
    /// Quoted where it must be.
    relation: String,
    policies: Vec<String>,
}

pub(super) fn look(server: &mut Server, found: &mut Found) -> Result<(), Failure> {
    let tables: Vec<Table> = server.rows(include_str!("../../../queries/policies.sql"))?;
    found.examined += 1;
    found.findings.extend(tables.iter().map(judge));
    Ok(())
}

fn judge(table: &Table) -> Finding {
    let message =
        "the table has policies, but row-level security is off for it: every row is open to whoever may read the table";
    let finding = Finding::new(Severity::Warning, "policies_off", &table.relation, message);
    let finding = finding.with("policies", table.policies.join(", "));
    finding.fix(format!("ALTER TABLE {} ENABLE ROW LEVEL SECURITY", table.relation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_told_with_its_policies() {
        let told = judge(&Table { relation: "s.\"T\"".to_owned(), policies: vec!["a".to_owned(), "b".to_owned()] });
        assert_eq!(told.record.fix, "ALTER TABLE s.\"T\" ENABLE ROW LEVEL SECURITY");
        assert_eq!(told.evidence()["policies"], "a, b");
    }
}
