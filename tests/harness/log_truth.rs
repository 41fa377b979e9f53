//! What the generator says of its logs, against what a reader of the files finds with the specification's own patterns.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use pso_tests::deployment::{self, Form, LogCounts, LogTruth, Spec};
use regex::Regex;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

fn spec() -> Spec {
    Spec::small(time::macros::datetime!(2025-06-12 09:00:00.5 UTC))
}

fn read(folder: &Path, name: &str) -> String {
    let bytes = std::fs::read(folder.join("logs").join(name)).unwrap();
    if name.ends_with(".gz") {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        return text;
    }
    String::from_utf8(bytes).unwrap()
}

/// The stamp of a line, read as a person would.
fn stamp(line: &str) -> Option<OffsetDateTime> {
    if line.starts_with('{') {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = line.get("time").or(line.get("timestamp")).unwrap().as_str().unwrap().to_owned();
        return Some(OffsetDateTime::parse(&text, &Rfc3339).unwrap());
    }
    if let Ok(at) = OffsetDateTime::parse(line.split(' ').next()?, &Rfc3339) {
        return Some(at);
    }
    let form = format_description!("[year]/[month]/[day] [hour]:[minute]:[second]");
    PrimitiveDateTime::parse(line.get(..19)?, &form).ok().map(PrimitiveDateTime::assume_utc)
}

/// Counts with the specification's patterns; `flags` is `(?i)` for PowerShell, whose patterns ignore case.
fn scan(folder: &Path, truth: &LogTruth, flags: &str, within: impl Fn(OffsetDateTime) -> bool) -> LogCounts {
    let pattern = |text: &str| Regex::new(&format!("{flags}{text}")).unwrap();
    let error = pattern(r"ERROR\s+(\w+)");
    let conflict = pattern("conflict.*unresolved");
    let validation = pattern("ValidationError");
    let security = pattern("(authentication|authorization|security)");
    let mut counts = LogCounts::default();
    for name in truth.files.keys() {
        let mut last = None;
        for line in read(folder, name).lines() {
            last = stamp(line).or(last);
            if !within(last.expect("no file begins with a stack trace")) {
                continue;
            }
            let json: Option<Value> = line.starts_with('{').then(|| serde_json::from_str(line).unwrap());
            let kind = match &json {
                Some(json) if json["level"] == "error" => {
                    json["msg"].as_str().unwrap().split(' ').next().map(str::to_owned)
                }
                _ => error.captures(line).map(|found| found[1].to_owned()),
            };
            if let Some(kind) = kind {
                *counts.errors.entry(kind).or_default() += 1;
            }
            counts.unresolved_conflicts += u64::from(conflict.is_match(line));
            counts.validation_errors += u64::from(validation.is_match(line));
            counts.security_events += u64::from(security.is_match(line));
        }
    }
    counts
}

#[test]
fn a_reader_finds_what_the_generator_says() {
    let folder = tempfile::tempdir().unwrap();
    for spec in [spec(), Spec { seed: 7, log_lines: 2_000, ..spec() }] {
        let truth = deployment::write_files(folder.path(), &spec).unwrap().logs;
        for flags in ["", "(?i)"] {
            assert_eq!(scan(folder.path(), &truth, flags, |_| true), truth.counts(None), "all, {flags}");
            for hours in [1, 6, 24, 48, 72] {
                let since = Duration::from_secs(hours * 3_600);
                let found = scan(folder.path(), &truth, flags, |at| at >= truth.now - since);
                assert_eq!(found, truth.counts(Some(since)), "{hours} h, {flags}");
                // A tool that looks four minutes later finds the same.
                let later = scan(folder.path(), &truth, flags, |at| at >= truth.now + Duration::from_secs(240) - since);
                assert_eq!(later, found, "{hours} h, later, {flags}");
            }
        }
        assert!(truth.day(0).errors_total() > 50, "the last day must raise the alarm of the specification");
        let days = (0..3).map(|back| truth.day(back).errors_total()).sum::<u64>();
        assert_eq!(days, truth.counts(None).errors_total());
        assert_eq!(truth.counts(None).errors["BackupFailed"], 1);
        assert_eq!(truth.counts(None).errors["ValidationError"], truth.counts(None).validation_errors);
    }
}

#[test]
fn lines_stamps_and_forms_are_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let truth = deployment::write_files(folder.path(), &spec()).unwrap().logs;
    let names: Vec<&str> = truth.files.keys().map(String::as_str).collect();
    let expected = [
        "backup.log",
        "conflicts.log",
        "sync-engine.log",
        "sync-engine.log.1",
        "sync-engine.log.2.gz",
        "validation.log",
    ];
    assert_eq!(names, expected);
    let mut lines = BTreeMap::new();
    for (name, file) in &truth.files {
        let text = read(folder.path(), name);
        let stamps: Vec<Option<OffsetDateTime>> = text.lines().map(stamp).collect();
        assert_eq!(stamps.len() as u64, file.lines, "{name}");
        assert_eq!(stamps.iter().filter(|stamp| stamp.is_none()).count() as u64, file.unstamped_lines, "{name}");
        assert_eq!(stamps.into_iter().flatten().collect::<Vec<_>>(), file.stamps, "{name}");
        assert!(file.stamps.is_sorted(), "{name}");
        assert_eq!(std::fs::metadata(folder.path().join("logs").join(name)).unwrap().len(), file.size_bytes, "{name}");
        lines.insert(name.clone(), text.lines().map(str::to_owned).collect::<Vec<_>>());
    }
    assert!(
        truth.files["sync-engine.log"].unstamped_lines > 0 && truth.files["sync-engine.log.2.gz"].unstamped_lines > 0
    );
    for event in &truth.events {
        let line = &lines[&event.file][usize::try_from(event.line).unwrap() - 1];
        assert_eq!(stamp(line), Some(event.at), "{line}");
        let form = match line.as_bytes() {
            [b'{', ..] => Form::Json,
            [_, _, _, _, b'/', ..] => Form::Go,
            _ => Form::Text,
        };
        assert_eq!(form, event.form, "{line}");
        assert!(event.error_type.as_ref().is_none_or(|kind| line.contains(kind)), "{line}");
    }
    let forms = |file: &str| {
        let events = truth.events.iter().filter(|event| event.file == file);
        events.map(|event| event.form).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(["sync-engine.log", "conflicts.log", "validation.log"].map(forms), [2, 2, 2]);
}
