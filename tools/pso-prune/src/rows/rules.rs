//! Which rows are past their retention: three rules that the maintenance plan knows, and those of the configuration.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use pso_common::config::{Config, ConfigValue as _, Field, ListField, Percent, RequiredField};
use serde::Deserialize;

use crate::cli::Cli;

const DAY: Duration = Duration::from_secs(86_400);

/// One entry of `maintenance.prune.rows`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleSection {
    #[serde(default)]
    schema: Field,
    table: RequiredField,
    #[serde(default)]
    column: Field,
    #[serde(default)]
    older_than: Field,
    #[serde(default, rename = "where")]
    conditions: Option<Vec<ConditionSection>>,
    #[serde(default)]
    max_share: Field,
    #[serde(default)]
    batch: Field,
    #[serde(default)]
    enabled: Field,
}

/// One condition: a column, and one of the words that compare it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionSection {
    column: RequiredField,
    #[serde(default)]
    is: Field,
    #[serde(default)]
    is_not: Field,
    #[serde(default, rename = "in")]
    one_of: ListField,
    #[serde(default)]
    not_in: ListField,
    #[serde(default)]
    is_null: Field,
}

/// Rows of a table that are past their retention.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    /// Where the table is, unless its name alone finds it.
    pub(crate) schema: Option<String>,
    pub(crate) table: String,
    /// The column whose time counts. A row without a time stays.
    pub(crate) column: String,
    pub(crate) older_than: Duration,
    /// What else must hold, all of it.
    pub(crate) conditions: Vec<Condition>,
    /// The largest share of the table that may go, in percent.
    pub(crate) max_share: f64,
    /// The most rows of one transaction.
    pub(crate) batch: u64,
    /// Whether somebody has asked for it, so that a table that is not there is a mistake.
    pub(crate) is_configured: bool,
}

impl Rule {
    /// The table, as people know it.
    pub(crate) fn shown(&self) -> String {
        self.schema.as_ref().map_or_else(|| self.table.clone(), |schema| format!("{schema}.{}", self.table))
    }
}

/// What else must hold of a row. As in SQL, NULL is neither equal to a value nor different from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) column: String,
    pub(crate) test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// One of these values.
    In(Vec<String>),
    /// A value, and none of these.
    NotIn(Vec<String>),
    Null,
    NotNull,
}

/// The most rows of a transaction, unless a rule says so. Their number is adapted to the time that they take; this only
/// bounds the row locks and the WAL of one transaction.
const USUAL_BATCH: u64 = 50_000;

/// The rules that apply to a table unless the configuration names it.
fn built_in(retention: Duration, max_share: f64) -> [Rule; 3] {
    let rule = |table: &str, column: &str, older_than, conditions| Rule {
        schema: None,
        table: table.to_owned(),
        column: column.to_owned(),
        older_than,
        conditions,
        max_share,
        batch: USUAL_BATCH,
        is_configured: false,
    };
    let resolved = Condition { column: "status".to_owned(), test: Test::In(vec!["resolved".to_owned()]) };
    [
        rule("sync_operations", "started_at", retention, Vec::new()),
        rule("conflicts", "resolved_at", 7 * DAY, vec![resolved]),
        rule("performance_metrics", "timestamp", 90 * DAY, Vec::new()),
    ]
}

/// The rules that apply. `retention_days` is the age of `sync_operations`, whose flag beats the file.
///
/// # Errors
/// When an entry is not complete, or a value is none that can be meant; the message names its key.
pub(super) fn resolve(
    config: &Config,
    cli: &Cli,
    section: &[RuleSection],
    retention_days: u32,
    max_share: f64,
) -> anyhow::Result<Vec<Rule>> {
    let known = built_in(DAY * retention_days, max_share);
    let is_named = |rule: &Rule| section.iter().any(|entry| entry.table.value == rule.table);
    let mut rules: Vec<Rule> = known.iter().filter(|rule| !is_named(rule)).cloned().collect();
    // The flag and the variable mean this table, whatever the file says of it.
    let is_said = cli.retention_days.is_some() || config.env().get("PSO_PRUNE_RETENTION_DAYS").is_some();
    for (at, entry) in section.iter().enumerate() {
        let known = known.iter().find(|rule| rule.table == entry.table.value);
        let said = known.filter(|rule| is_said && rule.table == "sync_operations").map(|rule| rule.older_than);
        rules.extend(resolve_one(config, entry, &format!("maintenance.prune.rows[{at}]"), known, said, max_share)?);
    }
    Ok(rules)
}

