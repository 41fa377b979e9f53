//! `pso-logscan merge`: shards of a log that were scanned alone are what the whole is.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use pso_tests::tool::{Outcome, Tool};
use serde_json::Value;

fn scan(folder: &Path, args: &[&str]) -> Outcome {
    Tool::new("pso-logscan").expect("built").folder(folder).args(args).run().expect("ends")
}

fn merge(folder: &Path, args: &[&str], records: &[u8]) -> Outcome {
    let tool = Tool::new("pso-logscan").expect("built").folder(folder).arg("merge").args(args);
    tool.stdin(records).run().expect("ends")
}

/// What was counted: for each name count, first and last, and severity.
fn counts(outcome: &Outcome) -> BTreeMap<String, [Value; 4]> {
    let fields = ["count", "first_at", "last_at", "severity"];
    let records = outcome.records_of_kind("log.count");
    let named = records.iter().map(|record| {
        let name = record["name"].as_str().expect("a name").to_owned();
        (name, fields.map(|field| record.get(field).cloned().unwrap_or_default()))
    });
    named.collect()
}

/// Thirty days in which much goes wrong.
fn log() -> String {
    let mut random = fastrand::Rng::with_seed(5);
    let mut log = String::new();
    for number in 0..6000 {
        let (day, hour, minute) = (1 + number / 200, number / 9 % 24, random.u8(0..60));
        let said = match random.u8(0..12) {
            0 => format!("ERROR Type{}", random.u8(0..30)),
            1 => "ERROR: disk full".to_owned(),
            2 => "WARN conflict plan-dev unresolved".to_owned(),
            3 => "WARN ValidationError: progress".to_owned(),
            4 => format!("INFO authentication of {}", random.u8(..)),
            5 => format!("WARN deadlock of {}", random.u8(0..5)),
            _ => "INFO synchronised".to_owned(),
        };
        log.push_str(&format!("2025-06-{day:02}T{hour:02}:{minute:02}:00Z {said}\n"));
    }
    log
}

#[test]
fn shards_merged_are_the_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log();
    fs::write(folder.path().join("whole.log"), &log).expect("written");
    let lines: Vec<&str> = log.lines().collect();
    let mut random = fastrand::Rng::with_seed(6);
    let mut shards = vec![String::new(); 7];
    // Some of each day go to each shard, so that all have the same keys and none has the first or the last of all.
    for line in &lines {
        let shard = &mut shards[random.usize(0..7)];
        shard.push_str(line);
        shard.push('\n');
    }
    let flags = ["--class", r"dead:warning:900=deadlock of (\d)", "--by", "day", "--last", "3"];
    let mut records: Vec<Vec<u8>> = Vec::new();
    for (number, shard) in shards.iter().enumerate() {
        let name = format!("shard-{number}.log{}", if number % 2 == 0 { "" } else { ".1.gz" });
        let bytes = if number % 2 == 0 {
            shard.clone().into_bytes()
        } else {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(shard.as_bytes()).expect("in memory");
            encoder.finish().expect("in memory")
        };
        fs::write(folder.path().join(&name), bytes).expect("written");
        records.push(scan(folder.path(), &[&[name.as_str()][..], &flags].concat()).stdout);
    }
    let whole = scan(folder.path(), &[&["whole.log"][..], &flags].concat());
    let merged = merge(folder.path(), &flags[..2], &records.concat());
    // More than 50 errors.
    whole.assert_code(2).assert_quiet();
    merged.assert_code(2).assert_quiet();
    assert_eq!(counts(&merged), counts(&whole));
    assert_eq!(merged.record("log.count", "error")["message"], whole.record("log.count", "error")["message"]);
    assert_eq!(merged.records_of_kind("log.coverage").len(), 7);
    // Three of each class of each shard, as they came.
    assert_eq!(merged.records_of_kind("log.event").len(), 7 * 5 * 3);

    // In steps, from files: the same.
    let file = |name: &str, records: &[Vec<u8>]| {
        let merged = merge(folder.path(), &flags[..2], &records.concat());
        fs::write(folder.path().join(name), merged.stdout).expect("written");
    };
    file("late.jsonl", &records[4..]);
    file("early.jsonl", &records[..4]);
    let again = merge(folder.path(), &["late.jsonl", "early.jsonl", flags[0], flags[1]], b"");
    let folded = |outcome: &Outcome| {
        let mut records = outcome.records();
        records.retain(|record| record["kind"] == "log.count" || record["kind"] == "log.coverage");
        for record in &mut records {
            record["at"] = Value::Null;
        }
        records
    };
    assert_eq!(folded(&again), folded(&merged));
}

#[test]
fn a_part_that_was_cut_off_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.log"), "2025-06-12T09:00:00Z INFO fine\n").expect("written");
    let part = scan(folder.path(), &["a.log"]).assert_code(0).stdout.clone();
    merge(folder.path(), &["--expect", "1"], &part).assert_code(0).assert_quiet();
    merge(folder.path(), &["--expect", "2"], &part).assert_code(3);
    let text = String::from_utf8(part).expect("UTF-8");
    let (whole, _) = text.trim_end().rsplit_once('\n').expect("lines");
    let died = merge(folder.path(), &[], whole.as_bytes());
    died.assert_code(3).assert_quiet();
    let host = died.records()[0]["host"].as_str().expect("a host").to_owned();
    let told = died.record("log.coverage", &format!("host {host}"));
    assert_eq!(told["message"], "pso-logscan began there and never ended: what it had not written yet is missing");
    // In the middle of a line.
    let torn = merge(folder.path(), &[], &text.as_bytes()[..text.len() - 30]);
    torn.assert_code(3);
    let told = torn.record("log.coverage", "records on standard input")["message"].to_string();
    assert!(told.contains("line 7 is no record"), "{torn}");
    let nothing = merge(folder.path(), &[], b"\n");
    nothing.assert_code(3);
    assert!(nothing.text().contains("no records came in"), "{nothing}");
}

#[test]
fn a_folder_named_merge_can_be_scanned() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("merge")).expect("created");
    fs::write(folder.path().join("merge/a.log"), "2025-06-12T09:00:00Z ERROR Lost\n").expect("written");
    for args in [&["./merge"][..], &["--", "merge"]] {
        let outcome = scan(folder.path(), args);
        outcome.assert_code(0);
        assert_eq!(outcome.record("log.count", "error")["count"], 1, "{outcome}");
    }
    scan(folder.path(), &["--since", "1h", "merge"]).assert_code(3).assert_stderr_has("write ./merge for a folder");
}
