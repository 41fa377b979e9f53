//! `advice`: what to do. Each file is one rule: a pure function that looks for one situation in what was read and gives,
//! with its evidence, the statement that ends it and the one that brings back what was there.

mod accepted;
mod alter_system;
mod archiver_failing;
mod autovacuum_behind;
mod autovacuum_off;
mod bloat_index;
mod bloat_table;
mod blocking_root;
mod cache_hit_ratio;
mod checkpoints_requested;
mod checksum_failures;
mod checksums_off;
mod connections;
mod covered_index;
mod dead_tuples;
mod deadlocks;
mod dropping;
mod duplicate_index;
mod ending;
mod extension_update;
mod foreign_key_without_index;
mod idle_in_transaction;
mod integer_key_exhaustion;
mod invalid_index;
mod long_transaction;
mod multixact_age;
mod never_analyzed;
mod prepared_transaction;
mod rates;
mod replication_lag;
mod rollback_ratio;
mod sequence_exhaustion;
mod sequential_scans;
mod setting_dangerous;
mod setting_invalid;
mod setting_pending;
mod slot_invalid;
mod slot_retains_wal;
mod slow_statement;
mod statements_evicting;
mod statements_missing;
mod temp_files;
mod unused_index;
mod xid_age;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use pso_common::Run;
use pso_common::record::{Confidence, Labels, PgAdviceRecord, PgServerRecord, Severity};

use crate::records::Snapshot;
use crate::report::{End, Ends, Note, count};
use crate::sections::{SECTIONS, Section};
use crate::settings::Limits;
use accepted::Accepted;
pub(crate) use accepted::check as check_accepted;

/// One rule.
struct Rule {
    name: &'static str,
    /// Whether the advice can be followed on a standby, and its statistics are those that count.
    on_standby: bool,
    /// The sections whose records it judges. It is asked only where all of them were read.
    needs: &'static [&'static str],
    judge: fn(&Snapshot, &Limits) -> Judged,
}

const RULES: &[Rule] = &[
    blocking_root::RULE,
    idle_in_transaction::RULE,
    long_transaction::RULE,
    dead_tuples::RULE,
    bloat_table::RULE,
    bloat_index::RULE,
    never_analyzed::RULE,
    sequential_scans::RULE,
    xid_age::RULE,
    multixact_age::RULE,
    duplicate_index::RULE,
    covered_index::RULE,
    // Behind them: of what is as sure, the first that says it is told, and that another one does the same is the better reason.
    unused_index::RULE,
    invalid_index::RULE,
    foreign_key_without_index::RULE,
    sequence_exhaustion::RULE,
    integer_key_exhaustion::RULE,
    autovacuum_off::RULE,
    autovacuum_behind::RULE,
    slot_retains_wal::RULE,
    prepared_transaction::RULE,
    archiver_failing::RULE,
    checkpoints_requested::RULE,
    replication_lag::RULE,
    slot_invalid::RULE,
    slow_statement::RULE,
    statements_missing::RULE,
    statements_evicting::RULE,
    checksum_failures::RULE,
    setting_dangerous::RULE,
    setting_invalid::RULE,
    setting_pending::RULE,
    extension_update::RULE,
    checksums_off::RULE,
    connections::RULE,
    deadlocks::RULE,
    temp_files::RULE,
    rollback_ratio::RULE,
    cache_hit_ratio::RULE,
];

/// What a rule says.
#[derive(Debug, Default)]
struct Judged {
    advice: Vec<Advice>,
    /// What it could not judge, and why; the way out.
    notes: Vec<Note>,
}

impl Judged {
    /// Adds a sentence about what could not be judged.
    fn note(&mut self, severity: Severity, text: impl Into<String>) {
        self.notes.push(Note::new(severity, text));
    }

    /// Says so where the role sees not what the sessions of others do.
    fn note_hidden_sessions(&mut self, server: &PgServerRecord) {
        if !server.reads_all_stats {
            let text = format!("only {}'s own sessions can be judged", server.role);
            self.notes.push(Note::hidden(text, "pg_read_all_stats", server));
        }
    }
}

impl FromIterator<Advice> for Judged {
    fn from_iter<I: IntoIterator<Item = Advice>>(advice: I) -> Self {
        Self { advice: advice.into_iter().collect(), notes: Vec::new() }
    }
}

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
struct Advice {
    severity: Severity,
    /// What it is about, quoted as SQL needs it.
    object: String,
    why: String,
    evidence: Labels,
    confidence: Confidence,
    sql: Option<String>,
    undo_sql: Option<String>,
    gain_bytes: Option<i64>,
}

/// The sections that the rules need, in the order in which they are shown.
pub(crate) fn needs() -> impl Iterator<Item = &'static Section> {
    SECTIONS.iter().filter(|section| RULES.iter().any(|rule| rule.needs.contains(&section.name)))
}

/// The names of all rules.
#[cfg(test)]
pub(crate) fn rules() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.name)
}

