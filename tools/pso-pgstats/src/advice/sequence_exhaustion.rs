//! `sequence_exhaustion`: a sequence that will soon have no value left that it, or the column it counts for, can hold. From then
//! on every insert fails.

use pso_common::Severity;
use pso_common::record::{Confidence, PgSequenceRecord};

use super::{Advice, Judged, Rule, evidence};
use crate::records::{Row as _, Snapshot};
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "sequence_exhaustion", on_standby: false, needs: &["sequences"], judge };

/// What is left now may not last until a table of that size is rewritten.
const URGENT_PERCENT: f64 = 90.0;

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let sequences = snapshot.records.sequences.iter().filter(|sequence| !begins_again(sequence));
    let mut judged: Judged = sequences
        .filter_map(|sequence| Some((sequence, sequence.used_percent?)))
        .filter(|(_, used)| *used > limits.max_sequence.0)
        .map(|(sequence, used)| advice(sequence, used))
        .collect();
    // What could not be read could not be judged.
    judged.notes = PgSequenceRecord::notes(&snapshot.records.sequences, &snapshot.server);
    judged
}

/// Whether its end is none, and the column does not end before it.
fn begins_again(sequence: &PgSequenceRecord) -> bool {
    sequence.cycle && sequence.limit_value == own_end(sequence)
}

const fn own_end(sequence: &PgSequenceRecord) -> i64 {
    if sequence.increment > 0 { sequence.max_value } else { sequence.min_value }
}

/// What makes it longer, and what makes it as it was. Only of the sequence: to give the column a larger type rewrites the
/// table, which is locked as long as that takes, and is to be planned.
fn change(sequence: &PgSequenceRecord) -> Option<(String, String)> {
    let (object, end) = (&sequence.object, own_end(sequence));
    let column_ends = sequence.column_limit.is_some_and(|limit| limit.unsigned_abs() <= end.unsigned_abs());
    if column_ends || sequence.cycle {
        return None;
    }
    let (which, up) = if sequence.increment > 0 { ("MAXVALUE", true) } else { ("MINVALUE", false) };
    if end == sequence.type_limit {
        // Of a type that is changed the ends change with it where they are the type's own, which is wanted of the one only: a
        // sequence that was made twice as long by beginning at the type's other end would have left its range.
        let larger = sequence.column_type.as_deref().filter(|_| sequence.column_limit.is_some()).unwrap_or("bigint");
        let far_end = !sequence.type_limit;
        let other = match up {
            true if sequence.min_value == far_end => format!(" MINVALUE {far_end}"),
            false if sequence.max_value == far_end => format!(" MAXVALUE {far_end}"),
            _ => String::new(),
        };
        return (larger != sequence.data_type).then(|| {
            (
                format!("ALTER SEQUENCE {object} AS {larger}{other}"),
                format!("ALTER SEQUENCE {object} AS {}{other}", sequence.data_type),
            )
        });
    }
    Some((format!("ALTER SEQUENCE {object} NO {which}"), format!("ALTER SEQUENCE {object} {which} {end}")))
}

