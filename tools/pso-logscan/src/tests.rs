//! The whole tool: every kind of line through every size of chunk, and runs whose records were written out by hand.

mod windows;

use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use clap::Parser as _;
use flate2::{Compression, write::GzEncoder};
use pso_common::config::ConfigValue as _;
use pso_common::io::{Cancel, Clock};

use super::*;
use crate::input::chunks::{FileChunks, StreamChunks};
use crate::input::open;
use crate::scan::Rules;
use crate::scan::buckets::Buckets;
use crate::scan::marks::Machine;
use crate::scan::pipeline::Chunks;
use crate::scan::pipeline::{self, Job};
use crate::scan::tally::ClassTally;
use crate::scan::tally::{Counts, FileTally};
use crate::search::class::{Added, Class, Classes, PerClass};
use crate::search::pattern::Pattern;
use crate::stamps::reader::Reader;
use crate::stamps::window::Window;
use crate::stamps::zone::Zone;
use crate::stamps::{Moment, SECOND};
use crate::templates::{self, Known};

/// Traces, disorder, other formats, JSON, carriage returns, bytes that are no UTF-8, and no line feed at the end.
const LOG: &[u8] = b"no stamp yet ERROR Early\n\
2025-06-12T09:00:00.000Z INFO [sync-engine] authentication ok\r\n\
2025-06-12T09:00:01.500Z ERROR SyncTimeout [sync-engine] plan=plan-dev-v48.md\r\n\
Traceback: ERROR Nested in the trace\n\
\tValidationError: progress out of range\n\
\n\
2025-06-12T08:59:00.000Z ERROR Late came too late\n\
  its trace, conflict still unresolved\n\
2025/06/12 09:00:30 ERROR Go\xe9 Security\n\
{\"time\":\"2025-06-12T09:00:40Z\",\"level\":\"error\",\"msg\":\"upload \\\"failed\\\"\"}\n\
{\"level\":\"info\",\"ts\":1749718845,\"msg\":\"authorization\"}\n\
2025-06-12 11:01:00,250 +0200 WARN conflict plan-dev unresolved\n\
2025-06-12T09:02:00Z ERROR Last";

fn rules(window: Window, keep: usize) -> Rules {
    let mut keeps = PerClass::default();
    for class in Class::BUILT_IN {
        *keeps.get_mut(class) = keep;
    }
    let pattern = Pattern::new(r"(?i)(?<type>\w+) (unresolved|[a-z]+)$").expect("a pattern");
    let added = Added { name: "added".to_owned(), pattern, severity: Severity::Info, threshold: 0 };
    let (classes, by) = (Classes { added: vec![added] }, Buckets::parse("minute"));
    Rules { machine: Machine::detect(), window, keep: keeps, classes, by, templates: true, assign: true }
}

fn count(
    chunks: Chunks<'_>,
    rules: &Rules,
    threads: usize,
    cancel: &Cancel,
    counts: &mut Counts,
) -> Result<pipeline::Outcome, pso_common::io::Cancelled> {
    let (reader, before) = (Reader::new(Zone::UTC, Moment(1_749_718_800 * SECOND)), FileTally::default());
    pipeline::count(Job { chunks, file: 0, rules, reader: &reader, before, threads }, cancel, counts)
}

fn minutes(from: i64, to: i64) -> Window {
    // 2025-06-12T09:00:00Z
    let minute = |minute: i64| Some(Moment((1_749_718_800 + minute * 60) * SECOND));
    Window { since: minute(from), until: minute(to) }
}

/// Lines, unparsed lines, lines outside, and the events as `class.type@line`, with their seconds after nine.
fn summary(outcome: &pipeline::Outcome, counts: &Counts) -> (u64, u64, u64, Vec<String>) {
    let mut events = Vec::new();
    for class in Class::BUILT_IN {
        for event in counts.classes.get(class).into_iter().flat_map(|tally| &tally.latest.events) {
            let at = event.position.at.map_or("-".to_owned(), |at| (at.0 / SECOND - 1_749_718_800).to_string());
            let kind = event.r#type.as_deref().unwrap_or("-");
            events.push(format!("{}.{kind}@{} {at}", class.built_in_name(), event.position.line));
        }
    }
    (outcome.tally.lines, outcome.tally.unparsed, outcome.tally.outside, events)
}

