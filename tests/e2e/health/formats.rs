//! What others make of `pso-health`: Nagios by the grammar of its plugin guidelines, Prometheus by `promtool`.

use std::fs;

use pso_tests::tool::{Outcome, Tool, promtool};
use regex::Regex;

use super::Parts;

/// Every number and state that there is, some of them bad.
fn troubled(name: &str) -> Parts {
    let parts = Parts::start(name);
    parts.service.set(|state| {
        state.cpu_usage = 93.0;
        state.failed_operations = 40;
        state.degrade("cache|it's=\"odd\" — é", "gone\nfishing");
    });
    parts
}

/// The guidelines, "Performance data": `'label'=value[UOM];[warn];[crit];[min];[max]`, space separated; a range is
/// `[@][start:][end]`.
fn assert_plugin_output(outcome: &Outcome, status: &str) {
    let text = outcome.text();
    assert_eq!(text.lines().count(), 1, "{outcome}");
    let line = text.trim_end();
    assert!(line.starts_with(&format!("PSO-HEALTH {status} - ")), "{outcome}");
    let (message, perfdata) = line.split_once(" | ").expect("perfdata");
    assert!(!message.contains('|') && !message.chars().any(char::is_control), "{outcome}");
    let number = r"-?(?:\d+\.?\d*|\.\d+)";
    let range = format!(r"@?(?:(?:~|{number})?:)?(?:{number})?");
    let item = format!(
        r"'(?<label>[^'=|]+)'={number}(?:us|ms|s|%|B|KB|MB|TB|c)?(?:;{range})?(?:;{range})?(?:;{number})?(?:;{number})?"
    );
    // `;;0;100`: a field in the middle may be empty, which the optional groups above allow for ranges only.
    let item = Regex::new(&item).expect("an expression");
    let mut rest = perfdata;
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let found = item.captures(rest).filter(|found| found.get(0).is_some_and(|all| all.start() == 0));
        let found = found.unwrap_or_else(|| panic!("{rest:?} is no perfdata\n{outcome}"));
        labels.push(found["label"].to_owned());
        rest = &rest[found[0].len()..];
        assert!(rest.is_empty() || rest.starts_with(' '), "{rest:?} follows a value\n{outcome}");
        rest = rest.trim_start_matches(' ');
    }
    assert!(labels.len() > 8 && labels.contains(&"cpu_usage".to_owned()), "{labels:?}");
    let mut once = labels.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), labels.len(), "each label once: {labels:?}");
    assert!(line.len() < 8192, "Nagios cuts there");
}

#[test]
fn nagios_gets_one_line_that_its_grammar_knows() {
    let parts = Parts::start("health_nagios");
    let outcome = parts.tool().args(["--format", "nagios"]).run().expect("ends");
    outcome.assert_code(0).assert_quiet();
    assert_plugin_output(&outcome, "OK");
    let parts = troubled("health_nagios_bad");
    let outcome = parts.tool().args(["--format", "nagios"]).run().expect("ends");
    outcome.assert_code(2).assert_quiet();
    assert_plugin_output(&outcome, "CRITICAL");
    assert!(outcome.text().contains("'cpu_usage'=93%;80;;0;100"), "{outcome}");
    assert!(outcome.text().contains("'error_rate'=16.666666666666664%;;5;0;100"), "{outcome}");
    parts.service.set(|state| state.metrics = pso_tests::service::Metrics::Status(500));
    let outcome = parts.tool_at("http://127.0.0.1:1").args(["--format", "nagios"]).run().expect("ends");
    assert!(outcome.text().starts_with("PSO-HEALTH CRITICAL - service: GET http://127.0.0.1:1/health: "), "{outcome}");
}

#[test]
fn nagios_hears_of_what_is_down_before_what_is_not_known() {
    let parts = Parts::start("health_nagios_unknown");
    fs::write(parts.folder.path().join("config/config.yaml"), "maintenance: {health: {paths: [no/such]}}\n")
        .expect("written");
    let tool = || parts.tool_at("http://127.0.0.1:1").args(["--only", "service,disk"]);
    tool().run().expect("ends").assert_code(3).assert_quiet();
    let outcome = tool().args(["--format", "nagios"]).run().expect("ends");
    outcome.assert_code(2).assert_quiet();
    assert!(outcome.text().starts_with("PSO-HEALTH CRITICAL - service: GET http://127.0.0.1:1/health: "), "{outcome}");
    let outcome = parts.tool().args(["--only", "service,disk", "--format", "nagios"]).run().expect("ends");
    outcome.assert_code(3).assert_quiet();
    assert!(outcome.text().starts_with("PSO-HEALTH UNKNOWN - disk.path: no/such: "), "{outcome}");
}

#[test]
fn promtool_accepts_the_metrics() {
    let parts = troubled("health_promtool");
    let outcome = parts.tool().args(["--format", "openmetrics"]).run().expect("ends");
    outcome.assert_code(2).assert_quiet();
    let promtool = promtool().expect("fetched");
    let check = |text: &[u8]| {
        let checked = Tool::program(&promtool).args(["check", "metrics"]).stdin(text).run();
        let checked = checked.expect("promtool, which tests/promtool.sh fetches");
        assert_eq!((checked.code, checked.text(), checked.stderr.as_str()), (Some(0), "", ""), "{checked}\n{outcome}");
    };
    check(&outcome.stdout);
    for line in [
        "pso_health_metric_value_percent{name=\"cpu_usage\"} 93",
        "pso_health_metric_warning_limit{name=\"cpu_usage\"} 80",
        "pso_health_metric_warning_limit{name=\"response_time\"} 2",
        "pso_health_check_severity{name=\"service\"} 2",
        "pso_worst_severity{tool=\"pso-health\"} 4",
    ] {
        assert!(outcome.text().lines().any(|own| own == line), "{line}\n{outcome}");
    }
    let outcome =
        parts.tool().args(["--every", "100ms", "--count", "2", "--textfile", "pso.prom"]).run().expect("ends");
    outcome.assert_code(2).assert_quiet();
    check(&fs::read(parts.folder.path().join("pso.prom")).expect("there"));
}
