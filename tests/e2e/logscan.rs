//! `pso-logscan` on the logs of a deployment, whose counts are known from their making, and on what else logs can be.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use pso_tests::deployment::{self, LogCounts, LogTruth, Spec};
use pso_tests::tool::{Outcome, Tool};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;

const DAY: Duration = Duration::from_secs(86_400);

fn deploy() -> (TempDir, LogTruth) {
    let folder = tempfile::tempdir().expect("a folder");
    let truth = deployment::write_files(folder.path(), &Spec::small(OffsetDateTime::now_utc())).expect("written");
    (folder, truth.logs)
}

fn scan(folder: &Path, args: &[&str]) -> Tool {
    Tool::new("pso-logscan").expect("built").folder(folder).args(args)
}

fn number(record: &Value, field: &str) -> u64 {
    record[field].as_u64().unwrap_or_else(|| panic!("{field} is no number: {record:#}"))
}

/// What it counted of one class, by type.
fn types(outcome: &Outcome, class: &str) -> BTreeMap<String, u64> {
    let records = outcome.records_of_kind("log.count");
    let typed = records.iter().filter(|record| record["class"] == class && record.get("type").is_some());
    typed.map(|record| (record["type"].as_str().expect("a text").to_owned(), number(record, "count"))).collect()
}