fn temporary(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("written");
    file
}

#[test]
fn results_do_not_depend_on_chunks_or_threads() {
    let all = ["error.Late@7 -60", "error.SyncTimeout@3 1", "error.Nested@4 1", "error.Go@9 30", "error.upload@10 40"];
    let security = ["security.authentication@2 0", "security.security@9 30", "security.authorization@11 45"];
    let expected = [
        (
            Window::default(),
            (
                13,
                5,
                0,
                [
                    &["error.Early@1 -"][..],
                    &all,
                    &["error.Last@13 120", "conflict.unresolved@8 -60", "conflict.unresolved@12 60"],
                    &["validation.progress@5 1"],
                    &security,
                ],
            ),
        ),
        // The record of 08:59 is outside with its trace, and the one of 09:02.
        (
            minutes(0, 2),
            (
                13,
                5,
                3,
                [
                    &["error.Early@1 -"][..],
                    &all[1..],
                    &["conflict.unresolved@12 60"],
                    &["validation.progress@5 1"],
                    &security,
                ],
            ),
        ),
        (
            minutes(-1, 0),
            (
                13,
                5,
                10,
                [&["error.Early@1 -", "error.Late@7 -60", "conflict.unresolved@8 -60"][..], &[], &[], &[], &[]],
            ),
        ),
    ];
    for (window, (lines, unparsed, outside, events)) in expected {
        let rules = rules(window, 20);
        let events: Vec<String> = events.concat().into_iter().map(str::to_owned).collect();
        let mut first: Option<PerClass<ClassTally>> = None;
        let mut patterns = None;
        for chunk in 1..LOG.len() + 2 {
            // Segments of one line and of all, and each stretch between.
            let sizes = Sizes { chunk, max_line: 1 << 20, segment: (chunk as u64 * 7) % 600 + 1 };
            let file = FileChunks::new(temporary(LOG), 0..LOG.len() as u64, sizes);
            let stream = || StreamChunks::new(Box::new(Cursor::new(LOG)), 0, sizes);
            let (alone, ahead) = (stream(), stream());
            for (chunks, threads) in
                [(Chunks::File(&file), 3), (Chunks::Stream(&alone), 1), (Chunks::Stream(&ahead), 2)]
            {
                let mut counts = Counts::default();
                let outcome = count(chunks, &rules, threads, &Cancel::default(), &mut counts);
                let outcome = outcome.expect("not cancelled");
                assert!(outcome.error.is_none() && outcome.cut_lines == 0 && !outcome.has_nul);
                assert_eq!(
                    summary(&outcome, &counts),
                    (lines, unparsed, outside, events.clone()),
                    "chunks of {chunk}, {threads} threads"
                );
                let mined = templates::mine(&counts.gathered.sketch, &Known::default());
                let lines = counts.gathered.lines.iter();
                let lines: Vec<_> = lines.map(|gist| (gist.line, gist.offset, mined.template_of(gist.slot))).collect();
                assert_eq!(patterns.get_or_insert_with(|| (mined.clone(), lines.clone())), &(mined, lines));
                // Sums, types and examples too.
                assert_eq!(first.get_or_insert_with(|| counts.classes.clone()), &counts.classes, "chunks of {chunk}");
            }
        }
        if let (true, Some(mut first)) = (window.is_open(), first) {
            // Lines 1, 2, 4, 5, 7, 8, 12 and 13 end in two words; the first has no stamp, and so no bucket.
            let added = first.take(Class::Added(0));
            assert_eq!((added.sum.count, added.types["ERROR"].0.count, added.histogram.missing), (8, 2, 1));
        }
    }
}

