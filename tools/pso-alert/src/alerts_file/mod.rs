//! `config/alerts.yaml`, as the specification shows it: channels and thresholds.
//!
//! A bad file is an error of the whole run. A channel that cannot be used as it is configured (a variable that is not
//! set, no URL) is a problem of that channel alone: the others must still be told.

mod channels;
mod faults;
mod heartbeat;
mod policy;
mod rules;
mod values;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use pso_common::Severity;
use pso_common::config::{Config, Effective, Field};
use pso_common::io::Env;
use serde::Deserialize;

use faults::Faults;
use values::Limit;

use crate::channel::Named;
use crate::heartbeat::Heartbeat;
use crate::notice::Notice;
use crate::policy::Policy;
use crate::rules::{RuleBook, Thresholds};

/// A file larger than this is a mistake (bytes).
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What the file says.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    /// Channels that can be told.
    pub(crate) channels: Vec<Arc<Named>>,
    /// Channels that are enabled and cannot be used as they are configured.
    pub(crate) problems: Vec<Problem>,
    /// Names of channels that are not enabled.
    pub(crate) disabled: Vec<String>,
    pub(crate) rules: Arc<RuleBook>,
    pub(crate) policy: Policy,
    /// The dead man's switch, where there is one.
    pub(crate) heartbeat: Option<Heartbeat>,
    /// Every value in effect, for `--print-config` and `check`.
    pub(crate) effective: Vec<Effective>,
}

/// Why an enabled channel cannot be used. What it is to be told waits until it can be.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) channel: String,
    pub(crate) reason: String,
    /// It is not told what is less bad.
    pub(crate) min_severity: Severity,
    /// Whether it is told the end.
    pub(crate) send_resolved: bool,
}

impl Alerts {
    /// The enabled channels that are to be told, whether they can be or not.
    pub(crate) fn told<'a>(&'a self, notice: &'a Notice) -> impl Iterator<Item = &'a str> {
        let usable = self.channels.iter().filter(|channel| channel.wants(notice)).map(|channel| channel.name.as_str());
        let wants = |problem: &&Problem| notice.is_wanted(problem.min_severity, problem.send_resolved);
        usable.chain(self.problems.iter().filter(wants).map(|problem| problem.channel.as_str()))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileConfig {
    alerts: Option<channels::Sections>,
    thresholds: Option<ThresholdsSection>,
    rules: Option<Vec<rules::RuleSection>>,
    notices: Option<policy::Notices>,
    no_data: Option<policy::NoData>,
    unfinished: Option<policy::Unfinished>,
    expect: Option<Vec<policy::Expected>>,
    inhibit: Option<Vec<policy::Inhibited>>,
    quiet_hours: Option<Vec<policy::Quiet>>,
    heartbeat: Option<heartbeat::HeartbeatSection>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ThresholdsSection {
    error_rate: Field,
    sync_duration: Field,
    cpu_usage: Field,
    memory_usage: Field,
    disk_usage: Field,
    response_time: Field,
}

/// Reads the file. A missing one says nothing, unless somebody named it. Relative paths in it are below `root`.
///
/// # Errors
/// When it cannot be read, is not YAML, has a key that it should not have, or a threshold that is no number; the
/// message names file, line and key.
pub(crate) fn load(path: &Path, named: bool, env: &Env, root: &Path) -> anyhow::Result<Alerts> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text));
    match read {
        Ok(_) if text.len() as u64 > MAX_FILE_BYTES => {
            bail!("read {}: it is larger than {} MiB", path.display(), MAX_FILE_BYTES >> 20)
        }
        Ok(_) => parse(path, &text, env, root),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => parse(path, "", env, root),
        Err(error) => Err(error).with_context(|| format!("read the alerts file {}", path.display())),
    }
}

