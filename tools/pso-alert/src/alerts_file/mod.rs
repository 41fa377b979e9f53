//! `config/alerts.yaml`, as the specification shows it: channels and thresholds.
//!
//! A bad file is an error of the whole run. A channel that cannot be used as it is configured (a variable that is not
//! set, no URL) is a problem of that channel alone: the others must still be told.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use pso_common::Secret;
use pso_common::config::{Config, Effective, Field, ListField};
use pso_common::io::Env;
use serde::Deserialize;

use crate::channel::{Channel, Discord, Named, Post, Slack, Webhook};
use crate::policy::Policy;
use crate::rules::Thresholds;

/// A file larger than this is a mistake (bytes).
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What the file says.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    /// Channels that can be told.
    pub(crate) channels: Vec<Arc<Named>>,
    /// Channels that are enabled and cannot be used as they are configured.
    pub(crate) problems: Vec<Problem>,
    pub(crate) thresholds: Thresholds,
    pub(crate) policy: Policy,
    /// Every value in effect, for `--print-config` and `check`.
    pub(crate) effective: Vec<Effective>,
}

/// Why an enabled channel cannot be used.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) channel: String,
    pub(crate) reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileConfig {
    alerts: Option<AlertsSection>,
    thresholds: Option<ThresholdsSection>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AlertsSection {
    email: Option<EmailSection>,
    slack: Option<SlackSection>,
    discord: Option<DiscordSection>,
    webhook: Option<WebhookSection>,
    stdout: Option<StdoutSection>,
}

/// Known by its keys, so that the specification's file is read as it stands; only `enabled` is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EmailSection {
    enabled: Field,
    #[serde(rename = "smtp_server")]
    _smtp_server: Field,
    #[serde(rename = "smtp_port")]
    _smtp_port: Field,
    #[serde(rename = "username")]
    _username: Field,
    #[serde(rename = "password")]
    _password: Field,
    #[serde(rename = "recipients")]
    _recipients: ListField,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SlackSection {
    enabled: Field,
    webhook_url: Field,
    channel: Field,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DiscordSection {
    enabled: Field,
    webhook_url: Field,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WebhookSection {
    enabled: Field,
    url: Field,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StdoutSection {
    enabled: Field,
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

/// Reads the file. A missing one says nothing, unless somebody named it.
///
/// # Errors
/// When it cannot be read, is not YAML, has a key that it should not have, or a threshold that is no number; the
/// message names file, line and key.
pub(crate) fn load(path: &Path, named: bool, env: &Env) -> anyhow::Result<Alerts> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text));
    match read {
        Ok(_) if text.len() as u64 > MAX_FILE_BYTES => {
            bail!("read {}: it is larger than {} MiB", path.display(), MAX_FILE_BYTES >> 20)
        }
        Ok(_) => parse(path, &text, env),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => Ok(Alerts::default()),
        Err(error) => Err(error).with_context(|| format!("read the alerts file {}", path.display())),
    }
}

/// Understands the file's text.
pub(crate) fn parse(path: &Path, text: &str, env: &Env) -> anyhow::Result<Alerts> {
    let config = Config::from_text(path, text, env.clone())?;
    let file: FileConfig = config.read()?;
    let thresholds = thresholds(&config, &file.thresholds.unwrap_or_default())?;
    let sections = file.alerts.unwrap_or_default();
    let mut alerts = Alerts { thresholds, ..Alerts::default() };
    let mut add = |name: &str, found: anyhow::Result<Option<Box<dyn Channel>>>| match found {
        Ok(found) => alerts.channels.extend(found.map(|channel| Arc::new(Named { name: name.to_owned(), channel }))),
        Err(error) => alerts.problems.push(Problem { channel: name.to_owned(), reason: format!("{error:#}") }),
    };
    if let Some(slack) = &sections.slack {
        add("slack", slack_channel(&config, slack));
    }
    if let Some(discord) = &sections.discord {
        let url = webhook(&config, "alerts.discord", &discord.enabled, "webhook_url", &discord.webhook_url);
        add("discord", url.map(|url| url.map(|url| Box::new(Discord { post: Post::new(url) }) as Box<dyn Channel>)));
    }
    if let Some(webhook_section) = &sections.webhook {
        let url = webhook(&config, "alerts.webhook", &webhook_section.enabled, "url", &webhook_section.url);
        add("webhook", url.map(|url| url.map(|url| Box::new(Webhook { post: Post::new(url) }) as Box<dyn Channel>)));
    }
    alerts.effective = config.effective();
    Ok(alerts)
}

fn slack_channel(config: &Config, section: &SlackSection) -> anyhow::Result<Option<Box<dyn Channel>>> {
    let url = webhook(config, "alerts.slack", &section.enabled, "webhook_url", &section.webhook_url)?;
    let Some(url) = url else { return Ok(None) };
    let channel: Option<String> = config.pick("alerts.slack.channel").file(&section.channel).optional()?;
    Ok(Some(Box::new(Slack { post: Post::new(url), channel })))
}

/// The URL of a webhook if it is enabled. Only then are its variables looked up.
fn webhook(config: &Config, key: &str, on: &Field, url_key: &str, url: &Field) -> anyhow::Result<Option<Secret>> {
    if !enabled(config, key, on)? {
        return Ok(None);
    }
    let key = format!("{key}.{url_key}");
    let Some(secret) = config.pick::<Secret>(key.clone()).file(url).optional()? else {
        bail!("{}: {key} is missing; give the webhook's URL, or set enabled: false", place(config, on));
    };
    if !is_http_url(secret.expose()) {
        bail!("{}: {key}: expected a URL that begins with https:// or http://", place(config, url));
    }
    Ok(Some(secret))
}

fn enabled(config: &Config, key: &str, field: &Field) -> anyhow::Result<bool> {
    let on = config.pick(format!("{key}.enabled")).file(field).optional()?;
    on.with_context(|| format!("{}: {key}.enabled is missing; say true or false", file_of(config)))
}

/// The value itself is a secret, so the check is here and the message does not show it.
fn is_http_url(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#', ':']))
        && url
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}'))
}

fn thresholds(config: &Config, section: &ThresholdsSection) -> anyhow::Result<Thresholds> {
    let pick = |name: &str, field: &Field| config.pick::<f64>(format!("thresholds.{name}")).file(field).optional();
    Ok(Thresholds {
        error_rate: pick("error_rate", &section.error_rate)?,
        sync_duration: pick("sync_duration", &section.sync_duration)?,
        cpu_usage: pick("cpu_usage", &section.cpu_usage)?,
        memory_usage: pick("memory_usage", &section.memory_usage)?,
        disk_usage: pick("disk_usage", &section.disk_usage)?,
        response_time: pick("response_time", &section.response_time)?,
    })
}

fn file_of(config: &Config) -> String {
    config.path().map_or_else(String::new, |path| path.display().to_string())
}

fn place(config: &Config, field: &Field) -> String {
    let line = field.as_ref().map_or(0, |field| field.referenced.line());
    format!("{}:{line}", file_of(config))
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
        parse(Path::new("config/alerts.yaml"), text, &env)
    }

    fn error(text: &str) -> String {
        parsed(text, &[]).map_or_else(|error| format!("{error:#}"), |_| "no error".to_owned())
    }

    #[test]
    fn the_specifications_file_is_read_as_it_stands() {
        let alerts =
            parsed(SPECIFICATION, &[("SLACK_WEBHOOK", "https://hooks.slack.com/services/T/B/x")]).expect("valid");
        let [slack] = alerts.channels.as_slice() else { panic!("{alerts:?}") };
        assert_eq!((slack.name.as_str(), slack.channel.kind()), ("slack", "slack"));
        assert!(alerts.problems.is_empty());
        let expected = Thresholds {
            error_rate: Some(5.0),
            sync_duration: Some(60.0),
            cpu_usage: Some(80.0),
            memory_usage: Some(90.0),
            disk_usage: Some(85.0),
            response_time: Some(2000.0),
        };
        assert_eq!(alerts.thresholds, expected);
        assert!(alerts.effective.iter().all(|value| !value.shown.contains("hooks.slack.com")));
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
        assert!(
            error("alerts:\n  slak:\n    enabled: true\n").starts_with("config/alerts.yaml:2: unknown field `slak`")
        );
        assert!(
            error("thresholds:\n  cpu_usage: 80\n  cpu: 1\n").starts_with("config/alerts.yaml:3: unknown field `cpu`")
        );
        assert_eq!(
            error("thresholds:\n\n  cpu_usage: high\n"),
            "config/alerts.yaml:3: thresholds.cpu_usage: expected a number, found \"high\""
        );
        assert!(error("alerts: [").starts_with("config/alerts.yaml:"));
        for nothing in ["", "# later\n", "alerts:\nthresholds:\n", "alerts:\n  slack:\n"] {
            assert_eq!(error(nothing), "no error", "{nothing:?}");
        }
    }
}
