//! Offences of many files as few findings, in bounded memory.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use pso_common::Severity;

use super::rules::{Entry, Fix, Offence};
use crate::finding::{Finding, Found};
use crate::shell::{quoted, shown};

/// As many files of one folder with the same offence are told one by one; more are one finding.
const MAX_SINGLE: usize = 10;

/// As many examples are named in it.
const EXAMPLES: usize = 3;

/// As many findings are kept; what comes after is counted.
const MAX_GROUPS: usize = 1_000;

/// What has the same offence and lies in the same folder.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    folder: PathBuf,
    rule: &'static str,
    severity: Severity,
    what: String,
}

#[derive(Debug)]
struct Group {
    fix: Fix,
    count: u64,
    /// The first by name, with their modes: which are kept must not depend on the order in which a folder is read.
    first: BTreeSet<(PathBuf, u32)>,
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: BTreeMap<Key, Group>,
    /// Files and folders with offences that found no place.
    left_out: u64,
}

impl Groups {
    pub(super) fn add(&mut self, entry: &Entry<'_>, offence: Offence) {
        let folder = entry.path.parent().unwrap_or(entry.path).to_path_buf();
        let key = Key { folder, rule: offence.rule, severity: offence.severity, what: offence.what };
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        let group = self.groups.entry(key).or_insert(Group { fix: offence.fix, count: 0, first: BTreeSet::new() });
        group.count += 1;
        group.first.insert((entry.path.to_path_buf(), entry.metadata.mode() & 0o7777));
        if group.first.len() > MAX_SINGLE {
            group.first.pop_last();
        }
    }

    /// All of it as findings.
    pub(super) fn tell(self, found: &mut Found) {
        for (key, group) in self.groups {
            if group.count <= MAX_SINGLE as u64 {
                for (path, mode) in &group.first {
                    found.push(
                        Finding::new(key.severity, key.rule, shown(path), format!("{} {}", shown(path), key.what))
                            .with("mode", format!("{mode:04o}"))
                            .fix(for_one(&group.fix, path)),
                    );
                }
            } else {
                found.push(together(&key, &group));
            }
        }
        if self.left_out > 0 {
            found.unknown(format!(
                "{} more files or folders are open, in more folders than findings are kept of ({MAX_GROUPS}): put these right, \
                 and look again",
                self.left_out
            ));
        }
    }
}

fn together(key: &Key, group: &Group) -> Finding {
    let name = |path: &Path| shown(Path::new(path.file_name().unwrap_or_default()));
    let examples: Vec<String> = group.first.iter().take(EXAMPLES).map(|(path, _)| name(path)).collect();
    let folder = if key.folder.as_os_str().is_empty() { Path::new(".") } else { &key.folder };
    let message = format!("{} in {}/: each {} ({}, …)", group.count, shown(folder), key.what, examples.join(", "));
    let mut finding = Finding::new(key.severity, key.rule, format!("{}/", shown(folder)), message)
        .with("count", group.count)
        .with("examples", examples.join(", "))
        .fix(for_many(&group.fix, folder));
    if let Some((_, mode)) = group.first.first() {
        finding = finding.with("mode", format!("{mode:04o}"));
    }
    finding
}

fn for_one(fix: &Fix, path: &Path) -> String {
    let path = quoted(path);
    match fix {
        Fix::Mode(mode, _) => format!("chmod {mode} -- {path}"),
        Fix::Owner(owner, _) => format!("chown -h {owner} -- {path}"),
        Fix::Look(program) => format!("{program} {path}"),
    }
}

fn for_many(fix: &Fix, folder: &Path) -> String {
    // find would take a `-` at the beginning for a test.
    let dashed = folder.as_os_str().as_encoded_bytes().starts_with(b"-");
    let folder = if dashed { quoted(&Path::new(".").join(folder)) } else { quoted(folder) };
    let find = format!("find {folder} -mindepth 1 -maxdepth 1 ! -type l");
    match fix {
        Fix::Mode(mode, test) => format!("{find} {test} -exec chmod {mode} -- {{}} +"),
        Fix::Owner(owner, stranger) => format!("{find} -user {stranger} -exec chown {owner} -- {{}} +"),
        Fix::Look(program) => format!("{find} -exec {program} {{}} \\;"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::*;

    fn told(folder: &str, count: usize) -> Found {
        let here = std::env::temp_dir();
        let metadata = std::fs::symlink_metadata(&here).expect("there");
        let mut groups = Groups::default();
        for at in (0..count).rev() {
            let path = PathBuf::from(format!("{folder}/{at:06}.log"));
            let entry = Entry { path: &path, real: &here, metadata: &metadata, role: Role::Log, holds_secret: false };
            let fix = Fix::Mode("o-w", "-perm -0002");
            groups.add(
                &entry,
                Offence { rule: "world_writable", severity: Severity::Warning, what: "is open".to_owned(), fix },
            );
        }
        let mut found = Found::default();
        groups.tell(&mut found);
        found
    }

    #[test]
    fn few_are_told_one_by_one_and_many_together() {
        let few = told("logs", 10);
        assert_eq!(few.findings.len(), 10);
        assert_eq!(few.findings[0].record.fix, "chmod o-w -- 'logs/000000.log'");
        let many = told("logs", 100_000);
        assert_eq!(many.findings.len(), 1);
        let one = &many.findings[0];
        assert_eq!(one.name(), "world_writable:logs/");
        assert_eq!(one.message, "100000 in logs/: each is open (000000.log, 000001.log, 000002.log, …)");
        assert_eq!(one.record.fix, "find 'logs' -mindepth 1 -maxdepth 1 ! -type l -perm -0002 -exec chmod o-w -- {} +");
    }

    #[test]
    fn a_folder_with_a_dash_is_no_option() {
        let fix = &told("-logs", 11).findings[0].record.fix;
        assert!(fix.starts_with("find './-logs' "), "{fix}");
    }
}
