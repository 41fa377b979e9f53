//! What everybody who gets in may do: the rights of PUBLIC in this database.

use pso_common::Severity;
use serde::Deserialize;

use super::server::{Failure, Server};
use crate::finding::{Finding, Found};

/// More tables than these are not told one by one.
const MOST: usize = 500;

/// A row of `schemas.sql`.
#[derive(Clone, Debug, Deserialize)]
struct Schema {
    schema: String,
    quoted: String,
    /// Who makes objects there; quoted where it must be.
    makers: Vec<String>,
    grantors: Option<Vec<String>>,
}

/// A row of `database_rights.sql`.
#[derive(Clone, Debug, Deserialize)]
struct DatabaseRights {
    rights: Vec<String>,
    /// Who must be able to connect; quoted where it must be.
    users: Vec<String>,
    /// Who may log in and gets in here only as one of everybody.
    others: Vec<String>,
    grantors: Option<Vec<String>>,
}

/// A row of `tables.sql`.
#[derive(Clone, Debug, Deserialize)]
struct Table {
    /// Quoted where it must be.
    relation: String,
    sequence: bool,
    rights: Vec<String>,
    /// Who has granted it beside the owner; quoted where it must be.
    grantors: Option<Vec<String>>,
}

/// A row of `default_privileges.sql`.
#[derive(Clone, Debug, Deserialize)]
struct DefaultRights {
    role: String,
    schema: Option<String>,
    objects: String,
    rights: Vec<String>,
    /// `FOR ROLE … IN SCHEMA …`.
    target: String,
}

pub(super) fn look(server: &mut Server, found: &mut Found) -> Result<(), Failure> {
    let role = server.options.deployment_role.clone();
    let schemas: Vec<Schema> = server.rows_with(include_str!("../../../queries/schemas.sql"), &[&role])?;
    let rights: Vec<DatabaseRights> =
        server.rows_with(include_str!("../../../queries/database_rights.sql"), &[&role])?;
    let mut tables: Vec<Table> = server.rows(include_str!("../../../queries/tables.sql"))?;
    let defaults: Vec<DefaultRights> = server.rows(include_str!("../../../queries/default_privileges.sql"))?;
    if tables.len() > MOST {
        tables.truncate(MOST);
        found.note(format!("more than {MOST} tables are granted to PUBLIC; the first {MOST} are told"));
    }
    found.examined += (schemas.len() + rights.len() + tables.len() + defaults.len()) as u64;
    found.findings.extend(schemas.iter().map(schema));
    let facts = &server.facts;
    found.findings.extend(rights.iter().map(|row| database(row, &facts.database, &facts.database_quoted)));
    found.findings.extend(tables.iter().map(table));
    found.findings.extend(defaults.iter().map(default_privileges));
    Ok(())
}

/// REVOKE takes back what the owner has granted; what another has, it takes back as him only.
pub(super) fn revoked(revoke: &str, grantors: Option<&[String]>) -> String {
    let as_him = |name: &String| format!(";\nSET ROLE {name};\n{revoke};\nRESET ROLE");
    let others: String = grantors.unwrap_or_default().iter().map(as_him).collect();
    format!("{revoke}{others}")
}

fn schema(row: &Schema) -> Finding {
    let message = "every role may create objects in it: a function or an operator of an intruder's is then found before the one \
                   that was meant, and runs with the rights of whoever calls it (CVE-2018-1058)";
    let finding = Finding::new(Severity::Warning, "schema_public_create", &row.schema, message);
    let revoke = format!("REVOKE CREATE ON SCHEMA {} FROM PUBLIC", row.quoted);
    let revoke = revoked(&revoke, row.grantors.as_deref());
    if row.makers.is_empty() {
        return finding.fix(revoke);
    }
    // A new version of the service may have tables to make.
    finding.fix(format!("GRANT CREATE ON SCHEMA {} TO {};\n{revoke}", row.quoted, row.makers.join(", ")))
}

fn database(row: &DatabaseRights, name: &str, quoted: &str) -> Finding {
    let (severity, message) = if row.rights.iter().any(|right| right == "CREATE") {
        (Severity::Warning, "every role may make schemas in it, and what it likes in these")
    } else {
        (
            Severity::Info,
            "every role of the server may use it; that is PostgreSQL's own default, and pg_hba.conf may be narrower",
        )
    };
    let listed = row.rights.join(", ");
    let finding = Finding::new(severity, "database_public", name, message).with("rights", &listed);
    let finding =
        if row.others.is_empty() { finding } else { finding.with("others_that_lose_it", shortened(&row.others)) };
    // Who works here must not be locked out by it, nor lose his temporary tables.
    let kept: Vec<&str> = row.rights.iter().map(String::as_str).filter(|right| *right != "CREATE").collect();
    let kept = if kept.is_empty() { "CONNECT".to_owned() } else { kept.join(", ") };
    let users = row.users.join(", ");
    let revoke = revoked(&format!("REVOKE {listed} ON DATABASE {quoted} FROM PUBLIC"), row.grantors.as_deref());
    finding.fix(format!("GRANT {kept} ON DATABASE {quoted} TO {users};\n{revoke}"))
}

