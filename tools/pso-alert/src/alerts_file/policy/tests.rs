//! How incidents are told, as the file says it.

use std::path::Path;
use std::time::Duration;

use pso_common::Severity;
use pso_common::io::Env;
use pso_common::record::Labels;

use super::super::parse;
use crate::policy::{Expectation, Inhibition, Policy, QuietHours};

fn parsed(text: &str) -> anyhow::Result<Policy> {
    Ok(parse(Path::new("config/alerts.yaml"), text, &Env::default(), Path::new("."))?.policy)
}

fn error(text: &str) -> String {
    parsed(text).map_or_else(|error| format!("{error:#}"), |_| "no error".to_owned())
}

const HOUR: Duration = Duration::from_secs(3_600);

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(label, pattern)| ((*label).to_owned(), (*pattern).to_owned())).collect()
}

#[test]
fn everything_is_where_the_machine_looks_for_it() {
    let text = r#"
alerts: {stdout: {enabled: true}}
notices:
  {group_by: [host, rule], group_wait: 30s, repeat: 3h, repeat_limit: 5, resolved: false, expire_after: 2d, storm: 7,
   flapping: {changes: 4, within: 2h, calm: 1h}}
no_data: {severity: warning, after: 30m}
unfinished: {severity: critical}
expect:
  - {source: nightly, host: web-1, within: 26h}
  - {tool: pso-backup, within: 1d, severity: critical}
inhibit:
  - when: {rule: health.check, name: postgres}
    silences: [{tool: pso-pgstats}, {name: "sync_*", kind: health.metric}]
    equal: [host]
quiet_hours:
  - {from: "22:00", to: "07:00", days: [mon, fri], time_zone: Europe/Paris, below: critical, channels: [stdout]}
  - {from: "00:00", to: "24:00", days: [Saturday]}
"#;
    let policy = parsed(text).expect("valid");
    let defaults = &policy.defaults;
    assert_eq!((defaults.group_wait, defaults.repeat, defaults.repeat_limit), (HOUR / 120, 3 * HOUR, 5));
    assert_eq!((defaults.resolved, defaults.no_data_after, policy.storm), (false, HOUR / 2, 7));
    assert_eq!(defaults.group_by, ["host", "rule"]);
    let flapping = &policy.flapping;
    assert_eq!((flapping.changes, flapping.within, flapping.calm), (4, 2 * HOUR, HOUR));
    assert_eq!(
        (policy.expire_after, policy.no_data, policy.unfinished),
        (48 * HOUR, Severity::Warning, Severity::Critical)
    );
    // The specification's five minutes stay, and all else is as the file says.
    let cpu = policy.of("cpu_usage");
    assert_eq!((cpu.hold, cpu.repeat, cpu.repeat_limit), (HOUR / 12, 3 * HOUR, 5));
    let nightly = Expectation {
        source: Some("nightly".to_owned()),
        tool: None,
        host: Some("web-1".to_owned()),
        within: 26 * HOUR,
        severity: Severity::Warning,
    };
    let backup = Expectation {
        source: None,
        tool: Some("pso-backup".to_owned()),
        host: None,
        within: 24 * HOUR,
        severity: Severity::Critical,
    };
    assert_eq!(policy.expect, [nightly, backup]);
    let inhibition = Inhibition {
        when: labels(&[("rule", "health.check"), ("name", "postgres")]),
        silences: vec![labels(&[("tool", "pso-pgstats")]), labels(&[("name", "sync_*"), ("kind", "health.metric")])],
        equal: vec!["host".to_owned()],
    };
    assert!(policy.inhibitions.contains(&inhibition), "{:?}", policy.inhibitions);
    let nights = QuietHours {
        from: 1320,
        to: 420,
        days: vec![0, 4],
        time_zone: Some("Europe/Paris".to_owned()),
        below: Severity::Critical,
        channels: Some(vec!["stdout".to_owned()]),
    };
    let saturdays =
        QuietHours { from: 0, to: 0, days: vec![5], time_zone: None, below: Severity::High, channels: None };
    assert_eq!(policy.quiet_hours, [nights, saturdays]);
}

#[test]
fn what_is_wrong_names_line_key_and_what_was_expected() {
    let cases = [
        ("notices:\n  storm: many\n", "2: notices.storm: expected a whole number, found \"many\""),
        (
            "notices: {flapping: {within: 0}}\n",
            "1: notices.flapping.within: expected a span of time longer than nothing, such as 30s, 5m, 24h or 7d, found \"0\"",
        ),
        (
            "expect:\n  - within: 1h\n",
            "2: expect[0]: whom to expect is missing; give `source`, `tool`, `host` or several of them",
        ),
        (
            "quiet_hours:\n  - {from: \"22:00\", to: \"07:00\",\n     time_zone: Europe/Pariss}\n",
            "3: quiet_hours[0].time_zone: expected the name of a time zone, such as Europe/Paris, found \"Europe/Pariss\"",
        ),
        (
            "quiet_hours:\n  - {from: \"22:00\", to: \"07:00\", days: [mo]}\n",
            "2: quiet_hours[0].days: expected a day: mon, tue, wed, thu, fri, sat or sun, found \"mo\"",
        ),
        (
            "quiet_hours:\n  - {from: \"22:00\", to: \"07:00\", channels: [slack]}\n",
            "2: quiet_hours[0].channels: there is no channel \"slack\" below `alerts:`; it has none",
        ),
        (
            "inhibit:\n  - when: {rule: \"*\"}\n    silences: [{name: x}]\n",
            "2: inhibit[0]: `when` and each of `silences` must match something in particular, such as {rule: health.check, name: postgres}",
        ),
        (
            "inhibit:\n  - when: {rule: x}\n    silences: []\n",
            "2: inhibit[0]: `when` and each of `silences` must match something in particular, such as {rule: health.check, name: postgres}",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text), format!("config/alerts.yaml:{expected}"));
    }
    assert!(error("expect:\n  - {tool: x}\n").starts_with("config/alerts.yaml:2: missing field `within`"));
    assert!(error("notices: {repaet: 1h}\n").starts_with("config/alerts.yaml:1: unknown field `repaet`"));
    assert!(error("inhibit:\n  - {when: {}, silences: []}\n").contains("inhibit[0]: `when` and each"));
}

#[test]
fn an_alertmanager_is_told_again_of_all_that_goes_on() {
    let reminds = |text: &str| parsed(text).map(|policy| (policy.defaults.reminds, policy.of("cpu_usage").reminds));
    assert_eq!(reminds("alerts: {stdout: {enabled: true}}\n").expect("valid"), (false, false));
    let text = "alerts: {alertmanager: {enabled: true, url: 'http://h:9093'}}\n";
    assert_eq!(reminds(text).expect("valid"), (true, true));
}
