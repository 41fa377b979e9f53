//! What was counted, and how counts of parts become counts of the whole.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use crate::scan::{MAX_RECORD_BYTES, MAX_RECORD_LINES};
use crate::search::class::{Class, PerClass};
use crate::stamps::{Moment, StampFormat};

/// Bytes of an event's line that are kept.
pub(crate) const MAX_EVENT_BYTES: usize = 8 << 10;
/// Bytes of an example that are kept.
pub(crate) const MAX_EXAMPLE_BYTES: usize = 512;
/// Types of a class that are counted one by one; words that are really numbers or names must not fill the memory.
const MAX_TYPES: usize = 10_000;
/// The type that counts what comes after [`MAX_TYPES`].
const OTHER_TYPES: &str = "(other)";

impl Carried {
    /// Whether lines have no record any more, because they are too far behind the last stamp.
    const fn is_detached(&self) -> bool {
        self.at.is_none() && self.inside
    }
}

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
    /// Line number, from 0 within a chunk and from 1 within what is read of a file.
    pub(crate) line: u64,
    /// Where the line begins, in bytes: within a chunk, or within the decoded file.
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
        let place = self.events.iter().rposition(|other| other.position <= position).map_or(0, |before| before + 1);
        let full = self.events.len() >= keep;
        if full && place == 0 {
            return;
        }
        let oldest = if full { self.events.pop_front() } else { None };
        let mut event = oldest.unwrap_or_else(|| Event { position, r#type: None, line: Excerpt::default() });
        event.position = position;
        event.line.refill(line, MAX_EVENT_BYTES);
        match (&mut event.r#type, r#type) {
            (Some(old), Some(new)) => new.clone_into(old),
            (old, new) => *old = new.map(str::to_owned),
        }
        self.events.insert(place - usize::from(full), event);
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

    fn one(at: Option<Moment>) -> Self {
        Self { count: 1, first: at, last: at }
    }

    /// The same, for lines that belong to a record whose stamp was not known when they were counted.
    fn dated(self, at: Option<Moment>) -> Self {
        Self { first: self.first.or(at), last: self.last.or(at), ..self }
    }
}

/// One class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClassTally {
    pub(crate) sum: Count,
    pub(crate) types: HashMap<String, (Count, Excerpt)>,
    pub(crate) latest: Latest,
}

/// All classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) classes: PerClass<ClassTally>,
}

impl Counts {
    /// Adds the counts of a part of `text` that began with line `first_line` of file `file`; `at` dates what has no
    /// stamp.
    fn add(&mut self, part: PartCounts, text: &[u8], place: Place, keep: &PerClass<usize>) {
        let Place { file, first_line, offset, at } = place;
        for (class, part) in part.classes.into_pairs() {
            if part.sum.count == 0 {
                continue;
            }
            let tally = self.classes.get_mut(class);
            tally.sum.add(part.sum.dated(at));
            let names = part.names();
            for (&name, (count, example)) in names.iter().zip(&part.types) {
                let full = tally.types.len() >= MAX_TYPES && !tally.types.contains_key(name);
                let name = if full { OTHER_TYPES } else { name };
                match tally.types.get_mut(name) {
                    Some((total, _)) => total.add(count.dated(at)),
                    None => {
                        let example = Excerpt::of(&text[example.clone()], MAX_EXAMPLE_BYTES);
                        tally.types.insert(name.to_owned(), (count.dated(at), example));
                    }
                }
            }
            for event in &part.latest {
                let own = event.position;
                let (line, offset) = (own.line + first_line, own.offset + offset);
                let position = Position { at: own.at.or(at), file, line, offset };
                let r#type = event.r#type.map(|number| names[number]);
                tally.latest.insert(*keep.get(class), position, r#type, &text[event.line.clone()]);
            }
        }
    }
}

/// Where a part begins, and when, if that was known only when all before it was.
#[derive(Clone, Copy, Debug)]
struct Place {
    file: usize,
    first_line: u64,
    offset: u64,
    at: Option<Moment>,
}

/// A line of a class, as it stands in a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
struct EventRef {
    position: Position,
    /// Index of its type.
    r#type: Option<usize>,
    line: Range<usize>,
}

/// One class within a chunk. Lines are where they are until it is known which of them are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PartTally {
    sum: Count,
    /// Index of each type.
    numbers: HashMap<String, usize>,
    /// Count and example of each type.
    types: Vec<(Count, Range<usize>)>,
    /// The last events, in order.
    latest: Vec<EventRef>,
}

impl PartTally {
    /// The types' names by their index.
    fn names(&self) -> Vec<&str> {
        let mut names = vec![""; self.types.len()];
        for (name, &number) in &self.numbers {
            names[number] = name;
        }
        names
    }
}

/// All classes within a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PartCounts {
    classes: PerClass<PartTally>,
}