/// What it counted, in the words of the truth.
fn counted(outcome: &Outcome) -> LogCounts {
    let sum = |class| number(&outcome.record("log.count", class), "count");
    let errors = types(outcome, "error");
    assert_eq!(sum("error"), errors.values().sum::<u64>(), "the sum over the types\n{outcome}");
    for class in ["conflict", "security"] {
        assert_eq!(sum(class), types(outcome, class).values().sum::<u64>(), "{class}\n{outcome}");
    }
    LogCounts {
        errors,
        unresolved_conflicts: sum("conflict"),
        validation_errors: sum("validation"),
        security_events: sum("security"),
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

fn text_of(path: &Path) -> String {
    let (mut file, mut text) = (File::open(path).expect("opened"), String::new());
    let read = if path.extension().is_some_and(|extension| extension == "gz") {
        GzDecoder::new(file).read_to_string(&mut text)
    } else {
        file.read_to_string(&mut text)
    };
    read.expect("read");
    text
}

#[test]
fn a_folder_without_a_window_gives_every_count_and_covers_every_file() {
    let (folder, truth) = deploy();
    let outcome = scan(folder.path(), &["logs"]).run().expect("ends");
    // More than 50 errors.
    outcome.assert_code(2).assert_quiet();
    assert_eq!(counted(&outcome), truth.counts(None));
    assert_eq!(outcome.record("log.count", "error")["severity"], "high");
    let coverage = outcome.records_of_kind("log.coverage");
    assert_eq!(coverage.len(), truth.files.len(), "{outcome}");
    for (name, file) in &truth.files {
        let record = outcome.record("log.coverage", &format!("logs/{name}"));
        let read = ["lines", "unparsed_lines", "size_bytes", "read_bytes", "outside_lines"];
        let expected = [file.lines, file.unstamped_lines, file.size_bytes, file.size_bytes, 0];
        assert_eq!(read.map(|field| number(&record, field)), expected, "{record:#}");
    }
    // Without a path the same folder is meant.
    let same = scan(folder.path(), &[]).run().expect("ends");
    assert_eq!(counted(&same), truth.counts(None));
}

#[test]
fn a_window_gives_the_counts_of_its_hours() {
    let (folder, truth) = deploy();
    let outcome = scan(folder.path(), &["--since", "24h", "logs"]).run().expect("ends");
    outcome.assert_code(2).assert_quiet();
    assert_eq!(counted(&outcome), truth.counts(Some(DAY)));
    assert_ne!(truth.counts(Some(DAY)), truth.counts(None));
    let yesterday = scan(folder.path(), &["--since", "48h", "--until", "24h", "logs"]).run().expect("ends");
    assert_eq!(counted(&yesterday), truth.day(1));
    let outside: u64 =
        outcome.records_of_kind("log.coverage").iter().map(|record| number(record, "outside_lines")).sum();
    let stamped = truth.files.values().flat_map(|file| &file.stamps).filter(|at| **at < truth.now - DAY).count() as u64;
    assert!(outside >= stamped && stamped > 0, "{outside} lines outside, {stamped} of them stamped");
}

#[test]
fn plain_string_matching_counts_the_same() {
    let (folder, _) = deploy();
    let mut expected = LogCounts::default();
    let files = fs::read_dir(folder.path().join("logs")).expect("listed");
    for file in files {
        for line in text_of(&file.expect("an entry").path()).lines() {
            let error = match line.strip_prefix('{') {
                Some(json) if json.contains(r#""level":"error""#) => json.split_once(r#""msg":""#),
                Some(_) => None,
                None => line.split_once(" ERROR "),
            };
            if let Some((_, said)) = error {
                let word = said.split([' ', '"']).next().expect("a word");
                *expected.errors.entry(word.to_owned()).or_default() += 1;
            }
            let line = line.to_lowercase();
            let conflict = line.split_once("conflict").is_some_and(|(_, rest)| rest.contains("unresolved"));
            let security = ["authentication", "authorization", "security"].iter().any(|word| line.contains(word));
            expected.unresolved_conflicts += u64::from(conflict);
            expected.validation_errors += u64::from(line.contains("validationerror"));
            expected.security_events += u64::from(security);
        }
    }
    assert!(expected.errors_total() > 150 && expected.unresolved_conflicts > 20, "{expected:?}");
    assert_eq!(counted(&scan(folder.path(), &["logs"]).run().expect("ends")), expected);
}

#[test]
fn the_last_events_are_those_of_the_truth() {
    let (folder, truth) = deploy();
    let outcome = scan(folder.path(), &["--last", "5", "logs"]).run().expect("ends");
    let events = outcome.records_of_kind("log.event");
    let mut errors: Vec<_> = truth.events.iter().filter(|event| event.error_type.is_some()).collect();
    errors.sort_by(|one, other| (one.at, &one.file, one.line).cmp(&(other.at, &other.file, other.line)));
    let shown: Vec<(String, u64, Option<String>)> = events
        .iter()
        .filter(|event| event["class"] == "error")
        .map(|event| {
            let text = |field: &str| event[field].as_str().map(str::to_owned);
            (text("path").expect("a path"), number(event, "line"), text("type"))
        })
        .collect();
    let last = errors[errors.len() - 5..].iter();
    let expected: Vec<_> =
        last.map(|event| (format!("logs/{}", event.file), event.line, event.error_type.clone())).collect();
    assert_eq!(shown, expected, "{outcome}");
    let none = scan(folder.path(), &["--events", "none", "logs"]).run().expect("ends");
    assert!(none.records_of_kind("log.event").is_empty(), "{none}");
    assert_eq!(counted(&none), truth.counts(None));
}

#[test]
fn the_same_lines_count_the_same_however_they_are_written() {
    let (folder, truth) = deploy();
    let name = "validation.log";
    let expected = truth.counts_of(|event| event.file == name);
    let text = text_of(&folder.path().join("logs").join(name));
    let crlf = text.replace('\n', "\r\n");
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xfeff).chain(crlf.encode_utf16()).flat_map(bytes).collect()
    };
    let forms: [(&str, Vec<u8>); 7] = [
        ("plain", text.clone().into_bytes()),
        ("crlf", crlf.clone().into_bytes()),
        ("bom", format!("\u{feff}{crlf}").into_bytes()),
        ("utf16le", utf16(u16::to_le_bytes)),
        ("utf16be", utf16(u16::to_be_bytes)),
        ("gzip", gzipped(text.as_bytes())),
        ("gzip-utf16", gzipped(&utf16(u16::to_le_bytes))),
    ];
    let first = text.lines().next().expect("a line");
    for (form, bytes) in forms {
        let path = folder.path().join(format!("{form}.log"));
        fs::write(&path, &bytes).expect("written");
        let file = path.to_str().expect("UTF-8").to_owned();
        for tool in [scan(folder.path(), &["--last", "1000", &file]), scan(folder.path(), &["--last", "1000", "-"])] {
            let outcome = tool.stdin(bytes.clone()).run().expect("ends");
            outcome.assert_code(if expected.errors_total() > 50 { 2 } else { 0 }).assert_quiet();
            assert_eq!(counted(&outcome), expected, "{form}");
            let coverage = &outcome.records_of_kind("log.coverage")[0];
            assert_eq!(number(coverage, "lines"), text.lines().count() as u64, "{form}");
            assert_eq!(number(coverage, "read_bytes"), bytes.len() as u64, "{form}");
            let events = outcome.records_of_kind("log.event");
            for event in &events {
                let message = event["message"].as_str().expect("a text");
                assert!(text.lines().any(|line| line == message), "{form}: {message:?} is no line; {first:?} is");
                assert_eq!(event.get("raw"), None, "{form}");
            }
            assert!(events.iter().any(|event| event["message"].as_str().is_some_and(|text| text.contains('«'))));
        }
    }
}

#[test]
fn bytes_that_are_not_utf8_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let outcome = scan(folder.path(), &["-"]).stdin(b"2025-06-12T09:00:00Z ERROR Perdu caf\xe9\n").run().expect("ends");
    outcome.assert_code(0).assert_quiet();
    let event = outcome.record("log.event", "error.Perdu");
    assert_eq!(event["message"], "2025-06-12T09:00:00Z ERROR Perdu caf\u{fffd}");
    // `printf '2025-06-12T09:00:00Z ERROR Perdu caf\xe9' | base64`
    let raw = json!({"bytes": "MjAyNS0wNi0xMlQwOTowMDowMFogRVJST1IgUGVyZHUgY2Fm6Q=="});
    assert_eq!(event["raw"], raw);
    assert_eq!(outcome.record("log.count", "error.Perdu")["example_raw"], raw);
}

