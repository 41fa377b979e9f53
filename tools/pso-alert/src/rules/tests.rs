//! The rules against records as other tools write them.

use super::*;

fn record(kind: &str, name: &str, severity: &str, fields: &str) -> AnyRecord {
    let line = format!(
        r#"{{"schema":1,"kind":"{kind}","at":"2026-11-22T09:00:00Z","tool":"pso-x","host":"h","severity":"{severity}","name":"{name}","message":"it says so"{fields}}}"#
    );
    AnyRecord::parse(line).expect("a record")
}

fn rules(thresholds: Thresholds) -> Rules {
    Rules::new(&Arc::new(RuleBook { thresholds, ..RuleBook::default() }), Severity::High)
}

/// Severity for the exit code, and rule, severity and message of the notice.
type Said = (Severity, Option<(String, Severity, String)>);

fn judge(rules: &mut Rules, record: &AnyRecord) -> Said {
    let verdict = rules.verdict(record).expect("a whole record");
    let found = verdict.findings.into_iter().next();
    (verdict.severity, found.map(|found| (found.rule.to_string(), found.severity, found.message)))
}

fn metric(name: &str, value: f64, unit: &str, more: &str) -> AnyRecord {
    record("health.metric", name, "ok", &format!(r#","value":{value},"unit":"{unit}","elapsed_ms":1{more}"#))
}

#[test]
fn metrics_beyond_a_threshold_fire_with_the_specifications_words() {
    let cases = [
        ("cpu_usage", 80.5, "percent", Severity::Warning, "High CPU usage: 80.5% (limit 80%)"),
        ("memory_usage", 91.0, "percent", Severity::Critical, "High memory usage: 91% (limit 90%)"),
        ("disk_usage", 86.125, "percent", Severity::Warning, "High disk usage: 86.12% (limit 85%)"),
        ("error_rate", 5.01, "percent", Severity::High, "High error rate: 5.01% (limit 5%)"),
        ("sync_duration", 75.0, "seconds", Severity::Warning, "Slow synchronisation: 75 s (limit 60 s)"),
        ("response_time", 2500.0, "ms", Severity::Warning, "Slow response: 2500 ms (limit 2000 ms)"),
    ];
    for (name, value, unit, severity, message) in cases {
        let (exit, notice) = judge(&mut rules(Thresholds::default()), &metric(name, value, unit, ""));
        let (rule, told, said) = notice.expect(name);
        assert_eq!((rule.as_str(), exit, told, said.as_str()), (name, severity, severity, message));
    }
    let at_the_limit = judge(&mut rules(Thresholds::default()), &metric("cpu_usage", 80.0, "percent", ""));
    assert_eq!(at_the_limit, (Severity::Ok, None));
}

#[test]
fn what_was_judged_is_not_judged_again() {
    let cpu = |severity: &str, more: &str| {
        record("health.metric", "cpu_usage", severity, &format!(r#","value":92,"unit":"percent","elapsed_ms":1{more}"#))
    };
    let file =
        |limit: Option<f64>| limit.map_or_else(Thresholds::default, |limit| Thresholds::with("cpu_usage", limit));
    for threshold in [Some(60.0), Some(95.0), None] {
        let judged = |severity: &str, more: &str| {
            let (exit, notice) = judge(&mut rules(file(threshold)), &cpu(severity, more));
            (exit, notice.map(|(_, told, message)| (told, message)))
        };
        let fires = |severity, message: &str| (severity, Some((severity, message.to_owned())));
        assert_eq!(judged("ok", r#","limit":95"#), (Severity::Ok, None));
        assert_eq!(judged("info", ""), (Severity::Info, None));
        assert_eq!(judged("warning", r#","limit":70"#), fires(Severity::Warning, "High CPU usage: 92% (limit 70%)"));
        assert_eq!(judged("high", r#","limit":70"#), fires(Severity::High, "High CPU usage: 92% (limit 70%)"));
        assert_eq!(judged("high", ""), fires(Severity::High, "High CPU usage: 92%"));
    }
    // Nobody has judged these.
    assert_eq!(judge(&mut rules(file(Some(95.0))), &cpu("ok", "")), (Severity::Ok, None));
    let (severity, notice) = judge(&mut rules(file(Some(60.0))), &cpu("ok", ""));
    assert_eq!((severity, notice.expect("fires").2.as_str()), (Severity::Warning, "High CPU usage: 92% (limit 60%)"));
}

#[test]
fn a_metric_that_no_threshold_fits_is_judged_by_its_own_severity() {
    let mut rules = rules(Thresholds::default());
    let other_unit = metric("response_time", 9000.0, "seconds", "");
    assert_eq!(judge(&mut rules, &other_unit), (Severity::Ok, None));
    let unknown = record("health.metric", "cpu_usage", "unknown", r#","value":0,"unit":"percent","elapsed_ms":1"#);
    assert_eq!(judge(&mut rules, &unknown).1.expect("told").0, "record.severity");
}

#[test]
fn labels_tell_two_disks_apart() {
    let mut rules = rules(Thresholds::default());
    let key = |rules: &mut Rules, mount: &str| {
        let record = metric("disk_usage", 99.0, "percent", &format!(r#","labels":{{"mount":"{mount}"}}"#));
        rules.verdict(&record).expect("whole").findings.pop().expect("fires")
    };
    let (root, data) = (key(&mut rules, "/"), key(&mut rules, "/data"));
    assert_eq!(root.incident, "disk_usage/h/pso-x/disk_usage,mount=/");
    assert_eq!(data.incident, "disk_usage/h/pso-x/disk_usage,mount=/data");
    assert_eq!(data.message, "High disk usage of /data: 99% (limit 85%)");
}

#[test]
fn a_service_that_is_not_healthy_is_critical() {
    let mut rules = rules(Thresholds::default());
    let mut check = |name, severity| judge(&mut rules, &record("health.check", name, severity, r#","elapsed_ms":1"#));
    assert_eq!(check("service", "info"), (Severity::Info, None));
    let (severity, notice) = check("service.sync_engine", "warning");
    let expected = "System health check failed: service.sync_engine: it says so".to_owned();
    assert_eq!(
        (severity, notice),
        (Severity::Critical, Some(("health.check".to_owned(), Severity::Critical, expected)))
    );
    assert_eq!(check("qdrant.collection.plans", "warning").0, Severity::Warning);
    assert_eq!(check("services", "high").0, Severity::High);
    assert_eq!(check("service", "unknown").0, Severity::Unknown);
}

#[test]
fn as_many_errors_as_the_scan_calls_high_are_told() {
    let mut rules = rules(Thresholds::default());
    let mut count = |severity, fields: &str| judge(&mut rules, &record("log.count", "error", severity, fields));
    assert_eq!(count("warning", r#","class":"error","count":50"#), (Severity::Warning, None));
    let told = |count: u64| {
        let message = format!("High error count detected: {count} errors in the logs");
        (Severity::High, Some(("log.errors".to_owned(), Severity::High, message)))
    };
    // Judged by a limit of 100, and by one of 5.
    assert_eq!(count("info", r#","class":"error","count":99"#), (Severity::Info, None));
    assert_eq!(count("high", r#","class":"error","count":6"#), told(6));
    // Not judged at all.
    assert_eq!(count("ok", r#","class":"error","count":50"#), (Severity::Ok, None));
    assert_eq!(count("ok", r#","class":"error","count":51"#), told(51));
    assert_eq!(count("ok", r#","class":"error","type":"SyncTimeout","count":99"#), (Severity::Ok, None));
    assert_eq!(count("ok", r#","class":"security","count":99"#), (Severity::Ok, None));
    // Of a histogram: they are in the sum too.
    let bucket = r#","class":"error","count":99,"bucket_at":"2026-11-22T08:00:00Z","bucket_seconds":3600"#;
    assert_eq!(count("info", bucket), (Severity::Info, None));
    assert_eq!(count("ok", bucket), (Severity::Ok, None));
    let (_, notice) = count("unknown", r#","class":"error","count":0"#);
    assert_eq!(notice.expect("told").2, "error: it says so");
}

#[test]
fn an_error_that_was_never_seen_before_is_told() {
    let mut rules = rules(Thresholds::default());
    let mut template = |severity, new: bool| {
        let fields = format!(
            r#","template_id":"8d4d","template":"DiskOnFire <*>","count":2,"example":"ERROR DiskOnFire sda1","new":{new}"#
        );
        judge(&mut rules, &record("log.template", "8d4d", severity, &fields))
    };
    let told = (Severity::Warning, "New error in the logs, 2 times so far: ERROR DiskOnFire sda1".to_owned());
    assert_eq!(template("warning", true), (told.0, Some(("log.new".to_owned(), told.0, told.1))));
    assert_eq!(template("info", true), (Severity::Info, None));
    assert_eq!(template("info", false), (Severity::Info, None));
}

#[test]
fn anything_else_fires_from_the_minimal_severity_up() {
    let mut judged = rules(Thresholds::default());
    let advice = record("pg.advice", "unused_index:i", "warning", "");
    assert_eq!(judge(&mut judged, &advice), (Severity::Warning, None));
    for severity in ["high", "critical", "unknown"] {
        let (_, notice) = judge(&mut judged, &record("later.kind", "n", severity, ""));
        let (rule, _, message) = notice.expect(severity);
        assert_eq!((rule.as_str(), message.as_str()), ("record.severity", "n: it says so"));
    }
    let mut strict = Rules::new(&Arc::default(), Severity::Warning);
    assert!(judge(&mut strict, &advice).1.is_some());
    // Somebody has been told of these already.
    assert_eq!(judge(&mut judged, &record("alert.notice", "r", "critical", "")), (Severity::Critical, None));
}

#[test]
fn a_record_without_its_kinds_fields_is_an_error() {
    assert!(rules(Thresholds::default()).verdict(&record("health.metric", "cpu_usage", "ok", "")).is_err());
}

fn start(pid: u32) -> AnyRecord {
    record("run.start", "pso-x", "ok", &format!(r#","version":"1","pid":{pid}"#))
}

fn end(pid: u32, severity: &str, code: u8, error: &str) -> AnyRecord {
    let error = if error.is_empty() { String::new() } else { format!(r#","error":"{error}""#) };
    let fields = format!(r#","pid":{pid},"records":1,"elapsed_ms":1,"exit_code":{code}{error}"#);
    record("run.end", "pso-x", severity, &fields)
}

#[test]
fn a_start_without_its_end_is_told() {
    let mut rules = rules(Thresholds::default());
    for record in [start(1), start(2), end(1, "ok", 0, ""), start(1), end(1, "ok", 0, "")] {
        assert_eq!(judge(&mut rules, &record), (Severity::Ok, None));
    }
    let findings = std::mem::take(&mut rules.runs).unfinished();
    assert_eq!(findings.len(), 1);
    assert_eq!((&*findings[0].rule, findings[0].severity), ("run.unfinished", Severity::High));
    assert_eq!(findings[0].incident, "run.unfinished/h/pso-x/pso-x");
    assert_eq!(
        findings[0].message,
        "pso-x began at 2026-11-22T09:00:00.000Z and never ended: it was killed or cut off (pid 2 on h)"
    );
}

#[test]
fn a_tool_that_failed_is_named_with_its_error() {
    let mut rules = rules(Thresholds::default());
    let (severity, notice) = judge(&mut rules, &end(1, "unknown", 3, "no such host"));
    let expected = "pso-x failed: no such host".to_owned();
    assert_eq!((severity, notice), (Severity::Unknown, Some(("run.failed".to_owned(), Severity::Unknown, expected))));
    let (_, notice) = judge(&mut rules, &end(1, "high", 2, ""));
    assert_eq!(notice.expect("told").2, "pso-x ended with exit code 2 and no record that says why");
    // A record has said why, and is told itself.
    assert!(judge(&mut rules, &record("backup.component", "qdrant", "high", "")).1.is_some());
    assert_eq!(judge(&mut rules, &end(2, "high", 2, "")), (Severity::Ok, None));
}

#[test]
fn more_runs_than_can_be_followed_are_said() {
    let mut rules = rules(Thresholds::default());
    for pid in 0..10_003 {
        judge(&mut rules, &start(pid));
    }
    let findings = std::mem::take(&mut rules.runs).unfinished();
    let last = findings.last().expect("findings");
    assert_eq!((findings.len(), last.count, last.severity), (10_001, 3, Severity::Unknown));
}

fn at(record: AnyRecord, minute: u8) -> AnyRecord {
    AnyRecord::parse(record.line.replace("09:00:00Z", &format!("09:{minute:02}:00Z"))).expect("a record")
}

/// Tool, begin and end of what came to its end.
fn completed(batch: &Batch) -> Vec<(String, String, String)> {
    let mut completed: Vec<_> = batch.completed.iter().collect();
    completed.sort_by_key(|completed| completed.ended_at);
    let minute = |at: pso_common::Timestamp| at.to_string()[14..16].to_owned();
    completed.into_iter().map(|done| (done.tool.clone(), minute(done.began_at), minute(done.ended_at))).collect()
}

fn judge_all(rules: &mut Rules, batch: &mut Batch, records: &[AnyRecord]) {
    for record in records {
        rules.judge(record, batch).expect("whole records");
    }
}

#[test]
fn a_run_that_came_to_a_good_end_is_complete() {
    let done = |began: &str, ended: &str| ("pso-x".to_owned(), began.to_owned(), ended.to_owned());
    let complete = |records: &[AnyRecord]| {
        let (mut rules, mut batch) = (rules(Thresholds::default()), Batch::default());
        judge_all(&mut rules, &mut batch, records);
        completed(&batch)
    };
    let (begin, ok) = (|minute| at(start(1), minute), |minute| at(end(1, "ok", 0, ""), minute));
    assert_eq!(complete(&[begin(1), ok(3)]), [done("01", "03")]);
    // What it found does not matter, only that it looked at everything.
    assert_eq!(complete(&[begin(1), at(end(1, "high", 2, ""), 3)]), [done("01", "03")]);
    assert!(complete(&[begin(1), at(end(1, "unknown", 3, ""), 3)]).is_empty());
    assert!(complete(&[begin(1), at(end(1, "high", 2, "no database"), 3)]).is_empty());
    assert!(complete(&[ok(3)]).is_empty());
    // Two scans in one pipe look at two things: neither takes back what the other found.
    assert_eq!(complete(&[begin(1), ok(3), begin(4), ok(6)]), [done("01", "03"), done("01", "06")]);
    assert!(complete(&[begin(1), at(end(1, "unknown", 3, ""), 3), begin(4), ok(6)]).is_empty());
    // One that begins long after the last has ended looks at all anew: a loop, or a recorded week.
    assert_eq!(complete(&[begin(1), ok(3), begin(5), ok(6)]), [done("01", "03"), done("05", "06")]);
    assert_eq!(complete(&[begin(1), at(end(1, "unknown", 3, ""), 3), begin(5), ok(6)]), [done("05", "06")]);
    // Not while another is under way.
    assert_eq!(complete(&[at(start(2), 1), begin(1), ok(3), begin(5), ok(6)])[1], done("01", "06"));
}

#[test]
fn each_round_of_a_run_that_goes_on_is_complete() {
    let round = |minute| {
        at(
            record("health.round", "round", "ok", r#","round":1,"checks":1,"hanging":0,"missed":0,"elapsed_ms":1"#),
            minute,
        )
    };
    let (mut rules, mut batch) = (rules(Thresholds::default()), Batch::default());
    judge_all(&mut rules, &mut batch, &[at(start(1), 1), round(2), round(7)]);
    let done = |began: &str, ended: &str| ("pso-x".to_owned(), began.to_owned(), ended.to_owned());
    assert_eq!(completed(&batch), [done("01", "02"), done("02", "07")]);
}

#[test]
fn a_run_is_not_unfinished_before_the_input_is_over() {
    let (mut rules, mut first) = (rules(Thresholds::default()), Batch::default());
    judge_all(&mut rules, &mut first, &[start(1)]);
    let mut second = Batch::default();
    judge_all(&mut rules, &mut second, &[start(2), end(1, "ok", 0, "")]);
    assert!(first.tracks.is_empty() && second.tracks.is_empty());
    rules.at_end(&mut second);
    assert_eq!(second.tracks.keys().collect::<Vec<_>>(), ["run.unfinished/h/pso-x/pso-x"]);
}

/// Of each incident whether the last that was said of it is that it is bad.
fn stands(batch: &Batch) -> Vec<(String, bool)> {
    let last = |track: &crate::batch::Track| track.steps.last().is_some_and(|step| step.trouble.is_some());
    let mut stands: Vec<_> = batch.tracks.iter().map(|(key, track)| (key.clone(), last(track))).collect();
    stands.sort();
    stands
}

#[test]
fn a_later_record_takes_back_what_an_earlier_one_said() {
    let check = |severity| record("health.check", "service", severity, r#","elapsed_ms":1"#);
    let (mut rules, mut batch) = (rules(Thresholds::default()), Batch::default());
    judge_all(&mut rules, &mut batch, &[check("high"), check("ok")]);
    let key = || "health.check/h/pso-x/service".to_owned();
    assert_eq!(stands(&batch), [(key(), false)]);
    // What could not be looked at is not well.
    let metric = |severity, value| {
        record("health.metric", "cpu_usage", severity, &format!(r#","value":{value},"unit":"percent","elapsed_ms":1"#))
    };
    let mut batch = Batch::default();
    judge_all(&mut rules, &mut batch, &[metric("ok", 99), metric("unknown", 0)]);
    let (cpu, unknown) = ("cpu_usage/h/pso-x/cpu_usage".to_owned(), "record.severity/h/pso-x/cpu_usage".to_owned());
    assert_eq!(stands(&batch), [(cpu, true), (unknown, true)]);
}

#[test]
fn a_good_run_takes_back_a_bad_one_however_it_was_bad() {
    let (mut rules, mut batch) = (rules(Thresholds::default()), Batch::default());
    judge_all(&mut rules, &mut batch, &[start(1), end(1, "unknown", 3, "no host"), start(1), end(1, "ok", 0, "")]);
    assert_eq!(stands(&batch), [("run.failed/h/pso-x/pso-x".to_owned(), false)]);
    // A run that failed did end.
    let unfinished = Subject::run(&start(1).header);
    let mut batch = Batch::new([(Arc::new(unfinished), vec!["run.unfinished/h/pso-x/pso-x".to_owned()])].into());
    judge_all(&mut rules, &mut batch, &[end(1, "unknown", 3, "no host")]);
    let key = |rule: &str| format!("{rule}/h/pso-x/pso-x");
    assert_eq!(stands(&batch), [(key("run.failed"), true), (key("run.unfinished"), false)]);
}

#[test]
fn a_template_that_is_no_longer_new_is_over() {
    let template = |new: bool| {
        let fields = format!(r#","template_id":"8d4d","template":"x","count":1,"example":"x","new":{new}"#);
        record("log.template", "8d4d", if new { "warning" } else { "info" }, &fields)
    };
    let mut rules = rules(Thresholds::default());
    let mut batch = Batch::default();
    judge_all(&mut rules, &mut batch, &[template(true)]);
    let subject = Subject::of(&template(true).header, &Labels::new());
    let key = "log.new/h/pso-x/8d4d".to_owned();
    let mut batch = Batch::new([(Arc::new(subject), vec![key.clone()])].into());
    judge_all(&mut rules, &mut batch, &[template(false)]);
    assert_eq!(stands(&batch), [(key, false)]);
}

fn own(name: &str, kind: &str, metric: &str, above: f64) -> OwnRule {
    OwnRule {
        name: name.into(),
        matching: Matching { kind: Some(kind.to_owned()), name: Some(metric.to_owned()), ..Matching::default() },
        field: FieldPath::parse("value").expect("a path"),
        condition: Condition { above: Some(above), ..Condition::default() },
        severity: Some(Severity::High),
        message: None,
    }
}

#[test]
fn what_a_rule_of_ones_own_judges_ours_leave_alone() {
    let book = RuleBook { own: vec![own("cpu", "health.metric", "cpu_*", 95.0)], ..RuleBook::default() };
    let mut rules = Rules::new(&Arc::new(book), Severity::High);
    assert_eq!(judge(&mut rules, &metric("cpu_usage", 92.0, "percent", "")), (Severity::Ok, None));
    let (severity, notice) = judge(&mut rules, &metric("cpu_usage", 96.0, "percent", ""));
    assert_eq!((severity, notice.map(|(rule, ..)| rule)), (Severity::High, Some("cpu".to_owned())));
    assert_eq!(judge(&mut rules, &metric("memory_usage", 92.0, "percent", "")).1.expect("ours").0, "memory_usage");
    // What it says itself counts for the exit code in any case.
    let judged = record("health.metric", "cpu_usage", "critical", r#","value":90,"unit":"percent","elapsed_ms":1"#);
    assert_eq!(judge(&mut rules, &judged), (Severity::Critical, None));
}

#[test]
fn a_rule_of_ours_says_it_as_the_file_wants_or_not_at_all() {
    let message = Template::parse("CPU of {labels.host} at {value}").ok();
    let changed = [
        ("cpu_usage", Changed { severity: Some(Severity::Critical), message, is_off: false }),
        ("memory_usage", Changed { is_off: true, ..Changed::default() }),
        ("record.severity", Changed { severity: Some(Severity::Warning), ..Changed::default() }),
    ];
    let changed = changed.into_iter().map(|(rule, changed)| (rule.to_owned(), changed)).collect();
    let mut rules = Rules::new(&Arc::new(RuleBook { changed, ..RuleBook::default() }), Severity::High);
    let told = (Severity::Critical, Some(("cpu_usage".to_owned(), Severity::Critical, "CPU of h at 92".to_owned())));
    assert_eq!(judge(&mut rules, &metric("cpu_usage", 92.0, "percent", "")), told);
    assert_eq!(judge(&mut rules, &metric("memory_usage", 92.0, "percent", "")), (Severity::Ok, None));
    let (severity, notice) = judge(&mut rules, &record("pg.x", "n", "high", ""));
    assert_eq!((severity, notice.expect("told").1), (Severity::High, Severity::Warning));
}

#[test]
fn a_rehearsal_speaks_of_a_folder_and_not_of_an_archive() {
    let result = |name: &str, severity: &str| {
        let fields = format!(
            r#","path":"/srv/backups/daily/{name}","size_bytes":1,"components":[],"proven":[],"unproven":[],"elapsed_ms":1,"restored_bytes":0"#
        );
        record("rehearse.result", name, severity, &fields)
    };
    let component = r#","component":"postgres","proven":[],"unproven":[],"entries":1,"size_bytes":1,"elapsed_ms":1"#;
    let mut rules = rules(Thresholds::default());
    // Its parts are silent: the result says it of the whole.
    let (severity, told) = judge(&mut rules, &record("rehearse.component", "postgres", "critical", component));
    assert_eq!((severity, told), (Severity::Critical, None));
    for (word, severity, what) in [
        ("critical", Severity::Critical, "cannot be restored, as its rehearsal shows"),
        ("unknown", Severity::Unknown, "was not proven by its rehearsal"),
    ] {
        let expected = Some(("rehearsal".to_owned(), severity, format!("The backup 1.zip {what}: it says so")));
        assert_eq!(judge(&mut rules, &result("1.zip", word)), (severity, expected));
    }
    assert_eq!(judge(&mut rules, &result("1.zip", "warning")), (Severity::Warning, None));
    let fields = |name| result(name, "ok").fields::<RehearseResultRecord>().expect("whole");
    let of = |name| rehearsal::subject(&result(name, "ok").header, &fields(name));
    assert_eq!(of("1.zip"), of("2.zip"));
    assert_eq!(of("1.zip"), subject(&result("2.zip", "ok")));
}
