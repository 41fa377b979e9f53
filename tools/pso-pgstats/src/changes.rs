//! `changes`: what has changed since the run of `--baseline`: rates of what counts, growth of what has a size.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use anyhow::Context as _;
use pso_common::Run;
use pso_common::output::{bytes, duration_ms};
use pso_common::record::{PgChangeRecord, PgServerRecord, Severity, schema};
use serde_json::Number;

use crate::baseline::{Baseline, Entry, fields};
use crate::records::Snapshot;
use crate::report::{End, Ends, Note, count};
use crate::sections::{SECTIONS, Section};
use crate::watch::Failure;

/// What the section says where there is nothing to compare with.
const NEEDS: &str =
    "it compares with an earlier run: --baseline FILE, which pso-pgstats --format jsonl > FILE has written";

/// Writes what has changed in the sections that were read, the most important first, and gives the section's end.
pub(crate) fn write(
    snapshot: &Snapshot,
    ends: &Ends,
    needed: &[&'static Section],
    baseline: Option<&Baseline>,
    reading_ms: u64,
    run: &mut Run<'_>,
) -> anyhow::Result<End> {
    let compared = match compare(snapshot, ends, needed, baseline) {
        Ok(compared) => compared,
        Err(failure) => return Ok(End::failed(&failure, None)),
    };
    let end = End::read(compared.changes.len(), &compared.notes, Some(reading_ms));
    for change in compared.changes {
        let name = format!("{}:{}:{}", change.of_kind, change.object, change.field);
        run.emit(Severity::Ok, name, told(&change), change).context("write what has changed")?;
    }
    Ok(end)
}

/// The outcome.
#[derive(Debug, Default)]
struct Compared {
    changes: Vec<PgChangeRecord>,
    notes: Vec<Note>,
}

fn compare(
    snapshot: &Snapshot,
    ends: &Ends,
    needed: &[&'static Section],
    baseline: Option<&Baseline>,
) -> Result<Compared, Failure> {
    let baseline = baseline.ok_or_else(|| Failure::Unavailable(NEEDS.to_owned()))?;
    let flaws = baseline.flaws.join("; ");
    let Some(before) = &baseline.server else {
        return Err(if flaws.is_empty() {
            Failure::Unavailable(
                "the baseline has no earlier run in it yet; the next one can be compared with this".to_owned(),
            )
        } else {
            Failure::Unknown(format!("the baseline cannot be used: {flaws}"))
        });
    };
    let now = &snapshot.server;
    same_place(before, now)?;
    let elapsed = before.now.until(now.now);
    if elapsed.is_zero() {
        let text = format!("the baseline of {} is not older than this run of {}", before.now, now.now);
        return Err(Failure::Unknown(text));
    }
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    // As records tell it: the moment in a file has no microseconds.
    let reset_since_then = before.stats_since_at.to_string() != now.stats_since_at.to_string();
    let mut compared = Compared::default();
    let readable = |section: &&&Section| ends.get(section.name).is_some_and(|end| end.rows.is_some());
    let kinds: Vec<&str> = needed.iter().filter(readable).map(|section| section.kind).collect();
    let mut reset = BTreeSet::new();
    let mut known: (&str, Vec<(&'static str, bool)>) = ("", Vec::new());
    let failed = snapshot.records.each_measured(&mut |kind, object, record| {
        if !kinds.contains(&kind) {
            return;
        }
        let Some(info) = schema::find(kind) else { return };
        if known.0 != kind {
            known = (kind, fields(info));
        }
        let (key, after) = Entry::of(info, &known.1, &record);
        let Some(before_entry) = baseline.find(kind, key) else { return };
        let anew = if info.metrics.since.is_some() { before_entry.since != after.since } else { reset_since_then };
        for (at, (field, counter)) in known.1.iter().enumerate() {
            let (Some(from), Some(to)) = (&before_entry.numbers[at], &after.numbers[at]) else { continue };
            if *counter && anew {
                reset.insert(kind);
                continue;
            }
            let change = change(*counter, from, to, elapsed_ms);
            if let Some(change) = change {
                let (of_kind, object, field) = (kind.to_owned(), object.clone(), (*field).to_owned());
                compared.changes.push(PgChangeRecord { of_kind, object, field, ..change });
            }
        }
    });
    failed.map_err(|error| Failure::Unknown(format!("a record cannot be compared: {error}")))?;
    compared.changes.sort_by(|one, other| rank(one).cmp(&rank(other)));
    compared.notes = notes(before, now, elapsed_ms, &compared.changes, &reset);
    compared.notes.extend(unread(ends, needed, baseline));
    if !flaws.is_empty() {
        compared.notes.push(Note::new(Severity::Unknown, format!("the baseline is damaged: {flaws}")));
    }
    Ok(compared)
}

/// Whether the two runs looked at the same database.
fn same_place(before: &PgServerRecord, now: &PgServerRecord) -> Result<(), Failure> {
    let other = |what: &str, from: &str, to: &str| {
        Err(Failure::Unknown(format!("the baseline is of another {what}: it is of {from}, this run of {to}")))
    };
    if let (Some(from), Some(to)) = (&before.system_identifier, &now.system_identifier)
        && from != to
    {
        return other("server", &format!("system identifier {from}"), to);
    }
    if before.database != now.database {
        return other("database", &before.database, &now.database);
    }
    Ok(())
}

/// The two numbers as a record, unless they are the same.
fn change(counter: bool, before: &Number, after: &Number, elapsed_ms: u64) -> Option<PgChangeRecord> {
    let whole = before.as_i64().zip(after.as_i64()).and_then(|(before, after)| after.checked_sub(before));
    let (delta, difference) = match whole {
        #[expect(clippy::cast_precision_loss, reason = "a rate is no exact number")]
        Some(whole) => (Number::from(whole), whole as f64),
        None => {
            let difference = after.as_f64()? - before.as_f64()?;
            (Number::from_f64(difference)?, difference)
        }
    };
    if difference == 0.0 {
        return None;
    }
    let reset = counter && difference < 0.0;
    #[expect(clippy::cast_precision_loss, reason = "a rate is no exact number")]
    let per_second = difference * 1000.0 / elapsed_ms as f64;
    Some(PgChangeRecord {
        of_kind: String::new(),
        object: String::new(),
        field: String::new(),
        counter,
        before: before.clone(),
        after: after.clone(),
        delta: (!reset).then_some(delta),
        per_second: (!reset).then_some(per_second),
        elapsed_ms,
        reset,
    })
}

/// What stands first: what began anew, then bytes, times and the rest, each the biggest difference first.
fn rank(change: &PgChangeRecord) -> (bool, u8, Reverse<u128>, &str, &str) {
    let unit = match change.field.rsplit_once('_') {
        Some((_, "bytes")) => 0,
        Some((_, "ms")) => 1,
        _ => 2 + u8::from(!change.counter),
    };
    let size = change.delta.as_ref().and_then(Number::as_f64).unwrap_or_default().abs();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for sorting; no number is below 0")]
    let size = (size * 1000.0) as u128;
    (!change.reset, unit, Reverse(size), &change.object, &change.field)
}

/// A change as people say it.
fn told(change: &PgChangeRecord) -> String {
    let Some(delta) = change.delta.as_ref().and_then(Number::as_f64) else {
        return format!("began anew: it was {} and is {}", change.before, change.after);
    };
    let sign = if delta < 0.0 { '-' } else { '+' };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "shown to people; the fields are exact"
    )]
    let size = delta.abs() as u64;
    let shown = match change.field.rsplit_once('_') {
        Some((_, "bytes")) => format!("{sign}{}", bytes(size)),
        Some((_, "ms")) => format!("{sign}{}", duration_ms(size)),
        _ if delta.fract() == 0.0 => format!("{delta:+}"),
        _ => format!("{delta:+.2}"),
    };
    format!("{shown} in {}", duration_ms(change.elapsed_ms))
}

fn notes(
    before: &PgServerRecord,
    now: &PgServerRecord,
    elapsed_ms: u64,
    changes: &[PgChangeRecord],
    reset: &BTreeSet<&str>,
) -> Vec<Note> {
    let began = changes.iter().filter(|change| change.reset).count();
    let since = format!(
        "{} since {}, {} ago",
        count(changes.len(), ("change", "changes")),
        before.now,
        duration_ms(elapsed_ms)
    );
    let mut notes = vec![Note::new(Severity::Ok, since)];
    let mut info = |text: String| notes.push(Note::new(Severity::Info, text));
    if !reset.is_empty() {
        let kinds: Vec<&str> = reset.iter().copied().collect();
        info(format!(
            "counters that were reset, or lost with a start of the server, in between have no rate: {}",
            kinds.join(", ")
        ));
    }
    if began > 0 {
        info(format!("{} smaller than before and so began anew", count(began, ("counter is", "counters are"))));
    }
    if before.in_recovery != now.in_recovery {
        let (was, is) = if before.in_recovery { ("a standby", "a primary") } else { ("a primary", "a standby") };
        info(format!("it was {was} and is {is}: the counters may be another server's"));
    }
    notes
}

/// What could not be compared because one of the two runs has not read it.
fn unread(ends: &Ends, needed: &[&'static Section], baseline: &Baseline) -> Option<Note> {
    let names: Vec<&str> = needed
        .iter()
        .filter(|section| {
            let read = ends.get(section.name).is_some_and(|end| end.rows.is_some());
            read && !baseline.sections.contains(section.name)
        })
        .map(|section| section.name)
        .collect();
    (!names.is_empty())
        .then(|| Note::new(Severity::Info, format!("not in the baseline, and not compared: {}", names.join(", "))))
}

/// The sections that are compared: those that are shown, or all where nothing else is.
pub(crate) fn needs(shown: &[&'static Section]) -> Vec<&'static Section> {
    let compared = |section: &&Section| section.conclusion().is_none() && measured(section);
    if shown.iter().all(|section| section.conclusion().is_some()) {
        return SECTIONS.iter().filter(compared).collect();
    }
    shown.iter().copied().filter(compared).collect()
}

/// Whether the section's records have anything to compare.
fn measured(section: &Section) -> bool {
    schema::find(section.kind).is_some_and(|info| !fields(info).is_empty())
}

#[cfg(test)]
mod tests {
    use pso_common::record::{PgCheckpointsRecord, PgSizeRecord, PgTableRecord};

    use super::*;
    use crate::advice::tests::snapshot;
    use crate::records::Records;

    fn table(relname: &str, n_tup_ins: i64) -> PgTableRecord {
        let (schemaname, relname) = ("s".to_owned(), relname.to_owned());
        PgTableRecord { schemaname, relname, n_tup_ins, ..PgTableRecord::default() }
    }

    fn size(relname: &str, size_bytes: i64) -> PgSizeRecord {
        let (schemaname, relname) = ("s".to_owned(), relname.to_owned());
        PgSizeRecord { schemaname, relname, size_bytes, ..PgSizeRecord::default() }
    }

    /// Compares two runs, the first so many milliseconds before the other.
    fn compared(before: Snapshot, after: &Snapshot, ms: u64) -> Result<Compared, Failure> {
        let needed = needs(&[]);
        let mut server = before.server;
        server.now = after.server.now.minus(std::time::Duration::from_millis(ms));
        let baseline = Baseline::of(server, &before.records, needed.iter().map(|section| section.name));
        let ends = needed.iter().map(|section| (section.name, End { rows: Some(1), ..End::default() })).collect();
        compare(after, &ends, &needed, Some(&baseline))
    }

    fn between(before: impl FnOnce(&mut Records), after: impl FnOnce(&mut Records)) -> Compared {
        compared(snapshot(before), &snapshot(after), 10_000).expect("compared")
    }

    fn names(compared: &Compared) -> Vec<String> {
        compared.changes.iter().map(|change| format!("{}:{}", change.object, change.field)).collect()
    }

    #[test]
    fn only_what_changed_is_shown_and_bytes_and_the_biggest_first() {
        let compared = between(
            |records| {
                records.tables = vec![table("a", 5), table("b", 0), table("same", 1)];
                records.sizes = vec![size("a", 8192), size("b", 8192), size("gone", 1)];
            },
            |records| {
                records.tables = vec![table("a", 15), table("b", 1000), table("same", 1), table("new", 9)];
                records.sizes = vec![size("a", 16_384), size("b", 0)];
            },
        );
        assert_eq!(names(&compared), ["s.a:size_bytes", "s.b:size_bytes", "s.b:n_tup_ins", "s.a:n_tup_ins"]);
        let grown = &compared.changes[0];
        assert_eq!((grown.counter, &grown.delta, grown.per_second), (false, &Some(8192.into()), Some(819.2)));
        assert_eq!(told(grown), "+8.0 KiB in 10.0 s");
        assert_eq!(told(&compared.changes[1]), "-8.0 KiB in 10.0 s");
        assert_eq!(told(&compared.changes[3]), "+10 in 10.0 s");
        assert_eq!(compared.notes.len(), 1, "{:?}", compared.notes);
    }

    #[test]
    fn a_counter_that_went_backwards_began_anew_and_has_no_rate() {
        let compared =
            between(|records| records.tables = vec![table("a", 500)], |records| records.tables = vec![table("a", 3)]);
        let change = &compared.changes[0];
        assert!(change.reset && change.delta.is_none() && change.per_second.is_none(), "{change:?}");
        assert_eq!(told(change), "began anew: it was 500 and is 3");
        assert!(compared.notes[1].text.starts_with("1 counter is smaller"), "{:?}", compared.notes);
    }

    #[test]
    fn a_reset_is_said_once_and_sizes_are_compared_all_the_same() {
        let mut before = snapshot(|records| {
            records.tables = vec![table("a", 5)];
            records.sizes = vec![size("a", 1)];
            records.checkpoints = vec![PgCheckpointsRecord { num_timed: 5, ..PgCheckpointsRecord::default() }];
        });
        let after = snapshot(|records| {
            records.tables = vec![table("a", 900)];
            records.sizes = vec![size("a", 3)];
            records.checkpoints = vec![PgCheckpointsRecord { num_timed: 7, ..PgCheckpointsRecord::default() }];
        });
        before.server.stats_since_at = before.server.started_at;
        let compared = compared(before, &after, 1000).expect("compared");
        // The checkpoints have a reset of their own.
        assert_eq!(names(&compared), ["s.a:size_bytes", "checkpoints:num_timed"]);
        assert!(compared.notes[1].text.ends_with("have no rate: pg.table"), "{:?}", compared.notes);
    }

    #[test]
    fn another_place_and_another_time_are_refused() {
        let empty = || snapshot(|_| {});
        let refused = |change: fn(&mut PgServerRecord), ms| {
            let mut before = empty();
            change(&mut before.server);
            match compared(before, &empty(), ms).expect_err("refused") {
                Failure::Unknown(reason) => reason,
                other => panic!("{other:?}"),
            }
        };
        let reason = refused(|server| server.database = "other".to_owned(), 1000);
        assert_eq!(reason, "the baseline is of another database: it is of other, this run of app");
        let reason = refused(|server| server.system_identifier = Some("1".to_owned()), 1000);
        assert!(reason.contains("another server: it is of system identifier 1"), "{reason}");
        assert!(refused(|_| {}, 0).contains("is not older than this run"));
        // Who may not know the server is not refused for that.
        let mut before = empty();
        before.server.system_identifier = None;
        assert!(compared(before, &empty(), 1000).is_ok());
        assert!(matches!(compare(&empty(), &Ends::new(), &[], None), Err(Failure::Unavailable(_))));
    }
}
