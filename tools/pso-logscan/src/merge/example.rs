//! Which example, and which moment, a fold keeps.

use pso_common::Timestamp;
use pso_common::record::RawBytes;

use crate::merge::folded::cut;

/// Bytes of an example that are kept; scans write half a KiB.
const MAX_EXAMPLE_BYTES: usize = 2 << 10;

/// First and last moment of what was counted, and an example of the earliest. The first are compared as a whole, so that
/// a fold of folds gives the same as one fold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    earliest: Earliest,
    last_at: Option<Timestamp>,
}

/// In this order: what is dated before what is not, then the earlier, then what has an example, then the smaller.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Earliest {
    is_undated: bool,
    first_at: Option<Timestamp>,
    has_no_example: bool,
    example: Option<String>,
    raw: Option<Vec<u8>>,
}

impl Span {
    pub(super) fn new(
        first_at: Option<Timestamp>,
        last_at: Option<Timestamp>,
        example: Option<String>,
        raw: Option<RawBytes>,
    ) -> Self {
        let is_cut = example.as_ref().is_some_and(|example| example.len() > MAX_EXAMPLE_BYTES);
        let earliest = Earliest {
            is_undated: first_at.is_none(),
            first_at: first_at.map(as_written),
            has_no_example: example.is_none(),
            example: example.map(|example| cut(example, MAX_EXAMPLE_BYTES)),
            // The bytes of what was cut off would come back.
            raw: raw.map(|raw| raw.0).filter(|raw| !is_cut && raw.len() <= MAX_EXAMPLE_BYTES),
        };
        Self { earliest, last_at: last_at.map(as_written) }
    }

    pub(super) fn fold(&mut self, other: Self) {
        self.last_at = self.last_at.max(other.last_at);
        if other.earliest < self.earliest {
            self.earliest = other.earliest;
        }
    }

    pub(super) const fn first_at(&self) -> Option<Timestamp> {
        self.earliest.first_at
    }

    pub(super) const fn last_at(&self) -> Option<Timestamp> {
        self.last_at
    }

    /// The example, and its bytes where it is not UTF-8.
    pub(super) fn into_example(self) -> (Option<String>, Option<RawBytes>) {
        (self.earliest.example, self.earliest.raw.map(RawBytes))
    }

    /// About how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        let Earliest { example, raw, .. } = &self.earliest;
        size_of::<Self>() + example.as_ref().map_or(0, String::len) + raw.as_ref().map_or(0, Vec::len)
    }
}

/// A moment to the millisecond, as records have it: what differs beyond would be lost in the next fold.
pub(super) fn as_written(at: Timestamp) -> Timestamp {
    let at = at.to_utc();
    at.replace_millisecond(at.millisecond()).map_or(Timestamp::new(at), Timestamp::new)
}
