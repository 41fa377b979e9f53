//! What is accepted, and what is compared with an earlier run.

use std::fs;

use super::deployment::Deployment;
use super::{finding, findings, section, text};

const FILES: [&str; 2] = ["--only", "files"];

fn accepting(until: &str) -> String {
    format!(
        "maintenance:\n  audit:\n    accept:\n    - rule: world_writable\n      object: scripts/*\n      reason: a shared machine\n      until: {until}\n"
    )
}

#[test]
fn an_accepted_finding_does_not_count_until_its_day_is_over() {
    let deployment = Deployment::sane();
    deployment.write("scripts/run.sh", "#!/bin/sh\n", 0o777);
    deployment.run(&FILES).assert_code(2);
    deployment.write("config/config.yaml", accepting("2999-12-31"), 0o640);
    let outcome = deployment.run(&FILES);
    outcome.assert_code(0);
    let accepted = finding(&outcome, "world_writable:scripts/run.sh").expect("still shown");
    assert_eq!(
        (&accepted["severity"], &accepted["accepted"], &accepted["accepted_until"]),
        (&"ok".into(), &"a shared machine".into(), &"2999-12-31T23:59:59.999Z".into())
    );
    let end = section(&outcome, "files");
    assert_eq!((&end["findings"], &end["accepted"]), (&0.into(), &1.into()));

    deployment.write("config/config.yaml", accepting("2020-01-31"), 0o640);
    let outcome = deployment.run(&FILES);
    outcome.assert_code(2);
    let over = finding(&outcome, "world_writable:scripts/run.sh").expect("told");
    assert!(
        text(&over, "message").ends_with("it was accepted until 2020-01-31 (a shared machine), which is over"),
        "{over}"
    );
}

#[test]
fn a_reason_and_an_end_are_wanted() {
    let deployment = Deployment::sane();
    for (left_out, expected) in [("reason", "missing field `reason`"), ("until", "missing field `until`")] {
        let whole = accepting("2999-12-31");
        let text: Vec<&str> = whole.lines().filter(|line| !line.trim_start().starts_with(left_out)).collect();
        deployment.write("config/config.yaml", text.join("\n"), 0o640);
        deployment.run(&FILES).assert_code(3).assert_stderr_has(&format!("config/config.yaml:6: {expected}"));
    }
    deployment.write("config/config.yaml", accepting("next year"), 0o640);
    deployment.run(&FILES).assert_code(3).assert_stderr_has(
        "config/config.yaml:7: maintenance.audit.accept[0].until: expected a day such as 2027-01-31, found \"next year\"",
    );
}

#[test]
fn only_what_changed_since_the_baseline_is_shown_and_counts() {
    let deployment = Deployment::sane();
    deployment.write("scripts/run.sh", "#!/bin/sh\n", 0o777);
    deployment.write("logs/old.log", "x", 0o666);
    let with_baseline = ["--only", "files", "--baseline", "runs.jsonl", "--records", "runs.jsonl"];
    let first = deployment.run(&["--only", "files", "--records", "runs.jsonl"]);
    first.assert_code(2);
    assert_eq!(findings(&first).len(), 2);
    deployment.mode("runs.jsonl", 0o600);

    let unchanged = deployment.run(&with_baseline);
    unchanged.assert_code(0);
    assert_eq!(findings(&unchanged), [""; 0], "{unchanged}");
    let end = section(&unchanged, "files");
    assert!(text(&end, "message").starts_with("2 unchanged since "), "{end}");
    assert_eq!(end["findings"], 2);

    // The run before was compared itself and shows nothing: the first one still counts.
    deployment.mode("scripts/run.sh", 0o755);
    deployment.write("config/alerts.yaml", "", 0o662);
    let changed = deployment.run(&with_baseline);
    changed.assert_code(2);
    assert_eq!(findings(&changed), ["world_writable:config/alerts.yaml", "world_writable:scripts/run.sh"], "{changed}");
    let change = |name: &str| {
        let finding = finding(&changed, name).expect("told");
        (text(&finding, "severity").to_owned(), text(&finding, "change").to_owned())
    };
    assert_eq!(change("world_writable:config/alerts.yaml"), ("high".to_owned(), "new".to_owned()));
    assert_eq!(change("world_writable:scripts/run.sh"), ("info".to_owned(), "gone".to_owned()));
}

#[test]
fn what_cannot_be_compared_is_told() {
    let deployment = Deployment::sane();
    deployment.write("logs/old.log", "x", 0o666);
    deployment.run(&["--only", "files", "--records", "runs.jsonl"]).assert_code(1);
    deployment.mode("runs.jsonl", 0o600);
    let outcome = deployment.run(&["--only", "files,secrets", "--baseline", "runs.jsonl"]);
    outcome.assert_code(0);
    assert!(text(&section(&outcome, "secrets"), "message").contains("the baseline has no such section"), "{outcome}");
    // What the other section found is not gone: it was not looked for.
    assert_eq!(findings(&deployment.run(&["--only", "secrets", "--baseline", "runs.jsonl"])), [""; 0]);

    let whole = fs::read_to_string(deployment.path("runs.jsonl")).expect("kept");
    // What is open on another machine too would not be shown here.
    let host = format!("\"host\":\"{}\"", text(&section(&outcome, "files"), "host"));
    deployment.write("other.jsonl", whole.replace(&host, "\"host\":\"elsewhere\""), 0o600);
    let outcome = deployment.run(&["--only", "files", "--baseline", "other.jsonl"]);
    outcome.assert_code(3).assert_stderr_has("it was taken on elsewhere");
    let torn: String = whole.lines().take(2).fold(String::new(), |text, line| text + line + "\n");
    deployment.write("torn.jsonl", torn, 0o600);
    let outcome = deployment.run(&["--only", "files", "--baseline", "torn.jsonl"]);
    outcome.assert_code(3).assert_stderr_has("torn.jsonl (--baseline) has no run of pso-audit that came to its end");
    deployment.run(&["--only", "files", "--baseline", "none.jsonl"]).assert_code(3).assert_stderr_has("none.jsonl");
    deployment.run(&["-", "--baseline", "-"]).assert_code(3).assert_stderr_has("stdin cannot hold both");
    let outcome = deployment.tool(&["--only", "files", "--baseline", "-"]).stdin(whole).run().expect("ends");
    outcome.assert_code(0);
}
