//! What the lines of an input hold.

mod absorb;
pub(crate) mod buckets;
pub(crate) mod lines;
pub(crate) mod marks;
pub(crate) mod pipeline;
pub(crate) mod tally;

use crate::scan::buckets::Buckets;
use crate::scan::lines::without_return;
use crate::scan::marks::{Lanes, Machine, Marks, STRETCH, WithLanes};
use crate::scan::tally::{Carried, Counts, FileTally, Position};
use crate::search::class::{Class, ClassSet, Classes, PerClass};
use crate::search::jsonline::{JsonLine, error_type};
use crate::search::judge::{UNTYPED, judge, type_of};
use crate::search::places::Places;
use crate::stamps::layout::Layout;
use crate::stamps::reader::Reader;
use crate::stamps::window::Window;
use crate::stamps::{Moment, SECOND, Stamp};
use crate::templates::{Gist, Line, Order};

/// What is looked for.
pub(crate) struct Rules {
    pub(crate) window: Window,
    /// Events that are kept of each class.
    pub(crate) keep: PerClass<usize>,
    /// The classes that somebody has added.
    pub(crate) classes: Classes,
    /// Spans of time that are counted one by one.
    pub(crate) by: Option<Buckets>,
    /// Whether records are gathered for templates.
    pub(crate) templates: bool,
    /// Whether it is kept which record belongs to which template.
    pub(crate) assign: bool,
    pub(crate) machine: Machine,
}

/// How far a record reaches: beyond so many lines or bytes without a stamp, lines belong to no record any more. A stack
/// trace is shorter; and a file whose stamps end is not dated for ever by the last of them.
pub(crate) const MAX_RECORD_LINES: u64 = 2_000;
/// As [`MAX_RECORD_LINES`], in bytes.
pub(crate) const MAX_RECORD_BYTES: u64 = 1 << 20;

/// Counts lines one after the other.
pub(crate) struct Scanner<'a> {
    rules: &'a Rules,
    reader: &'a Reader,
    /// Which input it is.
    file: usize,
    marks: Box<Marks>,
    state: State,
    tally: FileTally,
    counts: Counts,
}

/// What is known of the lines before.
struct State {
    /// What the stamp before looked like, and whether its whole minute is within the window or outside.
    layout: Option<(Layout, Option<bool>)>,
    record: Record,
    /// Lines without a stamp since the record began, and their bytes.
    unstamped: (u64, u64),
}

/// The record that the current line belongs to.
#[derive(Clone, Copy)]
enum Record {
    /// None: the file's first stamp is still to come.
    None,
    /// One that begins at this offset; its stamp is read only when somebody asks.
    Begins { start: usize, inside: bool },
    /// One whose stamp was read, or one of lines that nothing dates.
    Known { at: Option<Moment>, inside: bool },
}

impl<'a> Scanner<'a> {
    /// Begins with a line that may belong to the record `carried`.
    pub(crate) fn new(rules: &'a Rules, reader: &'a Reader, file: usize, carried: Option<Carried>) -> Self {
        let record = carried.map_or(Record::None, |carried| Record::Known { at: carried.at, inside: carried.inside });
        let unstamped = carried.map_or((0, 0), |carried| (carried.lines, carried.bytes));
        let state = State { layout: None, record, unstamped };
        Self {
            rules,
            reader,
            file,
            marks: Box::default(),
            state,
            tally: FileTally::default(),
            counts: Counts::default(),
        }
    }

    /// Counts the lines of `text`, which begins and ends with a line's beginning and end; its first byte is the input's
    /// byte `offset`.
    pub(crate) fn feed(&mut self, text: &[u8], offset: u64) {
        self.marks.suspects.clear();
        let (rules, marks) = (self.rules, &mut *self.marks);
        let Self { reader, file, state, tally, counts, .. } = self;
        let places = Places::new(&rules.classes.added, text);
        let mut chunk = ChunkScan { text, offset, rules, reader, file: *file, places, state, tally, counts };
        rules.machine.run(Feed { chunk: &mut chunk, marks });
        if let Record::Begins { inside, .. } = chunk.state.record {
            // The text is gone with the next chunk.
            chunk.state.record = Record::Known { at: chunk.record_at(), inside };
        }
    }

    /// Says that a line was cut: what follows it belongs to no record, as if too much had come without a stamp.
    pub(crate) const fn end_record(&mut self) {
        self.state.record = Record::Known { at: None, inside: true };
        self.state.unstamped = (0, 0);
    }