/// Understands the file's text.
pub(crate) fn parse(path: &Path, text: &str, env: &Env, root: &Path) -> anyhow::Result<Alerts> {
    let config = Config::from_text(path, text, env.clone())?;
    let mut file: FileConfig = config.read()?;
    let mut faults = Faults::new(&config);
    let opened = file.alerts.take().unwrap_or_default().open(&config, root);
    let found = faults.keep(opened);
    let known: Option<Vec<String>> = found.as_ref().map(|found| {
        let usable = found.channels.iter().map(|channel| channel.name.clone());
        let problems = found.problems.iter().map(|problem| problem.channel.clone());
        usable.chain(problems).chain(found.disabled.iter().cloned()).collect()
    });
    let heartbeat = file.heartbeat.take().and_then(|section| section.read(root, &mut faults));
    let (rules, mut policy) = file.judgement(known.as_deref(), &mut faults);
    faults.keep(found.as_ref().map_or(Ok(()), |found| found.outlast(&policy, &config)));
    faults.finish()?;
    let found = found.unwrap_or_default();
    if found.channels.iter().any(|named| named.channel.forgets_after().is_some()) {
        policy.remind();
    }
    Ok(Alerts {
        channels: found.channels.into_iter().map(Arc::new).collect(),
        problems: found.problems,
        disabled: found.disabled,
        rules: Arc::new(rules),
        policy,
        heartbeat,
        effective: config.effective(),
    })
}

impl FileConfig {
    /// What is wrong, and how that is told; `known` are the names of all channels.
    fn judgement(self, known: Option<&[String]>, faults: &mut Faults<'_>) -> (RuleBook, Policy) {
        let mut policy = Policy::default();
        self.notices.unwrap_or_default().fill(&mut policy, faults);
        self.no_data.unwrap_or_default().fill(&mut policy, faults);
        self.unfinished.unwrap_or_default().fill(&mut policy, faults);
        policy.spread_defaults();
        for (at, expected) in self.expect.iter().flatten().enumerate() {
            expected.fill(at, &mut policy, faults);
        }
        for (at, inhibited) in self.inhibit.iter().flatten().enumerate() {
            inhibited.fill(at, &mut policy, faults);
        }
        for (at, quiet) in self.quiet_hours.iter().flatten().enumerate() {
            quiet.fill(at, &mut policy, known, faults);
        }
        let mut book = RuleBook { unfinished: policy.unfinished, ..RuleBook::default() };
        self.thresholds.unwrap_or_default().fill(&mut book.thresholds, faults);
        rules::fill(self.rules.as_deref().unwrap_or_default(), &mut book, &mut policy, known, faults);
        (book, policy)
    }
}

