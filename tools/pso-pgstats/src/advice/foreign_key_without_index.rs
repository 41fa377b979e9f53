//! `foreign_key_without_index`: deleting a row that others may refer to, or changing its key, reads the whole referring table
//! where no index leads there.

use std::collections::BTreeSet;

use pso_common::Severity;
use pso_common::record::{Confidence, PgForeignKeyRecord, PgIndexRecord, PgTableRecord};

use super::dropping::{by_table, finished, large_tables};
use super::{Advice, Judged, Rule, evidence};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule =
    Rule { name: "foreign_key_without_index", on_standby: false, needs: &["tables", "indexes", "foreign_keys"], judge };

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let large = large_tables(snapshot, limits);
    let indexes = by_table(snapshot);
    let mut taken = names(snapshot);
    let mut judged = Judged::default();
    // Two keys on the same columns need one index.
    let mut advised: BTreeSet<(&str, Vec<i32>)> = BTreeSet::new();
    for key in snapshot.records.foreign_keys.iter().filter(|key| key.enforced && !key.temporary) {
        let Some(table) = large.get(key.on_table.as_str()) else { continue };
        let indexes = indexes.get(key.on_table.as_str()).map_or(&[][..], Vec::as_slice);
        if indexes.iter().any(|index| leads(index, key)) || !advised.insert((&key.on_table, sorted(&key.conkey))) {
            continue;
        }
        let begun = indexes.iter().any(|index| begins(index, key));
        let name = free_name(key, &taken);
        let target = snapshot.records.tables.iter().find(|table| table.object == key.refers_to);
        judged.advice.push(advice(key, table, target, begun, &name));
        taken.insert((&key.schemaname, name));
    }
    judged.advice.sort_by_key(|advice| advice.confidence == Confidence::Low);
    judged
}

fn sorted(numbers: &[i32]) -> Vec<i32> {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers
}

/// The numbers of the key columns, of an index that can find equal values, in all rows that refer to something.
fn keys(index: &PgIndexRecord, key: &PgForeignKeyRecord) -> Option<Vec<i32>> {
    let method = matches!(index.method.as_str(), "btree" | "hash" | "gist" | "spgist");
    let not_null =
        |predicate: &String| key.columns.len() == 1 && *predicate == format!("({} IS NOT NULL)", key.column_list);
    // A predicate that could not be read may be that one.
    let all_rows = !index.partial || index.predicate.as_ref().is_none_or(not_null);
    if !(method && all_rows && finished(index)) {
        return None;
    }
    let keys = index.indkey.split_ascii_whitespace().filter_map(|word| word.parse().ok());
    Some(keys.take(usize::try_from(index.key_columns).ok()?).collect())
}

/// Whether its first columns are those of the foreign key, in whatever order.
fn leads(index: &PgIndexRecord, key: &PgForeignKeyRecord) -> bool {
    let length = key.conkey.len();
    keys(index, key).is_some_and(|keys| keys.len() >= length && sorted(&keys[..length]) == sorted(&key.conkey))
}

/// Whether it begins with one of them, which may do where that one has many values.
fn begins(index: &PgIndexRecord, key: &PgForeignKeyRecord) -> bool {
    keys(index, key).is_some_and(|keys| keys.first().is_some_and(|first| key.conkey.contains(first)))
}

/// The names that are taken, as far as is known; a name that is taken otherwise makes the statement fail, and no more.
fn names(snapshot: &Snapshot) -> BTreeSet<(&str, String)> {
    let tables = snapshot.records.tables.iter().map(|table| (table.schemaname.as_str(), table.relname.clone()));
    let indexes = snapshot.records.indexes.iter().map(|index| (index.schemaname.as_str(), index.indexrelname.clone()));
    tables.chain(indexes).collect()
}

