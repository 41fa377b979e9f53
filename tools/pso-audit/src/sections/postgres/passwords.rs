//! Roles whose password is none, or one that is easily guessed from its hash.

use pso_common::Severity;
use serde::Deserialize;

use super::server::{Failure, Server, Values};
use crate::finding::{Finding, Found};

/// A row of `passwords.sql`.
#[derive(Clone, Debug, Default, Deserialize)]
struct Password {
    role: String,
    quoted: String,
    bootstrap: bool,
    /// Somebody is logged in as it.
    in_use: bool,
    missing: bool,
    md5: bool,
}

pub(super) fn look(server: &mut Server, found: &mut Found) -> Result<(), Failure> {
    found.findings.extend(encryption(&server.values));
    if !server.facts.reads_passwords {
        // A GRANT on pg_authid would show the hashes themselves to whoever has that role: nobody is told to give it.
        found.note(
            "which roles have no password, or an md5 one, is not seen: that is for superusers only; run pso-audit as one for it",
        );
        return Ok(());
    }
    let passwords: Vec<Password> = server.rows(include_str!("../../../queries/passwords.sql"))?;
    found.examined += passwords.len() as u64;
    found.findings.extend(passwords.iter().filter_map(|password| judge(password, &server.options.deployment_role)));
    Ok(())
}

fn judge(password: &Password, deployment: &str) -> Option<Finding> {
    if password.missing {
        // The one by which the server is administered over the socket (peer) is safer with none than with one to be guessed; a
        // line with trust is told by itself.
        if password.bootstrap {
            return None;
        }
        let message = "it may log in and has no password: only pg_hba.conf decides whether it gets in, and a line with trust \
                       lets everybody be it; right for a role that uses peer or a certificate";
        let finding = Finding::new(Severity::Info, "role_without_password", &password.role, message);
        let quoted = &password.quoted;
        // Whoever is here must not be locked out.
        return Some(finding.fix(if password.in_use || password.role == deployment {
            format!("\\password {quoted}")
        } else {
            format!("ALTER ROLE {quoted} NOLOGIN")
        }));
    }
    password.md5.then(|| {
        let message = "its password is stored as md5: the hash alone is enough to log in, and guessing it is fast; PostgreSQL 18 \
                       warns of it, a later one will refuse it";
        let finding = Finding::new(Severity::Warning, "role_md5_password", &password.role, message);
        finding.fix(format!("SET password_encryption = 'scram-sha-256';\n\\password {}", password.quoted))
    })
}

fn encryption(values: &Values) -> Option<Finding> {
    values.is("password_encryption", "md5").then(|| {
        let message = "new passwords are stored as md5: the hash alone is enough to log in, and guessing it is fast";
        let finding = Finding::new(Severity::Warning, "password_encryption", "password_encryption", message);
        finding.with("password_encryption", "md5").fix(values.fix("password_encryption", "scram-sha-256"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(missing: bool, md5: bool) -> Option<Finding> {
        judge(
            &Password { role: "A".to_owned(), quoted: "\"A\"".to_owned(), missing, md5, ..Password::default() },
            "app",
        )
    }

    #[test]
    fn scram_is_fine() {
        assert_eq!(password(false, false), None);
        assert_eq!(encryption(&Values::of(&[("password_encryption", "scram-sha-256")])), None);
    }

    #[test]
    fn none_and_md5_are_told() {
        let none = password(true, false).expect("told");
        assert_eq!((none.severity, none.record.fix.as_str()), (Severity::Info, "ALTER ROLE \"A\" NOLOGIN"));
        let used = |change: fn(&mut Password), deployment: &str| {
            let mut used =
                Password { role: "u".to_owned(), quoted: "u".to_owned(), missing: true, ..Password::default() };
            change(&mut used);
            judge(&used, deployment).map(|finding| finding.record.fix)
        };
        assert_eq!(used(|_| (), "u").as_deref(), Some("\\password u"));
        assert_eq!(used(|used| used.in_use = true, "app").as_deref(), Some("\\password u"));
        assert_eq!(used(|used| used.bootstrap = true, "app"), None);
        let md5 = password(false, true).expect("told");
        assert!(md5.severity == Severity::Warning && md5.record.fix.ends_with("\\password \"A\""));
        assert!(encryption(&Values::of(&[("password_encryption", "md5")])).is_some());
    }
}
