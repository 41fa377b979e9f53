//! `rules:`: rules of one's own, and what shall be different for ours.

use std::collections::{BTreeMap, HashSet};

use pso_common::Severity;
use pso_common::config::{Field, ListField, RequiredField};
use pso_common::record::Labels;
use serde::Deserialize;

use super::faults::Faults;
use super::policy::{channels, set};
use super::values::{Bad, Link, RuleName, Span};
use crate::policy::{Policy, RuleOptions};
use crate::rules::{BUILT_IN, BuiltIn, Changed, Condition, FieldPath, Matching, OwnRule, RuleBook, Template};

/// One rule of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleSection {
    name: RequiredField,
    #[serde(default, rename = "match")]
    matching: Option<MatchSection>,
    #[serde(default)]
    field: Field,
    #[serde(default)]
    above: Field,
    #[serde(default)]
    at_least: Field,
    #[serde(default)]
    below: Field,
    #[serde(default)]
    at_most: Field,
    #[serde(default)]
    equals: Field,
    #[serde(default)]
    not_equals: Field,
    #[serde(default)]
    matches: Field,
    #[serde(default, rename = "for")]
    hold: Field,
    #[serde(default)]
    keep_firing_for: Field,
    #[serde(default)]
    severity: Field,
    #[serde(default)]
    message: Field,
    #[serde(default)]
    runbook: Field,
    #[serde(default)]
    channels: ListField,
    #[serde(default)]
    group_by: ListField,
    #[serde(default)]
    group_wait: Field,
    #[serde(default)]
    repeat: Field,
    #[serde(default)]
    repeat_limit: Field,
    #[serde(default)]
    resolved: Field,
    #[serde(default)]
    no_data_after: Field,
    #[serde(default)]
    enabled: Field,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MatchSection {
    kind: Field,
    tool: Field,
    host: Field,
    name: Field,
    severity: Field,
    labels: Option<BTreeMap<String, RequiredField>>,
}

/// Reads all rules: what they judge goes into the book, how they are told into the policy.
pub(super) fn fill(
    sections: &[RuleSection],
    book: &mut RuleBook,
    policy: &mut Policy,
    known_channels: Option<&[String]>,
    faults: &mut Faults<'_>,
) {
    let mut names = HashSet::new();
    for (at, section) in sections.iter().enumerate() {
        let key = format!("rules[{at}].name");
        let Some(RuleName(name)) = faults.get(&key, &Some(section.name.clone())) else { continue };
        if !names.insert(name.clone()) {
            faults.add(&key, &section.name, &format!("there is a rule {name} above already"));
            continue;
        }
        let section = Rule { section, key: format!("rules.{name}") };
        let options = section.options(policy.of(&name).clone(), known_channels, faults);
        let enabled: bool = faults.get(&section.key("enabled"), &section.section.enabled).unwrap_or(true);
        match BUILT_IN.iter().find(|rule| rule.name == name) {
            Some(rule) => {
                let changed = section.changed(*rule, enabled, options.severity, faults);
                if rule.name == "run.unfinished" {
                    set(&mut book.unfinished, changed.severity);
                    set(&mut policy.unfinished, changed.severity);
                }
                book.changed.insert(name.clone(), changed);
            }
            None => {
                // What is turned off is checked all the same: it may be turned on at 3 in the morning.
                let own = section.own(&name, options.severity, faults);
                book.own.extend(own.filter(|_| enabled));
            }
        }
        policy.rules.insert(name, options);
    }
}

/// One rule, and where it stands.
struct Rule<'s> {
    section: &'s RuleSection,
    key: String,
}

