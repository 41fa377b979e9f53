//! `--baseline`: what an earlier run found, so that only what is new or gone is shown.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::Context as _;
use pso_common::io::Interruptible;
use pso_common::reader::{Line, RecordReader};
use pso_common::record::{
    AnyRecord, AuditChange, AuditFindingRecord, AuditSectionRecord, Kind as _, Record, RunEndRecord, RunStartRecord,
    SCHEMA,
};
use pso_common::{Run, Severity, Timestamp};

use crate::TOOL;
use crate::finding::{Finding, Found};

/// As many flaws are told.
const MAX_FLAWS: usize = 3;

/// What the last whole run of a file found.
#[derive(Debug, Default)]
pub(crate) struct Baseline {
    at: Option<Timestamp>,
    host: String,
    sections: BTreeMap<String, Known>,
    pub(crate) flaws: Vec<String>,
}

/// What a section found then.
#[derive(Debug, Default)]
struct Known {
    findings: BTreeMap<String, (Severity, AuditFindingRecord)>,
    /// Something of it could not be looked at.
    is_partial: bool,
}

impl Baseline {
    /// Reads the last run of the file that came to its end and shows all that it found: a run that was compared itself
    /// shows only what changed. So a file may be the baseline of the run that appends to it (`--records`).
    ///
    /// # Errors
    /// When the file cannot be read, or has no such run.
    pub(crate) fn read(path: &Path, run: &mut Run<'_>) -> anyhow::Result<Self> {
        let shown = path.display();
        let file: Box<dyn Read> = if path == Path::new("-") {
            Box::new(run.take_stdin())
        } else {
            let cancel = run.cancel().clone();
            Box::new(Interruptible::open(path, cancel).with_context(|| format!("open {shown} (--baseline)"))?)
        };
        let mut reader = RecordReader::new(file);
        let mut runs = Runs::default();
        while let Some(line) = reader.next_line().with_context(|| format!("read {shown} (--baseline)"))? {
            run.cancel().check()?;
            match line {
                Line::Record(record) => runs.take(&record, reader.line()),
                Line::Malformed(malformed) => runs.flaw(malformed.to_string()),
            }
        }
        let mut chosen = runs.choose().with_context(|| {
            format!("{shown} (--baseline) has no run of {} that came to its end and shows all that it found", TOOL.name)
        })?;
        chosen.flaws.extend(chosen.is_of_another(&pso_common::io::host_name()));
        Ok(chosen)
    }

    /// What is open there as well would be hidden here.
    fn is_of_another(&self, host: &str) -> Option<String> {
        (self.host != host)
            .then(|| format!("it was taken on {}, and this is {host}: what was open there is not shown", self.host))
    }

    /// Leaves of a section's findings those that are new or worse, and adds those that are gone; not of the rules `unlooked`,
    /// for which nothing was looked at.
    pub(crate) fn compare(&self, section: &str, unlooked: &[&str], found: &mut Found) {
        let since = self.at.map(|at| format!(" since {at}")).unwrap_or_default();
        let Some(known) = self.sections.get(section) else {
            found.note("the baseline has no such section: what is new cannot be told");
            return;
        };
        if known.is_partial {
            found.note("the baseline could not look at all of it: what is new may have been there");
        }
        let mut unchanged = 0_u64;
        let now: Vec<String> = found.findings.iter().map(Finding::name).collect();
        found.findings.retain_mut(|finding| {
            finding.record.change = Some(AuditChange::New);
            match known.findings.get(&finding.name()) {
                Some((then, _)) if finding.severity <= *then => {
                    unchanged += 1;
                    false
                }
                Some((then, _)) => {
                    finding.message.push_str(&format!("; it was {then}{since}"));
                    true
                }
                None => true,
            }
        });
        if unchanged > 0 {
            found.note(format!("{unchanged} unchanged{since}"));
        }
        // What was not looked at is not gone.
        if !found.unknown.is_empty() {
            return;
        }
        let is_gone = |name: &String, record: &AuditFindingRecord| {
            !now.contains(name) && !unlooked.contains(&record.rule.as_str())
        };
        for (name, (_, record)) in known.findings.iter().filter(|(name, (_, record))| is_gone(name, record)) {
            let message = format!("{name} was open{since}, and is no more");
            let record = AuditFindingRecord {
                change: Some(AuditChange::Gone),
                accepted: None,
                accepted_until: None,
                fix: String::new(),
                ..record.clone()
            };
            found.push(Finding { severity: Severity::Info, message, record });
        }
    }
}

