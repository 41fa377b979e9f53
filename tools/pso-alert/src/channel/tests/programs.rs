//! Alertmanager, webhooks with a body of one's own, ntfy, commands and files.

use std::time::Duration;

use pso_common::Secret;

use super::*;
use crate::channel::{alertmanager, ntfy, webhook};

const DAY: Duration = Duration::from_secs(86_400);
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn alertmanager_golden() {
    let notices = usual();
    let expected = r#"[{"labels":{"alertname":"health.check","host":"web-1","name":"service","severity":"critical","tool":"pso-health"},"annotations":{"count":"1","incident":"health.check/web-1/pso-health/service","runbook_url":"https://wiki.example.com/run?id=1&step=2","summary":"System health check failed: service: connection refused"},"startsAt":"2026-11-22T09:00:00.000Z","endsAt":"2026-11-23T09:00:00.000Z"},"#.to_owned()
        + r#"{"labels":{"alertname":"disk_usage","host":"web-1","mount":"/var","name":"disk_usage","severity":"high","tool":"pso-health"},"annotations":{"count":"12","incident":"disk_usage/web-1/pso-health/disk_usage,mount=/var","summary":"High disk usage: 91.2% (limit 85%)"},"startsAt":"2026-11-22T04:45:00.000Z","endsAt":"2026-11-23T09:00:00.000Z"},"#
        + r#"{"labels":{"alertname":"sync_duration","host":"web-2","name":"sync_duration","severity":"warning","tool":"pso-health"},"annotations":{"count":"3","incident":"sync_duration/web-2/pso-health/sync_duration","summary":"Slow sync: 72 s (limit 60 s)"},"startsAt":"2026-11-22T08:40:00.000Z","endsAt":"2026-11-22T08:52:00.000Z"},"#
        + r#"{"labels":{"alertname":"send","severity":"info","ticket":"OPS-7"},"annotations":{"count":"1","incident":"rule/h/t/Disk replaced <soon>","summary":"Disk replaced <soon>"},"startsAt":"2026-11-22T09:00:00.000Z","endsAt":"2026-11-23T09:00:00.000Z"}]"#;
    assert_eq!(read(&alertmanager::alerts(&digest(&notices), DAY)).to_string(), expected);
}

#[test]
fn alertmanager_gets_names_that_it_takes_and_times_in_their_order() {
    let mut odd = notice(Severity::Critical, "m", 1);
    odd.labels = labels(&[("1st", "a\nb"), ("a.b-c", "x"), ("severity", "mine"), ("alertname", "mine"), ("é", "y")]);
    odd.first_at = time("10:00:00");
    let notices = [odd];
    let alerts = read(&alertmanager::alerts(&digest(&notices), DAY));
    let labels = &alerts[0]["labels"];
    for (key, value) in [
        ("_1st", "a b"),
        ("a_b_c", "x"),
        ("severity_", "mine"),
        ("alertname_", "mine"),
        ("alertname", "rule"),
        ("severity", "critical"),
    ] {
        assert_eq!(labels[key], value, "{key}");
    }
    assert_eq!(alerts[0]["startsAt"], "2026-11-22T10:00:00.000Z");
    let over = Notice { state: IncidentState::Resolved, ended_at: Some(time("09:30:00")), ..notices[0].clone() };
    // A test is not seen for a day.
    let test = Notice { because: Because::Test, ..notice(Severity::Info, "x", 1) };
    assert_eq!(read(&alertmanager::alerts(&digest(&[test]), DAY))[0]["endsAt"], "2026-11-22T09:05:00.000Z");
    let over = read(&alertmanager::alerts(&digest(&[over]), DAY));
    assert_eq!(
        (&over[0]["startsAt"], &over[0]["endsAt"]),
        (&over[0]["endsAt"], &serde_json::json!("2026-11-22T09:30:00.000Z"))
    );
    // What it holds of the same incident under another severity is over; what is of another is not.
    let held = |severity: &str, host: &str| serde_json::json!({"labels": {"alertname": "rule", "host": host, "severity": severity}});
    let held = serde_json::json!([held("warning", "h"), held("critical", "h"), held("warning", "other")]);
    let held: Vec<alertmanager::Held> = serde_json::from_value(held).expect("alerts");
    let worse = [Notice { because: Because::Worse, ..notice(Severity::Critical, "m", 1) }];
    let superseded = read(&alertmanager::superseded(&digest(&worse), "rule", &held));
    assert_eq!(superseded.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&superseded[0]["labels"]["severity"], &superseded[0]["endsAt"]),
        (&serde_json::json!("warning"), &serde_json::json!("2026-11-22T09:00:00.000Z"))
    );
}