impl Rule<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.key)
    }

    /// How its incidents are told.
    fn options(&self, mut options: RuleOptions, known: Option<&[String]>, faults: &mut Faults<'_>) -> RuleOptions {
        let section = self.section;
        set(&mut options.hold, faults.get(&self.key("for"), &section.hold));
        set(&mut options.keep_firing_for, faults.get(&self.key("keep_firing_for"), &section.keep_firing_for));
        let severity = faults.get(&self.key("severity"), &section.severity).map(|Bad(severity)| severity);
        options.severity = severity.or(options.severity);
        let runbook = faults.get(&self.key("runbook"), &section.runbook).map(|Link(link)| link);
        options.runbook = runbook.or(options.runbook);
        options.channels = channels(&self.key("channels"), &section.channels, known, faults).or(options.channels);
        set(&mut options.group_by, faults.list(&self.key("group_by"), &section.group_by));
        set(&mut options.group_wait, faults.get(&self.key("group_wait"), &section.group_wait));
        set(&mut options.repeat, faults.get(&self.key("repeat"), &section.repeat).map(|Span(span)| span));
        set(&mut options.repeat_limit, faults.get(&self.key("repeat_limit"), &section.repeat_limit));
        set(&mut options.resolved, faults.get(&self.key("resolved"), &section.resolved));
        let no_data_after = faults.get(&self.key("no_data_after"), &section.no_data_after);
        set(&mut options.no_data_after, no_data_after.map(|Span(span)| span));
        options
    }

    fn message(&self, faults: &mut Faults<'_>) -> Option<Template> {
        let text: String = faults.get(&self.key("message"), &self.section.message)?;
        Template::parse(&text)
            .map_err(|what| {
                let place = self.section.message.as_ref().unwrap_or(&self.section.name);
                faults.add(&self.key("message"), place, &what);
            })
            .ok()
    }

    /// What is different for a rule of ours.
    fn changed(&self, rule: BuiltIn, enabled: bool, severity: Option<Severity>, faults: &mut Faults<'_>) -> Changed {
        let section = self.section;
        let name = rule.name;
        let mut refuse = |key: &str, place: &RequiredField, why: &str| {
            faults.add(&self.key(key), place, &format!("{name} is a rule of pso-alert {why}"));
        };
        let bounds = [
            ("field", &section.field),
            ("above", &section.above),
            ("at_least", &section.at_least),
            ("below", &section.below),
            ("at_most", &section.at_most),
            ("equals", &section.equals),
            ("not_equals", &section.not_equals),
            ("matches", &section.matches),
        ];
        for (key, place) in bounds.into_iter().filter_map(|(key, field)| Some((key, field.as_ref()?))) {
            refuse(key, place, "itself, which knows what it judges; give a rule of your own another name");
        }
        if section.matching.is_some() {
            let why = "itself, which knows what it judges; give a rule of your own another name";
            refuse("match", &section.name, why);
        }
        if let Some(place) = section.message.as_ref().filter(|_| !rule.of_record) {
            refuse("message", place, "that judges no single record, so its message cannot show one");
        }
        if let Some(place) = section.enabled.as_ref().filter(|_| !enabled && !rule.can_rest) {
            refuse("enabled", place, "that says when alerts themselves are in trouble; it cannot be turned off");
        }
        let message = self.message(faults);
        Changed { is_off: !enabled, severity, message }
    }

    /// A rule of one's own.
    fn own(&self, name: &str, severity: Option<Severity>, faults: &mut Faults<'_>) -> Option<OwnRule> {
        let section = self.section;
        let condition = Condition {
            above: faults.get(&self.key("above"), &section.above),
            at_least: faults.get(&self.key("at_least"), &section.at_least),
            below: faults.get(&self.key("below"), &section.below),
            at_most: faults.get(&self.key("at_most"), &section.at_most),
            equals: faults.get(&self.key("equals"), &section.equals),
            not_equals: faults.get(&self.key("not_equals"), &section.not_equals),
            matches: faults.get(&self.key("matches"), &section.matches),
        };
        let Some(matching) = &section.matching else {
            let what = "`match` is missing: say which records it judges, such as match: {kind: health.metric}";
            faults.add(&self.key, &section.name, what);
            return None;
        };
        let matching = self.matching(matching, faults);
        let picky = matching.severity.is_some_and(|severity| severity > Severity::Ok);
        // A bound that is there and wrong has been told already.
        if condition.is_empty() && !picky && !self.has_bound() {
            let what = "it says nothing of what is wrong, so every record that it matches would fire; give a bound such as above: 60, or match.severity";
            faults.add(&self.key, &section.name, what);
        }
        if condition.is_impossible() {
            faults.add(&self.key, &section.name, &format!("it can never fire: nothing is {condition}"));
        }
        let path = faults.get::<String>(&self.key("field"), &section.field).unwrap_or_else(|| "value".to_owned());
        let Some(field) = FieldPath::parse(&path) else {
            let place = section.field.as_ref().unwrap_or(&section.name);
            faults.add(
                &self.key("field"),
                place,
                "expected names of fields with dots between them, such as value or labels.mount",
            );
            return None;
        };
        let message = self.message(faults);
        Some(OwnRule { name: name.into(), matching, field, condition, severity, message })
    }

    fn has_bound(&self) -> bool {
        let section = self.section;
        [
            &section.above,
            &section.at_least,
            &section.below,
            &section.at_most,
            &section.equals,
            &section.not_equals,
            &section.matches,
        ]
        .into_iter()
        .any(Option::is_some)
    }

    fn matching(&self, section: &MatchSection, faults: &mut Faults<'_>) -> Matching {
        let mut labels = Labels::new();
        for (label, pattern) in section.labels.iter().flatten() {
            let key = self.key(&format!("match.labels.{label}"));
            if let Some(pattern) = faults.get(&key, &Some(pattern.clone())) {
                labels.insert(label.clone(), pattern);
            }
        }
        Matching {
            kind: faults.get(&self.key("match.kind"), &section.kind),
            tool: faults.get(&self.key("match.tool"), &section.tool),
            host: faults.get(&self.key("match.host"), &section.host),
            name: faults.get(&self.key("match.name"), &section.name),
            labels,
            severity: faults.get(&self.key("match.severity"), &section.severity),
        }
    }
}

#[cfg(test)]
mod tests;