impl ThresholdsSection {
    fn fill(&self, thresholds: &mut Thresholds, faults: &mut Faults<'_>) {
        for (name, field) in [
            ("error_rate", &self.error_rate),
            ("sync_duration", &self.sync_duration),
            ("cpu_usage", &self.cpu_usage),
            ("memory_usage", &self.memory_usage),
            ("disk_usage", &self.disk_usage),
            ("response_time", &self.response_time),
        ] {
            let key = format!("thresholds.{name}");
            let limit = thresholds.limit(name).and_then(|limit| faults.or(&key, field, Limit(limit)));
            if let Some(limit) = limit {
                thresholds.set(name, limit.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECIFICATION: &str = include_str!("../specification.yaml");

    fn parsed(text: &str, variables: &[(&str, &str)]) -> anyhow::Result<Alerts> {
        let mut env = Env::default();
        for (name, value) in variables {
            env.set(name, value);
        }
        parse(Path::new("config/alerts.yaml"), text, &env, Path::new("."))
    }

    fn error(text: &str) -> String {
        parsed(text, &[]).map_or_else(|error| format!("{error:#}"), |_| "no error".to_owned())
    }

    #[test]
    fn the_specifications_file_is_read_as_it_stands() {
        let variables = [("SLACK_WEBHOOK", "https://hooks.slack.com/services/T/B/x"), ("SMTP_PASSWORD", "hush")];
        let alerts = parsed(SPECIFICATION, &variables).expect("valid");
        let [email, slack] = alerts.channels.as_slice() else { panic!("{alerts:?}") };
        assert_eq!((email.name.as_str(), email.channel.kind()), ("email", "email"));
        assert_eq!((slack.name.as_str(), slack.channel.kind()), ("slack", "slack"));
        assert_eq!(alerts.disabled, ["discord"]);
        assert!(alerts.problems.is_empty());
        assert_eq!(alerts.rules.thresholds.limits(), [80.0, 90.0, 85.0, 5.0, 60.0, 2000.0]);
        assert!(alerts.effective.iter().all(|value| !value.shown.contains("hooks.slack.com")));
        assert!(alerts.effective.iter().all(|value| !value.shown.contains("hunter2")));
        assert_eq!(alerts.policy.of("cpu_usage").hold, std::time::Duration::from_secs(300));
        assert!(alerts.effective.iter().all(|value| !value.shown.contains("hush")));
    }

    #[test]
    fn a_missing_variable_spoils_its_channel_only() {
        let text = "alerts:\n  slack: {enabled: true, webhook_url: \"${SLACK_WEBHOOK}\"}\n  discord:\n    enabled: true\n    webhook_url: https://discord.com/api/webhooks/1/x\n";
        let alerts = parsed(text, &[]).expect("valid");
        assert_eq!((alerts.channels.len(), alerts.problems.len()), (1, 1));
        let reason = &alerts.problems[0].reason;
        assert!(reason.starts_with("config/alerts.yaml:2: alerts.slack.webhook_url: "), "{reason}");
        assert!(reason.contains("SLACK_WEBHOOK is not set"), "{reason}");
    }

    #[test]
    fn a_bad_url_is_told_without_the_url() {
        let text = "alerts:\n  webhook:\n    enabled: true\n    url: \"${HOOK}\"\n";
        let alerts = parsed(text, &[("HOOK", "s3cret host/path")]).expect("valid");
        assert_eq!(
            alerts.problems[0].reason,
            "config/alerts.yaml:4: alerts.webhook.url: expected a URL that begins with https:// or http://"
        );
        let alerts = parsed("alerts:\n  webhook:\n    enabled: yes\n", &[]).expect("valid");
        assert!(alerts.problems[0].reason.starts_with("config/alerts.yaml:3: alerts.webhook.url is missing"));
        let alerts = parsed("alerts: {webhook: {url: \"http://h/\"}}\n", &[]).expect("valid");
        assert!(alerts.problems[0].reason.contains("alerts.webhook.enabled is missing"));
    }

    #[test]
    fn what_does_not_belong_there_is_named_with_its_line() {
        assert!(error("alerts:\n  slak:\n    enabled: true\n").starts_with(
            "config/alerts.yaml:3: alerts.slak has no type, and its name is none; there are email, slack,"
        ));
        assert!(
            error("thresholds:\n  cpu_usage: 80\n  cpu: 1\n").starts_with("config/alerts.yaml:3: unknown field `cpu`")
        );
        assert_eq!(
            error("thresholds:\n\n  cpu_usage: high\n"),
            "config/alerts.yaml:3: thresholds.cpu_usage: expected a number that is not below zero, found \"high\""
        );
        assert!(
            error("thresholds: {disk_usage: -5}\n").contains("thresholds.disk_usage: expected a number that is not")
        );
        assert_eq!(
            error("rules:\n  name: a\n"),
            "config/alerts.yaml:2: expected a list, of which each item begins with `-`"
        );
        assert_eq!(error("heartbeat: x\n"), "config/alerts.yaml:1: expected keys with values, such as `key: value`");
        assert!(error("alerts: [").starts_with("config/alerts.yaml:"));
        for nothing in ["", "# later\n", "alerts:\nthresholds:\n", "alerts:\n  slack:\n"] {
            assert_eq!(error(nothing), "no error", "{nothing:?}");
        }
    }
}
