//! What was counted, and how counts of parts become counts of the whole.

use std::collections::{HashMap, VecDeque};

use crate::input::bisect::MARGIN;
use crate::scan::buckets::{Histogram, MAX_CELLS};
use crate::scan::{MAX_RECORD_BYTES, MAX_RECORD_LINES, Rules};
use crate::search::class::{Class, PerClass};
use crate::stamps::{Moment, StampFormat};
use crate::templates::Gathered;

/// Bytes of an event's line that are kept.
pub(crate) const MAX_EVENT_BYTES: usize = 8 << 10;
/// Bytes of an event's line where so many events are wanted ([`MANY_EVENTS`]) that long lines would fill the memory.
pub(crate) const MAX_BYTES_OF_MANY: usize = 1 << 10;
/// More wanted events than this are many.
pub(crate) const MANY_EVENTS: usize = 1_000;
/// Bytes of an example that are kept.
pub(crate) const MAX_EXAMPLE_BYTES: usize = 512;
/// Types of a class that are counted one by one; words that are really numbers or names must not fill the memory.
pub(super) const MAX_TYPES: usize = 10_000;
/// The type that counts what comes after [`MAX_TYPES`].
pub(crate) const OTHER_TYPES: &str = "(other)";

/// The beginning of a line, and how long it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Excerpt {
    pub(crate) bytes: Vec<u8>,
    /// Bytes of the line that are not in `bytes`.
    pub(crate) cut: usize,
}

impl Excerpt {
    pub(crate) fn of(line: &[u8], max: usize) -> Self {
        let mut excerpt = Self::default();
        excerpt.refill(line, max);
        excerpt
    }

    fn refill(&mut self, line: &[u8], max: usize) {
        let kept = line.len().min(max);
        self.bytes.clear();
        self.bytes.extend_from_slice(&line[..kept]);
        self.cut = line.len() - kept;
    }
}

/// Where a line stands in the order of events: stamp first, then file and line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The line's stamp, or that of the record it belongs to.
    pub(crate) at: Option<Moment>,
    /// Index of the file.
    pub(crate) file: usize,
    /// Line number, from 1 within the file; 0 where that is not known.
    pub(crate) line: u64,
    /// Where the line begins in the decoded file, in bytes.
    pub(crate) offset: u64,
}

/// The record that lines without a stamp belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Its stamp; `None` where nothing dates the lines.
    pub(crate) at: Option<Moment>,
    /// Whether it is within the window.
    pub(crate) inside: bool,
    /// Lines without a stamp that it has so far.
    pub(crate) lines: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
}

impl Carried {
    /// Whether the lines are too many to belong to one record.
    pub(crate) const fn is_too_long(&self) -> bool {
        self.lines > MAX_RECORD_LINES || self.bytes > MAX_RECORD_BYTES
    }
}

/// A line of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) position: Position,
    pub(crate) r#type: Option<String>,
    pub(crate) line: Excerpt,
}

/// The last few events, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Latest {
    pub(crate) events: VecDeque<Event>,
}

impl Latest {
    /// Puts an event in its place, if it is among the last `keep`. The one that has to go leaves its memory behind:
    /// in a log that is in order each event drives out another.
    fn insert(&mut self, keep: usize, position: Position, r#type: Option<&str>, line: &[u8]) {
        let place = match self.events.back() {
            // In a log that is in order, always.
            Some(last) if last.position <= position => self.events.len(),
            _ => self.events.partition_point(|other| other.position <= position),
        };
        let full = self.events.len() >= keep;
        if full && place == 0 {
            return;
        }
        let oldest = if full { self.events.pop_front() } else { None };
        let mut event = oldest.unwrap_or_else(|| Event { position, r#type: None, line: Excerpt::default() });
        event.position = position;
        event.line.refill(line, if keep > MANY_EVENTS { MAX_BYTES_OF_MANY } else { MAX_EVENT_BYTES });
        match (&mut event.r#type, r#type) {
            (Some(old), Some(new)) => new.clone_into(old),
            (old, new) => *old = new.map(str::to_owned),
        }
        let place = place - usize::from(full);
        if place == self.events.len() {
            self.events.push_back(event);
        } else {
            self.events.insert(place, event);
        }
    }

    /// Adds those of later inputs; of two at the same place those that are here come first.
    pub(super) fn absorb(&mut self, keep: usize, other: Self) {
        let is_later = |first: &Event| self.events.back().is_none_or(|last| last.position <= first.position);
        let in_order = other.events.front().is_none_or(is_later);
        self.events.extend(other.events);
        if !in_order {
            // Of two runs in order it is a merge.
            self.events.make_contiguous().sort_by_key(|event| event.position);
        }
        self.events.drain(..self.events.len().saturating_sub(keep));
    }
}

/// How often, from when to when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) count: u64,
    pub(crate) first: Option<Moment>,
    pub(crate) last: Option<Moment>,
}

impl Count {
    pub(crate) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
    }
}

