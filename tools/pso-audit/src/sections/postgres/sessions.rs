//! Who talks to the server without encryption right now: what the settings allow is one thing, what is done another.

use std::time::Duration;

use pso_common::Severity;
use serde::Deserialize;

use super::data_folder::is_this_machine;
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
    // A client of the server's own machine may use one of its outer addresses; only there can they be told.
    let here = is_this_machine(server.host(), server.facts.client_address.as_deref());
    let is_own = |address: &str| here && crate::sections::ports::is_this_machine(address, Duration::from_secs(1));
    found.findings.extend(roles.into_iter().filter_map(|role| judge(role, is_own)));
    Ok(())
}

fn judge(mut role: InClear, is_own: impl Fn(&str) -> bool) -> Option<Finding> {
    role.addresses.retain(|address| !is_own(address));
    if role.addresses.is_empty() {
        return None;
    }
    let message = "it is logged in from another machine without encryption: its data, and what it sets as passwords, can be read on \
                   the way";
    let finding = Finding::new(Severity::Warning, "sessions_unencrypted", &role.role, message);
    let finding = finding.with("addresses", role.addresses.join(", ")).with("sessions", role.sessions);
    Some(finding.fix(
        "give these clients sslmode=verify-full (libpq), then let pg_hba.conf ask for it: hostssl instead of host; the server \
         needs ssl = on",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_told_with_where_it_comes_from() {
        let addresses = vec!["10.0.0.7".to_owned(), "10.0.0.8".to_owned()];
        let role = InClear { role: "app".to_owned(), addresses, sessions: 3 };
        assert_eq!(judge(role.clone(), |_| true), None);
        let told = judge(role.clone(), |address| address == "10.0.0.7").expect("told");
        assert_eq!(told.evidence()["addresses"], "10.0.0.8");
        let told = judge(role, |_| false).expect("told");
        assert_eq!((told.name().as_str(), told.evidence()["sessions"].as_str()), ("sessions_unencrypted:app", "3"));
        assert_eq!(told.evidence()["addresses"], "10.0.0.7, 10.0.0.8");
    }
}