/// The runs of a file, one after the other.
#[derive(Default)]
struct Runs {
    /// The last that came to its end and is whole.
    ended: Option<Baseline>,
    current: Baseline,
    /// Findings whose section has not ended.
    open: Vec<(Severity, String, AuditFindingRecord)>,
    is_compared: bool,
    flaws: Vec<String>,
}

impl Runs {
    fn flaw(&mut self, flaw: String) {
        if self.flaws.len() < MAX_FLAWS {
            self.flaws.push(flaw);
        }
    }

    fn take(&mut self, record: &AnyRecord, line: u64) {
        let header = &record.header;
        if header.tool != TOOL.name {
            return;
        }
        if header.schema > SCHEMA {
            return self.flaw(format!("line {line} is of a newer {} (schema {})", TOOL.name, header.schema));
        }
        match header.kind.as_str() {
            RunStartRecord::KIND => {
                self.current = Baseline { at: Some(header.at), host: header.host.clone(), ..Baseline::default() };
                self.open.clear();
                self.is_compared = false;
            }
            RunEndRecord::KIND => {
                let ended = std::mem::take(&mut self.current);
                // A signal ends a run with sections missing.
                let was_stopped = record.fields::<RunEndRecord>().is_ok_and(|end| end.error.is_some());
                if !was_stopped && !self.is_compared && !ended.sections.is_empty() {
                    self.ended = Some(ended);
                }
            }
            AuditFindingRecord::KIND => match record.fields::<Record<AuditFindingRecord>>() {
                Ok(finding) if finding.body.change == Some(AuditChange::Gone) => {}
                Ok(finding) => self.open.push((header.severity, header.name.clone(), finding.body)),
                Err(error) => self.flaw(format!("line {line}: {}: {error}", header.kind)),
            },
            AuditSectionRecord::KIND => match record.fields::<AuditSectionRecord>() {
                Ok(section) => {
                    // As many as it says, or some were unchanged and not shown.
                    self.is_compared |= self.open.len() as u64 != section.findings + section.accepted;
                    let mut known =
                        Known { is_partial: header.severity == Severity::Unknown, findings: BTreeMap::new() };
                    for (severity, name, finding) in self.open.drain(..) {
                        let worst = known.findings.entry(name).or_insert((severity, finding));
                        worst.0 = worst.0.max(severity);
                    }
                    self.current.sections.insert(header.name.clone(), known);
                }
                Err(error) => self.flaw(format!("line {line}: {}: {error}", header.kind)),
            },
            _ => {}
        }
    }

    fn choose(self) -> Option<Baseline> {
        self.ended.map(|ended| Baseline { flaws: self.flaws, ..ended })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: &str, name: &str, severity: &str, fields: &str) -> AnyRecord {
        let line = format!(
            r#"{{"schema":1,"kind":"{kind}","at":"2026-11-22T09:00:00Z","tool":"pso-audit","host":"h","severity":"{severity}","name":"{name}","message":"m"{fields}}}"#
        );
        AnyRecord::parse(line).expect("a record")
    }

