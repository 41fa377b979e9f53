//! Alertmanager, the real one.

use pso_tests::alertmanager::Alertmanager;

use super::*;

fn told(server: &Alertmanager) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut told: Vec<_> = server
        .alerts()
        .expect("it answers")
        .iter()
        .map(|alert| (text(&alert["labels"]["alertname"]), text(&alert["labels"]["severity"])))
        .collect();
    told.sort();
    told
}

#[test]
fn it_knows_what_fires_what_got_worse_and_what_is_over() {
    let server = Alertmanager::start().unwrap();
    let folder = deployment(&format!("alerts:\n  alertmanager: {{enabled: true, url: '{}'}}\n", server.url()));
    // Alertmanager drops what ended long ago, so the times are those of today.
    let now = pso_common::Timestamp::now().to_string();
    let run = |input: &str| alert(folder.path()).stdin(input.replace("2026-11-22T09:00:00.000Z", &now)).run().unwrap();
    let disk = |severity: &str| {
        let more = json!({"value": if severity == "ok" { 12 } else { 91 }, "unit": "percent", "elapsed_ms": 1, "labels": {"mount point": "/var"}});
        record("health.metric", "disk_usage", severity, &more)
    };
    let whole =
        |records: &[String], worst: &str, code: u8| [&[start()], records, &[end(worst, code)]].concat().concat();
    let outcome = run(&whole(&[down(), disk("high")], "critical", 2));
    assert_eq!(told(&server).len(), 2, "{outcome}");
    let alerts = server.alerts().unwrap();
    let alert = alerts.iter().find(|alert| alert["labels"]["name"] == "disk_usage").expect("told");
    assert_eq!((&alert["labels"]["host"], &alert["labels"]["mount_point"]), (&json!("web-1"), &json!("/var")));
    assert_eq!(alert["labels"]["severity"], "high");
    assert!(alert["annotations"]["summary"].as_str().is_some_and(|text| !text.is_empty()), "{alert}");
    // It got worse: one alert still, under the other severity.
    let outcome = run(&whole(&[down(), disk("critical")], "critical", 2));
    let severities: Vec<String> = told(&server).into_iter().map(|(_, severity)| severity).collect();
    assert_eq!(severities, ["critical", "critical"], "{outcome}");
    let well = record("health.check", "service", "ok", &json!({"status": "healthy", "elapsed_ms": 1}));
    let outcome = run(&whole(&[well, disk("ok")], "ok", 0));
    assert_eq!(told(&server), [], "{outcome}");
}

#[test]
fn a_hostile_record_is_an_alert_like_any_other() {
    let server = Alertmanager::start().unwrap();
    let folder =
        deployment(&format!("alerts: {{am: {{type: alertmanager, enabled: true, url: '{}/'}}}}\n", server.url()));
    let message = format!("\0\u{202e}\n<&🎉{}", "x".repeat(50_000));
    let args = ["send", "--message", &message[1..], "--label", "1 bad-näme=\u{202e}v\n", "--label", "severity=mine"];
    alert(folder.path()).args(args).run().unwrap().assert_code(0);
    let alerts = server.alerts().unwrap();
    assert_eq!(alerts.len(), 1);
    assert_eq!((&alerts[0]["labels"]["severity"], &alerts[0]["labels"]["severity_"]), (&json!("high"), &json!("mine")));
    assert_eq!(alerts[0]["labels"]["_1_bad_n_me"], "·v");
}
