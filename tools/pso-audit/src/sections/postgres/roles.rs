//! Roles that may do more than their tables ask for.

use pso_common::Severity;
use serde::Deserialize;

use super::server::{Failure, Server};
use crate::finding::{Finding, Found};

/// A row of `roles.sql`.
#[derive(Clone, Debug, Default, Deserialize)]
struct Role {
    role: String,
    quoted: String,
    bootstrap: bool,
    login: bool,
    superuser: bool,
    createrole: bool,
    createdb: bool,
    replication: bool,
    bypassrls: bool,
    expired: bool,
    /// A standby, or a backup, is at it.
    copies_now: bool,
    /// Somebody is logged in as it.
    in_use: bool,
    server_roles: Vec<Membership>,
}

/// That a role is in one of PostgreSQL's own.
#[derive(Clone, Debug, Default, Deserialize)]
struct Membership {
    granted: String,
    /// The statements that end it.
    revoke: String,
}

pub(super) fn look(server: &mut Server, found: &mut Found) -> Result<(), Failure> {
    let roles: Vec<Role> = server.rows(include_str!("../../../queries/roles.sql"))?;
    found.examined += roles.len() as u64;
    for role in &roles {
        judge(role, &server.options.deployment_role).into_iter().for_each(|finding| found.push(finding));
    }
    Ok(())
}

/// What is wrong with a role.
fn judge(role: &Role, deployment: &str) -> Vec<Finding> {
    let alter = |what: &str| format!("ALTER ROLE {} {what}", role.quoted);
    let mut findings = Vec::new();
    if role.superuser {
        findings.extend(superuser(role, deployment));
    } else {
        // A superuser has these in any case.
        findings.extend(attributes(role));
    }
    findings.extend(role.server_roles.iter().map(|granted| server_role(role, granted)));
    if role.expired && role.login {
        let message = "its password has expired: either nobody uses the role any more, or a client fails to log in; other ways \
                       in, such as a certificate or trust, are still open to it";
        let finding = Finding::new(Severity::Info, "role_expired", &role.role, message);
        // Whoever is here by another way in must not be thrown out.
        let needed = role.in_use || role.bootstrap || role.role == deployment;
        findings.push(finding.fix(if needed {
            format!("\\password {}\n{}", role.quoted, alter("VALID UNTIL 'infinity'"))
        } else {
            alter("NOLOGIN")
        }));
    }
    findings
}

fn superuser(role: &Role, deployment: &str) -> Option<Finding> {
    let fix = format!("ALTER ROLE {} NOSUPERUSER", role.quoted);
    if role.role == deployment {
        let message = "planning-sync-server works as a superuser: whoever takes over the service, or finds one hole in its SQL, \
                       has every database and the server's files";
        let fix = if role.bootstrap {
            "make a role of its own for the service (CREATE ROLE … LOGIN, owner of its database only): this one is the one that \
             initdb made, and stays a superuser"
                .to_owned()
        } else {
            fix
        };
        return Some(
            Finding::new(Severity::High, "role_superuser", &role.role, message).with("used_by", "the service").fix(fix),
        );
    }
    let message = if role.login {
        "one more superuser: it may do everything, read and run files of the server included"
    } else {
        "a superuser that does not log in itself: whoever is its member becomes one with SET ROLE"
    };
    (!role.bootstrap).then(|| Finding::new(Severity::Warning, "role_superuser", &role.role, message).fix(fix))
}

fn attributes(role: &Role) -> impl Iterator<Item = Finding> {
    let all = [
        (
            role.createrole,
            Severity::Warning,
            "role_createrole",
            "NOCREATEROLE",
            "it may make roles and change others: until PostgreSQL 15 all that are no superusers, with their passwords",
        ),
        (
            role.bypassrls,
            Severity::Warning,
            "role_bypassrls",
            "NOBYPASSRLS",
            "it sees and changes rows that row-level security hides from everybody else",
        ),
        (
            // One that copies now is what the right is for; without it, it could not come back.
            role.replication && !role.copies_now,
            Severity::Info,
            "role_replication",
            "NOREPLICATION",
            "it may copy the whole server, every database and every password hash with it; a standby or a backup needs that, \
             nobody else, and none is connected now",
        ),
        (
            role.createdb,
            Severity::Info,
            "role_createdb",
            "NOCREATEDB",
            "it may make databases and fill the disk; the role that restores with pso-restore needs that",
        ),
    ];
    let (name, quoted) = (role.role.clone(), role.quoted.clone());
    all.into_iter().filter(|(has, ..)| *has).map(move |(_, severity, rule, attribute, message)| {
        Finding::new(severity, rule, &name, message).fix(format!("ALTER ROLE {quoted} {attribute}"))
    })
}

