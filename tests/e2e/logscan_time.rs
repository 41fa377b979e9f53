//! `pso-logscan` and time: logs of every format, in three zones, over two changes of the clocks and New Year, rotated
//! and compressed. How much is in them comes from `awk` and `zcat`; what is within a window, from the UTC times that the
//! lines were made from.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;
use pso_tests::tool::{Outcome, Tool};
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use time::{Duration, OffsetDateTime, UtcOffset};

/// A zone as its laws have it, and not as the tool's own tables do.
struct Zone {
    name: &'static str,
    /// Seconds east of UTC at first.
    first: i32,
    /// When another offset began to hold.
    changes: &'static [(OffsetDateTime, i32)],
}

const ZONES: [Zone; 3] = [
    Zone {
        name: "Europe/Paris",
        first: 7200,
        changes: &[(datetime!(2024-10-27 01:00 UTC), 3600), (datetime!(2025-03-30 01:00 UTC), 7200)],
    },
    Zone {
        name: "America/New_York",
        first: -14_400,
        changes: &[(datetime!(2024-11-03 06:00 UTC), -18_000), (datetime!(2025-03-09 07:00 UTC), -14_400)],
    },
    Zone { name: "Asia/Kolkata", first: 19_800, changes: &[] },
];

impl Zone {
    fn local(&self, at: OffsetDateTime) -> OffsetDateTime {
        let offset = self.changes.iter().rev().find(|(from, _)| *from <= at).map_or(self.first, |(_, offset)| *offset);
        at.to_offset(UtcOffset::from_whole_seconds(offset).expect("an offset"))
    }

    /// What a line of `at` is taken for when it does not name its zone: of an hour that the clocks show twice, the first.
    fn read(&self, at: OffsetDateTime) -> OffsetDateTime {
        let mut before = self.first;
        for (from, offset) in self.changes {
            let twice = Duration::seconds(i64::from(before - offset));
            if *from <= at && at < *from + twice {
                return at - twice;
            }
            before = *offset;
        }
        at
    }
}

/// A format, as lines of it begin and end.
struct Way {
    /// The name of its logs.
    log: &'static str,
    /// What `log.coverage` calls it.
    format: &'static str,
    /// Whether it names its zone.
    zoned: bool,
    line: fn(&Fields, &str) -> String,
}

/// A time as it is written.
struct Fields {
    at: OffsetDateTime,
    y: i32,
    m: u8,
    mon: &'static str,
    d: u8,
    /// `hh:mm:ss`
    hms: String,
    weekday: &'static str,
    /// `+0200`
    zone: String,
}

impl Fields {
    fn of(at: OffsetDateTime) -> Self {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let minutes = at.offset().whole_minutes();
        let (month, weekday) = (usize::from(u8::from(at.month())), usize::from(at.weekday().number_days_from_monday()));
        Self {
            at,
            y: at.year(),
            m: at.month().into(),
            mon: months[month - 1],
            d: at.day(),
            hms: format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second()),
            weekday: days[weekday],
            zone: format!("{}{:02}{:02}", if minutes < 0 { '-' } else { '+' }, minutes.abs() / 60, minutes.abs() % 60),
        }
    }

    fn iso(&self, mark: &str, between: &str) -> String {
        format!("{}{mark}{:02}{mark}{:02}{between}{}", self.y, self.m, self.d, self.hms)
    }
}

