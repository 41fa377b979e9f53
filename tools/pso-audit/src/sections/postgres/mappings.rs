//! Passwords of other servers that stand in this one's catalogue.

use pso_common::Severity;
use serde::Deserialize;

use super::server::{Failure, Server};
use crate::finding::{Finding, Found};

/// A row of `user_mappings.sql`.
#[derive(Clone, Debug, Default, Deserialize)]
struct Mapping {
    server: String,
    role: Option<String>,
    for_everybody: bool,
    hidden: bool,
    has_password: bool,
    /// `USER MAPPING FOR … SERVER …`.
    mapping: String,
}

pub(super) fn look(server: &mut Server, found: &mut Found) -> Result<(), Failure> {
    let mappings: Vec<Mapping> = server.rows(include_str!("../../../queries/user_mappings.sql"))?;
    found.examined += mappings.len() as u64;
    let hidden = mappings.iter().filter(|mapping| mapping.hidden).count();
    // A superuser sees all: for him an absent list is an empty one.
    if hidden > 0 && !server.facts.reads_passwords {
        found.note(format!("of {hidden} user mappings it is not seen whether they hold a password; superusers see it"));
    }
    found.findings.extend(mappings.iter().filter_map(judge));
    Ok(())
}

fn judge(mapping: &Mapping) -> Option<Finding> {
    if !mapping.has_password {
        return None;
    }
    let (severity, message) = if mapping.for_everybody {
        (
            Severity::Warning,
            "every role that may use the foreign server works there with one password, which stands here in plain text",
        )
    } else {
        (
            Severity::Info,
            "the password of another server stands here in plain text: superusers, and every backup, have it",
        )
    };
    let object = format!("{} on {}", mapping.role.as_deref().unwrap_or("a role that is gone"), mapping.server);
    let finding = Finding::new(severity, "user_mapping_password", object, message);
    Some(finding.fix(format!("ALTER {} OPTIONS (DROP password)", mapping.mapping)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_for_everybody_is_worse_and_none_is_fine() {
        let judged = |for_everybody, has_password| {
            let mapping = "USER MAPPING FOR PUBLIC SERVER s".to_owned();
            judge(&Mapping { server: "s".to_owned(), for_everybody, has_password, mapping, ..Mapping::default() })
        };
        assert_eq!(judged(true, false), None);
        let everybody = judged(true, true).expect("told");
        assert_eq!(
            (everybody.severity, everybody.record.fix.as_str()),
            (Severity::Warning, "ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (DROP password)")
        );
        assert_eq!(judged(false, true).map(|finding| finding.severity), Some(Severity::Info));
    }
}