#[test]
fn ntfy_golden() {
    let notices = usual();
    let rest = storm();
    let message = ntfy::message(&Digest { rest: Some(&rest), ..digest(&notices) });
    let headers: Vec<String> = message.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let expected = [
        "Title: 584 notices from web-1, the worst critical, 1 resolved",
        "Priority: 5",
        "Tags: rotating_light",
        "Click: https://wiki.example.com/run?id=1&step=2",
    ];
    assert_eq!(headers, expected);
    let expected = "🔴 CRITICAL System health check failed: service: connection refused\nsince 09:00 UTC\n\
        🟠 STILL HIGH High disk usage: 91.2% (limit 85%)\nsince 04:45 UTC, for 4h 15m · 12 times · mount=/var\n\
        ✅ RESOLVED Slow sync: 72 s (limit 60 s)\n08:40 – 08:52 UTC, for 12m 00s · 3 times · host=web-2\n\
        🔵 INFO Disk replaced <soon>\nby hand, 09:00 UTC · ticket=OPS-7\n\
        and 580 more: 400 of log.errors, 180 of disk_usage";
    assert_eq!(message.body, expected);
    let abroad = Notice { labels: labels(&[("host", "web-é")]), ..notices[0].clone() };
    let title = &ntfy::message(&digest(std::slice::from_ref(&abroad))).headers[0].1;
    assert_eq!(title, "=?utf-8?b?Y3JpdGljYWwgb24gd2ViLcOp?=");
}

