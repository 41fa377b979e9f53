//! Silences, from the command line to what is not told.

use std::time::Duration;

use pso_common::Timestamp;
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait::until;
use pso_tests::webhook::WebhookSink;
use serde_json::json;

use super::state::{check, hooked, notice, notices, run_of};
use super::{alert, deployment};

fn id(outcome: &Outcome) -> String {
    let made = outcome.records_of_kind("alert.silence");
    assert_eq!(made.len(), 1, "{outcome}");
    made[0]["id"].as_str().expect("a text").to_owned()
}

fn silence(folder: &std::path::Path, args: &[&str]) -> Tool {
    alert(folder).arg("silence").args(args.iter().copied()).env("USER", "ada")
}

#[test]
fn what_a_silence_covers_is_told_when_it_ends() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink, "");
    let bad = || run_of(&[check("disk", "high"), check("plans", "high")]);
    let args = ["add", "--match", "name=di*", "--match", "host=web-1", "--for", "2h", "--comment", "new disk"];
    let made = silence(folder.path(), &args).run().unwrap();
    made.assert_code(0).assert_stderr_has("covers 0 of the incidents that fire now");
    let id = id(&made);
    let shown = made.record("alert.silence", &id);
    assert_eq!((&shown["matchers"], &shown["by"]), (&json!({"host": "web-1", "name": "di*"}), &json!("ada")));
    assert_eq!((&shown["active"], &shown["message"]), (&json!(true), &json!("new disk")));
    let outcome = alert(folder.path()).stdin(bad()).run().unwrap();
    // It is as bad as it was.
    outcome.assert_code(2).assert_quiet();
    assert_eq!(notices(&outcome), [notice("plans", "firing", "now"), notice("disk", "firing", "silenced")]);
    let status = alert(folder.path()).arg("status").run().unwrap();
    status.assert_code(2);
    assert_eq!(notices(&status)[1], notice("disk", "firing", "silenced"));
    assert_eq!(status.records_of_kind("alert.silence").len(), 1);
    assert_eq!(alert(folder.path()).arg("flush").run().unwrap().records_of_kind("alert.notice").len(), 0);
    let ended = silence(folder.path(), &["expire", &id]).run().unwrap();
    ended.assert_code(0).assert_stderr_has("is told by the next run, or by `pso-alert flush` now");
    assert_eq!(ended.record("alert.silence", &id)["active"], false);
    let outcome = alert(folder.path()).arg("flush").run().unwrap();
    outcome.assert_code(0).assert_quiet();
    assert_eq!(notices(&outcome), [notice("disk", "firing", "now")]);
    assert_eq!(sink.requests().len(), 2);
    let list = silence(folder.path(), &["list"]).run().unwrap();
    assert_eq!(list.records_of_kind("alert.silence").len(), 0);
    let list = silence(folder.path(), &["list", "--all"]).run().unwrap();
    list.assert_code(0).assert_quiet();
    assert_eq!(list.record("alert.silence", &id)["active"], false);
}

#[test]
fn a_silence_ends_by_itself() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink, "");
    let made = silence(folder.path(), &["add", "--match", "name=disk", "--for", "2s"]).run().unwrap();
    made.assert_code(0);
    let outcome = alert(folder.path()).stdin(run_of(&[check("disk", "high")])).run().unwrap();
    assert_eq!(notices(&outcome), [notice("disk", "firing", "silenced")]);
    until("the end of the silence", Duration::from_secs(20), || {
        let outcome = alert(folder.path()).arg("flush").run().unwrap();
        (notices(&outcome) == [notice("disk", "firing", "now")]).then_some(())
    })
    .unwrap();
    assert_eq!(sink.requests().len(), 1);
}

#[test]
fn one_that_will_hold_is_listed_and_does_not_hold_yet() {
    let folder = deployment("");
    let from = Timestamp::now().plus(Duration::from_secs(3_600)).to_string();
    let args = ["add", "--match", "name=disk", "--from", &from, "--for", "1h"];
    let made = silence(folder.path(), &args).run().unwrap();
    let shown = made.record("alert.silence", &id(&made));
    assert_eq!((&shown["active"], &shown["starts_at"]), (&json!(false), &json!(from)));
    let outcome = alert(folder.path()).stdin(run_of(&[check("disk", "high")])).run().unwrap();
    assert_eq!(notices(&outcome), [notice("disk", "firing", "now")]);
    // Fired ones that it would cover are counted when it is made.
    let made = silence(folder.path(), &["add", "--match", "name=disk", "--for", "1h"]).run().unwrap();
    made.assert_stderr_has("covers 1 of the incidents that fire now");
    let list = silence(folder.path(), &["list"]).run().unwrap();
    assert_eq!(list.records_of_kind("alert.silence").len(), 2);
}

#[test]
fn what_nobody_can_mean_is_refused_and_nothing_is_made() {
    let folder = deployment("");
    let refused = |args: &[&str], why: &str| {
        silence(folder.path(), args).run().unwrap().assert_code(3).assert_stderr_has(why);
    };
    refused(&["add", "--match", "host=*", "--for", "1h"], "it would cover every incident");
    refused(&["add", "--match", "host=*", "--for", "25h", "--comment", "x"], "lasts a day at most");
    refused(&["add", "--match", "host=a", "--until", "2020-01-01T00:00:00Z"], "before it begins");
    refused(&["add", "--match", "host=a", "--match", "host=b", "--for", "1h"], "--match host is given twice");
    refused(&["add", "--match", "host=a"], "--for");
    refused(&["add", "--for", "1h"], "--match");
    refused(&["expire", "abcdef"], "there is no state file");
    assert!(!folder.path().join(".pso-alert").exists());
    silence(folder.path(), &["list"]).run().unwrap().assert_code(0);
    let everything = ["add", "--match", "host=*", "--for", "1h", "--comment", "power is cut"];
    let made = silence(folder.path(), &everything).run().unwrap();
    made.assert_code(0);
    refused(&["expire", "nosuch"], "there is no silence nosuch");
    let id = id(&made);
    silence(folder.path(), &["expire", &id]).run().unwrap().assert_code(0);
    refused(&["expire", &id], "has ended already");
}
