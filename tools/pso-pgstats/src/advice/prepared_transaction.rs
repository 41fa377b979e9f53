//! `prepared_transaction`: one that nobody has ended. It keeps its locks, also over a restart, and vacuum from removing dead
//! rows.

use std::time::Duration;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Confidence, PgPreparedRecord};

use super::{Advice, Judged, Rule, evidence, quoted, whole_seconds};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "prepared_transaction", on_standby: false, needs: &["prepared"], judge };

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let old = |prepared: &&PgPreparedRecord| Duration::from_millis(prepared.prepared_ms) >= limits.max_prepared_age;
    let prepared = snapshot.records.prepared.iter().filter(old);
    prepared.map(|prepared| advice(prepared, limits.max_prepared_age, &snapshot.server.database)).collect()
}

fn advice(prepared: &PgPreparedRecord, limit: Duration, here: &str) -> Advice {
    let age = whole_seconds(Duration::from_millis(prepared.prepared_ms)).show();
    let own = prepared.database == here;
    let way = if own { String::new() } else { format!(", in the database {}", prepared.database) };
    Advice {
        severity: Severity::Warning,
        object: prepared.gid.clone(),
        why: format!(
            "{} prepared it {age} ago and nobody has ended it; it keeps its locks and holds back vacuum. Ask the transaction \
             manager first whether the others of it were committed: then this one must be, and is lost if it is rolled back{way}",
            prepared.owner
        ),
        evidence: evidence([
            ("prepared", prepared.prepared_at.map(|at| at.to_string())),
            ("age", Some(age.clone())),
            ("limit", Some(limit.show())),
            ("owner", Some(prepared.owner.clone())),
            ("database", Some(prepared.database.clone())),
            ("xid_age", Some(prepared.xid_age.to_string())),
        ]),
        confidence: Confidence::Low,
        sql: own.then(|| format!("ROLLBACK PREPARED {}", quoted(&prepared.gid))),
        undo_sql: None,
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn advised(prepared_ms: u64, database: &str) -> Vec<Advice> {
        let (gid, database) = ("it's \\".to_owned(), database.to_owned());
        let prepared = PgPreparedRecord { gid, database, prepared_ms, ..PgPreparedRecord::default() };
        judged(&RULE, &snapshot(|records| records.prepared = vec![prepared])).advice
    }

    #[test]
    fn a_prepared_transaction_is_advised_from_the_limit_on() {
        const LIMIT: u64 = 600_000;
        assert_eq!(advised(LIMIT - 1, "app"), []);
        let advice = advised(LIMIT, "app").remove(0);
        assert_eq!(advice.sql.as_deref(), Some("ROLLBACK PREPARED E'it''s \\\\'"));
        assert_eq!(advice.evidence["age"], "10m");
    }

    #[test]
    fn one_of_another_database_cannot_be_ended_from_here() {
        let advice = advised(600_000, "other").remove(0);
        assert_eq!(advice.sql, None);
        assert!(advice.why.ends_with("in the database other"), "{}", advice.why);
    }
}