impl PartCounts {
    /// Counts the line that stands at `line` of the chunk.
    pub(crate) fn hit(
        &mut self,
        class: Class,
        r#type: Option<&str>,
        position: Position,
        line: Range<usize>,
        keep: usize,
    ) {
        let tally = self.classes.get_mut(class);
        let one = Count::one(position.at);
        tally.sum.add(one);
        let r#type = r#type.map(|name| match tally.numbers.get(name) {
            Some(&number) => {
                tally.types[number].0.add(one);
                number
            }
            None => {
                let number = tally.types.len();
                tally.types.push((one, line.clone()));
                tally.numbers.insert(name.to_owned(), number);
                number
            }
        });
        let latest = &mut tally.latest;
        let place = latest.iter().rposition(|other| other.position <= position).map_or(0, |before| before + 1);
        if latest.len() < keep || place > 0 {
            latest.insert(place, EventRef { position, r#type, line });
            if latest.len() > keep {
                latest.remove(0);
            }
        }
    }
}

/// What one chunk of whole lines holds. The lines before its first stamp belong to a record of an earlier chunk, so
/// whether they are within the window is known only when that chunk is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChunkTally {
    /// Lines before the first stamp.
    pub(crate) lead_lines: u64,
    /// Their bytes.
    pub(crate) lead_bytes: u64,
    /// What they hold.
    pub(crate) lead: PartCounts,
    /// Lines from the first stamp on.
    pub(crate) body_lines: u64,
    /// What those within the window hold.
    pub(crate) body: PartCounts,
    /// Lines from the first stamp on that have none of their own.
    pub(crate) body_unparsed: u64,
    /// Lines from the first stamp on that the window leaves out.
    pub(crate) body_outside: u64,
    /// Lines too far behind the last stamp to belong to its record.
    pub(crate) detached: u64,
    /// The last record; `None` when no line has a stamp.
    pub(crate) last_record: Option<Carried>,
    /// How the first stamp is written.
    pub(crate) format: Option<StampFormat>,
    /// Whether some stamp names no zone.
    pub(crate) zoneless: bool,
}

/// What was read of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileTally {
    pub(crate) lines: u64,
    pub(crate) unparsed: u64,
    pub(crate) outside: u64,
    pub(crate) detached: u64,
    pub(crate) format: Option<StampFormat>,
    pub(crate) zoneless: bool,
    /// The record that the next line without a stamp belongs to; lines before a file's first stamp have none.
    pub(crate) record: Option<Carried>,
}

impl FileTally {
    /// Whether the lines before the first stamp of the next chunk reach beyond the record that they would belong to.
    pub(crate) fn overflows(&self, chunk: &ChunkTally) -> bool {
        self.record.filter(|record| !record.is_detached()).is_some_and(|record| {
            record.lines + chunk.lead_lines > MAX_RECORD_LINES || record.bytes + chunk.lead_bytes > MAX_RECORD_BYTES
        })
    }

    /// Adds the next chunk of file `file`, whose lines are `text` and begin at `offset` of the file: how many here, and
    /// what they hold to `counts`.
    pub(crate) fn add(
        &mut self,
        chunk: ChunkTally,
        text: &[u8],
        (file, offset): (usize, u64),
        counts: &mut Counts,
        keep: &PerClass<usize>,
    ) {
        // Lines before a file's first stamp cannot be dated. They count, because an error must not vanish for it.
        let (at, inside) = self.record.map_or((None, true), |record| (record.at, record.inside));
        let first_line = self.lines + 1;
        if inside {
            counts.add(chunk.lead, text, Place { file, first_line, offset, at }, keep);
        } else {
            self.outside += chunk.lead_lines;
        }
        counts.add(chunk.body, text, Place { file, first_line, offset, at: None }, keep);
        self.lines += chunk.lead_lines + chunk.body_lines;
        self.unparsed += chunk.lead_lines + chunk.body_unparsed;
        self.outside += chunk.body_outside;
        self.detached += chunk.detached;
        if let Some(record) = &mut self.record {
            self.detached += if record.is_detached() { chunk.lead_lines } else { 0 };
            record.lines += chunk.lead_lines;
            record.bytes += chunk.lead_bytes;
        }
        self.record = chunk.last_record.or(self.record);
        self.format = self.format.or(chunk.format);
        self.zoneless |= chunk.zoneless;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn types_without_end_are_counted_together() {
        let mut counts = Counts::default();
        let keep = PerClass::default();
        for number in 0..MAX_TYPES + 5 {
            let mut part = PartCounts::default();
            let position = Position { at: None, file: 0, line: 0, offset: 0 };
            part.hit(Class::Error, Some(&format!("T{number}")), position, 0..4, 0);
            counts.add(part, b"line", Place { file: 0, first_line: 1, offset: 0, at: None }, &keep);
        }
        let errors = counts.classes.get(Class::Error);
        assert_eq!(errors.sum.count, 10_005);
        assert_eq!(errors.types.len(), MAX_TYPES + 1);
        assert_eq!(errors.types[OTHER_TYPES].0.count, 5);
    }
}