const WAYS: [Way; 29] = [
    Way {
        log: "rfc3339",
        format: "rfc3339",
        zoned: true,
        line: |f, x| format!("{} {x}", f.at.format(&Rfc3339).expect("a text")),
    },
    Way {
        log: "rfc3339-basic",
        format: "rfc3339",
        zoned: true,
        line: |f, x| format!("{}.25{} {x}", f.iso("-", "T"), f.zone),
    },
    Way { log: "iso-comma", format: "iso", zoned: false, line: |f, x| format!("{},250 {x}", f.iso("-", " ")) },
    Way { log: "iso-dot", format: "iso", zoned: false, line: |f, x| format!("{}.250000 {x}", f.iso("-", "T")) },
    Way { log: "iso-zone", format: "iso", zoned: true, line: |f, x| format!("{} {} {x}", f.iso("-", " "), f.zone) },
    Way { log: "go", format: "go", zoned: false, line: |f, x| format!("{} {x}", f.iso("/", " ")) },
    Way {
        log: "nginx-error",
        format: "go",
        zoned: false,
        line: |f, x| format!("{} [error] 7#7: *1 {x}", f.iso("/", " ")),
    },
    Way {
        log: "cbs",
        format: "cbs",
        zoned: false,
        line: |f, x| format!("{}, Info                  CBS    {x}", f.iso("-", " ")),
    },
    Way {
        log: "log4j-level",
        format: "log4j",
        zoned: false,
        line: |f, x| format!("WARN  {},250 - {x}", f.iso("-", " ")),
    },
    Way { log: "log4j-bracket", format: "log4j", zoned: false, line: |f, x| format!("[{},250] {x}", f.iso("-", " ")) },
    Way {
        log: "log4j-date",
        format: "log4j",
        zoned: false,
        line: |f, x| format!("{:02} {} {} {},250 {x}", f.d, f.mon, f.y, f.hms),
    },
    Way {
        log: "syslog",
        format: "syslog",
        zoned: false,
        line: |f, x| format!("{} {:>2} {} host app[7]: {x}", f.mon, f.d, f.hms),
    },
    Way {
        log: "syslog-priority",
        format: "syslog",
        zoned: false,
        line: |f, x| format!("<13>{} {:02} {}.250 host app: {x}", f.mon, f.d, f.hms),
    },
    Way {
        log: "syslog-year",
        format: "syslog",
        zoned: false,
        line: |f, x| format!("{} {} {} {}: {x}", f.mon, f.d, f.y, f.hms),
    },
    Way {
        log: "rfc5424",
        format: "rfc5424",
        zoned: true,
        line: |f, x| format!("<34>1 {} host app 7 - - {x}", f.at.format(&Rfc3339).expect("a text")),
    },
    Way {
        log: "klog",
        format: "klog",
        zoned: false,
        line: |f, x| format!("I{:02}{:02} {}.250000   12345 file.go:12] {x}", f.m, f.d, f.hms),
    },
    Way {
        log: "apache-access",
        format: "apache-access",
        zoned: true,
        line: |f, x| format!("192.0.2.1 - - [{:02}/{}/{}:{} {}] \"GET / {x}", f.d, f.mon, f.y, f.hms, f.zone),
    },
    Way {
        log: "apache-error",
        format: "apache-error",
        zoned: false,
        line: |f, x| format!("[{} {} {:02} {} {}] [notice] {x}", f.weekday, f.mon, f.d, f.hms, f.y),
    },
    Way {
        log: "apache-error-micros",
        format: "apache-error",
        zoned: false,
        line: |f, x| format!("[{} {} {:02} {}.250000 {}] [core:error] {x}", f.weekday, f.mon, f.d, f.hms, f.y),
    },
    Way { log: "dmy", format: "dmy", zoned: false, line: |f, x| format!("{:02}/{}/{} {} {x}", f.d, f.mon, f.y, f.hms) },
    Way {
        log: "dmy-zone",
        format: "dmy",
        zoned: true,
        line: |f, x| format!("[{:02}/{}/{}:{} {}] {x}", f.d, f.mon, f.y, f.hms, f.zone),
    },
    Way {
        log: "ymd-short",
        format: "ymd-short",
        zoned: false,
        line: |f, x| format!("{:02}/{:02}/{:02} {} {x}", f.y % 100, f.m, f.d, f.hms),
    },
    Way {
        log: "compact",
        format: "compact",
        zoned: false,
        line: |f, x| format!("{:02}{:02}{:02} {} 148 {x}", f.y % 100, f.m, f.d, f.hms.replace(':', "")),
    },
    Way {
        log: "compact-fields",
        format: "compact",
        zoned: false,
        line: |f, x| format!("{}{:02}{:02}-{}:{}:{}:250|{x}", f.y, f.m, f.d, f.at.hour(), f.at.minute(), f.at.second()),
    },
    Way { log: "epoch", format: "epoch", zoned: true, line: |f, x| format!("{}.250 {x}", f.at.unix_timestamp()) },
    Way { log: "epoch-bracket", format: "epoch", zoned: true, line: |f, x| format!("[{}] {x}", f.at.unix_timestamp()) },
    Way {
        log: "epoch-micros",
        format: "epoch",
        zoned: true,
        line: |f, x| format!("{}250000 {x}", f.at.unix_timestamp()),
    },
    Way {
        log: "json",
        format: "json",
        zoned: true,
        line: |f, x| format!(r#"{{"ts":{}250,"msg":"{x}"}}"#, f.at.unix_timestamp()),
    },
    Way {
        log: "json-local",
        format: "json",
        zoned: false,
        line: |f, x| format!(r#"{{"msg":"{x}","@timestamp":"{}"}}"#, f.iso("-", " ")),
    },
];

/// One record: its line, and how many lines without a stamp follow.
struct Record {
    at: OffsetDateTime,
    error: Option<&'static str>,
    traces: u64,
}

/// From before the clocks of all zones change in autumn until after they do in spring, every 193 minutes, and every five
/// where it matters. All are at the seventh second of a minute.
fn records() -> Vec<Record> {
    let (from, until) = (datetime!(2024-10-25 00:00:07 UTC), datetime!(2025-04-05 00:00:00 UTC));
    let mut moments: Vec<OffsetDateTime> = Vec::new();
    let mut stretch = |from: OffsetDateTime, until: OffsetDateTime, step: Duration| {
        moments.extend(std::iter::successors(Some(from), |at| Some(*at + step)).take_while(|at| *at < until));
    };
    stretch(from, until, Duration::minutes(193));
    let new_year = datetime!(2025-01-01 00:00 UTC);
    for change in ZONES.iter().flat_map(|zone| zone.changes).map(|(at, _)| *at).chain([new_year]) {
        let from = change - Duration::hours(5) + Duration::seconds(7);
        stretch(from, from + Duration::hours(10), Duration::minutes(5));
    }
    moments.sort();
    moments.dedup();
    let kinds = ["SyncTimeout", "QdrantDown", "DiskFull"];
    let record = |(number, at)| Record {
        at,
        error: (number % 3 == 0).then(|| kinds[number / 3 % kinds.len()]),
        traces: if number % 10 == 0 { 2 } else { 0 },
    };
    moments.into_iter().enumerate().map(record).collect()
}

/// How many files a log has.
const PARTS: usize = 3;

/// The files of a log from the oldest to the newest.
fn names(log: &str) -> [String; PARTS] {
    [format!("{log}.log.2.gz"), format!("{log}.log.1"), format!("{log}.log")]
}

fn parts(records: &[Record]) -> impl Iterator<Item = &[Record]> {
    records.chunks(records.len().div_ceil(PARTS))
}

/// Writes the logs of all formats in a zone; each file was last modified when its last line was written.
fn write(folder: &Path, zone: &Zone, records: &[Record]) {
    for way in &WAYS {
        for (name, part) in names(way.log).iter().zip(parts(records)) {
            let mut text = String::new();
            for record in part {
                let message = record.error.map_or("INFO all is well".to_owned(), |kind| format!("ERROR {kind} plan=7"));
                text.push_str(&(way.line)(&Fields::of(zone.local(record.at)), &message));
                text.push('\n');
                for line in 0..record.traces {
                    text.push_str(&format!("    at sync.engine line {line}\n"));
                }
            }
            let mut file = File::create(folder.join(name)).expect("created");
            if name.ends_with(".gz") {
                let mut encoder = GzEncoder::new(&mut file, Compression::fast());
                encoder.write_all(text.as_bytes()).expect("written");
                encoder.finish().expect("written");
            } else {
                file.write_all(text.as_bytes()).expect("written");
            }
            let last = part.last().expect("not empty").at;
            file.set_modified(SystemTime::from(last)).expect("set");
        }
    }
}

fn scan(folder: &Path, zone: &str, args: &[&str]) -> Outcome {
    let tool = Tool::new("pso-logscan").expect("built").folder(folder).args(["--tz", zone, "--max-errors", "1000000"]);
    let outcome = tool.args(["--events", "none"]).args(args).run().expect("ends");
    outcome.assert_code(0).assert_quiet();
    outcome
}

fn number(record: &Value, field: &str) -> u64 {
    record[field].as_u64().unwrap_or_else(|| panic!("{field} is no number: {record:#}"))
}

/// The errors that the tool counted, by type.
fn errors(outcome: &Outcome) -> BTreeMap<String, u64> {
    let records = outcome.records_of_kind("log.count");
    let typed = records.iter().filter(|record| record["class"] == "error" && record.get("type").is_some());
    typed.map(|record| (record["type"].as_str().expect("a text").to_owned(), number(record, "count"))).collect()
}

/// What `awk` counts in the files of a log: errors by type, and lines under the key `lines`.
fn awk(folder: &Path, log: &str) -> BTreeMap<String, u64> {
    let [oldest, middle, newest] = names(log);
    let program = r#"{ lines++ } match($0, /ERROR +[A-Za-z]+/) { split(substr($0, RSTART, RLENGTH), word, / +/); count[word[2]]++ }
        END { print "lines", lines; for (type in count) print type, count[type] }"#;
    let script = format!("(zcat '{oldest}' && cat '{middle}' '{newest}') | awk '{program}'");
    let output = Command::new("sh").arg("-c").arg(script).current_dir(folder).output().expect("awk runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("a text");
    let pairs = text.lines().map(|line| line.split_once(' ').expect("two words"));
    pairs.map(|(key, count)| (key.to_owned(), count.parse().expect("a number"))).collect()
}

#[test]
fn every_format_counts_as_awk_does() {
    let records = records();
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &ZONES[0], &records);
    for way in &WAYS {
        let outcome = scan(folder.path(), ZONES[0].name, &names(way.log).each_ref().map(String::as_str));
        let mut counted = errors(&outcome);
        let lines = outcome.records_of_kind("log.coverage").iter().map(|record| number(record, "lines")).sum();
        counted.insert("lines".to_owned(), lines);
        assert_eq!(counted, awk(folder.path(), way.log), "{}\n{outcome}", way.log);
        assert!(counted.len() == 4 && lines > 2000, "{counted:?}");
    }
}

/// What is known of the lines that a window leaves out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Covered {
    lines: u64,
    unparsed: u64,
    outside: u64,
    format: String,
    zone: Option<String>,
}

#[test]
fn windows_count_what_was_written_in_them_in_every_format_and_zone() {
    let records = records();
    for zone in &ZONES {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), zone, &records);
        let offset = |at: OffsetDateTime| at.replace_offset(zone.local(at).offset());
        for (since, until, from, to) in [
            // The hours that clocks show twice, in Paris and in New York, cut in their middle.
            (
                "2024-10-27T00:30:00Z",
                "2024-11-03T06:20:00Z",
                datetime!(2024-10-27 00:30 UTC),
                datetime!(2024-11-03 06:20 UTC),
            ),
            (
                "2024-10-27T01:30:00Z",
                "2024-11-03T05:20:00Z",
                datetime!(2024-10-27 01:30 UTC),
                datetime!(2024-11-03 05:20 UTC),
            ),
            // New Year, by the clocks of the zone.
            (
                "2024-12-31",
                "2025-01-01 12:00",
                offset(datetime!(2024-12-31 00:00 UTC)),
                offset(datetime!(2025-01-01 12:00 UTC)),
            ),
            // The hours that clocks leave out.
            (
                "2025-03-09 01:00",
                "2025-03-30T01:10:00Z",
                offset(datetime!(2025-03-09 01:00 UTC)),
                datetime!(2025-03-30 01:10 UTC),
            ),
        ] {
            let window = ["--since", since, "--until", until];
            let outcome = scan(folder.path(), zone.name, &[&window[..], &["--whole", "."]].concat());
            let coverage = outcome.records_of_kind("log.coverage");
            let coverage: BTreeMap<&str, &Value> =
                coverage.iter().map(|record| (record["name"].as_str().expect("a text"), record)).collect();
            assert_eq!(coverage.len(), WAYS.len() * PARTS, "{outcome}");
            let mut expected = BTreeMap::<String, u64>::new();
            for way in &WAYS {
                for (name, part) in names(way.log).iter().zip(parts(&records)) {
                    let zoned = if way.zoned { None } else { Some(zone.name.to_owned()) };
                    let mut covered = Covered { format: way.format.to_owned(), zone: zoned, ..Covered::default() };
                    for record in part {
                        let at = if way.zoned { record.at } else { zone.read(record.at) };
                        covered.lines += 1 + record.traces;
                        covered.unparsed += record.traces;
                        if from <= at && at < to {
                            if let Some(kind) = record.error {
                                *expected.entry(kind.to_owned()).or_default() += 1;
                            }
                        } else {
                            covered.outside += 1 + record.traces;
                        }
                    }
                    let record = coverage[&*format!("./{name}")];
                    let found = Covered {
                        lines: number(record, "lines"),
                        unparsed: number(record, "unparsed_lines"),
                        outside: number(record, "outside_lines"),
                        format: record["format"].as_str().unwrap_or_default().to_owned(),
                        zone: record["zone"].as_str().map(str::to_owned),
                    };
                    assert_eq!(found, covered, "{name} in {} from {since} until {until}", zone.name);
                }
            }
            assert!(expected.values().sum::<u64>() > 300, "{expected:?}");
            assert_eq!(errors(&outcome), expected, "{} from {since} until {until}", zone.name);
            // Where a sorted file is entered in its middle, the same is found in it.
            let entered = scan(folder.path(), zone.name, &[&window[..], &["."]].concat());
            assert_eq!(errors(&entered), expected, "{} from {since} until {until}, not read wholly", zone.name);
        }
    }
}

