//! `checksums_off`: pages have no checksums, so damage by a disk or its controller is noticed late or never, and gets into the
//! backups.

use pso_common::Severity;
use pso_common::record::Confidence;

use super::{Advice, Judged, Rule, evidence};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "checksums_off", on_standby: true, needs: &["checksums"], judge };

/// The setting that shows it.
const NAME: &str = "data_checksums";

fn judge(snapshot: &Snapshot, _: &Limits) -> Judged {
    snapshot.records.checksums.iter().filter(|checksums| !checksums.data_checksums).map(|_| advice()).collect()
}

fn advice() -> Advice {
    Advice {
        severity: Severity::Info,
        object: NAME.to_owned(),
        why: "pages have no checksums: what a disk or its controller damages is noticed late or never, and gets into the backups. \
              pg_checksums --enable adds them while the server is stopped; it writes every page once, and each standby needs it \
              alike. From 18 on initdb makes them"
            .to_owned(),
        evidence: evidence([(NAME, Some("off".to_owned()))]),
        confidence: Confidence::High,
        // The server must be stopped.
        sql: None,
        undo_sql: None,
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use pso_common::record::PgChecksumsRecord;

    use super::*;
    use crate::advice::tests::{judged, snapshot};

    #[test]
    fn pages_without_checksums_are_advised() {
        let advised = |data_checksums| {
            let checksums = PgChecksumsRecord { data_checksums, ..PgChecksumsRecord::default() };
            judged(&RULE, &snapshot(|records| records.checksums = vec![checksums])).advice
        };
        assert_eq!(advised(true), []);
        assert_eq!(advised(false)[0].severity, Severity::Info);
    }
}
