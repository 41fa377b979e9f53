//! A sorted file of which only the part is read in which the window may be.

use pso_common::io::{Cancel, Cancelled};

use crate::input::bisect;
use crate::input::chunks::FileChunks;
use crate::input::open::Input;
use crate::pass::reading::Kit;
use crate::scan::pipeline::{self, Chunks, Job, Outcome};
use crate::scan::tally::{Counts, FileTally};
use crate::stamps::Stamp;
use crate::stamps::reader::Reader;

/// What is read of such a file.
pub(super) struct Narrowed {
    /// The file's first stamp, which says how it is written even where no stamp is in `within`.
    first: Stamp,
    /// The lines before it: they always count.
    undated: FileChunks,
    /// The lines that may be in the window.
    within: FileChunks,
    /// Bytes that were read to find them.
    looked_at: u64,
}

impl Narrowed {
    /// The part of a plain file in which the window may be; `None` where all of it is to be read. With a bookmark it is,
    /// because the next run must know how many lines there were.
    pub(super) fn of(kit: &Kit<'_>, input: &Input, reader: &Reader) -> Option<Self> {
        let Input::File { chunks, .. } = input else { return None };
        if kit.bookmarked || kit.settings.whole {
            return None;
        }
        // Whatever goes wrong is told when the file is read.
        let part = bisect::part(chunks, reader, &kit.rules.window).ok()??;
        let (undated, within) = (chunks.narrowed(part.undated).ok()?, chunks.narrowed(part.range).ok()?);
        Some(Self { first: part.first, undated, within, looked_at: part.looked_at })
    }

    /// Counts these lines; `job` counts some, behind what was counted before.
    ///
    /// # Errors
    /// When a signal asked to stop.
    pub(super) fn count<'a>(
        &'a self,
        job: impl Fn(Chunks<'a>, FileTally) -> Job<'a>,
        cancel: &Cancel,
        counts: &mut Counts,
    ) -> Result<Outcome, Cancelled> {
        let before = FileTally { format: Some(self.first.format), zoneless: !self.first.zoned, ..FileTally::default() };
        let undated = pipeline::count(job(Chunks::File(&self.undated), before), cancel, counts)?;
        let within = pipeline::count(job(Chunks::File(&self.within), undated.tally), cancel, counts)?;
        let (cut_lines, error) = (undated.cut_lines + within.cut_lines, undated.error.or(within.error));
        Ok(Outcome { cut_lines, error, ..within })
    }

    /// Bytes that were read, to find the lines and to count them.
    pub(super) fn read_bytes(&self) -> u64 {
        let of = |part: &FileChunks| part.available().saturating_sub(part.range().start);
        self.looked_at + of(&self.undated) + of(&self.within)
    }

    /// How long the lines are.
    pub(super) fn length(&self) -> u64 {
        [&self.undated, &self.within].iter().map(|part| part.range().end - part.range().start).sum()
    }

    /// Where the file was found to end, and should have, if it shrank.
    pub(super) fn shrunk(&self) -> Option<(u64, u64)> {
        self.undated.shrunk().or_else(|| self.within.shrunk())
    }
}
