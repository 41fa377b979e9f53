//! `integer_key_exhaustion`: a key whose values come near the end of its type, although no sequence says so: the application counts
//! by itself, the sequence is not the column's, or the column refers to a key of a larger type. From the end on inserts fail.

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Confidence, PgIntegerKeyRecord};

use super::{Advice, Judged, Rule, evidence};
use crate::records::{Row as _, Snapshot};
use crate::settings::Limits;

pub(super) const RULE: Rule =
    Rule { name: "integer_key_exhaustion", on_standby: false, needs: &["integer_keys", "sequences"], judge };

/// What is left now may not last until a table of that size is rewritten.
const URGENT_PERCENT: f64 = 90.0;

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let records = &snapshot.records;
    // What a sequence counts is judged by that, which knows the last value.
    let counted = |key: &PgIntegerKeyRecord| {
        records.sequences.iter().any(|sequence| {
            let column = (sequence.on_table.as_ref(), sequence.column.as_ref());
            column == (Some(&key.on_table), Some(&key.column)) && sequence.used_percent.is_some()
        })
    };
    let used = |key: &&PgIntegerKeyRecord| key.used_percent.is_some_and(|used| used > limits.max_sequence.0);
    let keys = records.integer_keys.iter().filter(used).filter(|key| !counted(key));
    let mut judged: Judged = keys.map(|key| advice(key, limits)).collect();
    judged.notes = PgIntegerKeyRecord::notes(&records.integer_keys, &snapshot.server);
    judged
}

fn advice(key: &PgIntegerKeyRecord, limits: &Limits) -> Advice {
    let used = key.used_percent.unwrap_or_default();
    let number = key.furthest_value.unwrap_or_default();
    Advice {
        severity: if used > URGENT_PERCENT { Severity::High } else { Severity::Warning },
        object: format!("{}.{}", key.on_table, key.column),
        why: format!(
            "the last analyse saw the value {number}, {used} % of what {} holds; where the values grow, inserts fail at its end. The \
             column needs a larger type, and those that refer to it: ALTER TABLE … TYPE bigint rewrites the table and locks out \
             everybody until it is done, so plan it",
            key.data_type
        ),
        evidence: evidence([
            ("furthest_value", Some(number.to_string())),
            ("limit_value", Some(key.limit_value.to_string())),
            ("used_percent", Some(used.to_string())),
            ("limit", Some(limits.max_sequence.show())),
            ("data_type", Some(key.data_type.clone())),
        ]),
        // The values may also be names that were given, and not grow at all.
        confidence: Confidence::Medium,
        sql: None,
        undo_sql: None,
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use pso_common::record::PgSequenceRecord;

    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn key(used_percent: f64) -> PgIntegerKeyRecord {
        PgIntegerKeyRecord {
            on_table: "public.t".to_owned(),
            column: "id".to_owned(),
            data_type: "integer".to_owned(),
            furthest_value: Some(7),
            used_percent: Some(used_percent),
            readable: true,
            ..PgIntegerKeyRecord::default()
        }
    }

    fn advised(key: PgIntegerKeyRecord, sequences: Vec<PgSequenceRecord>) -> Vec<Advice> {
        let snapshot = snapshot(|records| (records.integer_keys, records.sequences) = (vec![key], sequences));
        judged(&RULE, &snapshot).advice
    }

    #[test]
    fn a_key_past_the_limit_is_advised() {
        assert_eq!(advised(key(75.0), vec![]), []);
        let advice = advised(key(75.01), vec![]).remove(0);
        assert_eq!((advice.severity, advice.object.as_str(), advice.sql), (Severity::Warning, "public.t.id", None));
        assert_eq!(advised(key(90.01), vec![])[0].severity, Severity::High);
        assert_eq!(advised(PgIntegerKeyRecord { used_percent: None, ..key(0.0) }, vec![]), []);
    }

    #[test]
    fn what_a_sequence_counts_is_judged_there() {
        let sequence = |table: &str, used_percent| PgSequenceRecord {
            on_table: Some(table.to_owned()),
            column: Some("id".to_owned()),
            used_percent,
            ..PgSequenceRecord::default()
        };
        assert_eq!(advised(key(80.0), vec![sequence("public.t", Some(1.0))]), []);
        assert_eq!(advised(key(80.0), vec![sequence("public.other", Some(1.0))]).len(), 1);
        assert_eq!(advised(key(80.0), vec![sequence("public.t", None)]).len(), 1, "it could not be read");
    }

    #[test]
    fn what_could_not_be_seen_is_said() {
        let hidden = PgIntegerKeyRecord { readable: false, used_percent: None, ..key(0.0) };
        let judged = judged(&RULE, &snapshot(|records| records.integer_keys = vec![hidden]));
        assert!(judged.notes[0].text.contains("1 integer key without their values"), "{judged:?}");
    }
}