/// One class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClassTally {
    pub(crate) sum: Count,
    pub(crate) types: HashMap<String, (Count, Excerpt), foldhash::fast::RandomState>,
    pub(crate) latest: Latest,
    /// Empty unless it was asked for.
    pub(crate) histogram: Histogram,
}

/// All classes.
pub(crate) struct Counts {
    pub(crate) classes: PerClass<ClassTally>,
    /// Cells that the histograms may still have.
    pub(crate) room: usize,
    /// The first lines of records, where templates were asked for.
    pub(crate) gathered: Gathered,
}

impl Default for Counts {
    fn default() -> Self {
        Self { classes: PerClass::default(), room: MAX_CELLS, gathered: Gathered::default() }
    }
}

impl Counts {
    /// Counts a line.
    pub(crate) fn hit(&mut self, class: Class, r#type: Option<&str>, position: Position, line: &[u8], rules: &Rules) {
        let tally = self.classes.get_mut(class);
        let one = Count { count: 1, first: position.at, last: position.at };
        tally.sum.add(one);
        let r#type = r#type.map(|name| tally.add_type(name, one, || Excerpt::of(line, MAX_EXAMPLE_BYTES)));
        if let Some(by) = rules.by {
            tally.histogram.add(r#type, position.at.map(|at| by.of(at)), 1, &mut self.room);
        }
        tally.latest.insert(rules.keep.value(class), position, r#type, line);
    }

    /// Says that nobody knows how many lines come before: they were not read.
    pub(crate) fn forget_line_numbers(&mut self) {
        for tally in self.classes.values_mut() {
            tally.latest.events.iter_mut().for_each(|event| event.position.line = 0);
        }
        self.gathered.lines.iter_mut().for_each(|gist| gist.line = 0);
    }

    /// Says that all lines come after so many others.
    pub(crate) fn shift(&mut self, lines: u64) {
        for tally in self.classes.values_mut() {
            tally.latest.events.iter_mut().for_each(|event| event.position.line += lines);
        }
        self.gathered.lines.iter_mut().for_each(|gist| gist.line += lines);
    }
}

impl ClassTally {
    /// Counts lines of a type; gives the type that they are counted as.
    pub(super) fn add_type<'n>(&mut self, name: &'n str, count: Count, example: impl FnOnce() -> Excerpt) -> &'n str {
        if let Some((total, _)) = self.types.get_mut(name) {
            total.add(count);
        } else if self.types.len() < MAX_TYPES || name == OTHER_TYPES {
            self.types.insert(name.to_owned(), (count, example()));
        } else {
            return self.add_type(OTHER_TYPES, count, example);
        }
        name
    }
}

/// From when to when the stamps of lines reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    ends: Option<(Moment, Moment)>,
    /// Whether some stamp is earlier than one before it by more than what late lines are forgiven.
    pub(crate) disorder: bool,
}

impl Span {
    /// Adds the stamp of the next line.
    pub(crate) fn add(&mut self, at: Moment) {
        self.absorb(Self { ends: Some((at, at)), disorder: false });
    }

    /// Adds what came after this.
    fn absorb(&mut self, later: Self) {
        self.disorder |= later.disorder;
        self.ends = match (self.ends, later.ends) {
            (Some((first, last)), Some((next, end))) => {
                self.disorder |= next.0 < last.0.saturating_sub(MARGIN);
                Some((first.min(next), last.max(end)))
            }
            (own, later) => own.or(later),
        };
    }
}

