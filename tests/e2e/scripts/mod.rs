//! The scripts with the specification's names end to end: each .sh on real servers, each .ps1 too wherever `pwsh` is found,
//! and always against the PowerShell grammar and its .sh.

mod backups;
mod checks;
mod daemon;
mod parity;
pub(crate) mod powershell;
mod refusals;
mod shells;
mod told;

use std::path::{Path, PathBuf};
use std::time::Duration;

use pso_tests::schema;
use pso_tests::tool::{Outcome, Tool, built_binary};
use pso_tests::webhook::WebhookSink;
use serde_json::Value;

use crate::parts::Parts;
pub(crate) use shells::Shell;

/// Names of parameters and their values.
type Parameters = &'static [(&'static str, &'static str)];

/// Each script, the first tool that it needs, and the parameters that it cannot do without.
pub(crate) const SCRIPTS: [(&str, &str, Parameters); 12] = [
    ("analyze-logs", "pso-logscan", &[]),
    ("backup-daily", "pso-backup", &[]),
    ("daily-health-check", "pso-health", &[]),
    ("daily-maintenance", "pso-health", &[]),
    ("monitoring-daemon", "pso-health", &[]),
    ("performance-analysis", "pso-pgstats", &[]),
    ("performance-recommendations", "pso-pgstats", &[]),
    ("restore-backup", "pso-restore", &[("backup-path", "latest")]),
    ("restore-selective", "pso-restore", &[("backup-path", "latest")]),
    ("security-check", "pso-logscan", &[]),
    ("send-alert", "pso-alert", &[("message", "hello")]),
    ("weekly-maintenance", "pso-backup", &[]),
];

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts")
}

/// A deployment whose people are told through one webhook.
struct Deployment {
    parts: Parts,
    webhook: WebhookSink,
}

impl Deployment {
    fn start(name: &str) -> Self {
        let deployment = Self { parts: Parts::start(name), webhook: WebhookSink::start().expect("a webhook") };
        let alerts = "alerts:\n  slack: {enabled: true, webhook_url: \"${SLACK_WEBHOOK}\"}\n";
        std::fs::write(deployment.parts.path("config/alerts.yaml"), alerts).expect("written");
        deployment
    }

    fn script(&self, shell: Shell, name: &str, parameters: &[(&str, &str)]) -> Tool {
        shell
            .script(name, parameters)
            .env("PATH", path_with_tools())
            .env("HOME", self.parts.folder.path())
            .env("SLACK_WEBHOOK", self.webhook.slack_url())
            .folder(self.parts.folder.path())
            .limit(Duration::from_secs(120))
    }

    /// Runs a script to its end; its records are as the contract says, and it has no secret in them.
    fn run(&self, shell: Shell, name: &str, parameters: &[(&str, &str)]) -> Outcome {
        let outcome = self.script(shell, name, parameters).run().expect("ends");
        for record in outcome.records() {
            schema::conforms(&record).unwrap_or_else(|error| panic!("{error:#}\n{outcome}"));
        }
        outcome.assert_no_secret(&[self.parts.database.password(), &self.webhook.slack_url()]);
        outcome
    }
}

pub(crate) fn path_with_tools() -> String {
    let tools = built_binary("pso-health").expect("built");
    format!("{}:{}", tools.parent().expect("a folder").display(), std::env::var("PATH").expect("a PATH"))
}

/// Which tools came to their end, in this order, with which exit code.
fn ends(records: &[Value]) -> Vec<(&str, u64)> {
    let ends = records.iter().filter(|record| record["kind"] == "run.end");
    ends.map(|end| (end["tool"].as_str().expect("a tool"), end["exit_code"].as_u64().expect("a code"))).collect()
}

/// These tools ran, in this order, and the script's exit code is the worst of theirs.
#[track_caller]
fn assert_ran(outcome: &Outcome, tools: &[&str]) {
    let records = outcome.records();
    let ends = ends(&records);
    let ran: Vec<&str> = ends.iter().map(|(tool, _)| *tool).collect();
    assert_eq!(ran, tools, "{outcome}");
    let worst = ends.iter().map(|(_, code)| *code).max().expect("a tool");
    assert_eq!(outcome.code, i32::try_from(worst).ok(), "{outcome}");
}

/// How many records of a kind there are.
fn count(outcome: &Outcome, kind: &str) -> usize {
    outcome.records_of_kind(kind).len()
}
