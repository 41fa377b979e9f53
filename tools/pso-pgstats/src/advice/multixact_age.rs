//! `multixact_age`: as `xid_age`, for the ids of rows that several transactions have locked.

use super::xid_age::{Counter, too_old};
use super::{Judged, Rule};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "multixact_age", on_standby: false, needs: &["wraparound"], judge };

const MULTIXACT: Counter = Counter {
    what: "multixact id",
    column: "multixact_age",
    age: |record| record.multixact_age,
    percent: |record| record.multixact_percent,
    freeze_max_age: |record| record.multixact_freeze_max_age,
    failsafe: "vacuum_multixact_failsafe_age",
    held_by: "an old or a prepared transaction",
};

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    too_old(&MULTIXACT, snapshot, [limits.max_multixact_age, Limits::default().max_multixact_age].map(i64::from))
}

#[cfg(test)]
mod tests {
    use pso_common::record::PgWraparoundRecord;

    use super::*;
    use crate::advice::tests::{judged, snapshot};

    #[test]
    fn a_database_is_advised_from_the_limit_on_whatever_its_transaction_ids() {
        let advised = |multixact_age| {
            let (scope, object) = ("database".to_owned(), "app".to_owned());
            let xid_age = 1_000_000_000;
            let database =
                PgWraparoundRecord { scope, object, xid_age, multixact_age, ..PgWraparoundRecord::default() };
            judged(&RULE, &snapshot(|records| records.wraparound = vec![database])).advice
        };
        assert_eq!(advised(599_999_999), []);
        let later = |multixact_age| PgWraparoundRecord {
            scope: "database".to_owned(),
            multixact_age,
            multixact_freeze_max_age: 1_000_000_000,
            ..PgWraparoundRecord::default()
        };
        let judge = |age| judged(&RULE, &snapshot(|records| records.wraparound = vec![later(age)])).advice.len();
        assert_eq!([judge(1_049_999_999), judge(1_050_000_000)], [0, 1]);
        assert_eq!(advised(600_000_000)[0].evidence["multixact_age"], "600000000");
    }
}