#[test]
fn an_error_without_a_word_counts_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = "2025-06-12 09:00:00.123 UTC [7] ERROR:  deadlock detected\n\
               2025-06-12T09:00:00Z ERROR [sync] disk full\n\
               2025-06-12T09:00:01Z INFO ERRORS=0 NO_ERROR\n\
               2025-06-12T09:00:02Z ERROR SyncTimeout\n";
    let outcome = scan(folder.path(), &["-", "--max-errors", "2"]).stdin(log).run().expect("ends");
    outcome.assert_code(2);
    assert_eq!(types(&outcome, "error"), BTreeMap::from([("(untyped)".to_owned(), 2), ("SyncTimeout".to_owned(), 1)]));
    assert_eq!(outcome.record("log.count", "error")["message"], "3 errors, more than 2, in 4 lines");
}

/// Writes a file and gives its path.
fn written(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path: PathBuf = folder.join(name);
    fs::write(&path, bytes).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn the_exit_code_says_what_was_found_and_what_was_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let errors = "2025-06-12T09:00:00Z ERROR SyncTimeout\n";
    let clean = written(folder.path(), "clean.log", b"2025-06-12T09:00:00Z INFO synchronised\n");
    let fifty = written(folder.path(), "fifty.log", errors.repeat(50).as_bytes());
    let more = written(folder.path(), "more.log", errors.repeat(51).as_bytes());
    let conflict = written(folder.path(), "conflict.log", b"2025-06-12T09:00:00Z WARN conflict of v48 unresolved\n");
    let packed = gzipped(errors.repeat(2000).as_bytes());
    let cut = written(folder.path(), "cut.log.gz", &packed[..packed.len() - 4]);
    fs::create_dir(folder.path().join("empty")).expect("created");
    let cases: [(&[&str], i32, &str); 10] = [
        (&[&clean], 0, "ok"),
        (&[&fifty], 0, "info"),
        (&[&conflict], 1, "ok"),
        (&[&more], 2, "high"),
        (&[&more, "--max-errors", "51"], 0, "info"),
        (&[&clean, "--max-errors", "0"], 0, "ok"),
        (&[&fifty, "--max-errors", "0", "--events", "none"], 2, "high"),
        (&["no/such.log", &clean], 3, "ok"),
        (&[&cut, "--max-errors", "9999"], 3, "info"),
        (&["empty"], 3, "unknown"),
    ];
    for (args, code, severity) in cases {
        let outcome = scan(folder.path(), args).run().expect("ends");
        outcome.assert_code(code).assert_quiet();
        assert_eq!(outcome.record("log.count", "error")["severity"], severity, "{outcome}");
        let unread = outcome.records_of_kind("log.coverage").iter().any(|record| record["severity"] == "unknown");
        assert_eq!(unread, code == 3, "{outcome}");
    }
    // The file limits too, and the flag goes before it.
    let config = written(folder.path(), "config.yaml", b"maintenance: {logscan: {max_errors: 100}}\n");
    scan(folder.path(), &[&more, "--config", &config]).run().expect("ends").assert_code(0);
    scan(folder.path(), &[&more, "--config", &config, "--max-errors", "50"]).run().expect("ends").assert_code(2);
    // And what was read of the cut file was counted.
    let outcome = scan(folder.path(), &[&cut]).run().expect("ends");
    assert!(number(&outcome.record("log.count", "error"), "count") > 50, "{outcome}");
}
