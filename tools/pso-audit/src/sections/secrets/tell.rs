//! What was found in files as findings: by place, and how bad by who can read it.

use std::collections::BTreeMap;
use std::path::Path;

use pso_common::Severity;

use super::patterns::Hit;
use super::scan::{KNOWN, Lines};
use crate::access::Who;
use crate::finding::{Finding, Found};
use crate::sections::files::Role;
use crate::shell::{quoted, shown};

/// As many findings are kept; what comes after is counted.
const MAX_FINDINGS: u64 = 1_000;

#[derive(Debug, Default)]
pub(super) struct Teller {
    told: u64,
    left_out: u64,
}

impl Teller {
    /// The findings of one file.
    pub(super) fn tell(
        &mut self,
        path: &Path,
        role: Role,
        readers: &Who,
        hits: &BTreeMap<Hit, Lines>,
        found: &mut Found,
    ) {
        // A place where both say something is told once, by the pattern, which knows the key; it is as bad as the worse.
        let is_at = |line: &u64, is_known: bool| {
            hits.iter()
                .find(|(hit, lines)| (hit.kind == KNOWN) == is_known && lines.first.contains(line))
                .map(|(hit, _)| hit)
        };
        for (hit, lines) in hits {
            // A key in a file of its own that only its owner reads is where it should be.
            if hit.kind == "private_key" && role == Role::Config && *readers == Who::Owner {
                continue;
            }
            let file = File { path, role, readers };
            if lines.count > lines.first.len() as u64 {
                self.push(many(&file, hit, lines), found);
                continue;
            }
            for line in &lines.first {
                if hit.kind == KNOWN {
                    if is_at(line, false).is_none() {
                        self.push(one(&file, hit, None, *line), found);
                    }
                } else {
                    self.push(one(&file, hit, is_at(line, true), *line), found);
                }
            }
        }
    }

    fn push(&mut self, finding: Finding, found: &mut Found) {
        if self.told < MAX_FINDINGS {
            self.told += 1;
            found.push(finding);
        } else {
            self.left_out += 1;
        }
    }

    pub(super) fn end(self, found: &mut Found) {
        if self.left_out > 0 {
            found.unknown(format!("{} more findings were left out; put these right, and look again", self.left_out));
        }
    }
}

struct File<'a> {
    path: &'a Path,
    role: Role,
    readers: &'a Who,
}

/// `known`: one of the deployment's own that stands in the same line.
fn one(file: &File<'_>, hit: &Hit, known: Option<&Hit>, line: u64) -> Finding {
    let place = format!("{}:{line}", shown(file.path));
    finding(place.clone(), &place, file, hit, known)
}

fn many(file: &File<'_>, hit: &Hit, lines: &Lines) -> Finding {
    let path = shown(file.path);
    let first: Vec<String> = lines.first.iter().take(3).map(u64::to_string).collect();
    let place = format!("{} lines of {path} ({}, …)", lines.count, first.join(", "));
    // The lines change with each run of a log.
    let object = match &hit.key {
        Some(key) => format!("{path} ({}, {key})", hit.kind),
        None => format!("{path} ({})", hit.kind),
    };
    let found = finding(object, &place, file, hit, None);
    found.with("lines", lines.count).with("first_lines", first.join(", "))
}

fn finding(object: String, place: &str, file: &File<'_>, hit: &Hit, known: Option<&Hit>) -> Finding {
    let (is_known, readers) = (hit.kind == KNOWN, file.readers);
    let written = matches!(file.role, Role::Log | Role::Plan);
    let rule = match () {
        () if hit.is_default => "default_password",
        () if written => "logged_secret",
        () => "plain_secret",
    };
    let what = match (&hit.key, is_known) {
        (Some(whose), true) => format!("{whose} stands in plain text in {place}"),
        (Some(key), false) if hit.is_default => format!("{key} in {place} is a password that is tried first"),
        (Some(key), false) => format!("{key} stands in plain text in {place}"),
        (None, _) => format!("{} stands in plain text in {place}", named(hit.kind)),
    };
    let fix = match file.role {
        Role::Log => {
            format!("change the secret, keep it from being logged, and remove the lines from {}", quoted(file.path))
        }
        Role::Plan => {
            format!("change the secret, which was copied wherever plans are, and remove it from {}", quoted(file.path))
        }
        _ => "write it into a file of its own (mode 0600) or into the environment, refer to it by that, and change it"
            .to_owned(),
    };
    let severity = severity(readers, written, hit.is_default, is_known || known.is_some());
    let message = format!("{what}, {}", read_by(readers));
    let mut finding = Finding::new(severity, rule, object, message).with("kind", hit.kind).fix(fix);
    if let Some(whose) = known.or(is_known.then_some(hit)).and_then(|known| known.key.as_ref()) {
        finding = finding.with("secret", whose);
    }
    if let Some(key) = hit.key.as_ref().filter(|_| !is_known) {
        finding = finding.with("key", key);
    }
    finding.with("readable_by", short(readers))
}