/// What was read of an input, or of a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileTally {
    pub(crate) lines: u64,
    /// Lines without a stamp of their own.
    pub(crate) unparsed: u64,
    /// Lines that the window leaves out.
    pub(crate) outside: u64,
    /// How the first stamp is written.
    pub(crate) format: Option<StampFormat>,
    /// Whether some stamp names no zone.
    pub(crate) zoneless: bool,
    /// From when to when, and whether in order.
    pub(crate) stamps: Span,
    /// The record that the next line without a stamp belongs to; `None` before the first stamp.
    pub(crate) record: Option<Carried>,
}

impl FileTally {
    /// Adds what was read after this.
    pub(crate) fn absorb(&mut self, later: Self) {
        self.lines += later.lines;
        self.unparsed += later.unparsed;
        self.outside += later.outside;
        self.format = self.format.or(later.format);
        self.zoneless |= later.zoneless;
        self.stamps.absorb(later.stamps);
        self.record = later.record;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::marks::Machine;
    use crate::search::class::Classes;
    use crate::stamps::window::Window;

    fn latest(keep: usize, order: &[(i64, u64)]) -> Vec<u64> {
        let mut latest = Latest::default();
        for &(at, line) in order {
            let position = Position { at: (at > 0).then_some(Moment(at)), file: 0, line, offset: 0 };
            latest.insert(keep, position, Some("T"), b"line");
        }
        latest.events.iter().map(|event| event.position.line).collect()
    }

    #[test]
    fn the_latest_are_kept_in_the_order_of_time() {
        assert_eq!(latest(2, &[(1, 1), (2, 2), (3, 3)]), [2, 3]);
        assert_eq!(latest(2, &[(3, 1), (1, 2), (2, 3)]), [3, 1]);
        assert_eq!(latest(3, &[(5, 1), (5, 2), (5, 3), (4, 4)]), [1, 2, 3]);
        assert_eq!(latest(2, &[(0, 1), (7, 2), (0, 3)]), [3, 2]);
        assert_eq!(latest(0, &[(1, 1)]), [0; 0]);
    }

    #[test]
    fn the_latest_of_two_parts_are_those_of_the_whole() {
        let all = [(5, 1), (2, 2), (0, 3), (9, 4), (5, 5), (5, 6), (1, 7)];
        for keep in 0..9 {
            for cut in 0..=all.len() {
                let part = |order: &[(i64, u64)]| {
                    let mut latest = Latest::default();
                    for &(at, line) in order {
                        let position = Position { at: (at > 0).then_some(Moment(at)), file: 0, line, offset: 0 };
                        latest.insert(keep, position, None, b"line");
                    }
                    latest
                };
                let mut both = part(&all[..cut]);
                both.absorb(keep, part(&all[cut..]));
                let lines: Vec<u64> = both.events.iter().map(|event| event.position.line).collect();
                assert_eq!(lines, latest(keep, &all), "the last {keep}, cut at {cut}");
            }
        }
    }

    #[test]
    fn where_many_are_kept_long_lines_are_cut_earlier() {
        for (keep, kept) in [(1_000, 3_000), (1_001, 1 << 10)] {
            let mut latest = Latest::default();
            latest.insert(keep, Position { at: None, file: 0, line: 1, offset: 0 }, None, &[b'x'; 3_000]);
            let line = &latest.events[0].line;
            assert_eq!((line.bytes.len(), line.cut), (kept, 3_000 - kept));
        }
    }

    #[test]
    fn types_without_end_are_counted_together() {
        let mut counts = Counts::default();
        let rules = Rules {
            machine: Machine::detect(),
            window: Window::default(),
            keep: PerClass::default(),
            classes: Classes::default(),
            by: None,
            templates: false,
            assign: false,
        };
        for number in 0..MAX_TYPES + 5 {
            let position = Position { at: None, file: 0, line: 0, offset: 0 };
            counts.hit(Class::Error, Some(&format!("T{number}")), position, b"line", &rules);
        }
        let errors = counts.classes.take(Class::Error);
        assert_eq!(errors.sum.count, 10_005);
        assert_eq!(errors.types.len(), MAX_TYPES + 1);
        assert_eq!(errors.types[OTHER_TYPES].0.count, 5);
    }
}
