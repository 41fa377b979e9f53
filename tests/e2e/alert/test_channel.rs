//! `pso-alert test`.

use super::*;

fn three(slack: &WebhookSink, discord: &WebhookSink) -> TempDir {
    deployment(&format!(
        "alerts:\n  slack: {{enabled: true, webhook_url: '{}'}}\n  talk: {{type: discord, enabled: true, webhook_url: '{}'}}\n  hook:\n    type: webhook\n    enabled: false\n    url: ${{NOT_SET}}\n",
        slack.slack_url(),
        discord.discord_url()
    ))
}

#[test]
fn one_marked_notice_goes_to_each_enabled_channel() {
    let (slack, discord) = (WebhookSink::start().unwrap(), WebhookSink::start().unwrap());
    let folder = three(&slack, &discord);
    let outcome = alert(folder.path()).arg("test").run().unwrap();
    outcome.assert_code(0).assert_no_secret(&SECRETS);
    outcome
        .assert_stderr_has("slack (slack) was told: 200 ok")
        .assert_stderr_has("talk (discord) was told: 200 message 1442100200300400500");
    assert_eq!(
        deliveries(&outcome),
        [("slack".into(), "sent".into(), 1, Some(200)), ("talk".into(), "sent".into(), 1, Some(200))]
    );
    assert_eq!(outcome.record("alert.delivery", "slack")["message"], "ok");
    let text = slack.requests()[0].json().unwrap().pointer("/blocks/1/text/text").unwrap().clone();
    assert_eq!(text, "🧪 TEST This is a test of the channel slack: nothing is wrong.");
    // Nothing of it is remembered.
    assert!(!folder.path().join(".pso-alert/state.db").exists());
    let key = |sink: &WebhookSink| sink.requests()[0].header("Idempotency-Key").map(str::to_owned);
    assert!(key(&slack).is_some_and(|key| key.starts_with("test-")) && key(&slack) != key(&discord));
}

#[test]
fn what_the_other_end_answers_is_said_once_and_counts() {
    let (slack, discord) = (WebhookSink::start().unwrap(), WebhookSink::start().unwrap());
    let folder = three(&slack, &discord);
    slack.plan([Reply::new(403, "text/plain", "invalid_token")]);
    let outcome = alert(folder.path()).args(["test", "slack"]).run().unwrap();
    outcome.assert_code(2).assert_stderr_has("slack (slack) was not told: it answered 403: invalid_token");
    assert_eq!(deliveries(&outcome), [("slack".into(), "failed".into(), 1, Some(403))]);
    // A test is not tried again: it is the answer that somebody wants to see.
    slack.plan([Reply::status(500)]);
    alert(folder.path()).args(["test", "slack"]).run().unwrap().assert_code(2).assert_stderr_has("it answered 500");
    assert_eq!((slack.requests().len(), discord.requests().len()), (2, 0));
}

#[test]
fn a_name_that_is_none_and_one_that_is_not_enabled() {
    let (slack, discord) = (WebhookSink::start().unwrap(), WebhookSink::start().unwrap());
    let folder = three(&slack, &discord);
    let outcome = alert(folder.path()).args(["test", "slak"]).run().unwrap();
    outcome
        .assert_code(3)
        .assert_stderr_has("there is no channel slak in config/alerts.yaml; there are slack, talk, hook");
    let outcome = alert(folder.path()).args(["test", "hook"]).run().unwrap();
    outcome
        .assert_code(3)
        .assert_stderr_has("hook is not enabled in config/alerts.yaml; set alerts.hook.enabled: true");
    let empty = deployment("");
    let outcome = alert(empty.path()).arg("test").run().unwrap();
    outcome.assert_code(3).assert_stderr_has("config/alerts.yaml has no channel, or does not exist");
    // Enabled, and without what it needs.
    let text = fs::read_to_string(folder.path().join("config/alerts.yaml"))
        .unwrap()
        .replace("enabled: false", "enabled: true");
    fs::write(folder.path().join("config/alerts.yaml"), text).unwrap();
    let outcome = alert(folder.path()).arg("test").run().unwrap();
    outcome.assert_code(3).assert_stderr_has("hook cannot be told: config/alerts.yaml:7: alerts.hook.url: ");
    assert_eq!(deliveries(&outcome).len(), 3);
    assert!(slack.requests().len() == 1 && discord.requests().len() == 1);
}
