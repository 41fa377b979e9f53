//! Rules of `config/alerts.yaml`: which records, which field of them, and what it must be to be told.

mod condition;
mod field;
mod template;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pso_common::Severity;
use pso_common::record::{
    AlertNoticeRecord, AnyRecord, Header, HealthRoundRecord, Kind as _, Labels, RunEndRecord, RunStartRecord,
};

pub(crate) use condition::Condition;
pub(crate) use field::FieldPath;
use field::{Value, pick};
pub(crate) use template::Template;

use crate::finding::Finding;
use crate::pattern::fits;

/// Records that only speak of other records: a rule judges them only if it names their kind.
const FRAMES: [&str; 4] = [RunStartRecord::KIND, RunEndRecord::KIND, HealthRoundRecord::KIND, AlertNoticeRecord::KIND];

/// A rule as the file has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OwnRule {
    pub(crate) name: Arc<str>,
    pub(crate) matching: Matching,
    /// What is judged.
    pub(crate) field: FieldPath,
    /// What it must be to fire; where nothing is said, every record that matches fires.
    pub(crate) condition: Condition,
    /// How bad it is; the record's own severity, a warning at least, where nothing is said.
    pub(crate) severity: Option<Severity>,
    pub(crate) message: Option<Template>,
}

/// Which records a rule judges: patterns with `*`, and all of them must fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Matching {
    pub(crate) kind: Option<String>,
    pub(crate) tool: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) name: Option<String>,
    /// Labels; `host`, `tool` and `name` mean the record's where it has no such label.
    pub(crate) labels: Labels,
    /// From this severity up.
    pub(crate) severity: Option<Severity>,
}

impl Matching {
    /// Whether it fits, as far as the header shows.
    fn fits_header(&self, header: &Header) -> bool {
        let fits = |pattern: &Option<String>, text: &str| pattern.as_ref().is_none_or(|pattern| fits(pattern, text));
        self.severity.is_none_or(|least| header.severity >= least)
            && fits(&self.name, &header.name)
            && fits(&self.kind, &header.kind)
            && fits(&self.tool, &header.tool)
            && fits(&self.host, &header.host)
    }
}

/// What own rules say of a record.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Whether one of them has judged it, so that no built-in rule need do so.
    pub(super) is_judged: bool,
    pub(super) findings: Vec<Finding>,
    /// Rules that should have judged it and could not, each told once.
    pub(super) misfits: Vec<String>,
}

/// All rules, found by the kinds that they judge.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OwnRules {
    rules: Vec<Indexed>,
    by_kind: HashMap<String, Vec<usize>>,
    /// Those whose kind is a pattern, or any.
    of_any_kind: Vec<usize>,
    /// Every path that a rule needs, once.
    paths: Vec<FieldPath>,
    /// Rules of which it was told that a record does not suit them.
    told: HashSet<usize>,
}

/// A rule with the places of its paths in the list of all.
#[derive(Clone, Debug, PartialEq)]
struct Indexed {
    rule: OwnRule,
    field: usize,
    labels: Vec<(usize, String)>,
}

impl OwnRules {
    pub(crate) fn new(rules: Vec<OwnRule>) -> Self {
        let mut all = Self::default();
        for (at, rule) in rules.into_iter().enumerate() {
            match &rule.matching.kind {
                Some(kind) if !kind.contains('*') => all.by_kind.entry(kind.clone()).or_default().push(at),
                _ => all.of_any_kind.push(at),
            }
            let field = all.place(rule.field.clone());
            let labels = rule.matching.labels.iter();
            let labels =
                labels.map(|(label, pattern)| (all.place(FieldPath::of_label(label)), pattern.clone())).collect();
            all.rules.push(Indexed { rule, field, labels });
        }
        all
    }

    fn place(&mut self, path: FieldPath) -> usize {
        self.paths.iter().position(|known| *known == path).unwrap_or_else(|| {
            self.paths.push(path);
            self.paths.len() - 1
        })
    }

