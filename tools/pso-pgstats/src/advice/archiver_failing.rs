//! `archiver_failing`: the log of changes does not get into the archive. Backups cannot be rolled forward past the last file
//! there, and the server keeps all files since, until the disk is full.

use std::time::Duration;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Confidence, PgArchiverRecord};

use super::{Advice, Judged, Rule, evidence, whole_seconds};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "archiver_failing", on_standby: true, needs: &["archiver"], judge };

/// A file that has waited for so long waits for nothing that passes by itself: the command hangs, or is slower than the log is
/// written. The counters tell of neither, as nothing has failed.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

fn judge(snapshot: &Snapshot, _: &Limits) -> Judged {
    let bad = |archiver: &&PgArchiverRecord| archiver.failing || hangs(archiver);
    snapshot.records.archiver.iter().filter(bad).map(advice).collect()
}

fn hangs(archiver: &PgArchiverRecord) -> bool {
    archiver.longest_waiting_ms.is_some_and(|ms| Duration::from_millis(ms) >= PATIENCE)
}

fn advice(archiver: &PgArchiverRecord) -> Advice {
    let ago = |ms: Option<u64>| ms.map(|ms| format!("{} ago", whole_seconds(Duration::from_millis(ms)).show()));
    let (archived, failed) = (ago(archiver.last_archived_ms), ago(archiver.last_failed_ms));
    let last = archived.as_deref().map_or_else(
        || "none has been archived since the counters were reset".to_owned(),
        |archived| format!("the last one that was archived was {archived}"),
    );
    let why = if archiver.failing {
        format!(
            "archiving {} failed {}, and {last}; the server tries again, keeps all WAL until it works, and says in its log \
             what went wrong. See archive_command (or archive_library) and the disk of the archive",
            archiver.last_failed_wal.as_deref().unwrap_or("a file"),
            failed.as_deref().unwrap_or_default(),
        )
    } else {
        let since = Duration::from_millis(archiver.longest_waiting_ms.unwrap_or_default());
        format!(
            "a file has waited for the archive for {}, and {last}; none has failed, so archive_command (or archive_library) \
             hangs, is too slow or empty, and the server keeps all WAL until it is done. See what it waits for, and the disk of the \
             archive",
            whole_seconds(since).show()
        )
    };
    Advice {
        severity: Severity::High,
        object: "archiver".to_owned(),
        why,
        evidence: evidence([
            ("last_failed_wal", archiver.last_failed_wal.clone()),
            ("last_failed", failed.clone()),
            ("failed_count", Some(archiver.failed_count.to_string())),
            ("last_archived_wal", archiver.last_archived_wal.clone()),
            ("last_archived", archived.clone()),
            ("archived_count", Some(archiver.archived_count.to_string())),
            ("waiting_files", archiver.waiting_files.map(|files| files.to_string())),
            ("longest_waiting", archiver.longest_waiting_ms.map(|ms| whole_seconds(Duration::from_millis(ms)).show())),
            ("archive_mode", Some(archiver.archive_mode.clone())),
            ("stats_reset", archiver.stats_reset_at.map(|at| at.to_string())),
        ]),
        confidence: Confidence::High,
        // What is wrong is outside the database.
        sql: None,
        undo_sql: None,
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    #[test]
    fn an_archiver_that_fails_is_advised() {
        let advised = |failing, last_archived_ms| {
            let archiver =
                PgArchiverRecord { failing, last_archived_ms, failed_count: 3, ..PgArchiverRecord::default() };
            judged(&RULE, &snapshot(|records| records.archiver = vec![archiver])).advice
        };
        assert_eq!(advised(false, None), []);
        assert!(advised(true, None)[0].why.contains("none has been archived"));
        assert!(advised(true, Some(3_600_000))[0].why.contains("was 1h ago"));
    }

    #[test]
    fn one_that_hangs_fails_never_and_is_advised_too() {
        let advised = |longest_waiting_ms| {
            let (archive_mode, waiting_files) = ("on".to_owned(), Some(2));
            let archiver =
                PgArchiverRecord { archive_mode, waiting_files, longest_waiting_ms, ..PgArchiverRecord::default() };
            judged(&RULE, &snapshot(|records| records.archiver = vec![archiver])).advice
        };
        assert_eq!(advised(None), []);
        assert_eq!(advised(Some(599_999)), []);
        let advice = advised(Some(600_000)).remove(0);
        assert!(advice.why.starts_with("a file has waited for the archive for 10m"), "{}", advice.why);
        assert_eq!(advice.evidence["waiting_files"], "2");
    }
}
