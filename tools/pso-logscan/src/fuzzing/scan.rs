//! The scanner: over any chunks and segments, on any number of threads, the same as [`naive`] one line after the other.

use std::cell::RefCell;
use std::io::Cursor;
use std::sync::LazyLock;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::io::Cancel;

use crate::fuzzing::choices::Choices;
use crate::fuzzing::lines::{Trickle, file, machines};
use crate::fuzzing::naive::{self, Naive};
use crate::input::chunks::{FileChunks, Sizes, StreamChunks};
use crate::scan::buckets::Buckets;
use crate::scan::marks::Machine;
use crate::scan::pipeline::{self, Chunks, Job, Outcome};
use crate::scan::tally::{ClassTally, Counts, FileTally, Span};
use crate::scan::{Rules, Scanner};
use crate::search::class::{Added, Classes, PerClass};
use crate::search::pattern::Pattern;
use crate::stamps::reader::Reader;
use crate::stamps::window::Window;
use crate::stamps::zone::Zone;
use crate::stamps::{Moment, SECOND};
use crate::templates::{self, Known, Mined};

/// A word that has several forms, the ends of lines, and the end of one that may be a carriage return's place.
fn classes() -> Classes {
    let patterns = [r"(?i)(?<type>\w+)lock", "^$|^\\s", "[a-z]$"];
    let added = |(number, text)| Added {
        name: format!("added-{number}"),
        pattern: Pattern::new(text).expect("a pattern"),
        severity: Severity::Info,
        threshold: 0,
    };
    Classes { added: patterns.into_iter().enumerate().map(added).collect() }
}

thread_local! {
    /// What is looked for: kept, because a pattern that was not used yet takes long.
    static RULES: RefCell<Rules> = RefCell::new(Rules {
        window: Window::default(),
        keep: PerClass::default(),
        classes: classes(),
        by: Buckets::parse("minute"),
        templates: false,
        assign: false,
        machine: Machine::Portable,
    });
}

/// 2025-06-12T09:00:00Z, which is 11 in Paris.
const NINE: i64 = 1_749_718_800;

static READERS: LazyLock<[Reader; 2]> =
    LazyLock::new(|| ["UTC", "Europe/Paris"].map(|zone| Reader::new(Zone::parse(zone).expect("a zone"), at(0))));

const fn at(minute: i64) -> Moment {
    Moment((NINE + 60 * minute) * SECOND)
}

/// `scan`: counts the lines of a text as a whole, as a stream and as a file.
///
/// # Panics
/// When the counts, the events, the templates or what the coverage says differ between them, or from what regular
/// expressions find line by line.
pub fn scan(data: &[u8]) {
    RULES.with_borrow_mut(|rules| with(rules, data));
}

fn with(rules: &mut Rules, data: &[u8]) {
    let mut choices = Choices::of(data);
    let (chunk, segment) = (choices.size(), choices.size());
    rules.window = match choices.below(4) {
        0 => Window { since: Some(at(choices.below(6) as i64 - 2)), until: None },
        1 => Window { since: Some(at(-1)), until: Some(at(choices.below(6) as i64)) },
        _ => Window::default(),
    };
    let (reader, few) = (&READERS[choices.below(2)], choices.size());
    let (machines, number) = (machines(), choices.below(3));
    rules.machine = machines[number % machines.len()];
    let threads = 1 + choices.below(12) / 10;
    rules.templates = choices.below(8) == 0;
    rules.assign = rules.templates;
    let keep = choices.below(4);
    rules.classes.all().for_each(|class| *rules.keep.get_mut(class) = keep);
    let (rules, text) = (&*rules, choices.rest());
    // Parts without end only take time.
    let (chunk, segment) = (chunk.max(text.len() / 32), segment.max(text.len() / 16));
    let sizes = Sizes { chunk, max_line: 1 << 20, segment: segment as u64 };

    let mut scanner = Scanner::new(rules, reader, 0, None);
    if !text.is_empty() {
        scanner.feed(text, 0);
    }
    let (tally, mut counts) = scanner.finish();
    same_as(naive::scan(text, rules, reader), &tally, &counts, rules);

    let stream = StreamChunks::new(Box::new(Trickle(Cursor::new(text.to_vec()), few)), 0, sizes);
    let file = FileChunks::new(file(text), 0..text.len() as u64, sizes);
    let whole = Seen::new(tally, &mut counts, rules);
    for (chunks, name) in [(Chunks::Stream(&stream), "stream"), (Chunks::File(&file), "file")] {
        let (outcome, mut counts) = count(chunks, rules, reader, threads);
        assert_eq!((outcome.error.is_none(), outcome.cut_lines, outcome.end), (true, 0, text.len() as u64), "{name}");
        assert!(Seen::new(outcome.tally, &mut counts, rules) == whole, "{name}");
    }
    // Lines that are longer than may be are counted, and whatever follows them.
    let sizes = Sizes { max_line: sizes.chunk, ..sizes };
    let chunks = FileChunks::new(self::file(text), 0..text.len() as u64, sizes);
    let (outcome, _) = count(Chunks::File(&chunks), rules, reader, threads);
    assert_eq!(outcome.tally.lines, whole.tally.lines, "cut lines");
}

fn count(chunks: Chunks<'_>, rules: &Rules, reader: &Reader, threads: usize) -> (Outcome, Counts) {
    let mut counts = Counts::default();
    let job = Job { chunks, file: 0, rules, reader, before: FileTally::default(), threads };
    let outcome = pipeline::count(job, &Cancel::default(), &mut counts).expect("not cancelled");
    (outcome, counts)
}

/// What was seen, in a form that does not depend on how it was read.
#[derive(PartialEq)]
struct Seen {
    tally: FileTally,
    classes: PerClass<ClassTally>,
    templates: Mined,
    /// Line, offset and template of each record.
    records: Vec<(u64, u64, Option<usize>)>,
}

impl Seen {
    fn new(tally: FileTally, counts: &mut Counts, rules: &Rules) -> Self {
        let templates = if rules.templates {
            templates::mine(&counts.gathered.sketch, &Known::default())
        } else {
            Mined::default()
        };
        let records = counts.gathered.lines.iter();
        let records = records.map(|gist| (gist.line, gist.offset, templates.template_of(gist.slot))).collect();
        let classes = std::mem::take(&mut counts.classes);
        Self { tally: comparable(tally), classes, templates, records }
    }
}

/// A tally without what depends on where segments begin: stamps are looked at once a minute, and where one begins; how far behind its
/// end a record was left does not matter, nor whether what nothing dates is a record.
fn comparable(tally: FileTally) -> FileTally {
    FileTally { record: tally.record.filter(|record| record.at.is_some()), stamps: Span::default(), ..tally }
}

fn same_as(naive: Naive, tally: &FileTally, counts: &Counts, rules: &Rules) {
    assert_eq!(comparable(naive.tally), comparable(tally.clone()));
    for (number, class) in rules.classes.all().enumerate() {
        let found = counts.classes.get(class).cloned().unwrap_or_default();
        let expected = naive.classes.get(&number).cloned().unwrap_or_default();
        assert_eq!(found.sum, expected.sum, "{class:?}");
        let types = found.types.iter().map(|(name, (count, _))| (name.clone(), *count)).collect();
        assert_eq!(expected.types, types, "{class:?}");
        let last = &expected.events[expected.events.len().saturating_sub(rules.keep.value(class))..];
        let events = found.latest.events.iter().map(|event| (event.position, event.r#type.clone()));
        assert!(events.eq(last.iter().cloned()), "the last ones of {class:?}");
    }
}
