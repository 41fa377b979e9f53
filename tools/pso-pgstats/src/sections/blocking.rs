//! `blocking`: the tree of who waits for whom (`pg_locks`, `pg_blocking_pids`, `pg_stat_activity`, `pg_prepared_xacts`).

mod tree;

use std::collections::{BTreeMap, BTreeSet};

use pso_common::Severity;
use pso_common::record::{PgBlockingRecord, Timestamp};
use serde::Deserialize;

use super::Section;
use crate::records::{Records, Row};
use crate::report::{Note, Report, count};
use crate::watch::{Failure, Variants, Watch};

pub(super) const SECTION: Section =
    Section::special::<PgBlockingRecord>("blocking", "Who waits for a lock, and for whom, as a tree", read);

/// Who waits in a queue waits for all before it: of 400 waiters the lists would be 80,000 numbers.
const MAX_BLOCKED_BY: usize = 20;

impl Row for PgBlockingRecord {
    const NOUN: (&'static str, &'static str) = ("session", "sessions");

    fn name(&self) -> String {
        match &self.gid {
            Some(gid) => format!("prepared transaction {gid}"),
            None => format!("pid {}", self.pid),
        }
    }
}

/// A row of the query. A leader of parallel workers may have several.
#[derive(Deserialize)]
struct Seen {
    /// `pg_blocking_pids`; absent where it waits for nobody.
    blockers: Option<Vec<i32>>,
    /// Prepared transactions that hold what it waits for, whatever the mode.
    prepared: Option<Vec<Prepared>>,
    /// Without its place.
    #[serde(flatten)]
    session: PgBlockingRecord,
}

#[derive(Deserialize)]
struct Prepared {
    gid: String,
    datname: String,
    usename: String,
    xact_start: Option<Timestamp>,
    xact_ms: u64,
    mode: String,
}

fn read(watch: &mut Watch, _: Variants) -> Result<Report, Failure> {
    let seen: Vec<Seen> = watch.records(include_str!("../../queries/blocking.sql"), &[])?;
    let records = arranged(seen, &watch.server.database);
    let mut report = Report::default();
    report.note(Severity::Ok, summary(&records));
    let hidden = records.iter().filter(|record| record.gid.is_none() && record.state.is_none()).count();
    if hidden > 0 && !watch.server.reads_all_stats {
        let text = format!("what {} of other roles do is hidden", count(hidden, PgBlockingRecord::NOUN));
        report.notes.push(Note::hidden(text, "pg_read_all_stats", &watch.server));
    }
    report.records = Records::of(records);
    Ok(report)
}

fn summary(records: &[PgBlockingRecord]) -> String {
    let waiting = records.iter().filter(|record| !record.blocked_by.is_empty()).count();
    let deadlocked = records.iter().filter(|record| record.deadlock).count();
    let roots = records.iter().filter(|record| record.depth == 0 && !record.deadlock).count();
    let mut text = match waiting {
        0 => return "nobody waits for a lock".to_owned(),
        one_or_more => {
            format!("{} for a lock", count(one_or_more, ("session waits", "sessions wait")))
        }
    };
    if roots > 0 {
        text.push_str(&format!(", because of {roots}"));
    }
    if deadlocked > 0 {
        text.push_str(&format!(", {deadlocked} of them for each other"));
    }
    text
}

/// The rows as a tree, without those trees in which nobody is of this database.
fn arranged(seen: Vec<Seen>, database: &str) -> Vec<PgBlockingRecord> {
    let sessions = joined(seen);
    let places = tree::places(&sessions.iter().map(|session| session.waits_for.as_slice()).collect::<Vec<_>>(), |at| {
        sessions[at].record.waiting_ms.unwrap_or_default()
    });
    let concerned = concerned(&sessions, database);
    let pid = |at: usize| sessions[at].record.pid;
    places
        .iter()
        .filter(|place| concerned[place.root])
        .map(|place| {
            let session = &sessions[place.node];
            let parent = place.path.iter().rev().nth(1);
            let mut waits_for = session.waits_for.clone();
            waits_for.sort_by_key(|at| (Some(at) != parent, !sessions[*at].waits_for.is_empty()));
            let mut blocked_by: Vec<i32> = waits_for.iter().map(|at| pid(*at)).collect();
            // Prepared transactions share the pid 0.
            let mut seen = BTreeSet::new();
            blocked_by.retain(|pid| seen.insert(*pid));
            let more = blocked_by.len().saturating_sub(MAX_BLOCKED_BY);
            blocked_by.truncate(MAX_BLOCKED_BY);
            PgBlockingRecord {
                root_pid: pid(place.root),
                depth: u32::try_from(place.path.len() - 1).unwrap_or(u32::MAX),
                path: place.path.iter().map(|at| pid(*at).to_string()).collect::<Vec<_>>().join(" > "),
                blocked_by,
                blocked_by_more: (more > 0).then_some(more as u64),
                blocks: place.blocks as u64,
                blocks_in_all: place.blocks_in_all as u64,
                deadlock: place.deadlock,
                longest_wait_ms: (place.blocks > 0).then_some(place.longest_wait_ms),
                ..session.record.clone()
            }
        })
        .collect()
}

