//! `advice`: what to do. Each file is one rule: it looks for one situation and gives, with its evidence, the statement that
//! ends it and the one that brings back what was there.

mod dead_tuples;
mod idle_in_transaction;
mod never_analyzed;
mod unused_index;

use pso_common::Severity;
use pso_common::record::{Confidence, Labels, PgAdviceRecord};

use crate::report::{Report, count};
use crate::watch::{Failure, Watch};

/// One rule.
struct Rule {
    name: &'static str,
    /// Whether the advice can be followed on a standby, and its statistics are those that count.
    on_standby: bool,
    judge: fn(&mut Watch) -> Result<Report, Failure>,
}

const RULES: &[Rule] = &[
    Rule { name: idle_in_transaction::RULE, on_standby: true, judge: idle_in_transaction::judge },
    Rule { name: dead_tuples::RULE, on_standby: false, judge: dead_tuples::judge },
    Rule { name: never_analyzed::RULE, on_standby: false, judge: never_analyzed::judge },
    Rule { name: unused_index::RULE, on_standby: false, judge: unused_index::judge },
];

/// Asks every rule. One that cannot tell does not keep the others from it.
pub(crate) fn read(watch: &mut Watch) -> Result<Report, Failure> {
    let mut report = Report::default();
    for rule in RULES {
        if watch.server.in_recovery && !rule.on_standby {
            report.note(Severity::Info, format!("{}: not judged on a standby, ask the primary", rule.name));
            continue;
        }
        match (rule.judge)(watch) {
            Ok(found) => report.append(found),
            Err(lost @ Failure::Lost(_)) => return Err(lost),
            Err(Failure::Unavailable(reason)) => report.note(Severity::Info, format!("{}: {reason}", rule.name)),
            Err(Failure::Unknown(reason)) => report.note(Severity::Unknown, format!("{}: {reason}", rule.name)),
        }
    }
    let advices = count(report.findings.len(), "piece of advice", "pieces of advice");
    report.notes.insert(0, crate::report::Note { severity: Severity::Ok, text: advices });
    Ok(report)
}

/// An advice before it is a record.
struct Advice {
    severity: Severity,
    rule: &'static str,
    object: String,
    why: String,
    evidence: Labels,
    confidence: Confidence,
    sql: Option<String>,
    undo_sql: Option<String>,
    gain_bytes: Option<i64>,
}

impl Advice {
    fn add_to(self, report: &mut Report) {
        let Self { severity, rule, object, why, evidence, confidence, sql, undo_sql, gain_bytes } = self;
        let name = format!("{rule}:{object}");
        let rule = rule.to_owned();
        let body = PgAdviceRecord { rule, object, evidence, confidence, sql, undo_sql, gain_bytes };
        report.push(severity, name, why, body);
    }
}

/// Evidence from name and number; what is absent is left out.
fn evidence<const N: usize>(pairs: [(&str, Option<String>); N]) -> Labels {
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
