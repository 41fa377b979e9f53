//! `notices:`, `no_data:`, `unfinished:`, `expect:`, `inhibit:` and `quiet_hours:`: how incidents are told.

use std::collections::BTreeMap;
use std::time::Duration;

use pso_common::Severity;
use pso_common::config::{ConfigValue, Field, ListField, RequiredField};
use serde::Deserialize;

use super::faults::Faults;
use super::values::{Bad, Day, Span, TimeOfDay, Zone};
use crate::policy::{Expectation, Inhibition, Matchers, Policy, QuietHours};

/// These sections of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Notices {
    group_by: ListField,
    group_wait: Field,
    repeat: Field,
    repeat_limit: Field,
    resolved: Field,
    expire_after: Field,
    storm: Field,
    flapping: Option<FlappingSection>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FlappingSection {
    changes: Field,
    within: Field,
    calm: Field,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NoData {
    severity: Field,
    after: Field,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Unfinished {
    severity: Field,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    within: RequiredField,
    #[serde(default)]
    source: Field,
    #[serde(default)]
    tool: Field,
    #[serde(default)]
    host: Field,
    #[serde(default)]
    severity: Field,
}

/// Labels and their patterns.
type Patterns = BTreeMap<String, RequiredField>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inhibited {
    when: Patterns,
    silences: Vec<Patterns>,
    #[serde(default)]
    equal: ListField,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quiet {
    from: RequiredField,
    to: RequiredField,
    #[serde(default)]
    days: ListField,
    #[serde(default)]
    time_zone: Field,
    #[serde(default)]
    below: Field,
    #[serde(default)]
    channels: ListField,
}

/// Puts a value where it belongs, if the file has one.
pub(super) fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Reads a value; without one, what stands there holds.
pub(super) fn read<T: ConfigValue + Clone>(faults: &mut Faults<'_>, key: &str, field: &Field, place: &mut T) {
    set(place, faults.or(key, field, place.clone()));
}

fn read_span(faults: &mut Faults<'_>, key: &str, field: &Field, place: &mut Duration) {
    set(place, faults.or(key, field, Span(*place)).map(|Span(span)| span));
}

fn read_severity(faults: &mut Faults<'_>, key: &str, field: &Field, place: &mut Severity) {
    set(place, faults.or(key, field, Bad(*place)).map(|Bad(severity)| severity));
}

impl Notices {
    pub(super) fn fill(&self, policy: &mut Policy, faults: &mut Faults<'_>) {
        let defaults = &mut policy.defaults;
        set(&mut defaults.group_by, faults.list("notices.group_by", &self.group_by));
        read(faults, "notices.group_wait", &self.group_wait, &mut defaults.group_wait);
        read_span(faults, "notices.repeat", &self.repeat, &mut defaults.repeat);
        read(faults, "notices.repeat_limit", &self.repeat_limit, &mut defaults.repeat_limit);
        read(faults, "notices.resolved", &self.resolved, &mut defaults.resolved);
        read_span(faults, "notices.expire_after", &self.expire_after, &mut policy.expire_after);
        read(faults, "notices.storm", &self.storm, &mut policy.storm);
        let unsaid = FlappingSection::default();
        let section = self.flapping.as_ref().unwrap_or(&unsaid);
        read(faults, "notices.flapping.changes", &section.changes, &mut policy.flapping.changes);
        read_span(faults, "notices.flapping.within", &section.within, &mut policy.flapping.within);
        read_span(faults, "notices.flapping.calm", &section.calm, &mut policy.flapping.calm);
    }
}

impl NoData {
    pub(super) fn fill(&self, policy: &mut Policy, faults: &mut Faults<'_>) {
        read_severity(faults, "no_data.severity", &self.severity, &mut policy.no_data);
        read_span(faults, "no_data.after", &self.after, &mut policy.defaults.no_data_after);
    }
}

impl Unfinished {
    pub(super) fn fill(&self, policy: &mut Policy, faults: &mut Faults<'_>) {
        read_severity(faults, "unfinished.severity", &self.severity, &mut policy.unfinished);
    }
}

impl Expected {
    pub(super) fn fill(&self, at: usize, policy: &mut Policy, faults: &mut Faults<'_>) {
        let key = |name: &str| format!("expect[{at}].{name}");
        let within: Option<Duration> = faults.get(&key("within"), &Some(self.within.clone())).map(|Span(span)| span);
        let source: Option<String> = faults.get(&key("source"), &self.source);
        let tool: Option<String> = faults.get(&key("tool"), &self.tool);
        let host: Option<String> = faults.get(&key("host"), &self.host);
        let severity = faults.get(&key("severity"), &self.severity).map(|Bad(severity)| severity);
        if source.is_none() && tool.is_none() && host.is_none() {
            let what = "whom to expect is missing; give `source`, `tool`, `host` or several of them";
            faults.add(&format!("expect[{at}]"), &self.within, what);
        }
        if let Some(within) = within {
            let severity = severity.unwrap_or(policy.no_data);
            policy.expect.push(Expectation { source, tool, host, within, severity });
        }
    }
}

impl Inhibited {
    pub(super) fn fill(&self, at: usize, policy: &mut Policy, faults: &mut Faults<'_>) {
        let key = format!("inhibit[{at}]");
        let when = matchers(&format!("{key}.when"), &self.when, faults);
        let silences: Vec<Matchers> = self
            .silences
            .iter()
            .enumerate()
            .map(|(at, patterns)| matchers(&format!("{key}.silences[{at}]"), patterns, faults))
            .collect();
        let equal: Vec<String> = faults.list(&format!("{key}.equal"), &self.equal).unwrap_or_default();
        let empty = |matchers: &Matchers| matchers.values().all(|pattern| pattern.chars().all(|c| c == '*'));
        // Some line of it, as an empty mapping has none.
        let place = self.when.values().chain(self.silences.iter().flat_map(BTreeMap::values)).next();
        if empty(&when) || silences.is_empty() || silences.iter().any(empty) {
            let what = "`when` and each of `silences` must match something in particular, such as {rule: health.check, name: postgres}";
            match place {
                Some(place) => faults.add(&key, place, what),
                None => drop(faults.keep::<()>(Err(anyhow::anyhow!("{key}: {what}")))),
            }
            return;
        }
        policy.inhibitions.push(Inhibition { when, silences, equal });
    }
}

fn matchers(key: &str, patterns: &Patterns, faults: &mut Faults<'_>) -> Matchers {
    let get = |(label, pattern): (&String, &RequiredField)| {
        Some((label.clone(), faults.get(&format!("{key}.{label}"), &Some(pattern.clone()))?))
    };
    patterns.iter().filter_map(get).collect()
}

impl Quiet {
    pub(super) fn fill(&self, at: usize, policy: &mut Policy, known: Option<&[String]>, faults: &mut Faults<'_>) {
        let key = |name: &str| format!("quiet_hours[{at}].{name}");
        let from = faults.get(&key("from"), &Some(self.from.clone())).map(|TimeOfDay(minutes)| minutes);
        let to = faults.get(&key("to"), &Some(self.to.clone())).map(|TimeOfDay(minutes)| minutes);
        let days: Vec<Day> = faults.list(&key("days"), &self.days).unwrap_or_default();
        let time_zone = faults.get(&key("time_zone"), &self.time_zone).map(|Zone(name)| name);
        let below = faults.get(&key("below"), &self.below).map(|Bad(severity)| severity);
        let channels = channels(&key("channels"), &self.channels, known, faults);
        if let (Some(from), Some(to)) = (from, to) {
            let below = below.unwrap_or(Severity::High);
            let days = days.into_iter().map(|Day(day)| day).collect();
            policy.quiet_hours.push(QuietHours { from, to, days, time_zone, below, channels });
        }
    }
}

/// Names of channels; one that `alerts:` does not have is a fault. Without `known` nothing can be said of them.
pub(super) fn channels(
    key: &str,
    list: &ListField,
    known: Option<&[String]>,
    faults: &mut Faults<'_>,
) -> Option<Vec<String>> {
    let names: Vec<String> = faults.list(key, list)?;
    for (name, field) in names.iter().zip(list.iter().flatten()) {
        if let Some(known) = known.filter(|known| !known.contains(name)) {
            let known =
                if known.is_empty() { "it has none".to_owned() } else { format!("there are {}", known.join(", ")) };
            faults.add(key, field, &format!("there is no channel {name:?} below `alerts:`; {known}"));
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests;
