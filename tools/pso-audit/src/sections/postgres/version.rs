//! Whether the server has the corrections that there are. Nothing is fetched: the configuration names the newest versions.

use pso_common::Severity;
use pso_common::config::ConfigValue as _;

use super::server::{Failure, Server};
use super::settings::{PostgresSettings, Version};
use crate::finding::{Finding, Found};

#[expect(clippy::unnecessary_wraps, reason = "it is one of the parts, which may all fail")]
pub(super) fn look(server: &mut Server, found: &mut Found) -> Result<(), Failure> {
    found.examined += 1;
    match judge(Version::of_number(server.facts.version_num), &server.facts.version, &server.options) {
        Judged::Finding(finding) => found.push(*finding),
        Judged::Note(note) => found.note(note),
        Judged::Fine => {}
    }
    Ok(())
}

#[derive(Debug, PartialEq)]
enum Judged {
    Fine,
    Finding(Box<Finding>),
    Note(String),
}

fn judge(version: Version, shown: &str, options: &PostgresSettings) -> Judged {
    let major = version.major;
    let finding = |severity, rule, message| {
        let finding = Finding::new(severity, rule, format!("PostgreSQL {major}"), message).with("version", shown);
        Judged::Finding(Box::new(finding.fix(match rule {
            "version_outdated" => {
                "install the newest packages of this major version and restart the server; its data stay as they are"
            }
            _ => {
                "upgrade to a newer major version (pg_upgrade, or pso-backup there and pso-restore into the new server)"
            }
        })))
    };
    if options.unsupported.contains(&major) {
        return finding(
            Severity::High,
            "version_unsupported",
            "this major version gets no corrections any more, whatever is found in it",
        );
    }
    let newest = options.newest.iter().filter(|newest| newest.major == major).max();
    match newest {
        Some(newest) if version < *newest => finding(
            Severity::Warning,
            "version_outdated",
            &format!(
                "there is {}, and what it corrects is public: some of it can be used by an intruder",
                newest.show()
            ),
        ),
        Some(_) => Judged::Fine,
        None => Judged::Note(format!(
            "whether {shown} is the newest of PostgreSQL {major} is not known; name it in maintenance.audit.postgres.newest, \
             such as [15.12, 16.8]"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(major: u32, minor: u32, newest: &[(u32, u32)]) -> Judged {
        let newest = newest.iter().map(|(major, minor)| Version { major: *major, minor: *minor }).collect();
        let options = PostgresSettings { newest, unsupported: vec![12], deployment_role: String::new() };
        judge(Version { major, minor }, "shown", &options)
    }

    #[test]
    fn the_newest_that_is_named_counts() {
        let rule = |judged| match judged {
            Judged::Finding(finding) => finding.record.rule,
            other => format!("{other:?}"),
        };
        assert_eq!(rule(judged(15, 9, &[(15, 10), (16, 1)])), "version_outdated");
        assert_eq!(judged(15, 10, &[(15, 10)]), Judged::Fine);
        assert_eq!(judged(15, 11, &[(15, 10)]), Judged::Fine);
        assert!(
            matches!(judged(17, 1, &[(15, 10)]), Judged::Note(note) if note.contains("maintenance.audit.postgres.newest"))
        );
        assert_eq!(rule(judged(12, 99, &[(12, 99)])), "version_unsupported");
    }
}