fn resolve_one(
    config: &Config,
    entry: &RuleSection,
    key: &str,
    known: Option<&Rule>,
    said: Option<Duration>,
    max_share: f64,
) -> anyhow::Result<Option<Rule>> {
    let at = |name: &str| format!("{key}.{name}");
    let line = entry.table.referenced.line();
    let place =
        || format!("{}:{line}", config.path().map_or("configuration".into(), |path| path.display().to_string()));
    let table: String = config.pick(at("table")).file(&Some(entry.table.clone())).or(String::new())?;
    ensure!(!table.is_empty(), "{}: {}: expected the name of a table, found nothing", place(), at("table"));
    let enabled = config.pick(at("enabled")).file(&entry.enabled).or(true)?;
    let needs = |name: &str| format!("{}: {key} names {table:?}; it needs {name}", place());
    let column = config.pick(at("column")).file(&entry.column).optional()?;
    let older_than = config.pick(at("older_than")).other("retention_days", said).file(&entry.older_than).optional()?;
    let conditions = match &entry.conditions {
        None => known.map_or_else(Vec::new, |rule| rule.conditions.clone()),
        Some(list) => {
            let conditions = list.iter().enumerate();
            let each = |(n, section)| condition(config, section, &format!("{key}.where[{n}]"), &place());
            conditions.map(each).collect::<anyhow::Result<_>>()?
        }
    };
    let max_share = config.pick(at("max_share")).file(&entry.max_share).or(Percent(max_share))?.0;
    let batch = config.pick(at("batch")).file(&entry.batch).or(USUAL_BATCH)?;
    ensure!(
        (1..=1_000_000).contains(&batch),
        "{}: {} is {batch}; give a number from 1 to 1000000",
        place(),
        at("batch")
    );
    if !enabled {
        return Ok(None);
    }
    Ok(Some(Rule {
        schema: config.pick(at("schema")).file(&entry.schema).optional()?,
        column: column
            .or_else(|| known.map(|rule| rule.column.clone()))
            .with_context(|| format!("{}: the column whose time counts", needs("column")))?,
        older_than: older_than
            .or_else(|| known.map(|rule| rule.older_than))
            .with_context(|| format!("{}: {}", needs("older_than"), Duration::EXPECTED))?,
        table,
        conditions,
        max_share,
        batch,
        is_configured: true,
    }))
}

