//! Own rules against records as tools write them.

use super::*;

fn record(kind: &str, name: &str, severity: &str, fields: &str) -> AnyRecord {
    let line = format!(
        r#"{{"schema":1,"kind":"{kind}","at":"2026-11-22T09:00:00Z","tool":"pso-x","host":"web-1","severity":"{severity}","name":"{name}","message":"it says so"{fields}}}"#
    );
    AnyRecord::parse(line).expect("a record")
}

fn rule(name: &str, matching: Matching, condition: Condition) -> OwnRule {
    let field = FieldPath::parse("value").expect("a path");
    OwnRule { name: name.into(), matching, field, condition, severity: None, message: None }
}

fn above(limit: f64) -> Condition {
    Condition { above: Some(limit), ..Condition::default() }
}

fn of_kind(kind: &str, name: &str) -> Matching {
    Matching { kind: Some(kind.to_owned()), name: Some(name.to_owned()), ..Matching::default() }
}

/// Rule, severity and message of what fires, and whether it was judged at all.
fn judge(rules: &mut OwnRules, record: &AnyRecord) -> (bool, Vec<(String, Severity, String)>, Vec<String>) {
    let labels = |record: &AnyRecord| super::super::own_labels(record);
    let judged = rules.judge(record, labels).expect("readable");
    let found = judged.findings.into_iter();
    let found = found.map(|found| (found.rule.to_string(), found.severity, found.message)).collect();
    (judged.is_judged, found, judged.misfits)
}

#[test]
fn a_field_beyond_its_bound_fires() {
    let mut rules = OwnRules::new(vec![rule("slow-sync", of_kind("health.metric", "sync_*"), above(60.0))]);
    let metric = |name: &str, value: f64| record("health.metric", name, "ok", &format!(r#","value":{value}"#));
    assert_eq!(judge(&mut rules, &metric("sync_duration", 60.0)), (true, vec![], vec![]));
    let (_, found, _) = judge(&mut rules, &metric("sync_duration", 75.5));
    let message = "sync_duration: it says so (value 75.5, above 60)".to_owned();
    assert_eq!(found, [("slow-sync".to_owned(), Severity::Warning, message)]);
    assert_eq!(judge(&mut rules, &metric("cpu_usage", 99.0)), (false, vec![], vec![]));
    assert_eq!(judge(&mut rules, &record("pg.x", "sync_duration", "ok", r#","value":99"#)), (false, vec![], vec![]));
}

#[test]
fn a_message_shows_the_records_fields() {
    let mut slow = rule("slow", of_kind("backup.*", "*"), above(10.0));
    slow.field = FieldPath::parse("timing.total_ms").expect("a path");
    slow.severity = Some(Severity::Critical);
    slow.message =
        Template::parse("{name} on {labels.host}/{labels.disk}: {value} of {timing.total_ms}, {nothing}").ok();
    let mut rules = OwnRules::new(vec![slow]);
    let backup = record("backup.archive", "daily", "high", r#","timing":{"total_ms":12},"labels":{"disk":"sda"}"#);
    let (_, found, _) = judge(&mut rules, &backup);
    assert_eq!(found[0].1, Severity::Critical);
    assert_eq!(found[0].2, "daily on web-1/sda: 12 of 12, {nothing}");
}

#[test]
fn everything_that_is_said_must_fit() {
    let labels = Labels::from([("mount".to_owned(), "/data*".to_owned()), ("host".to_owned(), "web-*".to_owned())]);
    let matching = Matching {
        tool: Some("pso-?".to_owned().replace('?', "x")),
        labels,
        severity: Some(Severity::Warning),
        ..Matching::default()
    };
    let mut rules = OwnRules::new(vec![rule("r", matching, Condition::default())]);
    let fires = |rules: &mut OwnRules, record: &AnyRecord| judge(rules, record).1.len();
    let disk =
        |severity, labels: &str| record("health.metric", "disk", severity, &format!(r#","labels":{{{labels}}}"#));
    assert_eq!(fires(&mut rules, &disk("high", r#""mount":"/data1""#)), 1);
    assert_eq!(fires(&mut rules, &disk("unknown", r#""mount":"/data1""#)), 1);
    assert_eq!(fires(&mut rules, &disk("info", r#""mount":"/data1""#)), 0);
    assert_eq!(fires(&mut rules, &disk("high", r#""mount":"/""#)), 0);
    assert_eq!(fires(&mut rules, &disk("high", r#""mount":"/data","host":"db-1""#)), 0);
    assert_eq!(fires(&mut rules, &disk("high", "")), 0);
}

#[test]
fn what_a_rule_cannot_judge_is_said_once_and_left_to_others() {
    let mut rules =
        OwnRules::new(vec![rule("r", of_kind("x.y", "*"), above(1.0)), rule("s", of_kind("x.y", "*"), above(1.0))]);
    let (judged, found, misfits) = judge(&mut rules, &record("x.y", "n", "ok", ""));
    assert_eq!((judged, found.len(), misfits.len()), (false, 0, 2));
    assert_eq!(misfits[0], "the rule r cannot judge the record n (x.y) of pso-x: it has no field `value`");
    assert_eq!(judge(&mut rules, &record("x.y", "n", "ok", r#","value":"NaN""#)), (false, vec![], vec![]));
    let mut rules = OwnRules::new(vec![rule("r", of_kind("x.y", "*"), above(1.0))]);
    let (_, _, misfits) = judge(&mut rules, &record("x.y", "n", "ok", r#","value":"12 %""#));
    assert!(misfits[0].ends_with("its `value` is a text, not a number"), "{misfits:?}");
    // Not measured: nobody is at fault.
    assert_eq!(judge(&mut rules, &record("x.y", "n", "unknown", r#","value":99"#)), (false, vec![], vec![]));
}

#[test]
fn records_that_only_repeat_others_are_judged_by_their_kinds_name_only() {
    let any = Matching { severity: Some(Severity::Warning), ..Matching::default() };
    let star = Matching { kind: Some("*".to_owned()), ..any.clone() };
    let named = Matching { kind: Some("run.end".to_owned()), ..any.clone() };
    let conditions = [any, star, named].map(|matching| rule("r", matching, Condition::default()));
    let mut rules = OwnRules::new(conditions.to_vec());
    assert_eq!(judge(&mut rules, &record("x.y", "n", "high", "")).1.len(), 2);
    assert_eq!(judge(&mut rules, &record("run.end", "n", "high", "")).1.len(), 1);
    for frame in ["run.start", "health.round", "alert.notice"] {
        assert_eq!(judge(&mut rules, &record(frame, "n", "high", "")).1.len(), 0, "{frame}");
    }
}
