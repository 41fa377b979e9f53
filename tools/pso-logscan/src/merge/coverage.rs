//! Coverages of the same path.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use pso_common::record::{Header, LogCoverageRecord};
use pso_common::{Run, Severity};

use crate::merge::folded::{Folded, cut};
use crate::report::Extent;
use crate::scan::tally::OTHER_TYPES;

/// Longest path that is told from others, in bytes.
const MAX_PATH_BYTES: usize = 4 << 10;
/// Longest reason that is kept, in bytes.
const MAX_MESSAGE_BYTES: usize = 1 << 10;
/// Formats and zones that are named, of many that differ.
const MAX_NAMES: usize = 16;
/// Longest of them, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// The worst severity, and what is said of it: of several the first in the alphabet, and nothing only where nobody says
/// anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Said {
    severity: Reverse<Severity>,
    is_silent: bool,
    message: String,
}

impl Said {
    pub(super) fn of(header: &Header) -> Self {
        Self::new(header.severity, header.message.clone())
    }

    fn new(severity: Severity, message: String) -> Self {
        Self { severity: Reverse(severity), is_silent: message.is_empty(), message: cut(message, MAX_MESSAGE_BYTES) }
    }

    pub(super) fn fold(&mut self, other: Self) {
        if other < *self {
            *self = other;
        }
    }

    pub(super) fn into_parts(self) -> (Severity, String) {
        (self.severity.0, self.message)
    }

    pub(super) const fn size(&self) -> usize {
        self.message.len()
    }
}

#[derive(Debug)]
struct Total {
    said: Said,
    body: LogCoverageRecord,
}

/// All coverages so far.
#[derive(Debug, Default)]
pub(super) struct Coverages(Folded<String, Total>);

impl Coverages {
    pub(super) fn add(&mut self, header: &Header, body: LogCoverageRecord) {
        self.add_said(Said::of(header), body);
    }

    /// Something that was not read, as the merge itself has found; nothing where there is no `reason`.
    pub(super) fn add_unknown(&mut self, name: String, reason: Option<String>) {
        if let Some(reason) = reason {
            let body = LogCoverageRecord { path: name, ..LogCoverageRecord::default() };
            self.add_said(Said::new(Severity::Unknown, reason), body);
        }
    }

    fn add_said(&mut self, said: Said, mut body: LogCoverageRecord) {
        let path = cut(std::mem::take(&mut body.path), MAX_PATH_BYTES);
        body.parts = Some(body.parts.unwrap_or(1));
        body.format = names(&[body.format.as_deref()]);
        body.zone = names(&[body.zone.as_deref()]);
        body.duplicate_of = body.duplicate_of.map(|path| cut(path, MAX_PATH_BYTES));
        let size = size_of::<Total>() + path.len() + said.size() + body.duplicate_of.as_ref().map_or(0, String::len);
        self.0.add(
            path,
            Total { said, body },
            size,
            |_| Some(OTHER_TYPES.to_owned()),
            |old, new| {
                old.said.fold(new.said);
                fold(&mut old.body, new.body);
            },
        );
    }

    /// How many coverages were not kept apart.
    pub(super) const fn lost(&self) -> u64 {
        self.0.lost()
    }

    /// What was read in all; `None` where no coverage came in.
    pub(super) fn extent(&self) -> Option<Extent> {
        let mut extent = None;
        for (_, Total { said, body }) in self.0.iter() {
            let extent: &mut Extent = extent.get_or_insert_default();
            let is_unknown = said.severity.0 == Severity::Unknown;
            extent.read += u64::from(!is_unknown || body.lines > 0 || body.read_bytes > 0);
            extent.unread += u64::from(is_unknown);
            extent.lines = extent.lines.saturating_add(body.lines);
            extent.inside = extent.inside.saturating_add(body.lines.saturating_sub(body.outside_lines));
        }
        extent
    }

    /// Writes all coverages in the order of their paths.
    ///
    /// # Errors
    /// When stdout is closed or cannot be written.
    pub(super) fn write(self, run: &mut Run<'_>) -> anyhow::Result<()> {
        for (path, Total { said, body }) in self.0.into_values() {
            let (severity, message) = said.into_parts();
            run.emit(severity, path.clone(), message, LogCoverageRecord { path, ..body })?;
        }
        Ok(())
    }
}

fn fold(old: &mut LogCoverageRecord, new: LogCoverageRecord) {
    let sum = |a: u64, b: u64| a.saturating_add(b);
    let some_sum = |a: Option<u64>, b: Option<u64>| a.map_or(b, |a| Some(sum(a, b.unwrap_or(0))));
    old.size_bytes = some_sum(old.size_bytes, new.size_bytes);
    old.read_bytes = sum(old.read_bytes, new.read_bytes);
    // One that was read from its beginning is.
    old.from_offset = old.from_offset.zip(new.from_offset).map(|(a, b)| a.min(b));
    old.skipped_bytes = some_sum(old.skipped_bytes, new.skipped_bytes);
    // One that was read is no duplicate.
    old.duplicate_of = old.duplicate_of.take().zip(new.duplicate_of).map(|(a, b)| a.min(b));
    old.lines = sum(old.lines, new.lines);
    old.unparsed_lines = sum(old.unparsed_lines, new.unparsed_lines);
    old.outside_lines = sum(old.outside_lines, new.outside_lines);
    old.format = names(&[old.format.as_deref(), new.format.as_deref()]);
    old.zone = names(&[old.zone.as_deref(), new.zone.as_deref()]);
    old.parts = some_sum(old.parts, new.parts);
}

/// All names of lists with commas, each once; of too many the first in the alphabet.
fn names(lists: &[Option<&str>]) -> Option<String> {
    let names = lists.iter().copied().flatten().flat_map(|list| list.split(','));
    let names: BTreeSet<String> = names.map(|name| cut(name.to_owned(), MAX_NAME_BYTES)).collect();
    let joined = names.into_iter().take(MAX_NAMES).collect::<Vec<_>>().join(",");
    lists.iter().any(Option::is_some).then_some(joined)
}