#[test]
fn files_have_zones_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).expect("made");
    for name in ["app-1.log", "app-1.log.1", "web.log", "other.log"] {
        fs::write(logs.join(name), format!("2025-07-01 12:00:00 ERROR Of_{}\n", name.replace(['.', '-'], "_")))
            .expect("written");
    }
    let config = "maintenance:\n  logscan:\n    tz: Asia/Kolkata\n    zones:\n    - {files: \"app-*.log\", tz: Europe/Paris}\n    - {files: \"logs/web*\", tz: \"-04:00\"}\n";
    fs::write(folder.path().join("config.yaml"), config).expect("written");
    let run = |args: &[&str], tz: &str| {
        let tool = Tool::new("pso-logscan").expect("built").folder(folder.path()).args(["--config", "config.yaml"]);
        let tool = tool.env("PSO_LOGSCAN_TZ", tz).env("TZ", "Australia/Lord_Howe");
        let outcome = tool.args(args).arg("logs").run().expect("ends");
        outcome.assert_code(0).assert_quiet();
        ["app-1.log", "app-1.log.1", "web.log", "other.log"].map(|name| {
            let record = outcome.record("log.coverage", &format!("logs/{name}"));
            let kind = format!("error.Of_{}", name.replace(['.', '-'], "_"));
            let count = outcome.record("log.count", &kind);
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            format!("{} {}", text(&record["zone"]), text(&count["first_at"]))
        })
    };
    assert_eq!(
        run(&[], ""),
        [
            "Europe/Paris 2025-07-01T10:00:00.000Z",
            "Europe/Paris 2025-07-01T10:00:00.000Z",
            "-04:00 2025-07-01T16:00:00.000Z",
            "Asia/Kolkata 2025-07-01T06:30:00.000Z"
        ]
    );
    assert_eq!(run(&[], "utc"), ["UTC 2025-07-01T12:00:00.000Z"; 4]);
    assert_eq!(run(&["--tz", "+0200"], "utc"), ["+02:00 2025-07-01T10:00:00.000Z"; 4]);
    assert_eq!(run(&["--tz", "local"], ""), ["Australia/Lord_Howe 2025-07-01T01:30:00.000Z"; 4]);
}

