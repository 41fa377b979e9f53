//! What of a dump is not restored: whatever could reach a server elsewhere.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pso_archive::custom::{Toc, TocEntry};

/// Entries that are left out, and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    ids: BTreeSet<u32>,
    /// What is restored, where only `pg_restore` knows what there is.
    listed: Option<String>,
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

/// The same of a dump in a form that is not known here, by what `pg_restore --list` prints. What depends on what it does not
/// say: where there is a foreign table, no materialized view is filled.
pub(super) fn left_out_of_list(list: &str) -> LeftOut {
    let mut left = LeftOut::default();
    // `3269; 1247 16418 USER MAPPING - USER MAPPING PUBLIC SERVER far owner`
    let is_of = |line: &str, kind: &str| {
        let rest = line.split_once("; ").and_then(|(_, rest)| rest.splitn(3, ' ').nth(2));
        rest.and_then(|rest| rest.strip_prefix(kind)).is_some_and(|rest| rest.starts_with(' '))
    };
    let has_far = list.lines().any(|line| is_of(line, "FOREIGN TABLE"));
    let is_left = |line: &str| is_of(line, "USER MAPPING") || has_far && is_of(line, "MATERIALIZED VIEW DATA");
    let number = list.lines().filter(|line| is_left(line)).count();
    if number > 0 {
        left.reasons.push(format!(
            "{} not restored, so that nothing connects to another server",
            counted(
                number,
                "user mapping or content of a materialized view was",
                "user mappings or contents of materialized views were"
            )
        ));
        left.listed = Some(list.lines().filter(|line| !is_left(line)).map(|line| format!("{line}\n")).collect());
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
    pub(super) fn list(&self, toc: Option<&Toc>) -> Option<String> {
        toc.filter(|_| !self.ids.is_empty()).map_or_else(|| self.listed.clone(), |toc| Some(self.kept(toc)))
    }

    /// The same, also where that is all.
    pub(super) fn kept(&self, toc: &Toc) -> String {
        let mut list = String::new();
        for entry in toc.entries.iter().filter(|entry| !self.ids.contains(&entry.id)) {
            // It reads the number only. Writing to a string cannot fail.
            let _ = writeln!(list, "{};", entry.id);
        }
        list
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_enough_to_leave_out_what_connects() {
        let list = "; Archive created at\n\
            1; 1259 16400 TABLE public t alice\n\
            2; 1259 16401 FOREIGN TABLE public far alice\n\
            3; 0 0 USER MAPPING - USER MAPPING PUBLIC SERVER far alice\n\
            4; 0 16402 MATERIALIZED VIEW DATA public near alice\n\
            5; 1259 16403 TABLE public USER MAPPING alice\n";
        let left = left_out_of_list(list);
        assert_eq!(left.reasons.len(), 1, "{left:?}");
        let kept = left.list(None).expect("a list");
        let kept: Vec<&str> = kept
            .lines()
            .filter_map(|line| line.split_once("; "))
            .map(|(id, _)| id)
            .filter(|id| !id.is_empty())
            .collect();
        assert_eq!(kept, ["1", "2", "5"]);
        let near = "4; 0 16402 MATERIALIZED VIEW DATA public near alice\n";
        assert_eq!(left_out_of_list(near), LeftOut::default(), "it reads from nowhere else");
    }

    #[test]
    fn numbers_have_their_words() {
        assert_eq!(
            (counted(1, "table has", "tables have"), counted(2, "a", "b")),
            ("1 table has".to_owned(), "2 b".to_owned())
        );
    }
}
