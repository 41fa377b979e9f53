//! What one chunk of whole lines holds.

pub(crate) mod lines;
pub(crate) mod pipeline;
pub(crate) mod tally;

use crate::scan::lines::{each_line, without_return};
use crate::scan::tally::{Carried, ChunkTally, Position};
use crate::search::class::PerClass;
use crate::search::finder::{Candidate, Finder, UNTYPED, judge};
use crate::search::jsonline::{JsonLine, error_type};
use crate::search::{class::Class, finder::type_of};
use crate::stamps::layout::Layout;
use crate::stamps::reader::Reader;
use crate::stamps::window::Window;
use crate::stamps::{Moment, SECOND, Stamp, StampFormat};

/// What is looked for.
pub(crate) struct Rules {
    pub(crate) finder: Finder,
    pub(crate) window: Window,
    /// Events that are kept of each class.
    pub(crate) keep: PerClass<usize>,
}

/// How far a record reaches: beyond so many lines or bytes without a stamp, lines belong to no record any more. A stack
/// trace is shorter; and a file whose stamps end is not dated for ever by the last of them.
pub(crate) const MAX_RECORD_LINES: u64 = 2_000;
/// As [`MAX_RECORD_LINES`], in bytes.
pub(crate) const MAX_RECORD_BYTES: u64 = 1 << 20;

/// Counts the lines of `text`, which begins and ends with a line's beginning and end. `carried` is the record that its
/// first lines belong to; `None` where that is not known yet.
pub(crate) fn scan(text: &[u8], rules: &Rules, reader: &Reader, carried: Option<Carried>) -> ChunkTally {
    let mut scan = Scan {
        text,
        rules,
        reader,
        tally: ChunkTally::default(),
        candidate: rules.finder.next(text, 0),
        layout: None,
        format: None,
        record: carried.map_or(Record::Lead, |carried| Record::Known { at: carried.at, inside: carried.inside }),
        unstamped: carried.map_or((0, 0), |carried| (carried.lines, carried.bytes)),
    };
    each_line(text, |start, end| scan.line(start, end));
    let last_record = match scan.record {
        Record::Lead => None,
        _ => {
            let (lines, bytes) = scan.unstamped;
            Some(Carried { at: scan.record_at(), inside: scan.inside(), lines, bytes })
        }
    };
    ChunkTally { last_record, ..scan.tally }
}

struct Scan<'a> {
    text: &'a [u8],
    rules: &'a Rules,
    reader: &'a Reader,
    tally: ChunkTally,
    /// The next place that may belong to a class.
    candidate: Option<Candidate>,
    /// What the stamp before looked like, and whether its whole minute is within the window or outside.
    layout: Option<(Layout, Option<bool>)>,
    /// How the stamp before was written.
    format: Option<StampFormat>,
    record: Record,
    /// Lines without a stamp since the record began, and their bytes.
    unstamped: (u64, u64),
}

/// The record that the current line belongs to.
#[derive(Clone, Copy)]
enum Record {
    /// One of an earlier chunk.
    Lead,
    /// One that begins at this offset; its stamp is read only when somebody asks.
    Begins { start: usize, inside: bool },
    /// One whose stamp was read, or one of lines that nothing dates.
    Known { at: Option<Moment>, inside: bool },
}

impl Scan<'_> {
    #[inline(always)]
    fn line(&mut self, start: usize, end: usize) {
        // The common line: its stamp looks like the one before, it says nothing of interest, and it is no JSON.
        if let Some((layout, Some(inside))) = &self.layout
            && layout.fits(&self.text[start..])
        {
            self.record = Record::Begins { start, inside: *inside };
            self.unstamped = (0, 0);
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
            let json = JsonLine::read(line, self.reader);
            is_error = json.is_error;
            json.stamp
        } else {
            let stamp = self.reader.read(line, self.format);
            if let Some(stamp) = &stamp {
                self.layout = self.layout_of(&self.text[start..], stamp);
            }
            stamp
        };
        match stamp {
            Some(stamp) => self.begin(stamp),
            None => {
                self.unstamped.0 += 1;
                self.unstamped.1 += (end - start) as u64 + 1;
                if !matches!(self.record, Record::Lead) {
                    self.tally.body_unparsed += 1;
                    if self.unstamped.0 > MAX_RECORD_LINES || self.unstamped.1 > MAX_RECORD_BYTES {
                        self.record = Record::Known { at: None, inside: true };
                        self.tally.detached += 1;
                    }
                }
            }
        }
        match self.record {
            Record::Lead => {
                self.tally.lead_lines += 1;
                self.tally.lead_bytes = self.unstamped.1;
            }
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
        self.record = Record::Known { at: Some(stamp.at), inside: self.rules.window.contains(stamp.at) };
        self.unstamped = (0, 0);
        self.format = Some(stamp.format);
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
            Record::Known { at, .. } => at,
            Record::Begins { start, inside } => {
                let rest = &self.text[start..];
                // A layout fits only what the parser reads, and only stamps of less than 32 bytes.
                let at = self.reader.read(&rest[..rest.len().min(64)], self.format).map(|stamp| stamp.at);
                self.record = Record::Known { at, inside };
                at
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
        let position = Position { at, file: 0, line: number, offset: start as u64 };
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
