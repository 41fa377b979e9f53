//! What is remembered from run to run: beginnings and ends, what follows from what, what is not heard of any more.

use std::time::Duration;

use pso_common::Timestamp;
use pso_tests::tool::Outcome;
use pso_tests::wait::until;
use pso_tests::webhook::WebhookSink;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{alert, cpu, deployment, end, record, start, trouble};

pub(super) fn hooked(sink: &WebhookSink, more: &str) -> TempDir {
    deployment(&format!("alerts: {{webhook: {{enabled: true, url: '{}'}}}}\n{more}", sink.generic_url()))
}

pub(super) fn check(name: &str, severity: &str) -> String {
    record("health.check", name, severity, &json!({"status": "up", "elapsed_ms": 1}))
}

/// A run of pso-health that says this.
pub(super) fn run_of(records: &[String]) -> String {
    [start(), records.concat(), end("ok", 0)].concat()
}

/// Name, state and why (or why not) of each notice, in the order written.
pub(super) fn notices(outcome: &Outcome) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |notice: &Value| (text(&notice["labels"]["name"]), text(&notice["state"]), text(&notice["told"]));
    outcome.records_of_kind("alert.notice").iter().map(of).collect()
}

pub(super) fn notice(name: &str, state: &str, told: &str) -> (String, String, String) {
    (name.to_owned(), state.to_owned(), told.to_owned())
}

#[test]
fn trouble_is_told_once_and_so_is_its_end() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink, "");
    let tool = |input: String| alert(folder.path()).stdin(input).run().unwrap();
    assert_eq!(notices(&tool(trouble())), [notice("service", "firing", "now")]);
    let again = tool(trouble());
    again.assert_code(2).assert_quiet();
    assert_eq!(notices(&again), [notice("service", "firing", "already")]);
    assert_eq!(sink.requests().len(), 1);
    let status = alert(folder.path()).arg("status").run().unwrap();
    status.assert_code(2).assert_quiet();
    assert_eq!(notices(&status), [notice("service", "firing", "already")]);
    let shown = status.record("alert.notice", "health.check");
    assert_eq!((&shown["count"], &shown["episode"], &shown["severity"]), (&json!(2), &json!(1), &json!("critical")));
    let channel = status.record("alert.channel", "webhook");
    assert_eq!((&channel["waiting"], &channel["type"]), (&json!(0), &json!("webhook")));
    assert!(channel["sent_at"].is_string() && channel.get("failing_since").is_none(), "{channel}");
    let over = tool(run_of(&[check("service", "ok")]));
    over.assert_code(0).assert_quiet();
    assert_eq!(notices(&over), [notice("service", "resolved", "now")]);
    assert_eq!(sink.requests().len(), 2);
    // Well is well.
    assert_eq!(notices(&tool(run_of(&[check("service", "ok")]))), []);
    assert_eq!(sink.requests().len(), 2);
    let status = alert(folder.path()).arg("status").run().unwrap();
    status.assert_code(0).assert_quiet();
    assert_eq!(notices(&status), []);
    let status = alert(folder.path()).args(["status", "--all"]).run().unwrap();
    status.assert_code(0);
    assert_eq!(notices(&status), [notice("service", "resolved", "already")]);
    let table = alert(folder.path()).args(["status", "--all", "--format", "table"]).run().unwrap();
    assert!(table.text().contains("alert.channel") && table.text().contains("resolved"), "{table}");
}

#[test]
fn status_without_a_state_makes_none() {
    let folder = deployment("");
    let outcome = alert(folder.path()).arg("status").run().unwrap();
    outcome.assert_code(0).assert_stderr_has("there is no state file");
    assert!(!folder.path().join(".pso-alert").exists());
    alert(folder.path()).args(["--exit-zero", "status"]).run().unwrap().assert_code(3);
}

#[test]
fn a_beginning_an_end_and_a_beginning_in_one_input_are_told_in_their_order() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink, "");
    let input = run_of(&[check("a", "high"), check("a", "ok"), check("a", "critical")]);
    let outcome = alert(folder.path()).stdin(input).run().unwrap();
    let expected = [notice("a", "firing", "now"), notice("a", "resolved", "now"), notice("a", "firing", "now")];
    assert_eq!(notices(&outcome), expected);
    let told = sink.requests()[0].json().unwrap();
    let states: Vec<_> = told["notices"].as_array().unwrap().iter().map(|it| it["state"].clone()).collect();
    assert_eq!(states, ["firing", "resolved", "firing"]);
}

#[test]
fn what_follows_from_postgresql_is_not_told_with_its_end() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink, "");
    let failed = |tool: &str, code: u8| {
        let more =
            json!({"tool": tool, "pid": 9, "records": 1, "elapsed_ms": 1, "exit_code": code, "error": "connect"});
        record("run.end", tool, "unknown", &more)
    };
    let bad = [check("ports.postgres", "critical"), check("service.database.postgres", "critical")].concat();
    let input = run_of(&[bad, failed("pso-backup", 3), check("postgres", "critical")]);
    let outcome = alert(folder.path()).stdin(input).run().unwrap();
    let told = notices(&outcome);
    assert!(told.contains(&notice("postgres", "firing", "now")), "{outcome}");
    assert_eq!(told.iter().filter(|it| it.2 == "inhibited").count(), 3, "{outcome}");
    let status = alert(folder.path()).arg("status").run().unwrap();
    assert_eq!(notices(&status).iter().filter(|it| it.2 == "inhibited").count(), 3, "{status}");
    let well = ["postgres", "ports.postgres", "service.database.postgres"].map(|name| check(name, "ok"));
    let outcome = alert(folder.path()).stdin(run_of(&well)).run().unwrap();
    let now: Vec<_> = notices(&outcome).into_iter().filter(|it| it.2 == "now").collect();
    assert_eq!(now, [notice("postgres", "resolved", "now")], "{outcome}");
    // The backup that failed for it has not run since; if it does not, that is told in an hour.
    let status = alert(folder.path()).arg("status").run().unwrap();
    assert_eq!(notices(&status), [notice("pso-backup", "firing", "inhibited")], "{status}");
    assert_eq!(sink.requests().len(), 2);
}