/// `written`: in a log or a plan, which are copied; `known`: it opens something of this deployment.
const fn severity(readers: &Who, written: bool, is_default: bool, known: bool) -> Severity {
    match readers {
        Who::World if written && known => Severity::Critical,
        Who::World => Severity::High,
        _ if is_default || known => Severity::High,
        Who::Group(_) | Who::Unknown => Severity::Warning,
        Who::Owner if written => Severity::Warning,
        Who::Owner => Severity::Info,
    }
}

/// What people call it.
fn named(kind: &str) -> String {
    match kind {
        "url_password" => "a password in a URL".to_owned(),
        "curl_user" => "a password for curl".to_owned(),
        "secure_string" => "a password for ConvertTo-SecureString".to_owned(),
        "authorization_header" => "an authorization header".to_owned(),
        "jwt" => "a JSON web token".to_owned(),
        "aws_access_key" | "age_key" | "api_key_header" => format!("an {}", kind.replace('_', " ")),
        kind => format!("a {}", kind.replace('_', " ")),
    }
}

fn read_by(readers: &Who) -> String {
    match readers {
        Who::World => "and everybody on this machine can read it".to_owned(),
        Who::Group(group) => format!("and the members of the group {group} can read it"),
        Who::Owner => "which only its owner can read".to_owned(),
        Who::Unknown => "and who can read it was not examined".to_owned(),
    }
}

fn short(readers: &Who) -> String {
    match readers {
        Who::World => "everybody".to_owned(),
        Who::Group(group) => format!("group {group}"),
        Who::Owner => "owner".to_owned(),
        Who::Unknown => "not examined".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(
        role: Role,
        readers: Who,
        kind: &'static str,
        is_default: bool,
        lines: &[u64],
        count: u64,
    ) -> Vec<(Severity, String)> {
        let hit = Hit { kind, key: Some("password".to_owned()), is_default };
        let hits = BTreeMap::from([(hit, Lines { first: lines.to_vec(), count })]);
        let mut found = Found::default();
        Teller::default().tell(Path::new("a/b"), role, &readers, &hits, &mut found);
        found.findings.iter().map(|finding| (finding.severity, finding.name())).collect()
    }

    #[test]
    fn how_bad_it_is_follows_from_who_can_read_it() {
        use Severity::{Critical, High, Info, Warning};
        let group = || Who::Group("ops".to_owned());
        for (role, readers, kind, is_default, severity, name) in [
            (Role::Config, Who::World, "password", false, High, "plain_secret:a/b:3"),
            (Role::Config, group(), "password", false, Warning, "plain_secret:a/b:3"),
            (Role::Config, Who::Owner, "password", false, Info, "plain_secret:a/b:3"),
            (Role::Config, Who::Owner, "password", true, High, "default_password:a/b:3"),
            (Role::Log, Who::Owner, "password", false, Warning, "logged_secret:a/b:3"),
            (Role::Log, Who::Owner, KNOWN, false, High, "logged_secret:a/b:3"),
            (Role::Log, Who::World, KNOWN, false, Critical, "logged_secret:a/b:3"),
            (Role::Script, Who::World, "argument", false, High, "plain_secret:a/b:3"),
        ] {
            assert_eq!(told(role, readers, kind, is_default, &[3], 1), [(severity, name.to_owned())]);
        }
        assert_eq!(told(Role::Config, Who::Owner, "private_key", false, &[1], 1), []);
    }

    #[test]
    fn many_lines_of_a_log_are_one_finding() {
        let told = told(Role::Log, Who::Owner, "password", false, &[1, 2, 3], 4_000);
        assert_eq!(told, [(Severity::Warning, "logged_secret:a/b (password, password)".to_owned())]);
    }
}
