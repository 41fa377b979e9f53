//! The layout of rows and pages, against figures counted by hand from the manual's page layout.

use super::*;
use crate::advice::tests::snapshot;

fn relation(columns: &str) -> Relation {
    Relation {
        oid: 1,
        schemaname: "public".to_owned(),
        relname: "t".to_owned(),
        object: "public.t".to_owned(),
        on_table: None,
        relkind: "r".to_owned(),
        size_bytes: 1 << 20,
        block_size: 8192,
        analyzed: true,
        reltuples: 10_000.0,
        fillfactor: 100,
        deduplicates: None,
        hidden: false,
        held: false,
        columns: Some(serde_json::from_str(columns).expect("columns")),
    }
}

fn index(columns: &str, deduplicates: bool) -> Relation {
    Relation { relkind: "i".to_owned(), fillfactor: 90, deduplicates: Some(deduplicates), ..relation(columns) }
}

fn pages(relation: &Relation) -> Option<i64> {
    estimate::needed(relation).map(|found| found.needed_bytes / 8192)
}

const INT: &str = r#"[4, "i", 4, 0, -1, false]"#;
const BIGINT: &str = r#"[8, "d", 8, 0, -1, false]"#;

#[test]
fn fixed_columns_are_aligned_in_their_order() {
    // 24 + 8 and 4 for the line: 8168 / 36 = 226 rows a page.
    assert_eq!(pages(&relation(&format!("[{INT}, {INT}]"))), Some(45));
    // 4, a gap of 4, 8 and 4, a gap of 4: 24 + 24 + 4 = 52, 157 a page; in a better order 44, 185 a page.
    assert_eq!(pages(&relation(&format!("[{INT}, {BIGINT}, {INT}]"))), Some(64));
    assert_eq!(pages(&relation(&format!("[{BIGINT}, {INT}, {INT}]"))), Some(55));
}

#[test]
fn a_fillfactor_leaves_room() {
    // 8192 * 70 % - 24 = 5710: 158 rows a page.
    assert_eq!(pages(&Relation { fillfactor: 70, ..relation(&format!("[{INT}, {INT}]")) }), Some(64));
}

#[test]
fn nulls_take_no_place_but_bits() {
    // Nine columns need two bytes of bits: the head is 32 instead of 24 long, as one without any has it with 8 bytes of data.
    let null = r#"[4, "i", 4, 1, 0, false]"#;
    let nulls = format!("[{}]", [null; 9].join(", "));
    assert_eq!(pages(&relation(&nulls)), Some(45));
    let dropped = r#"[-1, "i", null, null, null, true]"#;
    assert_eq!(pages(&relation(&format!("[{INT}, {dropped}, {INT}]"))), Some(45));
}

#[test]
fn short_texts_are_not_aligned_and_long_ones_are() {
    // 24 + 4 + 33 and half a word less than a byte for aligning (3.5), 4: 68.5, 119 a page.
    let text = r#"[-1, "i", 33, 0, -1, false]"#;
    assert_eq!(pages(&relation(&format!("[{INT}, {text}]"))), Some(85));
    // As above, and 1.5 for the long one after it.
    let long = r#"[-1, "i", 333, 0, -1, false]"#;
    assert_eq!(pages(&relation(&format!("[{INT}, {text}, {long}]"))), Some(500));
}

#[test]
fn without_statistics_there_is_no_estimate() {
    let unknown = r#"[-1, "i", null, null, null, false]"#;
    assert_eq!(pages(&relation(&format!("[{INT}, {unknown}]"))), None);
    assert_eq!(pages(&Relation { analyzed: false, ..relation(&format!("[{INT}]")) }), None);
    // A fixed length is known without.
    assert_eq!(pages(&relation(r#"[[4, "i", null, null, null, false], [4, "i", null, null, null, false]]"#)), Some(45));
    // And where there are no rows nothing is needed.
    assert_eq!(pages(&Relation { reltuples: 0.0, ..relation(&format!("[{unknown}]")) }), Some(0));
}

#[test]
fn an_entry_has_a_head_of_a_word_and_equal_ones_share_it() {
    // 8 + 8 + 4 = 20; 8192 * 90 % - 24 - 16 - 20 = 7312: 365 a page are 28 leaves, one above and the first.
    assert_eq!(pages(&index(&format!("[{BIGINT}]"), false)), Some(30));
    // Unique ones gain nothing by it.
    assert_eq!(pages(&index(&format!("[{BIGINT}]"), true)), Some(30));
    // Ten keys of 1000 rows: six bytes each and a head for each 132 of them.
    let few = r#"[[8, "d", 8, 0, 10, false]]"#;
    assert_eq!((pages(&index(few, true)), pages(&index(few, false))), (Some(11), Some(30)));
}

#[test]
fn bloat_is_what_is_not_needed() {
    let table = relation(&format!("[{INT}, {INT}]"));
    let record = table.record(table.size_bytes, estimate::needed(&table));
    assert_eq!(record.bloat_bytes, Some((128 - 45) * 8192));
    assert_eq!(record.bloat_percent, Some(64.84));
    assert!(record.estimated && record.method.as_deref() == Some("pg_stats"));
    // A table that is denser than thought has none.
    assert_eq!(table.record(8192, estimate::needed(&table)).bloat_bytes, Some(0));
    assert_eq!(table.record(8192, None).bloat_bytes, None);
}

#[test]
fn what_is_not_known_is_said_with_its_reason() {
    let text = r#"[[-1, "i", null, null, null, false]]"#;
    let hidden = Relation { hidden: true, ..relation(text) };
    let relations = [hidden.clone(), relation(text), Relation { analyzed: false, ..hidden }];
    let records: Vec<_> = relations.iter().map(|relation| relation.record(8192, estimate::needed(relation))).collect();
    let notes = unknown(&relations, &records, &snapshot(|_| {}).server);
    assert_eq!(
        notes.iter().map(|note| note.severity).collect::<Vec<_>>(),
        [Severity::Ok, Severity::Ok, Severity::Info]
    );
    assert!(notes[2].text.contains("1 table or index") && notes[2].text.contains("GRANT pg_read_all_data TO watcher"));
}