fn advice(sequence: &PgSequenceRecord, used: f64) -> Advice {
    let (sql, undo_sql) = change(sequence).unzip();
    let column =
        sequence.on_table.iter().zip(&sequence.column).map(|(table, column)| format!("{table}.{column}")).next();
    let left = sequence.remaining.map_or_else(String::new, |left| format!(", {left} values are left"));
    let mut why = format!("{used} % of its values are used{left}; then inserts fail");
    if let (true, Some(column)) = (sql.is_none(), &column) {
        let text = format!(
            ". The column {column} needs a larger type, and the sequence with it: ALTER TABLE … TYPE bigint rewrites the table \
             and locks out everybody until it is done, so plan it"
        );
        why.push_str(&text);
    }
    Advice {
        severity: if used > URGENT_PERCENT { Severity::High } else { Severity::Warning },
        object: sequence.object.clone(),
        why,
        evidence: evidence([
            ("last_value", sequence.last_value.map(|value| value.to_string())),
            ("limit_value", Some(sequence.limit_value.to_string())),
            ("used_percent", Some(used.to_string())),
            ("remaining", sequence.remaining.map(|left| left.to_string())),
            ("data_type", Some(sequence.data_type.clone())),
            ("column", column),
            ("column_type", sequence.column_type.clone()),
        ]),
        confidence: Confidence::High,
        sql,
        undo_sql,
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    const INT4: i64 = 2_147_483_647;

    /// A serial column of an int4.
    fn serial(used: f64) -> PgSequenceRecord {
        PgSequenceRecord {
            object: "public.s".to_owned(),
            data_type: "integer".to_owned(),
            increment: 1,
            min_value: 1,
            max_value: INT4,
            type_limit: INT4,
            limit_value: INT4,
            on_table: Some("public.t".to_owned()),
            column: Some("id".to_owned()),
            column_type: Some("integer".to_owned()),
            column_limit: Some(INT4),
            used_percent: Some(used),
            readable: true,
            ..PgSequenceRecord::default()
        }
    }

    fn bigint(sequence: PgSequenceRecord) -> PgSequenceRecord {
        PgSequenceRecord { column_type: Some("bigint".to_owned()), column_limit: Some(i64::MAX), ..sequence }
    }

    #[test]
    fn what_could_not_be_read_is_said() {
        let hidden = PgSequenceRecord { used_percent: None, readable: false, ..serial(0.0) };
        let judged = judged(&RULE, &snapshot(|records| records.sequences = vec![hidden]));
        assert!(judged.notes[0].text.contains("TO watcher"), "{judged:?}");
    }

    fn advised(sequence: PgSequenceRecord) -> Vec<Advice> {
        judged(&RULE, &snapshot(|records| records.sequences = vec![sequence])).advice
    }

    #[test]
    fn one_past_the_limit_is_advised() {
        assert_eq!(advised(serial(75.0)), []);
        assert_eq!(advised(serial(75.01))[0].severity, Severity::Warning);
        assert_eq!(advised(serial(90.0))[0].severity, Severity::Warning);
        assert_eq!(advised(serial(90.01))[0].severity, Severity::High);
        assert_eq!(advised(PgSequenceRecord { used_percent: None, ..serial(0.0) }), []);
    }

    #[test]
    fn one_that_begins_again_has_no_end_unless_its_column_has() {
        assert_eq!(advised(PgSequenceRecord { cycle: true, ..serial(99.0) }), []);
        assert_eq!(advised(PgSequenceRecord { cycle: true, max_value: i64::MAX, ..serial(99.0) }).len(), 1);
    }

    #[test]
    fn a_column_that_ends_is_to_be_changed_by_hand() {
        let advice = advised(serial(80.0)).remove(0);
        assert_eq!((advice.sql, advice.undo_sql), (None, None));
        assert!(advice.why.contains("public.t.id needs a larger type"), "{}", advice.why);
    }

    #[test]
    fn a_sequence_that_ends_before_its_column_is_made_longer() {
        let change = |sequence| {
            let advice = advised(sequence).remove(0);
            (advice.sql.expect("SQL"), advice.undo_sql.expect("SQL"))
        };
        let pair = |one: &str, other: &str| {
            (format!("ALTER SEQUENCE public.s {one}"), format!("ALTER SEQUENCE public.s {other}"))
        };
        assert_eq!(change(bigint(serial(80.0))), pair("AS bigint", "AS integer"));
        let alone =
            PgSequenceRecord { on_table: None, column: None, column_type: None, column_limit: None, ..serial(80.0) };
        assert_eq!(change(alone), pair("AS bigint", "AS integer"));
        assert_eq!(change(PgSequenceRecord { max_value: 1000, ..serial(80.0) }), pair("NO MAXVALUE", "MAXVALUE 1000"));
        let down = PgSequenceRecord {
            increment: -1,
            min_value: -INT4 - 1,
            max_value: -1,
            type_limit: -INT4 - 1,
            ..serial(80.0)
        };
        assert_eq!(change(bigint(down.clone())), pair("AS bigint", "AS integer"));
        // The other end stays where it was, whoever chose it.
        assert_eq!(change(PgSequenceRecord { min_value: 5, ..bigint(serial(80.0)) }), pair("AS bigint", "AS integer"));
        let least = "MINVALUE -2147483648";
        let doubled = PgSequenceRecord { min_value: -INT4 - 1, ..bigint(serial(80.0)) };
        assert_eq!(change(doubled), pair(&format!("AS bigint {least}"), &format!("AS integer {least}")));
        let most = "MAXVALUE 2147483647";
        let from_above = PgSequenceRecord { max_value: INT4, ..bigint(down) };
        assert_eq!(change(from_above), pair(&format!("AS bigint {most}"), &format!("AS integer {most}")));
    }

    #[test]
    fn a_bigint_that_ends_cannot_be_made_longer() {
        let last = PgSequenceRecord {
            data_type: "bigint".to_owned(),
            max_value: i64::MAX,
            type_limit: i64::MAX,
            ..serial(80.0)
        };
        assert_eq!(advised(bigint(last))[0].sql, None);
    }
}
