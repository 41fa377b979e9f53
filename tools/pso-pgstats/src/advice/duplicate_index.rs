//! `duplicate_index`: two indexes that are the same but for their names. Each costs every write; one serves all reads.

use std::cmp::Reverse;

use pso_common::output::bytes;
use pso_common::record::{Confidence, PgIndexRecord};

use super::dropping::{Substitute, droppable, finished, with_substitute};
use super::{Judged, Rule};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "duplicate_index", on_standby: false, needs: &["tables", "indexes"], judge };

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    with_substitute(snapshot, limits, |index, indexes| {
        let kept = keeper(index, indexes)?;
        Some(Substitute { kept, confidence: Confidence::High, why: why(index, kept) })
    })
}

/// The index that makes this one superfluous: of those that are the same, the one that stays.
pub(super) fn keeper<'a>(index: &PgIndexRecord, indexes: &[&'a PgIndexRecord]) -> Option<&'a PgIndexRecord> {
    if !droppable(index) {
        return None;
    }
    let kept = indexes.iter().filter(|other| finished(other) && same(index, other)).min_by_key(|other| rank(other))?;
    (kept.object != index.object).then_some(*kept)
}

/// What cannot be dropped stays, then what is used most.
fn rank(index: &PgIndexRecord) -> (bool, Reverse<i64>, &str) {
    (droppable(index), Reverse(index.idx_scan), &index.object)
}

/// Whether one index can answer all that the other can, equally well.
fn same(one: &PgIndexRecord, other: &PgIndexRecord) -> bool {
    let keys = |index: &PgIndexRecord| (index.key_columns, index.has_expressions, index.partial);
    let equal = one.method == other.method
        && one.indkey == other.indkey
        && one.indclass == other.indclass
        && one.indcollation == other.indcollation
        && one.indoption == other.indoption
        && keys(one) == keys(other);
    equal && same_texts(one, other) && (simple(one) || one.object == other.object || same_parameters(one, other))
}

/// Expressions and predicate; those that could not be read are equal to nothing.
fn same_texts(one: &PgIndexRecord, other: &PgIndexRecord) -> bool {
    let known = |has: bool, text: &Option<String>| !has || text.is_some();
    known(one.has_expressions, &one.expressions)
        && known(one.partial, &one.predicate)
        && one.expressions == other.expressions
        && one.predicate == other.predicate
}

/// Access methods without parameters that change what the index is good for.
fn simple(index: &PgIndexRecord) -> bool {
    matches!(index.method.as_str(), "btree" | "hash")
}

/// The parameters of the others (`pages_per_range`, `siglen`, `lists`, …) stand in the definition, behind the method.
fn same_parameters(one: &PgIndexRecord, other: &PgIndexRecord) -> bool {
    let tail = |index: &PgIndexRecord| Some(index.definition.as_ref()?.split_once(" USING ")?.1.to_owned());
    tail(one).is_some_and(|text| tail(other) == Some(text))
}

