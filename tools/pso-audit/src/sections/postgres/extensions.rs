//! Extensions with which SQL reaches out of the database.

use pso_common::Severity;
use serde::Deserialize;

use super::server::{Failure, Server};
use crate::finding::{Finding, Found};

/// A row of `extensions.sql`.
#[derive(Clone, Debug, Deserialize)]
struct Extension {
    extension: String,
    quoted: String,
}

pub(super) fn look(server: &mut Server, found: &mut Found) -> Result<(), Failure> {
    let extensions: Vec<Extension> = server.rows(include_str!("../../../queries/extensions.sql"))?;
    found.examined += extensions.len() as u64;
    found.findings.extend(extensions.iter().filter_map(judge));
    Ok(())
}

fn judge(row: &Extension) -> Option<Finding> {
    let message = match row.extension.as_str() {
        "dblink" | "postgres_fdw" => "SQL can open connections to other servers from this one, past the firewall",
        "file_fdw" => {
            "SQL can read files and the output of programs on the server; only who is allowed to, but that is one GRANT away"
        }
        "adminpack" => "SQL can write files on the server; it was for an old pgAdmin and is gone from PostgreSQL 17",
        "pg_cron" => "SQL can put statements into a timetable: an intruder's comes back after he was thrown out",
        name if name.ends_with('u') && name.starts_with("pl") => {
            "functions in this language can do whatever PostgreSQL's own user can on the server: files, programs, network"
        }
        _ => return None,
    };
    let finding = Finding::new(Severity::Info, "extension_reaches_out", &row.extension, message);
    Some(finding.fix(format!("DROP EXTENSION {} -- where nobody needs it", row.quoted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_reaches_out_is_told() {
        let told = |name: &str| judge(&Extension { extension: name.to_owned(), quoted: name.to_owned() }).is_some();
        for name in ["dblink", "postgres_fdw", "file_fdw", "adminpack", "pg_cron", "plpython3u", "plperlu", "pltclu"] {
            assert!(told(name), "{name}");
        }
        for name in ["plpgsql", "plperl", "pgcrypto", "pg_stat_statements", "uuid-ossp", "xml2"] {
            assert!(!told(name), "{name}");
        }
    }
}