#[test]
fn ntfy_stays_within_its_limits_and_its_headers() {
    for message in hostile() {
        for count in [1, 2, 10, 40] {
            let notices = numbered(count, &message, u64::MAX);
            let message = ntfy::message(&Digest { host: &message, ..digest(&notices) });
            assert!(message.body.len() <= 4_096, "{}", message.body.len());
            for (_, value) in &message.headers {
                assert!(value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{value}");
            }
            assert!(message.headers[0].1.split(' ').all(|word| word.len() <= 75 || word.is_ascii()));
        }
    }
}

#[test]
fn a_signature_holds_the_time_and_the_body() {
    // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac s3cr3tHookKey
    let expected = "t=1700000000,v1=2045f747a1f17bae278d194c26711cb86fb0389cf59179aabee64f7025e3f1f2";
    assert_eq!(webhook::signature(&Secret::new("s3cr3tHookKey"), 1_700_000_000, br#"{"a":1}"#), expected);
}

#[cfg(unix)]
mod command {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Instant;

    use super::*;
    use crate::channel::Command;

    fn shell(line: &str) -> Command {
        Command { words: ["sh", "-c", line, "x"].map(str::to_owned).to_vec() }
    }

    fn sent(command: &Command, timeout: Duration) -> Outcome {
        command.send(&digest(&usual()), timeout)
    }

    #[test]
    fn it_gets_one_record_a_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("got");
        let outcome = sent(&shell(&format!("cat > '{}'; echo taken", path.display())), PATIENCE);
        let expected =
            Outcome::Sent { status: Some(0), said: "taken".to_owned(), pause: Duration::ZERO, complaint: None };
        assert_eq!(outcome, expected);
        let got = std::fs::read_to_string(path).expect("written");
        assert_eq!(got.lines().count(), 5);
        let first = r#"{"schema":1,"kind":"alert.notice","at":"2026-11-22T09:00:00.000Z","tool":"pso-alert","host":"web-1","severity":"critical","name":"health.check","message":"System health check failed: service: connection refused","incident":"health.check/web-1/pso-health/service","rule":"health.check","state":"firing","count":1,"first_at":"2026-11-22T09:00:00.000Z","last_at":"2026-11-22T09:00:00.000Z","episode":1,"told":"now","because":"fired","runbook":"https://wiki.example.com/run?id=1&step=2","labels":{"host":"web-1","name":"service","tool":"pso-health"}}"#;
        assert_eq!(got.lines().next(), Some(first));
    }

    #[test]
    fn its_code_says_what_comes_next() {
        let reason = |code: u16| format!("sh ended with {code}: no <b>");
        for code in [1, 7, 75] {
            let outcome = sent(&shell(&format!("echo 'no\n<b>' >&2; exit {code}")), PATIENCE);
            let expected = Outcome::Again { status: Some(code), after: Duration::ZERO, reason: reason(code) };
            assert_eq!(outcome, expected);
        }
        for code in [64, 65] {
            let outcome = sent(&shell(&format!("echo 'no <b>'; exit {code}")), PATIENCE);
            assert_eq!(outcome, Outcome::Refused { status: Some(code), reason: reason(code) });
        }
        for code in [77, 78] {
            let outcome = sent(&shell(&format!("echo 'no <b>'; exit {code}")), PATIENCE);
            assert_eq!(outcome, Outcome::Unusable { status: Some(code), reason: reason(code) });
        }
        let killed = sent(&shell("kill -9 $$"), PATIENCE);
        assert!(
            matches!(&killed, Outcome::Again { status: None, reason, .. } if reason == "sh was killed by a signal")
        );
        let missing = Command { words: vec!["/no/such/program".to_owned()] };
        assert!(
            matches!(sent(&missing, PATIENCE), Outcome::Unusable { reason, .. } if reason.starts_with("start /no/such/program: "))
        );
    }

    #[test]
    fn what_does_not_end_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pid");
        let began = Instant::now();
        let outcome =
            sent(&shell(&format!("sleep 600 & echo $! > '{}'; wait", path.display())), Duration::from_millis(500));
        assert!(
            matches!(&outcome, Outcome::Again { reason, .. } if reason.contains("did not end within the time-out")),
            "{outcome:?}"
        );
        assert!(began.elapsed() < Duration::from_secs(5));
        let pid = std::fs::read_to_string(path).expect("written");
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).ok();
        // Gone, or a corpse that nobody has fetched yet.
        let deadline = Instant::now() + PATIENCE;
        while state().is_some_and(|stat| !stat.contains(") Z ")) {
            assert!(Instant::now() < deadline, "its child lives on");
            std::thread::yield_now();
        }
    }

    #[test]
    fn one_that_reads_nothing_says_much_and_leaves_a_child_behind_does_not_hold_us_up() {
        let began = Instant::now();
        let notices: Vec<Notice> = numbered(500, &"x".repeat(1_000), 1);
        let command = shell("exec 0<&-; sleep 5 & head -c 1000000 /dev/zero | tr '\\0' y; exit 0");
        let outcome = command.send(&digest(&notices), PATIENCE);
        assert!(matches!(&outcome, Outcome::Sent { .. }), "{outcome:?}");
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }

    #[test]
    fn a_file_gets_whole_lines_and_is_only_ours_to_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notices.jsonl");
        let file = crate::channel::LogFile { path: path.clone() };
        std::fs::write(&path, "{\"cut\":").expect("written");
        let send = || file.send(&digest(&usual()), PATIENCE);
        assert!(matches!(send(), Outcome::Sent { .. }));
        let text = std::fs::read_to_string(&path).expect("there");
        assert_eq!((text.lines().count(), text.lines().next()), (6, Some("{\"cut\":")));
        // Rotated in between.
        std::fs::rename(&path, folder.path().join("notices.jsonl.1")).expect("renamed");
        assert!(matches!(send(), Outcome::Sent { .. }) && matches!(send(), Outcome::Sent { .. }));
        let text = std::fs::read_to_string(&path).expect("there");
        assert_eq!(text.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(), 10);
        assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600);
        // Another program's lock is waited for, and not for ever.
        let held = std::fs::File::open(&path).expect("open");
        held.lock().expect("locked");
        let outcome = file.send(&digest(&usual()), Duration::from_millis(100));
        assert!(matches!(&outcome, Outcome::Again { reason, .. } if reason.contains("lock")), "{outcome:?}");
        let folder_itself = crate::channel::LogFile { path: folder.path().to_owned() };
        assert!(matches!(folder_itself.send(&digest(&usual()), PATIENCE), Outcome::Unusable { .. }));
        let nowhere = crate::channel::LogFile { path: folder.path().join("no/such") };
        assert!(matches!(nowhere.send(&digest(&usual()), PATIENCE), Outcome::Again { .. }));
    }
}