/// Which sessions are of this database, or are waited for by one that is.
fn concerned(sessions: &[Session], database: &str) -> Vec<bool> {
    let mut concerned = vec![false; sessions.len()];
    let mut open: Vec<usize> =
        (0..sessions.len()).filter(|at| sessions[*at].record.datname.as_deref() == Some(database)).collect();
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut concerned[at], true) {
            open.extend(&sessions[at].waits_for);
        }
    }
    concerned
}

/// A session or a prepared transaction, and the places of those that it waits for.
struct Session {
    record: PgBlockingRecord,
    waits_for: Vec<usize>,
}

/// One for each pid and each prepared transaction. A pid without a row ended meanwhile, or began to wait for somebody new.
fn joined(seen: Vec<Seen>) -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    let mut by_pid: BTreeMap<i32, usize> = BTreeMap::new();
    let mut by_gid: BTreeMap<String, usize> = BTreeMap::new();
    let mut waits = Vec::new();
    for Seen { blockers, prepared, session } in seen {
        let mode = session.mode.clone();
        let place = *by_pid.entry(session.pid).or_insert_with(|| add(&mut sessions, session));
        waits.push((place, mode, blockers.unwrap_or_default(), prepared.unwrap_or_default()));
    }
    for (place, mode, blockers, prepared) in waits {
        let mut found = Vec::new();
        for pid in blockers {
            let holders = prepared.iter().filter(|held| pid == 0 && conflict(mode.as_deref(), &held.mode));
            let before = found.len();
            found.extend(
                holders
                    .map(|held| *by_gid.entry(held.gid.clone()).or_insert_with(|| add(&mut sessions, held.record()))),
            );
            if found.len() == before {
                let unknown = PgBlockingRecord { pid, ..PgBlockingRecord::default() };
                found.push(*by_pid.entry(pid).or_insert_with(|| add(&mut sessions, unknown)));
            }
        }
        let known = &mut sessions[place].waits_for;
        known.extend(found);
        known.sort_unstable();
        known.dedup();
    }
    sessions
}

fn add(sessions: &mut Vec<Session>, record: PgBlockingRecord) -> usize {
    sessions.push(Session { record, waits_for: Vec::new() });
    sessions.len() - 1
}

impl Prepared {
    fn record(&self) -> PgBlockingRecord {
        PgBlockingRecord {
            gid: Some(self.gid.clone()),
            datname: Some(self.datname.clone()),
            usename: Some(self.usename.clone()),
            xact_start: self.xact_start,
            xact_ms: Some(self.xact_ms),
            ..PgBlockingRecord::default()
        }
    }
}