#[test]
fn a_new_error_in_the_logs_is_told_and_has_no_end() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink, "");
    let new =
        json!({"template_id": "8d4d", "template": "DiskGone <*>", "count": 2, "example": "DiskGone sda1", "new": true});
    let tool = |input: String| notices(&alert(folder.path()).stdin(input).run().unwrap());
    assert_eq!(tool(run_of(&[record("log.template", "8d4d", "warning", &new)])), [notice("8d4d", "firing", "now")]);
    // The next run finds nothing that is new: nobody has put out the fire.
    assert_eq!(tool(run_of(&[])), [notice("8d4d", "resolved", "unwanted")]);
    assert_eq!(sink.requests().len(), 1);
}

#[test]
fn what_must_hold_waits_for_it_and_without_a_state_does_not() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink, "");
    let ago = |seconds| json!({"at": Timestamp::now().minus(Duration::from_secs(seconds)).to_string()});
    let metric = |seconds| {
        let mut more = json!({"value": 95.0, "unit": "percent", "elapsed_ms": 1});
        more.as_object_mut().unwrap().extend(ago(seconds).as_object().unwrap().clone());
        record("health.metric", "cpu_usage", "ok", &more)
    };
    let outcome = alert(folder.path()).stdin(run_of(&[metric(299)])).run().unwrap();
    assert_eq!(notices(&outcome), [notice("cpu_usage", "pending", "pending")]);
    assert!(sink.requests().is_empty());
    // A run ends it, or bears it out.
    let status = alert(folder.path()).arg("status").run().unwrap();
    status.assert_code(0);
    assert_eq!(notices(&status), [notice("cpu_usage", "pending", "pending")]);
    let outcome = alert(folder.path()).stdin(run_of(&[metric(600), metric(0)])).run().unwrap();
    assert_eq!(notices(&outcome)[0].0, "cpu_usage");
    let folder = hooked(&sink, "");
    std::fs::create_dir(folder.path().join("state")).unwrap();
    let outcome = alert(folder.path()).args(["--state", "state"]).stdin(run_of(&[cpu(95.0)])).run().unwrap();
    outcome.assert_code(3);
    assert_eq!(notices(&outcome), [notice("cpu_usage", "firing", "now")]);
}

#[test]
fn an_event_is_over_when_the_same_pipe_does_not_mention_it() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink, "");
    let at = |seconds| Timestamp::now().minus(Duration::from_secs(seconds)).to_string();
    let audit = |kind: &str, name: &str, severity: &str, seconds, more: Value| {
        let mut fields = json!({"tool": "pso-audit", "at": at(seconds)});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record(kind, name, severity, &fields)
    };
    let run = |seconds: u64, finding: bool| {
        let begin = audit("run.start", "pso-audit", "ok", seconds, json!({"version": "1", "pid": 5}));
        let open = audit("later.finding", "port", "critical", seconds - 1, json!({}));
        let more = json!({"pid": 5, "records": 1, "elapsed_ms": 1, "exit_code": if finding { 2 } else { 0 }});
        let end = audit("run.end", "pso-audit", if finding { "critical" } else { "ok" }, seconds - 2, more);
        [begin, if finding { open } else { String::new() }, end].concat()
    };
    let tool = |source: &str, input: String| {
        notices(&alert(folder.path()).args(["--source", source]).stdin(input).run().unwrap())
    };
    assert_eq!(tool("nightly", run(300, true)), [notice("port", "firing", "now")]);
    assert_eq!(tool("other", run(200, false)), []);
    assert_eq!(tool("nightly", run(100, false)), [notice("port", "resolved", "now")]);
    assert_eq!(sink.requests().len(), 2);
}

#[test]
fn who_should_report_and_does_not_is_told_by_flush() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink, "expect: [{tool: pso-backup, within: 1s, severity: critical}]\n");
    alert(folder.path()).arg("flush").run().unwrap().assert_code(0).assert_quiet();
    assert!(sink.requests().is_empty());
    let late = until("the word that pso-backup is silent", Duration::from_secs(20), || {
        let outcome = alert(folder.path()).arg("flush").run().unwrap();
        (!notices(&outcome).is_empty()).then_some(outcome)
    });
    let late = late.unwrap();
    // What is told is no reason for `flush` to fail.
    late.assert_code(0).assert_quiet();
    assert_eq!(notices(&late), [notice("pso-backup", "no_data", "now")]);
    let told = late.record("alert.notice", "no_data");
    assert_eq!(told["severity"], "critical");
    assert!(told["message"].as_str().unwrap().starts_with("nothing was heard of pso-backup since "), "{told}");
    assert_eq!(sink.requests().len(), 1);
}