fn condition(config: &Config, section: &ConditionSection, key: &str, place: &str) -> anyhow::Result<Condition> {
    let at = |name: &str| format!("{key}.{name}");
    let column: String = config.pick(at("column")).file(&Some(section.column.clone())).or(String::new())?;
    let mut tests = Vec::new();
    if let Some(value) = config.pick(at("is")).file(&section.is).optional()? {
        tests.push(Test::In(vec![value]));
    }
    if let Some(value) = config.pick(at("is_not")).file(&section.is_not).optional()? {
        tests.push(Test::NotIn(vec![value]));
    }
    for (name, list) in [("in", &section.one_of), ("not_in", &section.not_in)] {
        let values: Option<Vec<String>> = config.pick(at(name)).file_list(list).optional()?;
        if let Some(values) = values {
            ensure!(!values.is_empty(), "{place}: {}: expected values, found none", at(name));
            tests.push(if name == "in" { Test::In(values) } else { Test::NotIn(values) });
        }
    }
    if let Some(is_null) = config.pick(at("is_null")).file(&section.is_null).optional()? {
        tests.push(if is_null { Test::Null } else { Test::NotNull });
    }
    let Some(test) = tests.pop().filter(|_| tests.is_empty()) else {
        bail!("{place}: {key}: expected one of is, is_not, in, not_in and is_null");
    };
    Ok(Condition { column, test })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use pso_common::io::Env;

    use super::*;
    use crate::settings::Settings;

    fn rules(text: &str, args: &[&str]) -> anyhow::Result<Vec<Rule>> {
        let config = Config::from_text("c.yaml", text, Env::default())?;
        let cli = Cli::try_parse_from(["pso-prune"].iter().chain(args)).expect("valid");
        Ok(Settings::resolve(&config, &cli)?.rows.rules)
    }

    fn shown(rules: &[Rule]) -> Vec<String> {
        let each = |rule: &Rule| {
            let conditions = rule.conditions.iter().map(|c| format!(" {} {:?}", c.column, c.test)).collect::<String>();
            format!("{} {} {}{conditions} {} %", rule.shown(), rule.column, rule.older_than.show(), rule.max_share)
        };
        rules.iter().map(each).collect()
    }

    #[test]
    fn the_rules_of_the_maintenance_plan_are_there() {
        let expected = [
            "sync_operations started_at 30d 50 %",
            "conflicts resolved_at 7d status In([\"resolved\"]) 50 %",
            "performance_metrics timestamp 90d 50 %",
        ];
        assert_eq!(shown(&rules("", &[]).expect("valid")), expected);
        let longer = rules("maintenance: {prune: {retention_days: 40, max_share: 20}}", &[]).expect("valid");
        assert_eq!(shown(&longer)[0], "sync_operations started_at 40d 20 %");
    }

    #[test]
    fn an_entry_changes_or_ends_a_known_rule_and_the_flag_beats_it() {
        let text = "maintenance:\n  prune:\n    rows:\n    - {table: conflicts, enabled: false}\n    \
                    - {table: sync_operations, older_than: 60d, max_share: 80}\n    \
                    - {schema: other, table: events, column: at, older_than: 1h, where: [{column: a, in: [x, y]}, {column: b, is_null: true}]}\n";
        let expected = [
            "performance_metrics timestamp 90d 50 %",
            "sync_operations started_at 60d 80 %",
            "other.events at 1h a In([\"x\", \"y\"]) b Null 50 %",
        ];
        assert_eq!(shown(&rules(text, &[]).expect("valid")), expected);
        let said = rules(text, &["--retention-days", "5"]).expect("valid");
        assert_eq!(shown(&said)[1], "sync_operations started_at 5d 80 %");
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_its_place() {
        for (entry, expected) in [
            ("{table: t, older_than: 1d}", "c.yaml:4: maintenance.prune.rows[0] names \"t\"; it needs column"),
            ("{table: t, column: at}", "it needs older_than: a span of time"),
            (
                "{table: t, column: at, older_than: soon}",
                "c.yaml:4: maintenance.prune.rows[0].older_than: expected a span",
            ),
            ("{table: t, column: at, older_than: 1d, where: [{column: a}]}", "where[0]: expected one of is, is_not"),
            (
                "{table: t, column: at, older_than: 1d, where: [{column: a, is: 1, in: [2]}]}",
                "expected one of is, is_not",
            ),
            ("{table: t, column: at, older_than: 1d, where: [{column: a, in: []}]}", "expected values, found none"),
            ("{table: t, column: at, older_than: 1d, sql: \"1 = 1\"}", "unknown field `sql`"),
            ("{table: t, column: at, older_than: 1d, batch: 0}", "batch is 0"),
        ] {
            let error = rules(&format!("maintenance:\n  prune:\n    rows:\n    - {entry}\n"), &[]).expect_err(entry);
            assert!(format!("{error:#}").contains(expected), "{entry}: {error:#}");
        }
    }
}