#[test]
fn a_line_without_a_year_on_stdin_is_of_the_last_twelve_months() {
    let now = OffsetDateTime::now_utc();
    let written = [Duration::hours(1), Duration::days(40), Duration::days(300)].map(|ago| now - ago);
    let lines: String = written
        .iter()
        .enumerate()
        .map(|(number, at)| {
            let f = Fields::of(*at);
            format!("{} {:>2} {} host app: ERROR Kind{number} x\n", f.mon, f.d, f.hms)
        })
        .collect();
    let outcome = Tool::new("pso-logscan").expect("built").args(["-"]).stdin(lines).run().expect("ends");
    outcome.assert_code(0).assert_quiet();
    for (number, at) in written.iter().enumerate() {
        let found = outcome.record("log.count", &format!("error.Kind{number}"));
        let found = OffsetDateTime::parse(found["first_at"].as_str().expect("a text"), &Rfc3339).expect("a time");
        assert_eq!(found.unix_timestamp(), at.unix_timestamp(), "{number}");
    }
}

#[test]
fn a_file_that_changes_its_format_is_read_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let zone = &ZONES[0];
    let from = datetime!(2025-06-12 09:00:07 UTC);
    let mut text = String::new();
    for (number, way) in WAYS.iter().chain(WAYS.iter().rev()).enumerate() {
        let at = from + Duration::minutes(i64::try_from(number).expect("few"));
        text.push_str(&(way.line)(&Fields::of(zone.local(at)), "ERROR Changing x"));
        text.push('\n');
    }
    let path = folder.path().join("mixed.log");
    fs::write(&path, text).expect("written");
    File::options().append(true).open(&path).expect("opened").set_modified(SystemTime::from(from)).expect("set");
    let minutes = 2 * WAYS.len() as i64;
    for (since, until) in [(0, minutes), (10, minutes), (3, 33), (29, 30)] {
        let time =
            |minute: i64| (from - Duration::seconds(7) + Duration::minutes(minute)).format(&Rfc3339).expect("a text");
        let outcome = scan(folder.path(), zone.name, &["--since", &time(since), "--until", &time(until), "mixed.log"]);
        assert_eq!(errors(&outcome)["Changing"], u64::try_from(until - since).expect("positive"), "{outcome}");
        assert_eq!(number(&outcome.record("log.coverage", "mixed.log"), "unparsed_lines"), 0);
    }
}
