//! What of a dump is not restored: whatever could reach a server elsewhere.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pso_archive::custom::{Toc, TocEntry};

/// Entries that are left out, and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    ids: BTreeSet<u32>,
    /// A sentence each.
    pub(super) reasons: Vec<String>,
}

/// What would connect to other servers: user mappings hold their passwords, and a materialized view of foreign tables would
/// be filled from there.
pub(super) fn left_out(toc: &Toc) -> LeftOut {
    let mut left = LeftOut::default();
    let mappings = of_kind(toc, "USER MAPPING");
    if !mappings.is_empty() {
        left.reasons.push(format!(
            "{} not restored, so that nothing connects to another server",
            counted(mappings.len(), "user mapping was", "user mappings were")
        ));
        left.ids.extend(mappings.iter().map(|entry| entry.id));
    }
    let far = reaching_out(toc);
    for view in of_kind(toc, "MATERIALIZED VIEW DATA") {
        if view.dependencies.iter().any(|id| far.contains(id)) {
            left.reasons.push(format!(
                "the materialized view {}.{} was not filled: it reads from another server",
                view.namespace, view.tag
            ));
            left.ids.insert(view.id);
        }
    }
    left
}

impl LeftOut {
    /// Leaves out the entries of a kind whose definition says so, and says why.
    pub(super) fn leave(&mut self, toc: &Toc, desc: &str, which: impl Fn(&str) -> bool, why: &str) {
        for entry in of_kind(toc, desc).into_iter().filter(|entry| which(&entry.definition)) {
            self.reasons.push(format!("the {} {} {why}", desc.to_lowercase(), entry.tag));
            self.ids.insert(entry.id);
            // A comment on what is not there would fail.
            let on_it = |other: &&TocEntry| other.dependencies.contains(&entry.id);
            self.ids.extend(toc.entries.iter().filter(on_it).map(|other| other.id));
        }
    }

    /// What is restored, for `pg_restore --use-list`; `None` where that is all.
    pub(super) fn list(&self, toc: &Toc) -> Option<String> {
        if self.ids.is_empty() {
            return None;
        }
        let mut list = String::new();
        for entry in toc.entries.iter().filter(|entry| !self.ids.contains(&entry.id)) {
            // It reads the number only. Writing to a string cannot fail.
            let _ = writeln!(list, "{};", entry.id);
        }
        Some(list)
    }
}

/// The definitions that read from another server when they are used: foreign tables, what calls dblink, and what is made
/// of those.
fn reaching_out(toc: &Toc) -> BTreeSet<u32> {
    let calls_out = |entry: &&TocEntry| entry.desc == "FOREIGN TABLE" || entry.definition.contains("dblink");
    let mut far: BTreeSet<u32> = toc.entries.iter().filter(calls_out).map(|entry| entry.id).collect();
    loop {
        let more: Vec<u32> = toc
            .entries
            .iter()
            .filter(|entry| !far.contains(&entry.id) && entry.dependencies.iter().any(|id| far.contains(id)))
            .map(|entry| entry.id)
            .collect();
        if more.is_empty() {
            return far;
        }
        far.extend(more);
    }
}

fn of_kind<'a>(toc: &'a Toc, desc: &str) -> Vec<&'a TocEntry> {
    toc.entries.iter().filter(|entry| entry.desc == desc).collect()
}

/// `1 table has`, `12 tables have`.
pub(super) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
