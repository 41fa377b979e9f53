//! The order of a restore: what has to be there before the rows, the rows, and what is made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::ensure;

use crate::custom::{Section, Toc, TocEntry};

/// Kinds of indexes that take much longer to make than others, as `CREATE INDEX` names them; and how much: a GIN index over
/// JSON took 20 times as long per byte of its table as a B-tree.
const SLOW: [&str; 3] = [" USING gin ", " USING gist ", " USING spgist "];
const SLOWER: u64 = 20;

/// Whether the rows of this dump can be loaded by us: each table's by a COPY.
///
/// # Errors
/// Names the first that cannot.
pub fn check(toc: &Toc) -> anyhow::Result<()> {
    for entry in toc.entries.iter().filter(|entry| entry.has_data) {
        let is_known = match entry.desc.as_str() {
            "TABLE DATA" => copy_statement(&entry.copy, &toc.encoding).is_some(),
            desc => desc == "BLOBS",
        };
        ensure!(is_known, "it holds {} {} in another form than COPY", entry.desc, entry.tag);
    }
    Ok(())
}

/// The statements that take the rows of the tables, by the id of the data.
pub(super) fn statements(toc: &Toc) -> BTreeMap<u32, Arc<str>> {
    let data = toc.entries.iter().filter(|entry| entry.has_data);
    data.filter_map(|entry| Some((entry.id, copy_statement(&entry.copy, &toc.encoding)?.into()))).collect()
}

/// The dump's own statement, with the dump's own encoding: that of the session stays as it is. `None` where it is no COPY.
#[must_use]
pub fn copy_statement(copy: &str, encoding: &str) -> Option<String> {
    let head = copy.trim_end().strip_suffix("FROM stdin;").filter(|head| head.starts_with("COPY "))?;
    Some(format!("{head}FROM stdin WITH (ENCODING '{encoding}')"))
}

/// What `pg_restore --use-list` takes of `list`, which is one for it: what comes before the rows, and what comes after
/// them. Privileges come last: an owner may have taken from himself what loading the rows needs.
#[must_use]
pub fn before_and_after(list: &str, toc: &Toc) -> (String, String) {
    let first: BTreeSet<u32> = toc
        .entries
        .iter()
        // The OIDs of large objects stand with the data since PostgreSQL 17.
        .filter(|entry| entry.section == Section::PreData || entry.desc == "BLOB METADATA")
        .map(|entry| entry.id)
        .collect();
    let loaded: BTreeSet<u32> = toc.entries.iter().filter(|entry| entry.has_data).map(|entry| entry.id).collect();
    let (mut before, mut after) = (String::new(), String::new());
    for line in list.lines() {
        let Some(id) = line.split(';').next().and_then(|id| id.parse::<u32>().ok()) else { continue };
        let stage = if first.contains(&id) { &mut before } else { &mut after };
        if !loaded.contains(&id) {
            stage.push_str(line);
            stage.push('\n');
        }
    }
    (before, after)
}

/// A dump without data by which `pg_restore --jobs` begins with the indexes that take longest, and the length that its file
/// must have for that: `sizes` are the bytes of each table's rows, by the id of the data.
///
/// By itself it begins with those of the largest table, which leaves one core without work at the end where a smaller table
/// has an index of the slow kind.
#[must_use]
pub fn definitions(toc: &Toc, sizes: &BTreeMap<u32, u64>) -> (Vec<u8>, u64) {
    let is_slow = |entry: &&TocEntry| entry.desc == "INDEX" && SLOW.iter().any(|kind| entry.definition.contains(kind));
    let slow: BTreeSet<u32> =
        toc.entries.iter().filter(is_slow).flat_map(|entry| entry.dependencies.iter().copied()).collect();
    let tables = toc.entries.iter().filter(|entry| slow.contains(&entry.id));
    let slow: BTreeSet<(&str, &str)> = tables.map(|entry| (entry.namespace.as_str(), entry.tag.as_str())).collect();
    let weight = |(id, size): (&u32, &u64)| {
        let is_slow = toc.entry(*id).is_some_and(|data| slow.contains(&(data.namespace.as_str(), data.tag.as_str())));
        // Only the order counts, and a file cannot be of any size.
        (*id, (if is_slow { size.saturating_mul(SLOWER) } else { *size } >> 10) + 1)
    };
    toc.bytes_with_sizes(&sizes.iter().map(weight).collect())
}
