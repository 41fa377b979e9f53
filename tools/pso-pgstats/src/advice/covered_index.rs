//! `covered_index`: an index whose columns are the first ones of another. The other can answer what it answers.

use std::collections::BTreeSet;

use pso_common::output::bytes;
use pso_common::record::{Confidence, PgIndexRecord};

use super::dropping::{Substitute, droppable, finished, with_substitute};
use super::{Judged, Rule, duplicate_index};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "covered_index", on_standby: false, needs: &["tables", "indexes"], judge };

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    with_substitute(snapshot, limits, |index, indexes| {
        // A duplicate is to be dropped as such.
        if !droppable(index) || duplicate_index::keeper(index, indexes).is_some() {
            return None;
        }
        // The shortest is the cheapest to read.
        let kept = *indexes.iter().filter(|other| covers(other, index)).min_by_key(|other| rank(other))?;
        // Whether the larger one is as fast does not follow from the catalogues.
        Some(Substitute { kept, confidence: Confidence::Medium, why: why(index, kept) })
    })
}

/// What cannot be dropped stays for certain; of the others the smallest.
fn rank(index: &PgIndexRecord) -> (bool, i64, &str) {
    (droppable(index), index.size_bytes.unwrap_or(i64::MAX), &index.object)
}

/// Whether the other answers all that the one does, and more. Only B-trees can be read by their first columns alone; where
/// expressions are, the catalogue's texts do not tell which is which.
fn covers(other: &PgIndexRecord, one: &PgIndexRecord) -> bool {
    let plain = |index: &PgIndexRecord| index.method == "btree" && !index.has_expressions;
    // `unused_index` may have the other dropped; not both.
    let stays = !droppable(other) || other.idx_scan > 0 || one.idx_scan == 0;
    plain(one) && plain(other) && finished(other) && stays && same_rows(one, other) && first_columns(one, other)
}

fn same_rows(one: &PgIndexRecord, other: &PgIndexRecord) -> bool {
    let known = |index: &PgIndexRecord| !index.partial || index.predicate.is_some();
    known(one) && known(other) && one.partial == other.partial && one.predicate == other.predicate
}

/// Whether the keys are the first of the other's, in the same order and sorting, and what is only included is there too.
fn first_columns(one: &PgIndexRecord, other: &PgIndexRecord) -> bool {
    let (keys, more) = (words(&one.indkey), words(&other.indkey));
    let (Ok(length), Ok(others)) = (usize::try_from(one.key_columns), usize::try_from(other.key_columns)) else {
        return false;
    };
    let sorts = |index: &PgIndexRecord| -> Option<Vec<(String, String, String, String)>> {
        let (keys, classes) = (words(&index.indkey), words(&index.indclass));
        let (collations, options) = (words(&index.indcollation), words(&index.indoption));
        let at = |list: &[&str], at: usize| list.get(at).map(|word| (*word).to_owned());
        (0..length)
            .map(|nr| Some((at(&keys, nr)?, at(&classes, nr)?, at(&collations, nr)?, at(&options, nr)?)))
            .collect()
    };
    let all: BTreeSet<&str> = more.iter().copied().collect();
    length > 0
        && length <= others
        && more.len() > keys.len()
        && sorts(one).is_some_and(|keys| sorts(other) == Some(keys))
        && keys.iter().all(|column| all.contains(column))
}

/// A vector of the catalogue as it prints itself.
fn words(text: &str) -> Vec<&str> {
    text.split_ascii_whitespace().collect()
}

