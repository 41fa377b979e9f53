//! Windows in sorted files: what is found without reading all of a file is what reading all of it finds.

use super::*;

/// 2025-10-25T12:00:00Z: twelve hours before the clocks of Paris show an hour twice.
const START: i64 = 1_761_393_600;

/// How a stamp of so many milliseconds after [`START`] is written.
fn stamp(kind: usize, millis: i64) -> String {
    // Paris is two hours east of UTC until 01:00 of the next day, and then one.
    let east = if millis < 13 * 3_600_000 { 7_200_000 } else { 3_600_000 };
    let shown = |millis: i64| Moment((START * 1000 + millis) * 1000).timestamp().expect("in range").to_string();
    let (utc, local) = (shown(millis), shown(millis + east).replace('T', " ").replace('Z', ""));
    match kind {
        0 => utc,
        1 => local.replace('.', ","),
        2 => format!("{{\"time\":\"{utc}\",\"msg\":\"…\"}}"),
        _ => format!("Oct {}", &local[8..19]),
    }
}

/// A log of more than 4 MiB, and the milliseconds after [`START`] at which it ends.
fn log(random: &mut fastrand::Rng) -> (Vec<u8>, i64) {
    let (kind, step) = (random.usize(0..4), random.choice([60, 900, 5000]).expect("one"));
    let (late, traces, return_too) = (random.bool(), random.bool(), random.bool());
    let mut text = String::new();
    if random.bool() {
        text += "no stamp yet ERROR Early\n  ERROR Early too\n";
    }
    let (size, mut millis) = ((4 << 20) + random.usize(0..200_000), 0);
    while text.len() < size {
        millis += random.i64(0..2 * step);
        let at = millis - if late { random.i64(0..28_000).min(millis) } else { 0 };
        let word = ["ERROR Some", "ERROR: x", "security", "INFO ok", "INFO ok", "INFO ok"][random.usize(0..6)];
        text += &format!("{} {word} a line of the usual length that says nothing {:>40}\n", stamp(kind, at), "");
        match random.usize(0..2000) {
            0..100 if traces => text += "    at ERROR Trace, which has no stamp\n",
            100 if traces => text += &"    a long trace\n".repeat(1999),
            101 => text += &format!("{} ERROR Long {}\n", stamp(kind, at), "x".repeat(300_000)),
            _ => {}
        }
    }
    text.truncate(text.len() - random.usize(0..2));
    let text = if return_too { text.replace('\n', "\r\n") } else { text };
    let mark: &[u8] = if random.bool() { b"\xef\xbb\xbf" } else { b"" };
    ([mark, text.as_bytes()].concat(), millis)
}

#[test]
fn a_window_in_a_sorted_file_finds_what_the_whole_file_has() {
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("a.log");
    let name = path.display().to_string();
    let mut random = fastrand::Rng::with_seed(7);
    let number = regex::Regex::new(r#""line":\d+,| in \d+ lines? within the window, of \d+"#).expect("a pattern");
    let mut narrowed = 0;
    for log_number in 0..5 {
        let (text, end) = log(&mut random);
        let file = std::fs::File::create(&path).expect("created");
        (&file).write_all(&text).expect("written");
        let written = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(START.unsigned_abs() + 86_400);
        file.set_modified(written).expect("set");
        for _ in 0..4 {
            // The hour that is shown twice, the file's ends and what lies beyond them, and anywhere.
            let mut edge = || match random.usize(0..4) {
                0 => random.i64(11 * 3_600_000..15 * 3_600_000),
                1 => random.choice([0, end]).expect("one") + random.i64(-90_000..90_000),
                _ => random.i64(-end / 8..end + end / 8),
            };
            let (one, other) = (edge(), edge());
            let shown = |millis: i64| Moment((START * 1000 + millis) * 1000).timestamp().expect("in range").to_string();
            let (since, until) = (shown(one.min(other)), shown(one.max(other) + 1));
            let window: &[&str] = match random.usize(0..3) {
                0 => &["--since", &since],
                1 => &["--until", &until],
                _ => &["--since", &since, "--until", &until],
            };
            let flags =
                [window, &["--tz", "Europe/Paris", "--last", "1000", "--by", "hour", "--templates", &name]].concat();
            let (code, quick) = run_tool(root.path(), &flags, b"");
            let (whole_code, whole) = run_tool(root.path(), &[&flags[..], &["--whole"]].concat(), b"");
            narrowed += usize::from(quick[0].contains("skipped_bytes"));
            let field = |record: &String, field| {
                let found = record.split_once(&format!(r#""{field}":""#));
                found.map(|(_, rest)| rest[..rest.find('"').expect("an end")].to_owned())
            };
            for name in ["format", "zone"] {
                assert_eq!(field(&quick[0], name), field(&whole[0], name), "log {log_number}, {window:?}");
            }
            // All but what is said of how much was read: the numbers of lines are known only where all of them were.
            let found = |records: &[String]| -> Vec<String> {
                records[1..].iter().map(|record| number.replace(record, "").into_owned()).collect()
            };
            let (quick, whole) = (found(&quick), found(&whole));
            let differ = quick.iter().zip(&whole).find(|(one, other)| one != other);
            assert_eq!(differ, None, "log {log_number}, {window:?}");
            assert_eq!((code, quick.len()), (whole_code, whole.len()), "log {log_number}, {window:?}");
        }
    }
    assert!(narrowed >= 10, "only {narrowed} of 20 windows were found without reading the whole file");
}

#[test]
fn no_line_within_the_window_is_not_an_empty_file() {
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("a.log");
    let text: String = (0..60_000).map(|second| format!("{} INFO {:>60}\n", stamp(1, second * 500), "")).collect();
    std::fs::write(&path, text).expect("written");
    for window in [["--until", "2025-01-01"], ["--since", "2026-01-01"]] {
        let (code, records) = run_tool(root.path(), &[&window[..], &[&path.display().to_string()]].concat(), b"");
        assert_eq!(code, 0);
        assert!(records[0].contains(r#""format":"iso","zone":"UTC""#), "{}", records[0]);
        assert!(records[0].contains("skipped_bytes") && !records[0].contains("empty"), "{}", records[0]);
    }
}