    fn start() -> AnyRecord {
        record("run.start", "pso-audit", "ok", r#","version":"1","pid":1"#)
    }

    fn end() -> AnyRecord {
        record("run.end", "pso-audit", "ok", r#","pid":1,"records":1,"elapsed_ms":1,"exit_code":0"#)
    }

    fn was(rule: &str, severity: &str, more: &str) -> AnyRecord {
        let fields = format!(r#","rule":"{rule}","object":"o","evidence":{{}},"fix":"f"{more}"#);
        record("audit.finding", &format!("{rule}:o"), severity, &fields)
    }

    fn section(name: &str, severity: &str, findings: u64, accepted: u64) -> AnyRecord {
        let fields = format!(r#","examined":9,"findings":{findings},"accepted":{accepted},"elapsed_ms":1"#);
        record("audit.section", name, severity, &fields)
    }

    fn chosen(records: &[AnyRecord]) -> Option<Baseline> {
        let mut runs = Runs::default();
        (1..).zip(records).for_each(|(line, record)| runs.take(record, line));
        runs.choose()
    }

    fn compared(baseline: &Baseline, findings: &[(&str, Severity)], unknown: bool) -> (Vec<String>, Vec<String>) {
        let mut found = Found::default();
        for (rule, severity) in findings {
            found.push(Finding::new(*severity, rule, "o", "it is open"));
        }
        if unknown {
            found.unknown("x");
        }
        baseline.compare("files", &["unlooked"], &mut found);
        let shown = |finding: &Finding| format!("{} {:?} {}", finding.severity, finding.record.change, finding.name());
        (found.findings.iter().map(shown).collect(), found.notes)
    }

    fn two() -> Baseline {
        chosen(&[start(), was("a", "high", ""), was("b", "info", ""), section("files", "ok", 2, 0), end()])
            .expect("whole")
    }

    #[test]
    fn only_what_is_new_worse_or_gone_is_left() {
        let (shown, notes) =
            compared(&two(), &[("a", Severity::High), ("b", Severity::High), ("c", Severity::Warning)], false);
        assert_eq!(shown, ["high Some(New) b:o", "warning Some(New) c:o"]);
        assert_eq!(notes, ["1 unchanged since 2026-11-22T09:00:00.000Z"]);
        let (shown, _) = compared(&two(), &[("a", Severity::High)], false);
        assert_eq!(shown, ["info Some(Gone) b:o"]);
    }

    #[test]
    fn what_was_not_looked_at_is_not_gone() {
        assert_eq!(compared(&two(), &[], true).0, [""; 0]);
        let mut found = Found::default();
        found.push(Finding::new(Severity::High, "a", "o", "m"));
        two().compare("ports", &[], &mut found);
        assert_eq!((found.findings.len(), found.findings[0].record.change), (1, None));
        assert!(found.notes[0].contains("no such section"), "{:?}", found.notes);
    }

    #[test]
    fn what_nothing_was_looked_at_for_is_not_gone() {
        let was = [start(), was("unlooked", "high", ""), section("files", "ok", 1, 0), end()];
        assert_eq!(compared(&chosen(&was).expect("whole"), &[], false).0, [""; 0]);
    }

    #[test]
    fn another_machines_run_and_one_that_was_stopped_are_told() {
        assert_eq!(two().is_of_another("h"), None);
        let other = two().is_of_another("g").expect("told");
        assert!(other.starts_with("it was taken on h, and this is g"), "{other}");
        let fields = r#","pid":1,"records":1,"elapsed_ms":1,"exit_code":3,"error":"stopped by SIGTERM""#;
        let stopped = record("run.end", "pso-audit", "unknown", fields);
        assert!(chosen(&[start(), section("files", "ok", 0, 0), stopped]).is_none());
    }

    #[test]
    fn a_run_that_was_compared_or_died_is_no_baseline() {
        let whole = [start(), was("a", "high", ""), section("files", "ok", 1, 0), end()];
        let compared = [start(), section("files", "ok", 1, 0), end()];
        let died = [start(), was("z", "high", ""), section("files", "ok", 1, 0)];
        let gone = [start(), was("b", "info", r#","change":"gone""#), section("files", "ok", 0, 0), end()];
        let names = |records: &[&[AnyRecord]]| {
            let baseline = chosen(&records.concat())?;
            Some(baseline.sections.values().flat_map(|known| known.findings.keys().cloned()).collect::<Vec<_>>())
        };
        assert_eq!(names(&[&whole, &compared, &died]), Some(vec!["a:o".to_owned()]));
        assert_eq!(names(&[&whole, &gone]), Some(vec![]));
        assert_eq!(names(&[&compared, &died]), None);
    }
}