fn why(index: &PgIndexRecord, kept: &PgIndexRecord) -> String {
    let larger = kept.size_bytes.map_or_else(String::new, |size| format!(", at {}", bytes(size.unsigned_abs())));
    format!(
        "{} begins with the same columns and can answer the same{larger}; this one takes {}, and every write pays for \
         both. Scans of many entries are slower in a larger index",
        kept.object,
        bytes(index.size_bytes.unwrap_or_default().unsigned_abs())
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, on_table};

    /// A B-tree of columns by their numbers; those of INCLUDE behind a `|`.
    fn index(name: &str, columns: &str) -> PgIndexRecord {
        let (keys, _) = columns.split_once('|').unwrap_or((columns, ""));
        let keys = keys.split_ascii_whitespace().count();
        PgIndexRecord {
            object: format!("public.{name}"),
            on_table: "public.t".to_owned(),
            size_bytes: Some(8192),
            valid: true,
            ready: true,
            method: "btree".to_owned(),
            key_columns: i32::try_from(keys).expect("few"),
            indkey: columns.replace('|', ""),
            indclass: vec!["10"; keys].join(" "),
            indcollation: vec!["0"; keys].join(" "),
            indoption: vec!["0"; keys].join(" "),
            definition: Some(format!("CREATE INDEX {name} ON public.t USING btree (…)")),
            ..PgIndexRecord::default()
        }
    }

    fn dropped(indexes: Vec<PgIndexRecord>) -> Vec<String> {
        let advice = judged(&RULE, &on_table(1000, indexes)).advice;
        advice.into_iter().map(|advice| advice.object).collect()
    }

    #[test]
    fn the_first_columns_of_another_are_covered() {
        assert_eq!(dropped(vec![index("a", "1"), index("b", "1 2")]), ["public.a"]);
        assert_eq!(dropped(vec![index("a", "1 2"), index("b", "1 2 3")]), ["public.a"]);
        assert_eq!(dropped(vec![index("a", "1 2"), index("b", "1 2 | 3")]), ["public.a"]);
        assert_eq!(dropped(vec![index("a", "1 | 3"), index("b", "1 2 3")]), ["public.a"]);
        assert_eq!(judged(&RULE, &on_table(999, vec![index("a", "1"), index("b", "1 2")])).advice, []);
    }

    #[test]
    fn other_columns_are_not_covered() {
        for (one, other) in [("2", "1 2"), ("1 | 3", "1 2"), ("1 2", "1 3"), ("2", "1 | 2"), ("1", "1"), ("2 1", "1 2")]
        {
            assert_eq!(dropped(vec![index("a", one), index("b", other)]), Vec::<String>::new(), "{one} and {other}");
        }
    }

    #[test]
    fn another_order_method_or_predicate_does_not_cover() {
        let change: [fn(&mut PgIndexRecord); 10] = [
            |index| index.on_table = "public.other".to_owned(),
            |index| index.method = "gist".to_owned(),
            |index| index.indclass = "11 10".to_owned(),
            |index| index.indcollation = "100 0".to_owned(),
            |index| index.indoption = "3 0".to_owned(),
            |index| index.valid = false,
            |index| index.ready = false,
            |index| (index.partial, index.predicate) = (true, Some("(a > 1)".to_owned())),
            |index| index.partial = true,
            |index| index.has_expressions = true,
        ];
        for (at, change) in change.into_iter().enumerate() {
            let mut other = index("b", "1 2");
            change(&mut other);
            assert_eq!(dropped(vec![index("a", "1"), other]), Vec::<String>::new(), "{at}");
        }
    }

    #[test]
    fn what_keeps_a_promise_stays() {
        let change: [fn(&mut PgIndexRecord); 2] = [|index| index.unique = true, |index| index.constraint = true];
        for change in change {
            let mut promised = index("a", "1");
            change(&mut promised);
            assert_eq!(dropped(vec![promised, index("b", "1 2")]), Vec::<String>::new());
        }
    }

    #[test]
    fn an_unused_one_does_not_replace_a_used_one() {
        let used = PgIndexRecord { idx_scan: 7, ..index("a", "1") };
        assert_eq!(dropped(vec![used.clone(), index("b", "1 2")]), Vec::<String>::new());
        assert_eq!(dropped(vec![used.clone(), PgIndexRecord { idx_scan: 1, ..index("b", "1 2") }]), ["public.a"]);
        assert_eq!(dropped(vec![used, PgIndexRecord { unique: true, ..index("b", "1 2") }]), ["public.a"]);
    }

    #[test]
    fn of_duplicates_only_the_one_that_stays_is_judged() {
        assert_eq!(dropped(vec![index("a", "1"), index("b", "1"), index("c", "1 2")]), ["public.a"]);
    }

    #[test]
    fn young_statistics_drop_nothing() {
        let mut snapshot = on_table(1000, vec![index("a", "1"), index("b", "1 2")]);
        snapshot.server.stats_since_at = "2026-11-08T09:00:00.001Z".parse().expect("a time");
        let young = judged(&RULE, &snapshot);
        assert!(young.advice.is_empty() && young.notes[0].text.contains("--min-stats-age"), "{young:?}");
    }
}
