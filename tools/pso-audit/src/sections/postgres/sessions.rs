//! Who talks to the server without encryption right now: what the settings allow is one thing, what is done another.

use pso_common::Severity;
use serde::Deserialize;

use super::server::{Failure, Server};
use crate::finding::{Finding, Found};

/// A row of `sessions.sql`.
#[derive(Clone, Debug, Deserialize)]
struct InClear {
    role: String,
    addresses: Vec<String>,
    sessions: u64,
}

pub(super) fn look(server: &mut Server, found: &mut Found) -> Result<(), Failure> {
    let roles: Vec<InClear> = server.rows(include_str!("../../../queries/sessions.sql"))?;
    found.examined += 1;
    found.findings.extend(roles.iter().map(judge));
    Ok(())
}

fn judge(role: &InClear) -> Finding {
    let message = "it is logged in from another machine without encryption: its data, and what it sets as passwords, can be read on \
                   the way";
    let finding = Finding::new(Severity::Warning, "sessions_unencrypted", &role.role, message);
    let finding = finding.with("addresses", role.addresses.join(", ")).with("sessions", role.sessions);
    finding.fix(
        "give these clients sslmode=verify-full (libpq), then let pg_hba.conf ask for it: hostssl instead of host; the server \
         needs ssl = on",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_told_with_where_it_comes_from() {
        let addresses = vec!["10.0.0.7".to_owned(), "10.0.0.8".to_owned()];
        let told = judge(&InClear { role: "app".to_owned(), addresses, sessions: 3 });
        assert_eq!((told.name().as_str(), told.evidence()["sessions"].as_str()), ("sessions_unencrypted:app", "3"));
        assert_eq!(told.evidence()["addresses"], "10.0.0.7, 10.0.0.8");
    }
}
