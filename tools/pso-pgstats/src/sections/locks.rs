//! `locks`: what is waited for, and what is held in a mode that others may have to wait for (`pg_locks`); and how full the
//! server's table of locks is.

use std::collections::BTreeMap;

use pso_common::Severity;
use pso_common::record::{Labels, PgLockRecord};
use serde::Deserialize;

use super::Section;
use crate::records::{Records, Row};
use crate::report::{Note, Report, count};
use crate::watch::{Failure, Variants, Watch};

pub(super) const SECTION: Section = Section::special::<PgLockRecord>(
    "locks",
    "Locks that are waited for, and strong ones on relations; how full the table of locks is",
    read,
);

impl Row for PgLockRecord {
    const NOUN: (&'static str, &'static str) = ("lock", "locks");

    fn name(&self) -> String {
        match (self.pid, &self.gid) {
            (Some(pid), _) => format!("pid {pid}"),
            (None, Some(gid)) => format!("prepared transaction {gid}"),
            (None, None) => "prepared transaction".to_owned(),
        }
    }
}

/// A row of the query.
#[derive(Deserialize)]
struct Seen {
    /// Absent where there is none to show.
    lock: Option<PgLockRecord>,
    /// Locks of all databases by mode; absent where there is none.
    modes: Option<BTreeMap<String, u64>>,
    /// Of these in the shared table.
    entries: u64,
}

fn read(watch: &mut Watch, _: Variants) -> Result<Report, Failure> {
    let mut rows = watch.records::<Seen>(include_str!("../../queries/locks.sql"), &[])?;
    let (modes, entries) = rows.first_mut().map_or_else(Default::default, |row| (row.modes.take(), row.entries));
    let locks: Vec<PgLockRecord> = rows.into_iter().filter_map(|row| row.lock).collect();
    let mut report = Report::default();
    report.note(Severity::Ok, summary(&locks, &modes.unwrap_or_default(), entries, room(&watch.server.settings)));
    let hidden = locks.iter().filter(|lock| lock.pid.is_some() && lock.state.is_none()).count();
    if hidden > 0 && !watch.server.reads_all_stats {
        let text = format!("what the sessions of {} do is hidden", count(hidden, PgLockRecord::NOUN));
        report.notes.push(Note::hidden(text, "pg_read_all_stats", &watch.server));
    }
    report.records = Records::of(locks);
    Ok(report)
}

/// Entries that the table of locks has room for at least (PostgreSQL's manual, `max_locks_per_transaction`).
fn room(settings: &Labels) -> Option<u64> {
    let setting = |name: &str| settings.get(name)?.parse::<u64>().ok();
    let transactions = setting("max_connections")?.checked_add(setting("max_prepared_transactions")?)?;
    setting("max_locks_per_transaction")?.checked_mul(transactions)
}

/// `1 waited for, 2 held; in all 12 AccessShareLock, …; 3 of at least 6400 entries used`.
fn summary(locks: &[PgLockRecord], modes: &BTreeMap<String, u64>, entries: u64, room: Option<u64>) -> String {
    let waited = locks.iter().filter(|lock| !lock.granted).count();
    let mut text = format!("{waited} waited for, {} held", locks.len() - waited);
    if !modes.is_empty() {
        let mut modes: Vec<_> = modes.iter().collect();
        modes.sort_by_key(|(mode, count)| (std::cmp::Reverse(**count), mode.as_str()));
        let modes: Vec<String> = modes.into_iter().map(|(mode, count)| format!("{count} {mode}")).collect();
        text.push_str(&format!("; in all databases {}", modes.join(", ")));
    }
    if let Some(room) = room.filter(|room| *room > 0) {
        let percent = entries.saturating_mul(100) / room;
        text.push_str(&format!("; {entries} of at least {room} entries of the lock table used ({percent} %)"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_says_what_there_is_and_how_full_the_table_is() {
        let lock = |granted| PgLockRecord { granted, ..PgLockRecord::default() };
        let modes = [("AccessShareLock", 3), ("ExclusiveLock", 3), ("RowExclusiveLock", 9)];
        let modes = modes.map(|(mode, count)| (mode.to_owned(), count)).into();
        assert_eq!(
            summary(&[lock(false), lock(true), lock(true)], &modes, 7, Some(700)),
            "1 waited for, 2 held; in all databases 9 RowExclusiveLock, 3 AccessShareLock, 3 ExclusiveLock; \
             7 of at least 700 entries of the lock table used (1 %)"
        );
        assert_eq!(summary(&[], &BTreeMap::new(), 0, None), "0 waited for, 0 held");
    }

    #[test]
    fn the_room_needs_all_three_settings() {
        let mut settings = Labels::new();
        for (name, value) in [("max_connections", "100"), ("max_prepared_transactions", "10")] {
            settings.insert(name.to_owned(), value.to_owned());
        }
        assert_eq!(room(&settings), None);
        settings.insert("max_locks_per_transaction".to_owned(), "64".to_owned());
        assert_eq!(room(&settings), Some(7040));
    }
}