/// Whether who wants one mode waits for who holds the other (PostgreSQL's manual, table "Conflicting Lock Modes").
fn conflict(wanted: Option<&str>, held: &str) -> bool {
    const MODES: [(&str, &str); 8] = [
        ("AccessShareLock", "8"),
        ("RowShareLock", "78"),
        ("RowExclusiveLock", "5678"),
        ("ShareUpdateExclusiveLock", "45678"),
        ("ShareLock", "34678"),
        ("ShareRowExclusiveLock", "345678"),
        ("ExclusiveLock", "2345678"),
        ("AccessExclusiveLock", "12345678"),
    ];
    let place = |mode: &str| (b'1'..).zip(MODES).find(|(_, (name, _))| *name == mode);
    match (wanted.and_then(place), place(held)) {
        (Some((_, (_, conflicts))), Some((number, _))) => conflicts.as_bytes().contains(&number),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pid: i32, blockers: &[i32], datname: &str) -> Seen {
        let datname = Some(datname.to_owned());
        let waiting_ms = (!blockers.is_empty()).then_some(1000);
        let mode = Some("ShareLock".to_owned());
        let session = PgBlockingRecord { pid, datname, waiting_ms, mode, ..PgBlockingRecord::default() };
        Seen { blockers: Some(blockers.to_vec()), prepared: None, session }
    }

    fn paths(seen: Vec<Seen>) -> Vec<String> {
        arranged(seen, "app").into_iter().map(|record| record.path).collect()
    }

    #[test]
    fn the_worst_root_comes_first_and_children_follow_their_parents() {
        let rows = vec![
            seen(1, &[], "app"),
            seen(2, &[1], "app"),
            seen(3, &[], "app"),
            seen(4, &[3], "app"),
            seen(5, &[4, 3], "app"),
            seen(6, &[4], "app"),
        ];
        assert_eq!(paths(rows), ["3", "3 > 4", "3 > 4 > 6", "3 > 5", "1", "1 > 2"]);
    }

    #[test]
    fn only_trees_that_concern_this_database_are_shown() {
        assert_eq!(paths(vec![seen(1, &[], "other"), seen(2, &[1], "other")]), [""; 0]);
        assert_eq!(paths(vec![seen(1, &[], "other"), seen(2, &[1], "app")]), ["1", "1 > 2"]);
    }

    #[test]
    fn workers_of_a_leader_are_one_session() {
        let records = arranged(vec![seen(2, &[1, 1], "app"), seen(2, &[3], "app")], "app");
        let leader = records.iter().find(|record| record.pid == 2).expect("there");
        assert_eq!((leader.blocked_by.as_slice(), leader.depth), (&[1, 3][..], 1));
        assert_eq!(records.len(), 3, "those without a row are there, too");
    }

    #[test]
    fn of_a_long_queue_the_one_that_holds_it_up_is_named() {
        // All wait for the last pid, and for those before them.
        let queue = (1..=100).map(|pid| seen(pid, &(1..pid).chain([900]).collect::<Vec<_>>(), "app"));
        let records = arranged(queue.chain([seen(900, &[], "app")]).collect(), "app");
        let last = records.iter().find(|record| record.pid == 100).expect("there");
        assert_eq!((last.blocked_by.len(), last.blocked_by[0], last.blocked_by_more), (20, 900, Some(80)));
        let first = records.iter().find(|record| record.pid == 1).expect("there");
        assert_eq!((first.blocked_by.as_slice(), first.blocked_by_more), (&[900][..], None));
    }

    #[test]
    fn a_prepared_transaction_blocks_with_the_modes_that_conflict() {
        let prepared = |gid: &str, mode: &str| Prepared {
            gid: gid.to_owned(),
            datname: "app".to_owned(),
            usename: "u".to_owned(),
            xact_start: None,
            xact_ms: 7,
            mode: mode.to_owned(),
        };
        let of = |held: Vec<Prepared>| {
            let records = arranged(vec![Seen { prepared: Some(held), ..seen(2, &[0], "app") }], "app");
            records.iter().map(Row::name).collect::<Vec<_>>()
        };
        let both = vec![prepared("read", "AccessShareLock"), prepared("wrote", "RowExclusiveLock")];
        assert_eq!(of(both), ["prepared transaction wrote", "pid 2"]);
        assert_eq!(of(Vec::new()), ["pid 0", "pid 2"], "it ended meanwhile");
    }

    #[test]
    fn modes_conflict_as_the_manual_says_and_both_ways() {
        let conflicts = |one, other| conflict(Some(one), other);
        assert!(!conflicts("AccessShareLock", "ExclusiveLock"));
        assert!(conflicts("AccessShareLock", "AccessExclusiveLock"));
        assert!(conflicts("ShareLock", "RowExclusiveLock") && !conflicts("ShareLock", "ShareLock"));
        const ALL: [&str; 5] =
            ["RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareRowExclusiveLock", "ExclusiveLock"];
        for one in ALL {
            for other in ALL {
                assert_eq!(conflicts(one, other), conflicts(other, one), "{one} {other}");
            }
        }
    }

    #[test]
    fn the_end_says_how_many_wait() {
        assert_eq!(summary(&[]), "nobody waits for a lock");
        let rows = || vec![seen(1, &[], "app"), seen(2, &[1], "app"), seen(3, &[1], "app")];
        assert_eq!(summary(&arranged(rows(), "app")), "2 sessions wait for a lock, because of 1");
        let deadlock = vec![seen(1, &[2], "app"), seen(2, &[1], "app")];
        assert_eq!(summary(&arranged(deadlock, "app")), "2 sessions wait for a lock, 2 of them for each other");
    }
}