#[test]
fn an_error_keeps_what_was_read_and_a_signal_ends_the_run() {
    let packed = gz(&LOG.repeat(2000));
    let sizes = Sizes { chunk: 4096, ..Sizes::default() };
    let input = open::stream(Box::new(Cursor::new(packed[..packed.len() / 2].to_vec())), sizes).expect("a beginning");
    let (rules, mut counts) = (rules(Window::default(), 20), Counts::default());
    let outcome = count(input.chunks(), &rules, 3, &Cancel::default(), &mut counts).expect("not cancelled");
    assert!(outcome.error.is_some());
    let errors = counts.classes.get_mut(Class::Error).sum.count;
    assert!(outcome.tally.lines > 1000 && errors > 500, "{} lines, {errors} errors", outcome.tally.lines);

    let cancel = Cancel::default();
    cancel.cancel(15);
    let input = open::stream(Box::new(Cursor::new(LOG)), sizes).expect("readable");
    let cancelled = count(input.chunks(), &rules, 3, &cancel, &mut counts).expect_err("cancelled");
    assert_eq!(cancelled.signal, 15);
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

/// Where a test's run writes to.
#[derive(Clone, Default)]
pub(crate) struct Sink(pub(crate) Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs the tool at nine o'clock; gives its exit code and its records without what differs from run to run.
fn run_tool(root: &Path, flags: &[&str], input: &[u8]) -> (u8, Vec<String>) {
    let stdout = Sink::default();
    let mut io = Io::for_test(input, stdout.clone(), Sink::default());
    io.clock = Clock::Fixed("2025-06-12T09:00:00Z".parse().expect("a time"));
    io.env.set("PSO_ROOT", root);
    let cli = Cli::parse_from(std::iter::once(&"pso-logscan").chain(flags));
    let code = pso_common::run::exit_code(&run(cli, &mut io));
    let text = String::from_utf8(stdout.0.lock().expect("not poisoned").clone()).expect("UTF-8");
    let records = text
        .lines()
        .filter(|line| !line.contains(r#""kind":"run."#))
        .map(|line| {
            let (kind, rest) = line.split_once(r#","at":"#).expect("a record");
            let rest = rest.split_once(r#""severity":"#).expect("a record").1;
            let kind = kind.replace(r#"{"schema":1,"kind":"#, "");
            format!("{kind} {rest}").replace(&format!("{}/", root.display()), "")
        })
        .collect();
    (code, records)
}

#[test]
fn a_run_writes_these_records() {
    let root = tempfile::tempdir().expect("a folder");
    let logs = root.path().join("logs");
    std::fs::create_dir(&logs).expect("a folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(logs.join(name), bytes).expect("written");
    write("sync.log", b"2025-06-12T08:30:00Z ERROR SyncTimeout [sync] caf\xe9\n2025-06-12T08:31:00Z INFO ok\n");
    write("sync.log.1.gz", &gz(b"2025-06-12 07:00:00 ERROR SyncTimeout [sync]\n  at sync::plan\n"));
    write("backup.log", b"");
    let (code, records) = run_tool(root.path(), &["--last", "1", "--max-errors", "1"], b"");
    let expected = [
        r#""log.coverage" "info","name":"logs/backup.log","message":"it is empty","path":"logs/backup.log","size_bytes":0,"read_bytes":0,"lines":0,"unparsed_lines":0,"outside_lines":0}"#,
        r#""log.coverage" "ok","name":"logs/sync.log.1.gz","message":"","path":"logs/sync.log.1.gz","size_bytes":GZ,"read_bytes":GZ,"lines":2,"unparsed_lines":1,"outside_lines":0,"format":"iso","zone":"UTC"}"#,
        r#""log.coverage" "ok","name":"logs/sync.log","message":"","path":"logs/sync.log","size_bytes":80,"read_bytes":80,"lines":2,"unparsed_lines":0,"outside_lines":0,"format":"rfc3339"}"#,
        r#""log.event" "info","name":"error.SyncTimeout","message":"2025-06-12T08:30:00Z ERROR SyncTimeout [sync] caf�","class":"error","type":"SyncTimeout","path":"logs/sync.log","line":1,"offset":0,"occurred_at":"2025-06-12T08:30:00.000Z","raw":{"bytes":"MjAyNS0wNi0xMlQwODozMDowMFogRVJST1IgU3luY1RpbWVvdXQgW3N5bmNdIGNhZuk="}}"#,
        r#""log.count" "high","name":"error","message":"2 errors, more than 1, in 4 lines","class":"error","count":2,"first_at":"2025-06-12T07:00:00.000Z","last_at":"2025-06-12T08:30:00.000Z"}"#,
        r#""log.count" "info","name":"error.SyncTimeout","message":"","class":"error","type":"SyncTimeout","count":2,"first_at":"2025-06-12T07:00:00.000Z","last_at":"2025-06-12T08:30:00.000Z","example":"2025-06-12 07:00:00 ERROR SyncTimeout [sync]"}"#,
        r#""log.count" "ok","name":"conflict","message":"0 unresolved conflicts in 4 lines","class":"conflict","count":0}"#,
        r#""log.count" "ok","name":"validation","message":"0 validation errors in 4 lines","class":"validation","count":0}"#,
        r#""log.count" "ok","name":"security","message":"0 security events in 4 lines","class":"security","count":0}"#,
    ];
    let size = std::fs::metadata(logs.join("sync.log.1.gz")).expect("written").len().to_string();
    assert_eq!(records, expected.map(|record| record.replace("GZ", &size)));
    assert_eq!(code, 2);

    let (code, records) = run_tool(root.path(), &["--since", "1h", "--events", "none"], b"");
    assert_eq!(code, 0);
    assert!(records.iter().any(|record| record.contains("1 error in 2 lines within the window, of 4")), "{records:#?}");
}

#[test]
fn what_was_not_read_is_never_silent() {
    let root = tempfile::tempdir().expect("a folder");
    let path = |name: &str| root.path().join(name).display().to_string();
    let write = |name: &str, bytes: &[u8]| std::fs::write(path(name), bytes).expect("written");
    std::fs::create_dir(path("empty")).expect("a folder");
    write("good.log", b"2025-06-12T08:30:00Z ERROR SyncTimeout\n");
    write("noise.log", b"\x7fELF\x00\x00\x00 no stamps\n");
    write("packed.log.zst", b"\x28\xb5\x2f\xfd....");
    let packed = gz(&LOG.repeat(100));
    write("cut.log.gz", &packed[..packed.len() - 9]);
    write("plain.log", b"no stamp at all\n");
    for (name, severity, reason) in [
        ("gone.log", "unknown", "it cannot be opened: No such file or directory"),
        ("empty", "unknown", "there are no logs in this folder"),
        ("noise.log", "unknown", "it is no text: it has NUL bytes and no time stamps"),
        ("packed.log.zst", "unknown", "it could be read only up to line 0: "),
        ("cut.log.gz", "unknown", "it could be read only up to line 1"),
        ("plain.log", "info", "no line has a time stamp: all of them were counted"),
    ] {
        let (code, records) = run_tool(root.path(), &["--since", "7d", &path(name), &path("good.log")], b"");
        assert_eq!(code, if severity == "unknown" { 3 } else { 0 }, "{name}");
        let coverage = format!(r#""log.coverage" "{severity}","name":"{name}","message":"{reason}"#);
        assert!(records[0].starts_with(&coverage), "{}", records[0]);
        assert!(records.iter().any(|record| record.contains("error.SyncTimeout")), "{name}: the rest is scanned");
    }
    let (code, records) = run_tool(root.path(), &[&path("gone.log")], b"");
    assert_eq!(code, 3);
    let sum = r#""log.count" "unknown","name":"error","message":"nothing was read, so nothing is known of errors""#;
    assert!(records[1].starts_with(sum), "{}", records[1]);
    // Without a path the logs folder is read, and it is missing here.
    assert_eq!(run_tool(root.path(), &[], b"").0, 3);
}

#[test]
fn coverage_says_where_reading_began_and_whose_content_it_is() {
    let root = tempfile::tempdir().expect("a folder");
    let path = |name: &str| root.path().join(name).display().to_string();
    let text = "2025-06-12T08:30:00Z ERROR SyncTimeout\n".repeat(200);
    for name in ["a.log", "b.log"] {
        std::fs::write(path(name), &text).expect("written");
    }
    let flags = ["--bookmark", &path("mark"), "--events", "none", &path("a.log"), &path("b.log")];
    let (_, records) = run_tool(root.path(), &flags, b"");
    assert!(!records[0].contains("from_offset"), "{}", records[0]);
    assert!(records[1].contains(r#""name":"b.log","message":"its content is that of "#), "{}", records[1]);
    assert!(records[1].contains(r#"a.log, and is counted there""#), "{}", records[1]);
    assert!(records[1].contains(r#""duplicate_of":"a.log""#), "{}", records[1]);
    std::fs::write(path("a.log"), text.clone() + &text).expect("written");
    let (_, records) = run_tool(root.path(), &flags, b"");
    assert!(records[0].contains(r#""size_bytes":15600,"read_bytes":7800,"from_offset":7800,"#), "{}", records[0]);
}

#[test]
fn standard_input_is_lines() {
    let root = tempfile::tempdir().expect("a folder");
    let text: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("ERROR Échec ici\r\n".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let (code, records) = run_tool(root.path(), &["-", "--events", "error"], &text);
    assert_eq!(code, 0);
    assert_eq!(
        records[..2],
        [
            r#""log.coverage" "ok","name":"-","message":"","path":"-","read_bytes":36,"lines":1,"unparsed_lines":1,"outside_lines":0}"#,
            r#""log.event" "info","name":"error.Échec","message":"ERROR Échec ici","class":"error","type":"Échec","path":"-","line":1,"offset":0}"#,
        ]
    );
}

#[test]
fn an_error_without_a_word_is_counted_once_and_as_untyped() {
    let root = tempfile::tempdir().expect("a folder");
    let text = br#"2025-06-12T08:00:00Z ERROR: disk full
2025-06-12T08:00:01Z ERROR [sync] plan lost, ERROR; again: ERROR
2025-06-12T08:00:02Z ERROR [sync] ERROR SyncTimeout
2025-06-12T08:00:03Z INFO ERRORS: 0, NO_ERROR, ERROR_RATE=0, no error
{"time":"2025-06-12T08:00:04Z","level":"ERROR","msg":"DatabaseError [sync]"}
{"time":"2025-06-12T08:00:05Z","level":"info","msg":"ERROR: is a word here"}
{"time":"2025-06-12T08:00:06Z","msg":"ERROR: no level"}
{"time":"2025-06-12T08:00:07Z","level":"error"}
2025-06-12T08:00:08Z validationERROR: x
"#;
    let (code, records) = run_tool(root.path(), &["-", "--events", "error"], text);
    assert_eq!(code, 0);
    let of = |kind: &str| -> Vec<String> {
        let records = records.iter().filter(|record| record.starts_with(kind));
        let field = |record: &str, name: &str| {
            let rest = record.split_once(&format!(r#""{name}":"#)).expect("the field").1;
            rest[..rest.find([',', '}']).expect("an end")].trim_matches('"').to_owned()
        };
        let shown = |record: &String| {
            let number = field(record, if kind == r#""log.event""# { "line" } else { "count" });
            format!("{} {number}", field(record, "name"))
        };
        records.map(shown).collect()
    };
    assert_eq!(
        of(r#""log.event""#),
        [
            "error.(untyped) 1",
            "error.(untyped) 2",
            "error.SyncTimeout 3",
            "error.DatabaseError 5",
            "error.(untyped) 7",
            "error.(untyped) 8",
        ]
    );
    assert_eq!(
        of(r#""log.count""#),
        [
            "error 6",
            "error.(untyped) 4",
            "error.DatabaseError 1",
            "error.SyncTimeout 1",
            "conflict 0",
            "validation 1",
            "validation.x 1",
            "security 0",
        ]
    );
}