/// A name as PostgreSQL would choose it. It has to be known beforehand, for the way back.
fn free_name(key: &PgForeignKeyRecord, taken: &BTreeSet<(&str, String)>) -> String {
    /// `NAMEDATALEN` - 1: PostgreSQL cuts longer names, and the way back would find nothing.
    const LONGEST: usize = 63;
    let base = format!("{}_{}", key.relname, key.columns.join("_"));
    (0_u32..)
        .map(|number| if number == 0 { "_idx".to_owned() } else { format!("_idx{number}") })
        .map(|end| {
            let mut length = base.len().min(LONGEST - end.len());
            while !base.is_char_boundary(length) {
                length -= 1;
            }
            format!("{}{end}", &base[..length])
        })
        .find(|name| !taken.contains(&(key.schemaname.as_str(), name.clone())))
        .unwrap_or_default()
}

/// No keyword ends in `_idx` and a number, so plain letters need no quotes.
fn quoted(name: &str) -> String {
    let plain = |letter: u8| letter.is_ascii_lowercase() || letter == b'_';
    if name.bytes().all(|letter| plain(letter) || letter.is_ascii_digit()) && name.bytes().next().is_some_and(plain) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn advice(
    key: &PgForeignKeyRecord,
    table: &PgTableRecord,
    target: Option<&PgTableRecord>,
    begun: bool,
    name: &str,
) -> Advice {
    let deleted = target.map(|target| target.n_tup_del);
    let name = quoted(name);
    let does = if key.confdeltype == "c" { "deletes from" } else { "reads" };
    let partition = key.partition_of.as_ref().map_or_else(String::new, |whole| {
        format!(
            ". When each partition of {whole} has one, CREATE INDEX ON {whole} ({}) takes them up, and new partitions get theirs",
            key.column_list
        )
    });
    Advice {
        severity: Severity::Info,
        object: format!("{} ({})", key.on_table, key.column_list),
        why: format!(
            "no index leads to what refers to {target}: each row deleted there, or given another key, {does} this table by a \
             scan of all of it, in one transaction{partition}",
            target = key.refers_to,
        ),
        evidence: evidence([
            ("constraint", Some(key.conname.clone())),
            ("refers_to", Some(key.refers_to.clone())),
            ("confdeltype", Some(key.confdeltype.clone())),
            ("n_live_tup", Some(table.n_live_tup.to_string())),
            ("refers_to_n_tup_del", deleted.map(|deleted| deleted.to_string())),
            ("refers_to_n_tup_upd", target.map(|target| target.n_tup_upd.to_string())),
        ]),
        // Where nothing is ever deleted nobody waits; where an index begins with one of the columns, it may do.
        confidence: if begun || deleted.is_none_or(|deleted| deleted == 0) {
            Confidence::Low
        } else {
            Confidence::Medium
        },
        sql: Some(format!("CREATE INDEX CONCURRENTLY {name} ON {} ({})", key.on_table, key.column_list)),
        undo_sql: Some(format!("DROP INDEX CONCURRENTLY {}.{name}", key.in_schema)),
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn key() -> PgForeignKeyRecord {
        PgForeignKeyRecord {
            schemaname: "public".to_owned(),
            relname: "t".to_owned(),
            on_table: "public.t".to_owned(),
            in_schema: "public".to_owned(),
            refers_to: "public.r".to_owned(),
            columns: vec!["a".to_owned(), "b".to_owned()],
            column_list: "a, b".to_owned(),
            conkey: vec![1, 2],
            enforced: true,
            ..PgForeignKeyRecord::default()
        }
    }

    fn index(indkey: &str) -> PgIndexRecord {
        PgIndexRecord {
            schemaname: "public".to_owned(),
            indexrelname: "t_a_b_idx".to_owned(),
            on_table: "public.t".to_owned(),
            method: "btree".to_owned(),
            indkey: indkey.to_owned(),
            key_columns: i32::try_from(indkey.split(' ').count()).expect("few"),
            valid: true,
            ready: true,
            ..PgIndexRecord::default()
        }
    }

    fn advised(n_live_tup: i64, keys: Vec<PgForeignKeyRecord>, indexes: Vec<PgIndexRecord>) -> Vec<Advice> {
        let table = |object: &str, n_live_tup, n_tup_del| PgTableRecord {
            object: object.to_owned(),
            n_live_tup,
            n_tup_del,
            ..PgTableRecord::default()
        };
        let snapshot = snapshot(|records| {
            records.tables = vec![table("public.t", n_live_tup, 0), table("public.r", 10, 1)];
            records.foreign_keys = keys;
            records.indexes = indexes;
        });
        judged(&RULE, &snapshot).advice
    }

    #[test]
    fn a_key_without_an_index_is_advised() {
        assert_eq!(advised(999, vec![key()], vec![]), []);
        let advice = advised(1000, vec![key(), key()], vec![]);
        assert_eq!(advice.len(), 1, "one index for both");
        assert_eq!(advice[0].sql.as_deref(), Some("CREATE INDEX CONCURRENTLY t_a_b_idx ON public.t (a, b)"));
        assert_eq!(advice[0].undo_sql.as_deref(), Some("DROP INDEX CONCURRENTLY public.t_a_b_idx"));
        assert_eq!(advice[0].confidence, Confidence::Medium);
        assert_eq!(advised(1000, vec![PgForeignKeyRecord { enforced: false, ..key() }], vec![]), []);
        assert_eq!(advised(1000, vec![PgForeignKeyRecord { temporary: true, ..key() }], vec![]), []);
    }

    #[test]
    fn a_partition_is_told_what_to_do_in_the_end() {
        let part = PgForeignKeyRecord { partition_of: Some("public.whole".to_owned()), ..key() };
        let why = advised(1000, vec![part], vec![]).remove(0).why;
        assert!(why.contains("CREATE INDEX ON public.whole (a, b) takes them up"), "{why}");
    }

    #[test]
    fn an_index_that_leads_there_is_enough() {
        for columns in ["1 2", "2 1", "2 1 3"] {
            assert_eq!(advised(1000, vec![key()], vec![index(columns)]), [], "{columns}");
        }
        for columns in ["1", "3 1 2", "1 3 2"] {
            let advice = advised(1000, vec![key()], vec![index(columns)]).remove(0);
            assert!(advice.sql.expect("SQL").contains(" t_a_b_idx1 ON "), "the name is taken");
            let low = advice.confidence == Confidence::Low;
            assert_eq!(low, !columns.starts_with('3'), "{columns}");
        }
    }

    #[test]
    fn an_index_that_cannot_find_all_rows_is_not() {
        let change: [fn(&mut PgIndexRecord); 5] = [
            |index| index.valid = false,
            |index| index.method = "brin".to_owned(),
            |index| index.key_columns = 1,
            |index| index.on_table = "public.other".to_owned(),
            |index| (index.partial, index.predicate) = (true, Some("(c > 1)".to_owned())),
        ];
        for (at, change) in change.into_iter().enumerate() {
            let mut index = index("1 2");
            change(&mut index);
            assert_eq!(advised(1000, vec![key()], vec![index]).len(), 1, "{at}");
        }
        let one =
            PgForeignKeyRecord { columns: vec!["a".to_owned()], column_list: "a".to_owned(), conkey: vec![1], ..key() };
        let predicate = Some("(a IS NOT NULL)".to_owned());
        assert_eq!(advised(1000, vec![one], vec![PgIndexRecord { partial: true, predicate, ..index("1") }]), []);
    }

    #[test]
    fn names_fit_and_are_quoted() {
        let long = PgForeignKeyRecord { relname: "é".repeat(40), ..key() };
        let name = free_name(&long, &BTreeSet::new());
        assert!(name.len() <= 63 && name.ends_with("é_idx"), "{name}");
        assert_eq!(quoted("t_a_idx"), "t_a_idx");
        assert_eq!(quoted("T\"_idx"), "\"T\"\"_idx\"");
        assert_eq!(quoted("1_idx"), "\"1_idx\"");
    }
}
