//! Rows of queries as records: PostgreSQL prints each as a JSON object (`row_to_json`), and serde reads that.
//!
//! So a query names its columns as the record names its fields. NULL is an absent field, whole numbers keep all their
//! digits, and moments come as RFC 3339 in UTC, because the session's zone is UTC. JSON has no NaN and no infinity:
//! PostgreSQL prints them as strings, which no number's field takes, so a query that can have them turns them into NULL.

use std::collections::BTreeMap;

use pso_common::record::schema;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// The query so that each row is one JSON text. The line breaks keep a comment at its end from hiding ours.
pub(crate) fn wrapped(sql: &str) -> String {
    format!("SELECT pg_catalog.row_to_json(q)::pg_catalog.text FROM (\n{sql}\n) AS q")
}

/// One row; the error names the column that did not fit.
pub(crate) fn parse<R: DeserializeOwned>(text: &str) -> Result<R, String> {
    serde_json::from_str(text).map_err(|error| {
        let reason = error.to_string();
        // "… at line 1 column 17" is about text that nobody sees.
        let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
        match error.column().checked_sub(1).and_then(|at| column(text, at)) {
            // Of a whole row that lacks a field, the last column is no more to blame than another.
            Some(column) if !reason.starts_with("missing field") => format!("column {column}: {reason}"),
            _ => reason.to_owned(),
        }
    })
}

/// The column in whose value the byte is, as a dotted path.
fn column(text: &str, at: usize) -> Option<String> {
    let columns: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    columns.into_iter().find_map(|(name, value)| {
        let value = value.get();
        // The value is a part of the text: its place in it is the distance of the two.
        let begin = (value.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
        if !(begin..begin + value.len()).contains(&at) {
            return None;
        }
        Some(column(value, at - begin).map_or_else(|| name.clone(), |inner| format!("{name}.{inner}")))
    })
}

/// A column that is no field of the kind: it would be dropped silently, and the field it was meant for be absent. That
/// follows from the query alone, so only debug builds, which the tests run, look for it.
pub(crate) fn stray_column(kind: &str, row: &str) -> Option<String> {
    const HEADER: [&str; 8] = ["schema", "kind", "at", "tool", "host", "severity", "name", "message"];
    let schema = schema::find(kind)?.schema();
    let fields = schema["properties"].as_object()?;
    let columns: BTreeMap<String, &RawValue> = serde_json::from_str(row).ok()?;
    columns.into_keys().find(|column| !fields.contains_key(column) || HEADER.contains(&column.as_str()))
}

#[cfg(test)]
mod tests {
    use pso_common::record::{PgSizeRecord, PgTableRecord};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Seen {
        held: bool,
        size: Option<PgSizeRecord>,
    }

    fn error<R: DeserializeOwned + std::fmt::Debug>(text: &str) -> String {
        parse::<R>(text).expect_err("does not fit")
    }

    #[test]
    fn whole_numbers_keep_their_digits_and_null_is_absent() {
        let row = r#"{"schemaname":"s","relname":"t","size_bytes":9223372036854775807,"table_bytes":9007199254740993,"index_bytes":-1}"#;
        let size: PgSizeRecord = parse(row).expect("a row");
        assert_eq!((size.size_bytes, size.table_bytes, size.index_bytes), (i64::MAX, 9_007_199_254_740_993, -1));
        assert_eq!(parse::<Seen>(r#"{"held":true,"size":null}"#), Ok(Seen { held: true, size: None }));
    }

    #[test]
    fn the_column_that_does_not_fit_is_named() {
        let row = r#"{"schemaname":"sé","relname":"t","size_bytes":"NaN","table_bytes":1,"index_bytes":2}"#;
        assert_eq!(error::<PgSizeRecord>(row), "column size_bytes: invalid type: string \"NaN\", expected i64");
        let row = r#"{"schemaname":"s","relname":"t","size_bytes":1,"table_bytes":null,"index_bytes":2}"#;
        assert_eq!(error::<PgSizeRecord>(row), "column table_bytes: invalid type: null, expected i64");
        let nested = format!(r#"{{"held":false,"size":{row}}}"#);
        assert_eq!(error::<Seen>(&nested), "column size.table_bytes: invalid type: null, expected i64");
        let row = r#"{"schemaname":"s","relname":"t","size_bytes":1,"table_bytes":1}"#;
        assert_eq!(error::<PgSizeRecord>(row), "missing field `index_bytes`");
    }

    #[test]
    fn a_column_without_a_field_is_found() {
        assert_eq!(stray_column("pg.size", r#"{"relname":1,"size_byte":2}"#).as_deref(), Some("size_byte"));
        assert_eq!(stray_column("pg.size", r#"{"name":1,"size_bytes":2}"#).as_deref(), Some("name"));
        assert_eq!(stray_column("pg.size", r#"{"relname":1,"size_bytes":2}"#), None);
    }

    #[test]
    fn moments_are_read_as_postgresql_prints_them() {
        let row = r#"{"schemaname":"s","relname":"t","object":"s.t","relkind":"r","temporary":false,"n_tup_ins":0,"n_tup_upd":0,
            "n_tup_del":0,"n_live_tup":0,"n_dead_tup":0,"n_mod_since_analyze":0,"reltuples":-1,"relpages":0,"seq_scan":0,
            "last_vacuum_at":"2026-11-22T09:00:00.123456+00:00","last_analyze_at":"2026-11-22T09:00:00+00:00"}"#;
        let table: PgTableRecord = parse(row).expect("a row");
        let shown = [table.last_vacuum_at, table.last_analyze_at].map(|at| at.expect("a moment").to_string());
        assert_eq!(shown, ["2026-11-22T09:00:00.123Z", "2026-11-22T09:00:00.000Z"]);
    }
}