    /// What was counted.
    pub(crate) fn finish(self) -> (FileTally, Counts) {
        let (lines, bytes) = self.state.unstamped;
        let record = match self.state.record {
            Record::Known { at, inside } => Some(Carried { at, inside, lines, bytes }),
            Record::None | Record::Begins { .. } => None,
        };
        (FileTally { record, ..self.tally }, self.counts)
    }
}

/// The lines of a chunk, for whatever instructions the machine has.
struct Feed<'c, 't> {
    chunk: &'c mut ChunkScan<'t>,
    marks: &'c mut Marks,
}

impl WithLanes for Feed<'_, '_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { chunk, marks } = self;
        let text = chunk.text;
        let (mut start, mut seen) = (0, 0);
        let mut quick = chunk.quick();
        for from in (0..text.len()).step_by(STRETCH) {
            marks.note(lanes, text, from);
            let mut suspect = marks.suspects.get(seen).copied().unwrap_or(usize::MAX);
            for &end in marks.ends() {
                let end = from + end as usize;
                // The common line: its stamp looks like the one before, and nothing in it is looked for.
                if let Some(quick) = &mut quick
                    && quick.layout.fits(&text[start..])
                {
                    quick.begin = start;
                    quick.lines += 1;
                    if quick.gathers {
                        chunk.take(quick);
                        chunk.gather(start, end, quick.layout.end(), 0, Some(quick.layout.moment(&text[start..])));
                    }
                    if suspect < end || chunk.places.are_in(end) {
                        chunk.take(quick);
                        seen = chunk.classify(start, end, None, &marks.suspects, seen);
                        suspect = marks.suspects.get(seen).copied().unwrap_or(usize::MAX);
                    }
                } else {
                    if let Some(quick) = &mut quick {
                        chunk.take(quick);
                    }
                    let is_error = chunk.line(start, end);
                    if suspect < end || is_error == Some(true) || chunk.places.are_in(end) {
                        seen = chunk.classify(start, end, is_error, &marks.suspects, seen);
                        suspect = marks.suspects.get(seen).copied().unwrap_or(usize::MAX);
                    }
                    quick = chunk.quick();
                }
                start = end + 1;
            }
        }
        if let Some(quick) = &mut quick {
            chunk.take(quick);
        }
        if start < text.len() {
            let is_error = chunk.line(start, text.len());
            chunk.classify(start, text.len(), is_error, &marks.suspects, seen);
        }
    }
}

/// Lines whose stamps look like the one before them.
struct Quick {
    layout: Layout,
    /// Whether they are within the window, as their whole minute is.
    inside: bool,
    /// Whether they are gathered for templates.
    gathers: bool,
    /// How many were not taken in yet.
    lines: u64,
    /// Where the last of them begins.
    begin: usize,
}

/// A chunk that is being counted.
struct ChunkScan<'a> {
    text: &'a [u8],
    offset: u64,
    rules: &'a Rules,
    reader: &'a Reader,
    file: usize,
    /// The next places that may belong to an added class.
    places: Places<'a>,
    state: &'a mut State,
    tally: &'a mut FileTally,
    counts: &'a mut Counts,
}

