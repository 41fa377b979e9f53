//! What a scan gathers for templates.

use crate::templates::sketch::{Sketch, Slot};

/// What was seen of the first lines of records.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) sketch: Sketch,
    /// Each record, where that was asked for (`--assign`).
    pub(crate) lines: Vec<Gist>,
}

/// The first line of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gist {
    /// Index of the file.
    pub(crate) file: usize,
    /// As in `scan::tally::Position`.
    pub(crate) line: u64,
    /// As in `scan::tally::Position`.
    pub(crate) offset: u64,
    /// What it was counted as.
    pub(crate) slot: Slot,
}

impl Gathered {
    /// Adds what was gathered after this.
    pub(crate) fn absorb(&mut self, later: Self) {
        self.sketch.absorb(later.sketch);
        self.lines.extend(later.lines);
    }
}
