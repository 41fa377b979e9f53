//! What one chunk of whole lines holds.

use crate::class::PerClass;
use crate::finder::{Candidate, Finder, UNTYPED, judge};
use crate::jsonline::{JsonLine, error_type};
use crate::layout::Layout;
use crate::lines::{each_line, without_return};
use crate::stamp::{Moment, SECOND, Stamp, parse};
use crate::tally::{ChunkTally, Position};
use crate::window::Window;
use crate::{class::Class, finder::type_of};

/// What is looked for.
pub(crate) struct Rules {
    pub(crate) finder: Finder,
    pub(crate) window: Window,
    /// Seconds east of UTC for stamps without a zone.
    pub(crate) zone: i32,
    /// Events that are kept of each class.
    pub(crate) keep: PerClass<usize>,
}

/// Counts the lines of `text`, which begins and ends with a line's beginning and end.
pub(crate) fn scan(text: &[u8], rules: &Rules) -> ChunkTally {
    let mut scan = Scan {
        text,
        rules,
        tally: ChunkTally::default(),
        candidate: rules.finder.next(text, 0),
        layout: None,
        record: Record::Lead,
    };
    each_line(text, |start, end| scan.line(start, end));
    let last_record = match scan.record {
        Record::Lead => None,
        _ => scan.record_at().map(|at| (at, scan.inside())),
    };
    ChunkTally { last_record, ..scan.tally }
}

struct Scan<'a> {
    text: &'a [u8],
    rules: &'a Rules,
    tally: ChunkTally,
    /// The next place that may belong to a class.
    candidate: Option<Candidate>,
    /// What the stamp before looked like, and whether its whole minute is within the window or outside.
    layout: Option<(Layout, Option<bool>)>,
    record: Record,
}

/// The record that the current line belongs to.
#[derive(Clone, Copy)]
enum Record {
    /// One of an earlier chunk.
    Lead,
    /// One that begins at this offset; its stamp is read only when somebody asks.
    Begins { start: usize, inside: bool },
    /// One whose stamp was read.
    Known { at: Moment, inside: bool },
}

impl Scan<'_> {
    #[inline(always)]
    fn line(&mut self, start: usize, end: usize) {
        // The common line: its stamp looks like the one before, it says nothing of interest, and it is no JSON.
        if let Some((layout, Some(inside))) = &self.layout
            && layout.fits(&self.text[start..])
        {
            self.record = Record::Begins { start, inside: *inside };
            self.tally.body_lines += 1;
            self.tally.body_outside += u64::from(!*inside);
            if self.candidate.is_some_and(|candidate| candidate.at < end) {
                self.classify(start, end, None);
            }
        } else {
            self.slow_line(start, end);
        }
    }

    #[inline(never)]
    fn slow_line(&mut self, start: usize, end: usize) {
        let line = without_return(&self.text[start..end]);
        let mut is_error = None;
        let stamp = if line.first() == Some(&b'{') {
            let json = JsonLine::read(line, self.rules.zone);
            is_error = json.is_error;
            json.stamp
        } else {
            let stamp = parse(line, self.rules.zone);
            if let Some(stamp) = &stamp {
                self.layout = self.layout_of(&self.text[start..], stamp);
            }
            stamp
        };
        match stamp {
            Some(stamp) => self.begin(stamp),
            None if matches!(self.record, Record::Lead) => {}
            None => self.tally.body_unparsed += 1,
        }
        match self.record {
            Record::Lead => self.tally.lead_lines += 1,
            _ => {
                self.tally.body_lines += 1;
                self.tally.body_outside += u64::from(!self.inside());
            }
        }
        if is_error == Some(true) || self.candidate.is_some_and(|candidate| candidate.at < end) {
            self.classify(start, end, is_error);
        }
    }

    fn layout_of(&self, rest: &[u8], stamp: &Stamp) -> Option<(Layout, Option<bool>)> {
        let layout = Layout::of(rest, stamp)?;
        // A minute may have a leap second.
        let end = Moment(layout.minute.0 + 61 * SECOND);
        Some((layout, self.rules.window.contains_all(layout.minute, end)))
    }

    fn begin(&mut self, stamp: Stamp) {
        self.record = Record::Known { at: stamp.at, inside: self.rules.window.contains(stamp.at) };
        self.tally.format = self.tally.format.or(Some(stamp.format));
        self.tally.zoneless |= !stamp.zoned;
    }

    const fn inside(&self) -> bool {
        match self.record {
            Record::Lead => true,
            Record::Begins { inside, .. } | Record::Known { inside, .. } => inside,
        }
    }

    /// The stamp of the record that the current line belongs to.
    fn record_at(&mut self) -> Option<Moment> {
        match self.record {
            Record::Lead => None,
            Record::Known { at, .. } => Some(at),
            Record::Begins { start, inside } => {
                let rest = &self.text[start..];
                // A layout fits only what the parser reads, and only stamps of less than 32 bytes.
                let at = parse(&rest[..rest.len().min(64)], self.rules.zone)?.at;
                self.record = Record::Known { at, inside };
                Some(at)
            }
        }
    }

    /// Counts a line to its classes, and goes on to the first candidate after it. `is_error` is what a JSON line's level
    /// says, if it has one.
    #[cold]
    fn classify(&mut self, start: usize, end: usize, is_error: Option<bool>) {
        let Rules { finder, keep, .. } = self.rules;
        if !self.inside() {
            if self.candidate.is_some_and(|candidate| candidate.at < end) {
                self.candidate = finder.next(self.text, end);
            }
            return;
        }
        let at = self.record_at();
        let line = without_return(&self.text[start..end]);
        let lead = matches!(self.record, Record::Lead);
        let number = self.tally.lead_lines + self.tally.body_lines - 1;
        let counts = if lead { &mut self.tally.lead } else { &mut self.tally.body };
        let position = Position { at, file: 0, line: number };
        let (mut seen, mut untyped) = (PerClass::<bool>::default(), false);
        let mut hit = |class: Class, r#type: Option<&str>| {
            // A line counts once for a class, with the first type that it names, as `-match` has it.
            if !std::mem::replace(seen.get_mut(class), true) {
                counts.hit(class, r#type, position, start..start + line.len(), *keep.get(class));
            }
        };
        while let Some(candidate) = self.candidate.filter(|candidate| candidate.at < end) {
            judge(line, candidate.at - start, candidate, |class, r#type| match (class, r#type) {
                (Class::Error, None) => untyped = true,
                (class, r#type) => hit(class, r#type.as_deref()),
            });
            self.candidate = finder.next(self.text, candidate.at + 1);
        }
        match is_error {
            Some(true) => hit(Class::Error, Some(&type_of(&error_type(line)))),
            // After all places that give it a type; and where a level says that it is no error, the word is just a word.
            None if untyped => hit(Class::Error, Some(UNTYPED)),
            _ => {}
        }
    }
}
