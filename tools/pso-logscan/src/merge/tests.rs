//! Records of random runs, merged in random orders and steps, and the cases that were thought of.

use clap::Parser as _;
use pso_common::io::Clock;
use pso_common::{Io, Severity};

use crate::cli::Cli;
use crate::tests::Sink;

/// Merges lines of records; gives the exit code and all lines that were written, the frame of the run included.
fn merge_lines(flags: &[&str], lines: &[String]) -> (u8, Vec<String>) {
    let stdout = Sink::default();
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut io = Io::for_test(input, stdout.clone(), Sink::default());
    io.clock = Clock::Fixed("2025-06-12T09:00:00Z".parse().expect("a time"));
    let cli = Cli::parse_from(["pso-logscan", "merge"].iter().chain(flags));
    let code = pso_common::run::exit_code(&crate::run(cli, &mut io));
    let text = String::from_utf8(stdout.0.lock().expect("not poisoned").clone()).expect("UTF-8");
    (code, text.lines().map(str::to_owned).collect())
}

/// The records without the frame, and without who wrote them where and when.
fn bodies(lines: &[String]) -> Vec<String> {
    let lines = lines.iter().filter(|line| !line.contains(r#""kind":"run."#));
    let body = |line: &String| {
        let (kind, rest) = line.split_once(r#","at":"#).expect("a record");
        let rest = rest.split_once(r#""severity":"#).expect("a record").1;
        format!("{} {rest}", kind.replace(r#"{"schema":1,"kind":"#, ""))
    };
    lines.map(body).collect()
}

fn merge(flags: &[&str], lines: &[String]) -> (u8, Vec<String>) {
    let (code, lines) = merge_lines(flags, lines);
    (code, bodies(&lines))
}

fn record(kind: &str, severity: &str, name: &str, message: &str, fields: &str) -> String {
    format!(
        r#"{{"schema":1,"kind":"{kind}","at":"2025-06-12T08:00:00.000Z","tool":"pso-logscan","host":"web1","severity":"{severity}","name":"{name}","message":"{message}"{fields}}}"#
    )
}

fn count(severity: &str, class: &str, count: u64) -> String {
    record("log.count", severity, class, "", &format!(r#","class":"{class}","count":{count}"#))
}

fn coverage(severity: &str, path: &str, message: &str, lines: u64) -> String {
    let fields = format!(
        r#","path":"{path}","size_bytes":{lines}0,"read_bytes":{lines}0,"lines":{lines},"unparsed_lines":1,"outside_lines":0"#
    );
    record("log.coverage", severity, path, message, &fields)
}

fn frame(host: &str, pid: u32, error: Option<&str>) -> [String; 2] {
    let of = |kind: &str, fields: String| record(kind, "ok", "pso-logscan", "", &fields).replace("web1", host);
    let error = error.map_or_else(String::new, |error| format!(r#","error":"{error}""#));
    [
        of("run.start", format!(r#","version":"1","pid":{pid}"#)),
        of("run.end", format!(r#","pid":{pid},"records":1,"elapsed_ms":1,"exit_code":3{error}"#)),
    ]
}

/// One of a few words, so that keys meet.
fn word<'w>(random: &mut fastrand::Rng, words: &[&'w str]) -> &'w str {
    words[random.usize(0..words.len())]
}

fn moment(random: &mut fastrand::Rng) -> String {
    format!("2025-06-12T0{}:00:00.{:03}Z", random.u8(0..5), random.u8(0..3))
}

fn random_record(random: &mut fastrand::Rng) -> String {
    let severity = ["ok", "info", "warning", "high", "critical", "unknown"][random.usize(0..6)];
    let number = if random.u8(0..20) == 0 { u64::MAX - 5 } else { random.u64(0..60) };
    let mut fields = String::new();
    let mut push = |random: &mut fastrand::Rng, field: &str, value: &str| {
        if random.bool() {
            fields.push_str(&format!(r#","{field}":{value}"#));
        }
    };
    let quoted = |text: &str| format!(r#""{text}""#);
    let (first, last) = (quoted(&moment(random)), quoted(&moment(random)));
    push(random, "first_at", &first);
    push(random, "last_at", &last);
    let raw = if random.bool() { r#"{"bytes":"Y2Fm6Q=="}"# } else { r#"{"bytes":"6Q=="}"# };
    push(random, "example_raw", raw);
    let (message, example) = (word(random, &["", "b", "a"]), quoted(word(random, &["x", "y", ""])));
    match random.u8(0..3) {
        0 => {
            let class = word(random, &["error", "conflict", "security", "oom", "other"]);
            let r#type = quoted(word(random, &["A", "B", "(other)"]));
            push(random, "type", &r#type);
            push(random, "example", &example);
            if random.bool() {
                let at = moment(random);
                fields.push_str(&format!(r#","bucket_at":"{at}","bucket_seconds":{}"#, random.u8(1..3)));
            }
            record("log.count", severity, "n", message, &format!(r#","class":"{class}","count":{number}{fields}"#))
        }
        1 => {
            let level = quoted(word(random, &["ERROR", "info", "nonsense", "warn"]));
            push(random, "level", &level);
            let (id, template) = (word(random, &["1", "2"]), word(random, &["a <*>", "b", "c"]));
            let more = format!(
                r#","template_id":"{id}","template":"{template}","count":{number},"example":{example},"new":{}{fields}"#,
                random.bool()
            );
            record("log.template", severity, id, message, &more)
        }
        _ => {
            let path = word(random, &["a.log", "b.log", "-"]);
            let mut more = format!(
                r#","path":"{path}","read_bytes":{},"lines":{number},"unparsed_lines":{number},"outside_lines":{}"#,
                random.u8(0..2),
                random.u8(0..9)
            );
            for (field, value) in [
                ("size_bytes", "7"),
                ("from_offset", "5"),
                ("from_offset", "6"),
                ("skipped_bytes", "9"),
                ("duplicate_of", r#""c.log""#),
                ("format", r#""go""#),
                ("format", r#""iso,syslog""#),
                ("zone", r#""UTC""#),
                ("parts", "3"),
            ] {
                if random.bool() && !more.contains(field) {
                    more.push_str(&format!(r#","{field}":{value}"#));
                }
            }
            record("log.coverage", severity, path, message, &more)
        }
    }
}

#[test]
fn neither_order_nor_steps_make_a_difference() {
    let mut random = fastrand::Rng::with_seed(11);
    let flags = ["--class", "oom:critical:30=x", "--max-errors", "80"];
    for round in 0..150 {
        let mut parts: Vec<Vec<String>> = (0..random.usize(1..40)).map(|_| vec![random_record(&mut random)]).collect();
        let (code, whole) = merge(&flags, &parts.concat());
        random.shuffle(&mut parts);
        // A random tree: some of the parts are merged, until one is left.
        while parts.len() > 1 {
            let taken = random.usize(1..=parts.len());
            let some: Vec<String> = parts.split_off(parts.len() - taken).concat();
            let (_, merged) = merge_lines(&flags, &some);
            let at = random.usize(0..=parts.len());
            parts.insert(at, merged);
        }
        let (again, folded) = merge(&flags, &parts.concat());
        assert_eq!(folded, whole, "round {round}");
        assert_eq!(again, code);
    }
}

#[test]
fn ten_hosts_with_forty_errors_have_too_many() {
    let errors: Vec<String> = (0..10).map(|_| count("info", "error", 40)).collect();
    let expected =
        r#""log.count" "high","name":"error","message":"400 errors, more than 50","class":"error","count":400}"#;
    assert_eq!(merge(&[], &errors), (2, vec![expected.to_owned()]));
    assert_eq!(merge(&["--max-errors", "400"], &errors).0, 0);
    let added: Vec<String> = (0..2).map(|_| count("info", "oom", 5)).collect();
    assert_eq!(merge(&[], &added).0, 0);
    assert_eq!(merge(&["--class", "oom:critical:9=x"], &added).0, 2);
}

#[test]
fn records_of_a_key_are_one() {
    let typed = |at: &str, example: &str, count: u64| {
        let fields = format!(
            r#","class":"error","type":"A","count":{count},"first_at":"{at}","last_at":"{at}","example":"{example}""#
        );
        record("log.count", "info", "error.A", "", &fields)
    };
    let bucket = |count: u64| {
        let fields =
            format!(r#","class":"error","count":{count},"bucket_at":"2025-06-12T08:00:00.000Z","bucket_seconds":3600"#);
        record("log.count", "info", "x", "", &fields)
    };
    let template = |new: bool, example: &str, at: &str| {
        let fields = format!(
            r#","template_id":"7f","template":"lost <*>","count":2,"first_at":"{at}","example":"{example}","new":{new}"#
        );
        record("log.template", "info", "7f", "", &fields)
    };
    let event =
        record("log.event", "info", "error.A", "a line", r#","class":"error","path":"a","line":1,"later":true"#);
    let later = record("later.kind", "critical", "n", "", r#","x":[1]"#);
    let lines = vec![
        count("info", "error", 3),
        typed("2025-06-12T08:00:00Z", "second", 1),
        event.clone(),
        coverage("ok", "/var/log/a.log", "", 10),
        bucket(1),
        template(false, "second", "2025-06-12T08:00:00Z"),
        later.clone(),
        coverage("unknown", "/var/log/a.log", "it shrank", 5),
        typed("2025-06-12T07:00:00Z", "first", 2),
        bucket(4),
        template(true, "first", "2025-06-12T07:00:00Z"),
        count("info", "error", 4),
    ];
    let (code, records) = merge_lines(&[], &lines);
    assert_eq!(code, 3, "one of the parts was not wholly read");
    assert_eq!(records[1..3], [event, later], "as they came, before what is folded");
    let expected = [
        r#""log.coverage" "unknown","name":"/var/log/a.log","message":"it shrank","path":"/var/log/a.log","size_bytes":150,"read_bytes":150,"lines":15,"unparsed_lines":2,"outside_lines":0,"parts":2}"#,
        r#""log.count" "info","name":"error","message":"7 errors in 15 lines; 1 input not read, or not wholly; 2 in no bucket","class":"error","count":7}"#,
        r#""log.count" "info","name":"error.A","message":"","class":"error","type":"A","count":3,"first_at":"2025-06-12T07:00:00.000Z","last_at":"2025-06-12T08:00:00.000Z","example":"first"}"#,
        r#""log.count" "info","name":"error@2025-06-12T08:00:00Z","message":"","class":"error","count":5,"bucket_at":"2025-06-12T08:00:00.000Z","bucket_seconds":3600}"#,
        r#""log.template" "info","name":"7f","message":"","template_id":"7f","template":"lost <*>","count":4,"first_at":"2025-06-12T07:00:00.000Z","example":"first","new":true}"#,
    ];
    assert_eq!(bodies(&records[3..]), expected);
}

#[test]
fn a_part_that_died_or_failed_names_its_host() {
    let [start, end] = frame("web2", 7, None);
    let whole = [&[start.clone()][..], &[coverage("ok", "a.log", "", 1), end.clone()]].concat();
    assert_eq!(merge(&[], &whole).0, 0);
    // Of another tool: for those who read on.
    let other = start.replace("pso-logscan", "pso-health");
    let (code, records) = merge_lines(&[], &[whole.clone(), vec![other.clone()]].concat());
    assert_eq!((code, &records[1]), (0, &other));

    let died = r#""log.coverage" "unknown","name":"host web2","message":"pso-logscan began there and never ended: what it had not written yet is missing","path":"host web2""#;
    let (code, records) = merge(&[], &[&whole[..], std::slice::from_ref(&start)].concat());
    assert_eq!(code, 3);
    assert!(records[1].starts_with(died), "{records:#?}");
    // The end of another run is not its end.
    assert_eq!(merge(&[], &[start.clone(), frame("web2", 8, None)[1].clone()]).0, 3);
    assert_eq!(merge(&[], &[start, frame("web3", 7, None)[1].clone()]).0, 3);

    let (code, records) = merge(&[], &frame("web3", 7, Some("stopped by SIGTERM")));
    assert_eq!(code, 3);
    assert!(
        records[0].contains(r#""host web3","message":"pso-logscan failed there: stopped by SIGTERM""#),
        "{records:#?}"
    );

    assert_eq!(merge(&["--expect", "1"], &whole).0, 0);
    let (code, records) = merge(&["--expect", "3"], &whole);
    assert_eq!(code, 3);
    assert!(records.iter().any(|record| record.contains("1 of 3 runs came in")), "{records:#?}");
}

#[test]
fn what_is_no_record_is_told_and_the_rest_is_merged() {
    let wrong = record("log.count", "info", "error", "", r#","class":"error""#);
    let lines = vec![count("info", "error", 3), "half a rec".to_owned(), wrong.clone(), count("info", "error", 4)];
    let (code, records) = merge_lines(&[], &lines);
    assert_eq!((code, &records[1]), (3, &wrong));
    let expected = r#""log.coverage" "unknown","name":"records on standard input","message":"line 2 is no record: expected value at line 1 column 1; 1 more lines are none""#;
    let records = bodies(&records);
    assert!(records[1].starts_with(expected), "{records:#?}");
    assert!(records[2].contains(r#""message":"7 errors","#), "{records:#?}");

    let (code, records) = merge(&[], &[]);
    assert_eq!(code, Severity::Unknown.exit_code());
    assert!(records[0].contains("no records came in: what should have written them did not run"), "{records:#?}");
    let (code, records) = merge(&["no/such.jsonl", "-"], &[count("ok", "error", 0)]);
    assert_eq!(code, 3);
    assert!(records[0].contains(r#""name":"records in no/such.jsonl","message":"it cannot be opened"#), "{records:#?}");
}