fn why(index: &PgIndexRecord, kept: &PgIndexRecord) -> String {
    format!(
        "the same as {}, which stays and answers all that this one does; it takes {}, and every write pays for both",
        kept.object,
        bytes(index.size_bytes.unwrap_or_default().unsigned_abs())
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, on_table};

    fn index(name: &str) -> PgIndexRecord {
        PgIndexRecord {
            object: format!("public.{name}"),
            on_table: "public.t".to_owned(),
            size_bytes: Some(8192),
            valid: true,
            ready: true,
            method: "btree".to_owned(),
            columns: vec![Some("a".to_owned()), Some("b".to_owned())],
            key_columns: 2,
            indkey: "1 2".to_owned(),
            indclass: "10 10".to_owned(),
            indcollation: "0 0".to_owned(),
            indoption: "0 0".to_owned(),
            definition: Some(format!("CREATE INDEX {name} ON public.t USING btree (a, b)")),
            ..PgIndexRecord::default()
        }
    }

    fn dropped(indexes: Vec<PgIndexRecord>) -> Vec<String> {
        let advice = judged(&RULE, &on_table(1000, indexes)).advice;
        advice.into_iter().map(|advice| advice.object).collect()
    }

    #[test]
    fn all_but_the_most_used_are_dropped() {
        let used = PgIndexRecord { idx_scan: 7, ..index("b") };
        assert_eq!(dropped(vec![index("a"), used, index("c")]), ["public.a", "public.c"]);
        assert_eq!(dropped(vec![index("a"), index("b")]), ["public.b"]);
        assert_eq!(dropped(vec![index("a")]), Vec::<String>::new());
        assert_eq!(judged(&RULE, &on_table(999, vec![index("a"), index("b")])).advice, []);
    }

    #[test]
    fn what_keeps_a_promise_stays_even_unused() {
        let change: [fn(&mut PgIndexRecord); 8] = [
            |index| index.constraint = true,
            |index| index.primary = true,
            |index| index.unique = true,
            |index| index.exclusion = true,
            |index| index.replica_identity = true,
            |index| index.clustered = true,
            |index| index.partition = true,
            |index| index.extension = true,
        ];
        for change in change {
            let mut promised = index("z");
            change(&mut promised);
            let used = PgIndexRecord { idx_scan: 7, ..index("a") };
            assert_eq!(dropped(vec![used, promised.clone()]), ["public.a"]);
            assert_eq!(
                dropped(vec![promised.clone(), PgIndexRecord { object: "public.y".to_owned(), ..promised }]).len(),
                0
            );
        }
    }

    #[test]
    fn whatever_differs_is_no_duplicate() {
        let change: [fn(&mut PgIndexRecord); 12] = [
            |index| index.on_table = "public.other".to_owned(),
            |index| index.method = "gist".to_owned(),
            |index| index.indkey = "2 1".to_owned(),
            |index| index.indclass = "10 11".to_owned(),
            |index| index.indcollation = "0 100".to_owned(),
            |index| index.indoption = "0 3".to_owned(),
            |index| index.key_columns = 1,
            |index| index.valid = false,
            |index| index.ready = false,
            |index| (index.partial, index.predicate) = (true, Some("(a > 1)".to_owned())),
            |index| index.partial = true,
            |index| (index.has_expressions, index.expressions) = (true, Some("(a + 1)".to_owned())),
        ];
        for (at, change) in change.into_iter().enumerate() {
            let mut other = index("b");
            change(&mut other);
            assert_eq!(dropped(vec![index("a"), other]), Vec::<String>::new(), "{at}");
        }
        let unread = PgIndexRecord { partial: true, ..index("a") };
        assert_eq!(dropped(vec![unread.clone(), unread]), Vec::<String>::new());
    }

    #[test]
    fn parameters_of_other_methods_count() {
        let brin = |name: &str, pages: u32| PgIndexRecord {
            method: "brin".to_owned(),
            definition: Some(format!("CREATE INDEX {name} ON t USING brin (a, b) WITH (pages_per_range='{pages}')")),
            ..index(name)
        };
        assert_eq!(dropped(vec![brin("a", 8), brin("b", 128)]), Vec::<String>::new());
        assert_eq!(dropped(vec![brin("a", 8), brin("b", 8)]), ["public.b"]);
    }

    #[test]
    fn young_statistics_drop_nothing() {
        let mut snapshot = on_table(1000, vec![index("a"), index("b")]);
        snapshot.server.stats_since_at = "2026-11-08T09:00:00.001Z".parse().expect("a time");
        let young = judged(&RULE, &snapshot);
        assert!(young.advice.is_empty() && young.notes[0].text.contains("--min-stats-age"), "{young:?}");
    }

    #[test]
    fn a_held_index_is_counted() {
        let held = judged(&RULE, &on_table(1000, vec![index("a"), PgIndexRecord { definition: None, ..index("b") }]));
        assert!(held.advice.is_empty() && held.notes[0].text.starts_with("1 index not judged"), "{held:?}");
    }
}