fn server_role(role: &Role, membership: &Membership) -> Finding {
    let granted = membership.granted.as_str();
    let (severity, rule, message) = match granted {
        "pg_execute_server_program" => (
            Severity::High,
            "role_server_files",
            "it may run programs on the server as PostgreSQL's own user: that is a shell (COPY … PROGRAM)",
        ),
        "pg_write_server_files" => (
            Severity::High,
            "role_server_files",
            "it may write files on the server as PostgreSQL's own user, and so become a superuser",
        ),
        "pg_read_server_files" => (
            Severity::Warning,
            "role_server_files",
            "it may read every file on the server that PostgreSQL's own user may, keys and data included",
        ),
        "pg_write_all_data" => {
            (Severity::Warning, "role_all_data", "it may change every table of every database it gets into")
        }
        // What pg_dump by a role that is no superuser needs.
        _ => (Severity::Info, "role_all_data", "it may read every table of every database it gets into"),
    };
    let finding = Finding::new(severity, rule, format!("{} {granted}", role.role), message);
    finding.with("member_of", granted).fix(&membership.revoke)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(change: impl FnOnce(&mut Role)) -> Role {
        let mut role = Role { role: "o'x".to_owned(), quoted: "\"o'x\"".to_owned(), login: true, ..Role::default() };
        change(&mut role);
        role
    }

    fn seen(role: &Role, deployment: &str) -> Vec<(Severity, String, String)> {
        let judged = judge(role, deployment).into_iter();
        judged.map(|finding| (finding.severity, finding.name(), finding.record.fix)).collect()
    }

    #[test]
    fn a_plain_role_and_the_one_of_initdb_are_fine() {
        assert_eq!(seen(&role(|_| ()), "sync_user"), []);
        assert_eq!(seen(&role(|role| (role.bootstrap, role.superuser) = (true, true)), "sync_user"), []);
        assert_eq!(seen(&role(|role| (role.expired, role.login) = (true, false)), "sync_user"), []);
    }

    #[test]
    fn superusers_are_told_and_the_one_of_the_service_is_worse() {
        let superuser = role(|role| role.superuser = true);
        let fix = "ALTER ROLE \"o'x\" NOSUPERUSER".to_owned();
        assert_eq!(seen(&superuser, "sync_user"), [(Severity::Warning, "role_superuser:o'x".to_owned(), fix.clone())]);
        assert_eq!(seen(&superuser, "o'x"), [(Severity::High, "role_superuser:o'x".to_owned(), fix)]);
        let bootstrap = role(|role| (role.bootstrap, role.superuser) = (true, true));
        let judged = judge(&bootstrap, "o'x");
        assert_eq!((judged.len(), judged[0].severity), (1, Severity::High));
        assert!(judged[0].record.fix.starts_with("make a role of its own"));
    }

    #[test]
    fn each_attribute_and_each_membership_is_its_own_finding() {
        let much = role(|role| {
            (role.createrole, role.createdb, role.replication, role.bypassrls, role.expired) =
                (true, true, true, true, true);
            role.server_roles =
                ["pg_execute_server_program", "pg_read_all_data", "pg_read_server_files", "pg_write_all_data"]
                    .map(|granted| Membership { granted: granted.to_owned(), ..Membership::default() })
                    .to_vec();
        });
        let rules: Vec<_> =
            judge(&much, "sync_user").into_iter().map(|finding| (finding.severity, finding.record.rule)).collect();
        let expected = [
            (Severity::Warning, "role_createrole"),
            (Severity::Warning, "role_bypassrls"),
            (Severity::Info, "role_replication"),
            (Severity::Info, "role_createdb"),
            (Severity::High, "role_server_files"),
            (Severity::Info, "role_all_data"),
            (Severity::Warning, "role_server_files"),
            (Severity::Warning, "role_all_data"),
            (Severity::Info, "role_expired"),
        ];
        assert_eq!(rules, expected.map(|(severity, rule)| (severity, rule.to_owned())));
    }

    #[test]
    fn no_fix_throws_out_who_works_here() {
        let fix = |change: fn(&mut Role)| seen(&role(change), "sync_user").pop().map(|(_, _, fix)| fix);
        assert_eq!(fix(|role| (role.replication, role.copies_now) = (true, true)), None);
        assert_eq!(fix(|role| role.expired = true).as_deref(), Some("ALTER ROLE \"o'x\" NOLOGIN"));
        let kept = fix(|role| (role.expired, role.in_use) = (true, true)).expect("told");
        assert_eq!(kept, "\\password \"o'x\"\nALTER ROLE \"o'x\" VALID UNTIL 'infinity'");
        let expired = role(|role| role.expired = true);
        assert!(seen(&expired, "o'x").pop().is_some_and(|(_, _, fix)| fix == kept));
    }
}
