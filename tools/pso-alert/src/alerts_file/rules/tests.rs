//! Rules of the file, right and wrong.

use std::path::Path;
use std::time::Duration;

use pso_common::Severity;
use pso_common::io::Env;

use super::super::{Alerts, parse};

fn parsed(text: &str) -> anyhow::Result<Alerts> {
    parse(Path::new("config/alerts.yaml"), text, &Env::default(), Path::new("."))
}

fn error(text: &str) -> String {
    parsed(text).map_or_else(|error| format!("{error:#}"), |_| "no error".to_owned())
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_rule_of_ones_own_is_read_whole() {
    let text = r##"
alerts:
  stdout: {enabled: true}
  slack: {enabled: false}
notices: {repeat: 2h, group_by: [rule]}
rules:
  - name: slow-sync
    match: {kind: health.metric, name: "sync_*", tool: pso-health, host: "*", severity: info, labels: {host: "web-*"}}
    field: timing.sync
    above: 60
    at_most: 1e3
    for: 5m
    keep_firing_for: 10m
    severity: high
    message: "Sync takes {value} s on {labels.host}"
    runbook: https://wiki.example/sync
    channels: [slack]
    group_by: [host]
    group_wait: 30s
    repeat_limit: 3
    resolved: false
    no_data_after: 2h
  - {name: rests, match: {kind: x}, above: 1, enabled: false}
"##;
    let alerts = parsed(text).expect("valid");
    let [rule] = alerts.rules.own.as_slice() else { panic!("{:?}", alerts.rules) };
    assert_eq!(
        (&*rule.name, rule.field.to_string(), rule.severity),
        ("slow-sync", "timing.sync".to_owned(), Some(Severity::High))
    );
    assert_eq!(rule.condition.to_string(), "above 60, at most 1000");
    assert_eq!(rule.matching.labels.get("host").map(String::as_str), Some("web-*"));
    assert_eq!(rule.matching.severity, Some(Severity::Info));
    let options = alerts.policy.of("slow-sync");
    assert_eq!((options.hold, options.keep_firing_for, options.group_wait), (5 * MINUTE, 10 * MINUTE, MINUTE / 2));
    assert_eq!((options.repeat, options.repeat_limit, options.resolved), (120 * MINUTE, 3, false));
    assert_eq!(options.no_data_after, 120 * MINUTE);
    assert_eq!(options.channels, Some(vec!["slack".to_owned()]));
    assert_eq!(
        (options.group_by.as_slice(), options.runbook.as_deref()),
        (&["host".to_owned()][..], Some("https://wiki.example/sync"))
    );
    let shown = alerts.effective.iter().find(|value| value.key == "rules.slow-sync.above").expect("shown");
    assert_eq!((shown.shown.as_str(), shown.source.as_str()), ("60", "config/alerts.yaml:10 (rules.slow-sync.above)"));
}

#[test]
fn a_rule_of_ours_changes_only_what_is_said() {
    let alerts = parsed(
        "notices: {repeat: 1h}\nrules:\n  - {name: cpu_usage, severity: high, message: \"CPU {value}\"}\n  - {name: health.check, for: 1m}\n  - {name: log.new, enabled: false}\n  - {name: run.unfinished, severity: critical}\n",
    )
    .expect("valid");
    let cpu = alerts.policy.of("cpu_usage");
    assert_eq!((cpu.hold, cpu.repeat, cpu.severity), (5 * MINUTE, 60 * MINUTE, Some(Severity::High)));
    assert_eq!(alerts.policy.of("health.check").hold, MINUTE);
    assert!(alerts.rules.own.is_empty() && alerts.rules.changed["log.new"].is_off);
    assert_eq!((alerts.rules.unfinished, alerts.policy.unfinished), (Severity::Critical, Severity::Critical));
    assert!(alerts.rules.changed["cpu_usage"].message.is_some());
}

#[test]
fn what_is_wrong_names_line_key_and_what_was_expected() {
    let rule = |more: &str| {
        format!("alerts:\n  stdout: {{enabled: true}}\nrules:\n  - name: r\n    match: {{kind: x.y}}\n{more}")
    };
    let cases = [
        ("    above: lots\n", "6: rules.r.above: expected a number, found \"lots\""),
        (
            "    above: 1\n    for: soon\n",
            "7: rules.r.for: expected a span of time such as 500ms, 30s, 5m, 24h or 7d, found \"soon\"",
        ),
        (
            "    above: 1\n    repeat: 0s\n",
            "7: rules.r.repeat: expected a span of time longer than nothing, such as 30s, 5m, 24h or 7d, found \"0s\"",
        ),
        (
            "    above: 1\n    severity: ok\n",
            "7: rules.r.severity: expected a severity: info, warning, high, critical or unknown, found \"ok\"",
        ),
        (
            "    above: 1\n    channels: [stdout, slakc]\n",
            "7: rules.r.channels: there is no channel \"slakc\" below `alerts:`; there are stdout",
        ),
        ("    above: 1\n    message: \"{value\"\n", "7: rules.r.message: `{` stands alone; write `{{` for a brace"),
        (
            "    above: 1\n    message: \"${NOPE}\"\n",
            "7: rules.r.message: the environment variable NOPE is not set; set it, or give a default as ${NOPE:-…}",
        ),
        (
            "    above: 1\n    runbook: wiki\n",
            "7: rules.r.runbook: expected a URL that begins with https:// or http://, found \"wiki\"",
        ),
        (
            "    above: 1\n    field: a..b\n",
            "7: rules.r.field: expected names of fields with dots between them, such as value or labels.mount",
        ),
        (
            "",
            "4: rules.r: it says nothing of what is wrong, so every record that it matches would fire; give a bound such as above: 60, or match.severity",
        ),
        ("    above: 9\n    below: 3\n", "4: rules.r: it can never fire: nothing is above 9, below 3"),
        (
            "    above: 1\n  - name: r\n    match: {kind: z}\n    above: 1\n",
            "7: rules[1].name: there is a rule r above already",
        ),
        (
            "    above: 1\n  - name: a b\n",
            "7: rules[1].name: expected a name of at most 60 letters, digits, `.`, `-` and `_`, found \"a b\"",
        ),
        (
            "    above: 1\n  - name: s\n    above: 1\n",
            "7: rules.s: `match` is missing: say which records it judges, such as match: {kind: health.metric}",
        ),
        (
            "    above: 1\n  - name: cpu_usage\n    above: 90\n",
            "8: rules.cpu_usage.above: cpu_usage is a rule of pso-alert itself, which knows what it judges; give a rule of your own another name",
        ),
        (
            "    above: 1\n  - name: channel.failed\n    enabled: false\n",
            "8: rules.channel.failed.enabled: channel.failed is a rule of pso-alert that says when alerts themselves are in trouble; it cannot be turned off",
        ),
        (
            "    above: 1\n  - name: input.empty\n    message: x\n",
            "8: rules.input.empty.message: input.empty is a rule of pso-alert that judges no single record, so its message cannot show one",
        ),
    ];
    for (more, expected) in cases {
        assert_eq!(error(&rule(more)), format!("config/alerts.yaml:{expected}"));
    }
    let unknown = error(&rule("    abvoe: 1\n"));
    assert!(unknown.starts_with("config/alerts.yaml:6: unknown field `abvoe`"), "{unknown}");
    let nameless = error("rules:\n  - match: {kind: x}\n    above: 1\n");
    assert!(nameless.starts_with("config/alerts.yaml:3: missing field `name`"), "{nameless}");
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_their_lines() {
    let text = "quiet_hours:\n  - {from: late, to: \"07:00\"}\nthresholds: {cpu_usage: lots}\nrules:\n  - {name: r, match: {kind: x}, above: y}\n";
    assert_eq!(
        error(text),
        "3 faults: (1) config/alerts.yaml:2: quiet_hours[0].from: expected a time of day in quotes, such as \"22:00\", found \"late\" \
         (2) config/alerts.yaml:3: thresholds.cpu_usage: expected a number that is not below zero, found \"lots\" \
         (3) config/alerts.yaml:5: rules.r.above: expected a number, found \"y\""
    );
    let many: String = (0..30).map(|at| format!("  - {{name: r{at}, match: {{kind: x}}, above: y}}\n")).collect();
    let message = error(&format!("rules:\n{many}"));
    assert!(message.starts_with("30 faults:") && message.ends_with(" and 10 more"), "{message}");
}