    /// Judges a record; `labels` reads its own labels, which are needed only where a rule fires.
    ///
    /// # Errors
    /// When a field that a rule asks for is a number beyond what a number can be.
    pub(super) fn judge(
        &mut self,
        record: &AnyRecord,
        labels: impl Fn(&AnyRecord) -> Labels,
    ) -> Result<Judged, serde_json::Error> {
        let header = &record.header;
        let named = self.by_kind.get(&header.kind).into_iter().flatten();
        let any = if FRAMES.contains(&header.kind.as_str()) { &[][..] } else { &self.of_any_kind };
        let fitting = named.chain(any).copied().filter(|&at| self.rules[at].rule.matching.fits_header(header));
        let fitting: Vec<usize> = fitting.collect();
        let mut judged = Judged::default();
        if fitting.is_empty() {
            return Ok(judged);
        }
        let values = Values::read(record, &self.paths, fitting.iter().flat_map(|&at| self.rules[at].needs()))?;
        for at in fitting {
            let Indexed { rule, field, labels: patterns } = &self.rules[at];
            let suits = |(path, pattern): &(usize, String)| {
                values.label(*path, &self.paths[*path], header).is_some_and(|text| fits(pattern, &text))
            };
            // What could not be measured has no value worth comparing.
            let unmeasured = header.severity == Severity::Unknown && rule.matching.severity != Some(Severity::Unknown);
            if !patterns.iter().all(suits) || unmeasured && !rule.condition.is_empty() {
                continue;
            }
            let holds = match values.get(*field) {
                _ if rule.condition.is_empty() => Ok(true),
                Some(value) => rule
                    .condition
                    .holds(value)
                    .map_err(|expected| format!("its `{}` is {}, not {expected}", rule.field, value.what())),
                None => Err(format!("it has no field `{}`", rule.field)),
            };
            match holds {
                Ok(fires) => {
                    judged.is_judged = true;
                    if fires {
                        judged.findings.push(rule.finding(record, values.get(*field), labels(record)));
                    }
                }
                Err(why) if self.told.insert(at) => judged.misfits.push(format!(
                    "the rule {} cannot judge the record {} ({}) of {}: {why}",
                    rule.name, header.name, header.kind, header.tool
                )),
                Err(_) => {}
            }
        }
        Ok(judged)
    }
}

impl Indexed {
    /// The paths without which it cannot say whether it fires.
    fn needs(&self) -> impl Iterator<Item = usize> {
        let field = (!self.rule.condition.is_empty()).then_some(self.field);
        field.into_iter().chain(self.labels.iter().map(|(path, _)| *path))
    }
}

/// The values of a record that its rules ask for.
struct Values {
    /// Places in the list of all paths, in their order.
    paths: Vec<usize>,
    values: Vec<Option<Value>>,
}

impl Values {
    fn read(
        record: &AnyRecord,
        all: &[FieldPath],
        needed: impl Iterator<Item = usize>,
    ) -> Result<Self, serde_json::Error> {
        let mut paths: Vec<usize> = needed.collect();
        paths.sort_unstable();
        paths.dedup();
        if paths.is_empty() {
            return Ok(Self { paths, values: Vec::new() });
        }
        let wanted: Vec<&FieldPath> = paths.iter().map(|&at| &all[at]).collect();
        Ok(Self { values: pick(&record.line, &wanted)?, paths })
    }

    fn get(&self, path: usize) -> Option<&Value> {
        self.paths.binary_search(&path).ok().and_then(|at| self.values[at].as_ref())
    }

    /// A label's text.
    fn label<'a>(&'a self, at: usize, path: &FieldPath, header: &'a Header) -> Option<std::borrow::Cow<'a, str>> {
        self.get(at).map(Value::shown).or_else(|| Some(of_header(path.label()?, header)?.into()))
    }
}

/// The labels that every incident has.
fn of_header<'a>(label: &str, header: &'a Header) -> Option<&'a str> {
    match label {
        "host" => Some(&header.host),
        "tool" => Some(&header.tool),
        "name" => Some(&header.name),
        _ => None,
    }
}

impl OwnRule {
    fn finding(&self, record: &AnyRecord, value: Option<&Value>, labels: Labels) -> Finding {
        let header = &record.header;
        let severity = self.severity.unwrap_or_else(|| header.severity.max(Severity::Warning));
        let message = match &self.message {
            Some(template) => fill(template, record, value),
            None => self.default_message(header, value),
        };
        Finding::of(header, self.name.clone(), severity, &message, labels)
    }

    fn default_message(&self, header: &Header, value: Option<&Value>) -> String {
        let said = match header.message.trim() {
            "" => header.name.clone(),
            message => format!("{}: {message}", header.name),
        };
        match value {
            Some(value) => format!("{said} ({} {}, {})", self.field, value.shown(), self.condition),
            None => said,
        }
    }
}

/// The message of a rule: `{value}` is what it judges, everything else a field of the record.
pub(super) fn fill(template: &Template, record: &AnyRecord, value: Option<&Value>) -> String {
    let fields: Vec<&FieldPath> = template.fields().collect();
    // A message with a hole is better than none.
    let found = pick(&record.line, &fields).unwrap_or_else(|_| vec![None; fields.len()]);
    let of_field = |(path, found): (&&FieldPath, Option<Value>)| match (path.label(), found) {
        _ if path.is_value() && value.is_some() => value.cloned(),
        (Some(label), None) => of_header(label, &record.header).map(|text| Value::Text(text.to_owned())),
        (_, found) => found,
    };
    template.filled(fields.iter().zip(found).map(of_field).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests;