/// Asks every rule, writes what they advise, the worst first, and gives the section's end. A rule that cannot tell does not keep
/// the others from it. `reading_ms` is what it took to read what is not shown.
pub(crate) fn write(
    snapshot: &Snapshot,
    ends: &Ends,
    limits: &Limits,
    reading_ms: u64,
    run: &mut Run<'_>,
) -> anyhow::Result<End> {
    let Verdict { mut advice, mut notes, judged } = ask(RULES, snapshot, ends, limits);
    advice.sort_by_key(|(_, advice)| Reverse(advice.severity));
    notes.insert(0, Note::new(Severity::Ok, count(advice.len(), ("piece of advice", "pieces of advice"))));
    let mut end = End::read(advice.len(), &notes, Some(reading_ms));
    if !judged {
        end.rows = None;
    }
    for (rule, advice) in advice {
        let Advice { severity, object, why, evidence, confidence, sql, undo_sql, gain_bytes } = advice;
        let name = format!("{rule}:{object}");
        let rule = rule.to_owned();
        let body = PgAdviceRecord { rule, object, evidence, confidence, sql, undo_sql, gain_bytes };
        run.emit(severity, name, why, body)?;
    }
    Ok(end)
}

/// What all rules say together.
#[derive(Default)]
struct Verdict {
    /// With the name of the rule.
    advice: Vec<(&'static str, Advice)>,
    notes: Vec<Note>,
    /// Whether any rule could be asked.
    judged: bool,
}

fn ask(rules: &[Rule], snapshot: &Snapshot, ends: &Ends, limits: &Limits) -> Verdict {
    let mut verdict = Verdict::default();
    // What several rules say, or are stopped by, is told once, with their names.
    let (mut said, mut stopped) = (ByNote::default(), ByNote::default());
    let (accepted, mut left_out) = (Accepted::of(&limits.accept), 0);
    for rule in rules {
        if let Some(reason) = obstacle(rule, snapshot, ends) {
            stopped.add(reason, rule.name);
            continue;
        }
        let judged = (rule.judge)(snapshot, limits);
        verdict.judged = true;
        let given = judged.advice.len();
        let told = judged.advice.into_iter().filter(|advice| !accepted.has(rule.name, &advice.object));
        let before = verdict.advice.len();
        verdict.advice.extend(told.map(|advice| (rule.name, advice)));
        left_out += given - (verdict.advice.len() - before);
        judged.notes.into_iter().for_each(|note| said.add(note, rule.name));
    }
    if left_out > 0 {
        verdict.notes.push(Note::new(Severity::Ok, format!("{left_out} accepted (--accept)")));
    }
    verdict.notes.extend(said.told().chain(stopped.told()));
    verdict.advice = without_repeats(verdict.advice);
    verdict
}

/// Notes, and the rules that have them.
#[derive(Default)]
struct ByNote(Vec<(Note, Vec<&'static str>)>);

impl ByNote {
    fn add(&mut self, note: Note, rule: &'static str) {
        match self.0.iter_mut().find(|(known, _)| *known == note) {
            Some((_, rules)) => rules.push(rule),
            None => self.0.push((note, vec![rule])),
        }
    }

    fn told(self) -> impl Iterator<Item = Note> {
        self.0.into_iter().map(|(note, rules)| Note::new(note.severity, format!("{}: {}", rules.join(", "), note.text)))
    }
}

/// Of several pieces of advice with the same statement the surest one: an index may be unused and a duplicate too, and who
/// follows both would find it gone.
fn without_repeats(advice: Vec<(&'static str, Advice)>) -> Vec<(&'static str, Advice)> {
    let mut kept: Vec<(&'static str, Advice)> = Vec::with_capacity(advice.len());
    let mut places: HashMap<String, usize> = HashMap::new();
    for (rule, advice) in advice {
        match advice.sql.as_ref().and_then(|sql| places.get(sql)) {
            Some(&place) if advice.confidence > kept[place].1.confidence => kept[place] = (rule, advice),
            Some(_) => {}
            None => {
                places.extend(advice.sql.clone().map(|sql| (sql, kept.len())));
                kept.push((rule, advice));
            }
        }
    }
    kept
}

/// Why a rule cannot be asked.
fn obstacle(rule: &Rule, snapshot: &Snapshot, ends: &Ends) -> Option<Note> {
    if snapshot.server.in_recovery && !rule.on_standby {
        return Some(Note::new(Severity::Info, "not judged on a standby, ask the primary"));
    }
    rule.needs.iter().find_map(|name| match ends.get(name) {
        Some(End { rows: Some(_), .. }) => None,
        Some(end) => Some(Note::new(end.severity, format!("not judged without the section {name}: {}", end.message))),
        None => Some(Note::new(Severity::Unknown, format!("not judged without the section {name}"))),
    })
}

/// Evidence from name and number; what is absent is left out.
fn evidence<const N: usize>(pairs: [(&str, Option<String>); N]) -> Labels {
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// A text as SQL writes it, whatever `standard_conforming_strings` is.
fn quoted(text: &str) -> String {
    let quotes = text.replace('\'', "''");
    if quotes.contains('\\') { format!("E'{}'", quotes.replace('\\', "\\\\")) } else { format!("'{quotes}'") }
}

/// Whether it is a program that keeps one transaction open for as long as it copies the database, and should be let finish. The
/// first session of several (`pg_dump --jobs`) waits for the others idle in its transaction.
fn copies_database(application_name: Option<&str>) -> bool {
    matches!(application_name, Some("pg_dump" | "pg_dumpall" | "pso-backup"))
}

/// With which of these commands a statement begins.
fn command<'a>(query: &str, commands: &[&'a str]) -> Option<&'a str> {
    let query = query.trim_start();
    let begins = |command: &str| query.get(..command.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(command));
    commands.iter().copied().find(|command| begins(command))
}

/// In bytes.
const fn mebibytes(count: u32) -> i64 {
    // Lossless; `From` is not const.
    (count as i64) << 20
}

/// To be read by people: no fractions of a second.
const fn whole_seconds(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs())
}

#[cfg(test)]
pub(crate) mod tests;