/// As many names as somebody reads.
fn shortened(names: &[String]) -> String {
    const MOST: usize = 20;
    let shown = names.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > MOST { format!("{shown} and {} more", names.len() - MOST) } else { shown }
}

fn table(row: &Table) -> Finding {
    // Of a sequence USAGE moves it on.
    let reads = |right: &String| right == "SELECT";
    let message = if row.rights.iter().all(reads) {
        "every role that gets in may read it"
    } else {
        "every role that gets in may change it"
    };
    let finding =
        Finding::new(Severity::Warning, "table_public", &row.relation, message).with("rights", row.rights.join(", "));
    let kind = if row.sequence { "SEQUENCE" } else { "TABLE" };
    let revoke = format!("REVOKE ALL ON {kind} {} FROM PUBLIC", row.relation);
    finding.fix(format!("{};\n-- then GRANT to the roles that need it", revoked(&revoke, row.grantors.as_deref())))
}

fn default_privileges(row: &DefaultRights) -> Finding {
    let place = row.schema.as_ref().map_or_else(String::new, |schema| format!(" in schema {schema}"));
    let object = format!("{} of {}{place}", row.objects.to_lowercase(), row.role);
    let message = "what this role makes from now on is open to every role as soon as it is there";
    let finding = Finding::new(Severity::Warning, "default_privileges_public", object, message);
    let finding = finding.with("rights", row.rights.join(", "));
    finding.fix(format!("ALTER DEFAULT PRIVILEGES {} REVOKE ALL ON {} FROM PUBLIC", row.target, row.objects))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_database_is_told_by_what_may_be_done_with_it() {
        let judged = |rights: &str| {
            let (users, others) = (words("me sync_user"), words("grafana"));
            let row = DatabaseRights { rights: words(rights), users, others, grantors: None };
            database(&row, "a b", "\"a b\"")
        };
        let usual = judged("CONNECT TEMPORARY");
        assert_eq!(
            (usual.severity, usual.record.fix.as_str()),
            (
                Severity::Info,
                "GRANT CONNECT, TEMPORARY ON DATABASE \"a b\" TO me, sync_user;\nREVOKE CONNECT, TEMPORARY ON DATABASE \"a b\" FROM PUBLIC"
            )
        );
        assert_eq!(usual.evidence()["others_that_lose_it"], "grafana");
        let create = judged("CREATE");
        assert_eq!(create.severity, Severity::Warning);
        assert!(create.record.fix.starts_with("GRANT CONNECT ON DATABASE \"a b\" TO me"), "{}", create.record.fix);
    }

    #[test]
    fn what_another_has_granted_is_taken_back_as_him() {
        assert_eq!(revoked("REVOKE x", None), "REVOKE x");
        let fix = revoked("REVOKE x", Some(&words("\"A\" b")));
        let as_each = "REVOKE x;\nSET ROLE \"A\";\nREVOKE x;\nRESET ROLE;\nSET ROLE b;\nREVOKE x;\nRESET ROLE";
        assert_eq!(fix, as_each);
    }

    #[test]
    fn who_makes_tables_may_go_on() {
        let fix = |makers: &str| {
            let (schema_name, quoted) = ("S".to_owned(), "\"S\"".to_owned());
            schema(&Schema { schema: schema_name, quoted, makers: words(makers), grantors: None }).record.fix
        };
        assert_eq!(fix(""), "REVOKE CREATE ON SCHEMA \"S\" FROM PUBLIC");
        assert_eq!(fix("a b"), "GRANT CREATE ON SCHEMA \"S\" TO a, b;\nREVOKE CREATE ON SCHEMA \"S\" FROM PUBLIC");
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..23).map(|at| format!("r{at}")).collect();
        assert!(shortened(&names).ends_with("r19 and 3 more") && shortened(&names[..2]) == "r0, r1");
    }

    #[test]
    fn reading_is_told_from_changing() {
        let judged = |rights: &str| {
            table(&Table { relation: "s.\"T\"".to_owned(), sequence: false, rights: words(rights), grantors: None })
        };
        let read = judged("SELECT");
        assert!(
            read.message.ends_with("read it")
                && read.record.fix.starts_with("REVOKE ALL ON TABLE s.\"T\" FROM PUBLIC;\n--")
        );
        assert!(judged("INSERT SELECT").message.ends_with("change it"));
        let sequence =
            table(&Table { relation: "s.q".to_owned(), sequence: true, rights: words("USAGE"), grantors: None });
        assert!(sequence.record.fix.starts_with("REVOKE ALL ON SEQUENCE s.q FROM PUBLIC"));
    }
}