impl ChunkScan<'_> {
    /// What the next lines are compared with.
    fn quick(&self) -> Option<Quick> {
        let (layout, inside) = self.state.layout?;
        let inside = inside?;
        Some(Quick { layout, inside, gathers: self.rules.templates && inside, lines: 0, begin: 0 })
    }

    /// Takes in the lines that looked like the one before them.
    fn take(&mut self, quick: &mut Quick) {
        let lines = std::mem::take(&mut quick.lines);
        if lines > 0 {
            self.state.record = Record::Begins { start: quick.begin, inside: quick.inside };
            self.tally.lines += lines;
            self.tally.outside += if quick.inside { 0 } else { lines };
        }
    }

    /// Takes a line in. Gives what a JSON line's level says of whether it is an error.
    #[inline(never)]
    fn line(&mut self, start: usize, end: usize) -> Option<bool> {
        self.tally.lines += 1;
        let line = without_return(&self.text[start..end]);
        let mut is_error = None;
        let stamp = if line.first() == Some(&b'{') {
            let json = JsonLine::read(line, self.reader);
            is_error = json.is_error;
            json.stamp
        } else {
            let stamp = self.reader.read(line);
            if let Some(stamp) = &stamp {
                self.state.layout = self.layout_of(&self.text[start..], stamp);
            }
            stamp
        };
        match stamp {
            Some(stamp) => {
                self.state.record = Record::Known { at: Some(stamp.at), inside: self.rules.window.contains(stamp.at) };
                self.state.unstamped = (0, 0);
                self.tally.format = self.tally.format.or(Some(stamp.format));
                self.tally.zoneless |= !stamp.zoned;
                self.tally.stamps.add(stamp.at);
            }
            None => self.unstamped_line((end - start) as u64 + 1),
        }
        self.tally.outside += u64::from(!self.inside());
        if self.rules.templates && self.inside() {
            // Lines without a stamp are part of a record, unless there is none.
            match (stamp, self.state.record) {
                (Some(stamp), _) => self.gather(start, end, stamp.end, stamp.format.fields(), Some(stamp.at)),
                (None, Record::None | Record::Known { at: None, .. }) => self.gather(start, end, 0, 0, None),
                (None, _) => {}
            }
        }
        is_error
    }

    /// Gathers the first line of a record, whose stamp ends at `stamp_end` of it, for templates; so many words behind the
    /// stamp belong to its format.
    fn gather(&mut self, start: usize, end: usize, stamp_end: usize, fields: usize, at: Option<Moment>) {
        let offset = self.offset + start as u64;
        let bytes = without_return(&self.text[start..end]);
        let order = Order { file: self.file, chunk: 0, line: offset };
        let slot = self.counts.gathered.sketch.add(Line { bytes, stamp_end, fields, at, order });
        if self.rules.assign {
            self.counts.gathered.lines.push(Gist { file: self.file, line: self.tally.lines, offset, slot });
        }
    }

    /// A line of so many bytes that belongs to the record before it, unless that is too long.
    fn unstamped_line(&mut self, bytes: u64) {
        self.tally.unparsed += 1;
        if let Record::Begins { inside, .. } = self.state.record {
            self.state.record = Record::Known { at: self.record_at(), inside };
            self.state.unstamped = (0, 0);
        }
        let (lines, total) = &mut self.state.unstamped;
        (*lines, *total) = (*lines + 1, *total + bytes);
        if (*lines > MAX_RECORD_LINES || *total > MAX_RECORD_BYTES) && matches!(self.state.record, Record::Known { .. })
        {
            self.state.record = Record::Known { at: None, inside: true };
        }
    }

    fn layout_of(&self, rest: &[u8], stamp: &Stamp) -> Option<(Layout, Option<bool>)> {
        let layout = Layout::of(rest, stamp)?;
        // A minute may have a leap second.
        let end = Moment(layout.minute.0 + 61 * SECOND);
        Some((layout, self.rules.window.contains_all(layout.minute, end)))
    }

    const fn inside(&self) -> bool {
        match self.state.record {
            Record::None => true,
            Record::Begins { inside, .. } | Record::Known { inside, .. } => inside,
        }
    }

    /// The stamp of the record that the current line belongs to.
    fn record_at(&mut self) -> Option<Moment> {
        match self.state.record {
            Record::None => None,
            Record::Known { at, .. } => at,
            Record::Begins { start, inside } => {
                // It fits the layout, which has not changed since.
                let at = self.state.layout.map(|(layout, _)| layout.moment(&self.text[start..]));
                self.state.record = Record::Known { at, inside };
                self.state.unstamped = (0, 0);
                at
            }
        }
    }

    /// Counts a line to its classes, of whose places those in `suspects` from the `first`th on were not looked at yet.
    /// Gives the first one behind the line. `is_error` is what a JSON line's level says, if it has one.
    #[inline(never)]
    fn classify(
        &mut self,
        start: usize,
        end: usize,
        is_error: Option<bool>,
        suspects: &[usize],
        first: usize,
    ) -> usize {
        let behind = first + suspects[first..].iter().take_while(|&&at| at < end).count();
        if !self.inside() {
            self.places.pass(self.text, end);
            return behind;
        }
        let at = self.record_at();
        let line = without_return(&self.text[start..end]);
        let position = Position { at, file: self.file, line: self.tally.lines, offset: self.offset + start as u64 };
        let Self { counts, rules, places, .. } = self;
        let (mut seen, mut untyped) = (ClassSet::default(), false);
        let mut hit = |class: Class, r#type: Option<&str>| {
            // A line counts once for a class, with the first type that it names, as `-match` has it.
            if seen.insert(class) {
                counts.hit(class, r#type, position, line, rules);
            }
        };
        for &suspect in &suspects[first..behind] {
            judge(line, suspect - start, |class, r#type| match (class, r#type) {
                (Class::Error, None) => untyped = true,
                (class, r#type) => hit(class, r#type.as_deref()),
            });
        }
        match is_error {
            Some(true) => hit(Class::Error, Some(&type_of(&error_type(line)))),
            // After all places that give it a type; and where a level says that it is no error, the word is just a word.
            None if untyped => hit(Class::Error, Some(UNTYPED)),
            _ => {}
        }
        places.judge(self.text, line, end, |class, r#type| hit(class, r#type.as_deref()));
        behind
    }
}
