//! Findings that somebody has accepted, with a reason and an end.

use pso_common::config::{Config, ConfigValue, RequiredField};
use pso_common::{Severity, Timestamp};
use serde::Deserialize;
use time::macros::format_description;
use time::{Date, Time};

use crate::finding::{Finding, Found};

/// One entry of `maintenance.audit.accept`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcceptSection {
    rule: RequiredField,
    object: RequiredField,
    reason: RequiredField,
    until: RequiredField,
}

/// The last day on which something is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Until(Date);

impl ConfigValue for Until {
    const EXPECTED: &'static str = "a day such as 2027-01-31";

    fn parse(text: &str) -> Option<Self> {
        Date::parse(text.trim(), format_description!("[year]-[month]-[day]")).ok().map(Self)
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

impl Until {
    /// The end of that day, in UTC.
    fn end(self) -> Timestamp {
        Timestamp::new(self.0.with_time(Time::MAX).assume_utc())
    }
}

/// What is accepted, and what of it was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acceptances(Vec<Acceptance>);

#[derive(Clone, Debug)]
struct Acceptance {
    rule: String,
    object: String,
    reason: String,
    until: Until,
    matched: u64,
}

impl Acceptances {
    /// # Errors
    /// When an entry has a bad date, no reason, or would accept everything.
    pub(crate) fn resolve(config: &Config, section: &[AcceptSection]) -> anyhow::Result<Self> {
        let entry = |(at, entry): (usize, &AcceptSection)| {
            let key = |name: &str| format!("maintenance.audit.accept[{at}].{name}");
            let text = |name: &str, field: &RequiredField| -> anyhow::Result<String> {
                let text: String = config.pick(key(name)).file(&Some(field.clone())).or(String::new())?;
                let line = field.referenced.line();
                let file = config.path().unwrap_or_else(|| std::path::Path::new("configuration")).display();
                anyhow::ensure!(
                    !text.trim().is_empty(),
                    "{file}:{line}: {}: expected a text, found nothing",
                    key(name)
                );
                Ok(text.trim().to_owned())
            };
            let (rule, object) = (text("rule", &entry.rule)?, text("object", &entry.object)?);
            anyhow::ensure!(
                !(rule.trim_matches('*').is_empty() && object.trim_matches('*').is_empty()),
                "{}: with `*` as rule and as object everything would be accepted; name one of them",
                key("rule")
            );
            let until = config.pick(key("until")).file(&Some(entry.until.clone())).optional()?;
            Ok(Acceptance {
                rule,
                object,
                reason: text("reason", &entry.reason)?,
                until: until.ok_or_else(|| anyhow::anyhow!("{}: expected {}", key("until"), Until::EXPECTED))?,
                matched: 0,
            })
        };
        section.iter().enumerate().map(entry).collect::<anyhow::Result<Vec<_>>>().map(Self)
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Marks a finding that is accepted. One whose time is over counts, and says that it was accepted.
    pub(crate) fn apply(&mut self, finding: &mut Finding, now: Timestamp) {
        let record = &mut finding.record;
        let mut over = None;
        for entry in &mut self.0 {
            if !matches(&entry.rule, &record.rule) || !matches(&entry.object, &record.object) {
                continue;
            }
            entry.matched += 1;
            if entry.until.end() >= now {
                record.accepted = Some(entry.reason.clone());
                record.accepted_until = Some(entry.until.end());
                finding.severity = Severity::Ok;
                return;
            }
            over = Some(entry);
        }
        if let Some(entry) = over {
            finding
                .message
                .push_str(&format!("; it was accepted until {} ({}), which is over", entry.until.0, entry.reason));
        }
    }

    /// What is accepted and was not found: a list that is not kept up hides what comes later. Of the rules `unlooked`
    /// nothing was looked for.
    pub(crate) fn unused(&self, unlooked: &[&str], found: &mut Found) {
        let is_unlooked = |entry: &&Acceptance| unlooked.iter().any(|rule| matches(&entry.rule, rule));
        for entry in self.0.iter().filter(|entry| entry.matched == 0 && !is_unlooked(entry)) {
            let object = format!("{}:{}", entry.rule, entry.object);
            let what = format!(
                "{object} is accepted until {} ({}), and nothing of that kind is open",
                entry.until.0, entry.reason
            );
            let fix = "remove it from maintenance.audit.accept, so that it hides nothing that comes later";
            found.push(
                Finding::new(Severity::Info, "acceptance_unused", object, what).with("until", entry.until.0).fix(fix),
            );
        }
    }
}

/// Whether a text is as a pattern says, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use pso_common::io::Env;
    use serde_json::Value;

    use super::*;

    fn config(text: &str) -> Config {
        Config::from_text("c.yaml", text, Env::default()).expect("valid")
    }

    fn resolve(entries: &str) -> anyhow::Result<Acceptances> {
        #[derive(Debug, Default, Deserialize)]
        #[serde(default)]
        struct Section {
            accept: Vec<AcceptSection>,
        }
        impl pso_common::config::ToolSection for Section {
            const NAME: &'static str = "audit";
        }
        let config = config(&format!("maintenance:\n  audit:\n    accept:\n{entries}"));
        let section: Section = config.section()?;
        Acceptances::resolve(&config, &section.accept)
    }

    fn one(rule: &str, object: &str) -> Finding {
        Finding::new(Severity::High, rule, object, "it is open")
    }

    #[test]
    fn an_entry_holds_until_the_end_of_its_day() {
        let mut accepted =
            resolve("    - {rule: world_*, object: logs/*, reason: shipped by another user, until: 2027-01-31}\n")
                .expect("valid");
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let mut finding = one("world_writable", "logs/a.log");
        accepted.apply(&mut finding, at("2027-01-31T23:59:59Z"));
        assert_eq!(finding.severity, Severity::Ok);
        assert_eq!(finding.record.accepted.as_deref(), Some("shipped by another user"));
        let until = serde_json::to_value(&finding.record).expect("JSON")["accepted_until"].clone();
        assert_eq!(until, Value::from("2027-01-31T23:59:59.999Z"));

        let mut over = one("world_writable", "logs/a.log");
        accepted.apply(&mut over, at("2027-02-01T00:00:00Z"));
        assert_eq!((over.severity, over.record.accepted.as_deref()), (Severity::High, None));
        assert_eq!(
            over.message,
            "it is open; it was accepted until 2027-01-31 (shipped by another user), which is over"
        );

        let mut other = one("world_writable", "config/a");
        accepted.apply(&mut other, at("2027-01-01T00:00:00Z"));
        assert_eq!(other, one("world_writable", "config/a"));
    }

    #[test]
    fn an_entry_that_fits_nothing_is_told() {
        let mut accepted = resolve(
            "    - {rule: setuid, object: scripts/a, reason: r, until: 2027-01-31}\n    - {rule: setuid, object: scripts/b, reason: r, until: 2027-01-31}\n",
        )
        .expect("valid");
        accepted.apply(&mut one("setuid", "scripts/a"), "2026-01-01T00:00:00Z".parse().expect("a time"));
        let mut found = Found::default();
        accepted.unused(&["burst"], &mut found);
        assert_eq!(
            found.findings.iter().map(Finding::name).collect::<Vec<_>>(),
            ["acceptance_unused:setuid:scripts/b"]
        );
    }

    #[test]
    fn what_is_missing_is_told_with_its_line() {
        for (entry, expected) in [
            ("    - {rule: a, object: b, until: 2027-01-31}\n", "c.yaml:4: missing field `reason`"),
            ("    - {rule: a, object: b, reason: c}\n", "c.yaml:4: missing field `until`"),
            (
                "    - {rule: a, object: b, reason: '', until: 2027-01-31}\n",
                "c.yaml:4: maintenance.audit.accept[0].reason: expected a text",
            ),
            (
                "    - {rule: a, object: b, reason: c, until: soon}\n",
                "c.yaml:4: maintenance.audit.accept[0].until: expected a day such as 2027-01-31, found \"soon\"",
            ),
            (
                "    - {rule: '*', object: '**', reason: c, until: 2027-01-31}\n",
                "maintenance.audit.accept[0].rule: with `*`",
            ),
        ] {
            let error = format!("{:#}", resolve(entry).expect_err("refused"));
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "ac", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXc", false),
            ("ab*ba", "aba", false),
            ("logs/*.log", "logs/x.log.1", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
