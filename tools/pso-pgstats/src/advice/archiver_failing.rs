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

fn judge(snapshot: &Snapshot, _: &Limits) -> Judged {
    snapshot.records.archiver.iter().filter(|archiver| archiver.failing).map(advice).collect()
}

fn advice(archiver: &PgArchiverRecord) -> Advice {
    let ago = |ms: Option<u64>| ms.map(|ms| format!("{} ago", whole_seconds(Duration::from_millis(ms)).show()));
    let (archived, failed) = (ago(archiver.last_archived_ms), ago(archiver.last_failed_ms));
    let last = archived.as_deref().map_or_else(
        || "none has been archived since the counters were reset".to_owned(),
        |archived| format!("the last one that was archived was {archived}"),
    );
    Advice {
        severity: Severity::High,
        object: "archiver".to_owned(),
        why: format!(
            "archiving {} failed {}, and {last}; the server tries again, keeps all WAL until it works, and says in its log \
             what went wrong. See archive_command (or archive_library) and the disk of the archive",
            archiver.last_failed_wal.as_deref().unwrap_or("a file"),
            failed.as_deref().unwrap_or_default(),
        ),
        evidence: evidence([
            ("last_failed_wal", archiver.last_failed_wal.clone()),
            ("last_failed", failed.clone()),
            ("failed_count", Some(archiver.failed_count.to_string())),
            ("last_archived_wal", archiver.last_archived_wal.clone()),
            ("last_archived", archived.clone()),
            ("archived_count", Some(archiver.archived_count.to_string())),
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
}
