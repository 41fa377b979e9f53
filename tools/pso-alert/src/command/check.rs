//! `pso-alert check`: is this alerts.yaml right, and what is in effect.

use std::path::Path;

use pso_common::record::schema;
use pso_common::{Run, Severity};
use serde_json::Value;

use crate::alerts_file::Alerts;
use crate::cli::Cli;
use crate::pattern::fits;
use crate::rules::{OwnRule, Template};
use crate::settings::Settings;

pub(crate) fn run(run: &mut Run<'_>, cli: &Cli, file: Option<&Path>) -> anyhow::Result<()> {
    let settings = Settings::resolve(cli, file.map(Path::to_path_buf), run.config())?;
    if settings.printed(run)? {
        return Ok(());
    }
    anyhow::ensure!(
        settings.file.exists(),
        "{} does not exist; name another file, or create it",
        settings.file.display()
    );
    settings.print_alerts(run)?;
    settings.warn(run);
    let alerts = &settings.alerts;
    for doubt in alerts.rules.own.iter().flat_map(doubts) {
        run.warn(doubt);
        run.note(Severity::Warning);
    }
    if let Some(Err(reason)) = alerts.heartbeat.as_ref().map(|heartbeat| &heartbeat.target) {
        run.warn(format_args!("the heartbeat will not be sent: {reason}"));
        run.note(Severity::Warning);
    }
    let verdict = if alerts.problems.is_empty() { "is valid" } else { "has channels that cannot be used" };
    run.warn(format_args!("{} {verdict}; {}", settings.file.display(), who_is_told(alerts)));
    Ok(())
}

/// What goes where, in one line.
fn who_is_told(alerts: &Alerts) -> String {
    let names: Vec<&str> = alerts.channels.iter().map(|channel| channel.name.as_str()).collect();
    let told = if names.is_empty() { "no channel".to_owned() } else { names.join(", ") };
    let mut particular: Vec<String> = alerts
        .policy
        .rules
        .iter()
        .filter_map(|(rule, options)| {
            let names = options.channels.as_ref()?;
            Some(format!(
                "those of {rule} to {}",
                if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
            ))
        })
        .collect();
    particular.sort();
    let own = match alerts.rules.own.len() {
        0 => String::new(),
        1 => "1 rule beside ours; ".to_owned(),
        rules => format!("{rules} rules beside ours; "),
    };
    let particular: String = particular.iter().map(|rule| format!(", {rule}")).collect();
    format!("{own}notices go to {told}{particular}")
}

/// What is not wrong for sure: kinds and fields that no tool of ours writes. Others may.
fn doubts(rule: &OwnRule) -> Vec<String> {
    let Some(pattern) = &rule.matching.kind else { return Vec::new() };
    let name = &rule.name;
    let kinds: Vec<&schema::KindInfo> = schema::KINDS.iter().filter(|info| fits(pattern, info.kind)).collect();
    if kinds.is_empty() {
        return vec![format!("rules.{name}.match.kind: none of the tools writes records of the kind {pattern}")];
    }
    let known: Vec<Value> = kinds.iter().map(|info| info.schema()).collect();
    let has = |field: &str| known.iter().any(|schema| schema["properties"].get(field).is_some());
    let judged = (!rule.condition.is_empty()).then_some(("field", &rule.field));
    let shown = rule.message.iter().flat_map(Template::fields).map(|field| ("message", field));
    judged
        .into_iter()
        // In a message `value` is what is judged, whatever its name.
        .chain(shown.filter(|(_, field)| field.to_string() != "value" || rule.condition.is_empty()))
        .filter(|(_, field)| !has(field.top()))
        .map(|(key, field)| format!("rules.{name}.{key}: records of the kind {pattern} have no field `{field}`"))
        .collect()
}
