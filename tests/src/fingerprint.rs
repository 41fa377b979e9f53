//! What is there, in a form that can be compared: every row, every file, every point. So a test can show that what was lost is back, and that
//! nothing else has changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use postgres::{Client, SimpleQueryMessage};
use serde_json::Value;
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use crate::qdrant::QdrantClient;

/// Parts (a table, a folder, a collection), their items (a row, a file, a point), and a hash of each item's whole content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// Part → item → hash.
    pub parts: BTreeMap<String, BTreeMap<String, String>>,
}

impl Fingerprint {
    /// How many items each part has.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.parts.iter().map(|(part, items)| (part.clone(), items.len())).collect()
    }

    /// How many items there are.
    #[must_use]
    pub fn total(&self) -> usize {
        self.parts.values().map(BTreeMap::len).sum()
    }

    /// One hash over everything, 64 hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (part, items) in &self.parts {
            for (item, content) in items {
                // Lengths, so that no other division of the same letters gives the same hash.
                for text in [part, item, content] {
                    hash.update((text.len() as u64).to_le_bytes());
                    hash.update(text);
                }
            }
        }
        hex(&hash.finalize())
    }

    /// What is different in `now`: a line a part, in words. Empty when all is the same.
    #[must_use]
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let none = BTreeMap::new();
        let mut lines = Vec::new();
        let parts = self.parts.keys().chain(now.parts.keys().filter(|part| !self.parts.contains_key(*part)));
        for part in parts {
            if !now.parts.contains_key(part) {
                lines.push(format!("{part}: gone, with {} items", self.parts[part].len()));
                continue;
            }
            let (before, after) = (self.parts.get(part).unwrap_or(&none), &now.parts[part]);
            let missing: Vec<&String> = before.keys().filter(|item| !after.contains_key(*item)).collect();
            let added: Vec<&String> = after.keys().filter(|item| !before.contains_key(*item)).collect();
            let differs = |(item, content): &(&String, &String)| after.get(*item).is_some_and(|now| now != *content);
            let changed: Vec<&String> = before.iter().filter(differs).map(|(item, _)| item).collect();
            for (what, items) in [("missing", missing), ("new", added), ("changed", changed)] {
                if let Some(first) = items.first() {
                    lines.push(format!("{part}: {} {what}, {first} first", items.len()));
                }
            }
            if !self.parts.contains_key(part) && after.is_empty() {
                lines.push(format!("{part}: new, empty"));
            }
        }
        lines
    }

    /// Panics when anything is different in `now`.
    ///
    /// # Panics
    /// With all differences.
    #[track_caller]
    pub fn assert_same(&self, now: &Self) {
        let differences = self.differences(now);
        assert!(differences.is_empty(), "it is not the same:\n{}", differences.join("\n"));
    }
}

/// Every row of every table in `public`, by its primary key; without one, by its content.
///
/// # Errors
/// When the database refuses.
pub fn tables(client: &mut Client) -> Result<Fingerprint> {
    // The text of a row must not depend on the session.
    client
        .batch_execute(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC';
             SET LOCAL extra_float_digits = 1; SET LOCAL intervalstyle = 'postgres'; SET LOCAL bytea_output = 'hex'",
        )
        .context("begin to read the tables")?;
    let result = read_tables(client);
    client.batch_execute("ROLLBACK").context("end reading the tables")?;
    result
}

fn read_tables(client: &mut Client) -> Result<Fingerprint> {
    let tables = client
        .query(
            "SELECT c.relname::text, format('%I', c.relname),
                    (SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY k.n)
                     FROM pg_index AS i CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
                     JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
                     WHERE i.indrelid = c.oid AND i.indisprimary)
             FROM pg_class AS c
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
             ORDER BY 1",
            &[],
        )
        .context("list the tables")?;
    let mut print = Fingerprint::default();
    for table in tables {
        let (name, quoted): (String, String) = (table.get(0), table.get(1));
        let key: Option<String> = table.get(2);
        let key = key.map_or_else(|| "t::text".to_owned(), |columns| format!("concat_ws(' ', {columns})"));
        let rows = client.query(&format!("SELECT {key}, md5(t::text) FROM {quoted} AS t"), &[]);
        let mut items = BTreeMap::new();
        for row in rows.with_context(|| format!("read table {name}"))? {
            insert(&mut items, row.get(0), row.get(1));
        }
        print.parts.insert(name, items);
    }
    Ok(print)
}

/// The definitions in `public`: columns, indexes, constraints, enums, views, functions, triggers, and the sequences with their values.
///
/// # Errors
/// When the database refuses.
pub fn schema(client: &mut Client) -> Result<Fingerprint> {
    const QUERIES: [(&str, &str); 8] = [
        (
            "columns",
            "SELECT table_name || '.' || column_name,
                    concat_ws(' ', ordinal_position, udt_name, numeric_precision, numeric_scale, is_nullable, column_default)
             FROM information_schema.columns WHERE table_schema = 'public'",
        ),
        ("indexes", "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"),
        (
            "constraints",
            "SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint
             WHERE connamespace = 'public'::regnamespace",
        ),
        (
            "enums",
            "SELECT enumtypid::regtype::text, string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum GROUP BY 1",
        ),
        ("views", "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public'"),
        (
            "functions",
            // Not those in C, which belong to extensions.
            "SELECT p.oid::regprocedure::text, p.prosrc FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
             WHERE p.pronamespace = 'public'::regnamespace AND l.lanname <> 'c'",
        ),
        ("triggers", "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"),
        ("sequences", "SELECT sequencename, last_value::text FROM pg_sequences WHERE schemaname = 'public'"),
    ];
    let mut print = Fingerprint::default();
    for (part, query) in QUERIES {
        let mut items = BTreeMap::new();
        for message in client.simple_query(query).with_context(|| format!("read the {part}"))? {
            if let SimpleQueryMessage::Row(row) = message {
                insert(&mut items, row.get(0).unwrap_or_default().to_owned(), row.get(1).unwrap_or("NULL").to_owned());
            }
        }
        print.parts.insert(part.to_owned(), items);
    }
    Ok(print)
}

/// Every file below a folder, by its path there. Links are not followed; a link's content is its target.
///
/// # Errors
/// When a file cannot be read.
pub fn files(folder: &Path) -> Result<Fingerprint> {
    let mut items = BTreeMap::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.with_context(|| format!("list {}", folder.display()))?;
        let path = entry.path();
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
        let kind = entry.file_type();
        if kind.is_file() {
            let content = fs::read(path).with_context(|| format!("read {}", path.display()))?;
            items.insert(name, hex(&Sha256::digest(content)));
        } else if kind.is_symlink() {
            let target = fs::read_link(path).with_context(|| format!("read {}", path.display()))?;
            items.insert(name, format!("link to {}", target.display()));
        }
    }
    let part = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Fingerprint { parts: BTreeMap::from([(part, items)]) })
}

/// Every point of every collection, by its id, with vector and payload; and the aliases.
///
/// # Errors
/// When the store refuses.
pub fn points(client: &QdrantClient) -> Result<Fingerprint> {
    let mut print = Fingerprint::default();
    for collection in client.collections()? {
        let mut items = BTreeMap::new();
        for (id, point) in client.points(&collection)? {
            let mut hash = Sha256::new();
            for number in &point.vector {
                hash.update(number.to_le_bytes());
            }
            hash.update(sorted(&point.payload).to_string());
            items.insert(id, hex(&hash.finalize()));
        }
        print.parts.insert(collection, items);
    }
    print.parts.insert("aliases".to_owned(), client.aliases()?);
    Ok(print)
}

/// The same JSON with the keys of every object in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let ordered: BTreeMap<&String, Value> = map.iter().map(|(key, value)| (key, sorted(value))).collect();
            ordered.into_iter().map(|(key, value)| (key.clone(), value)).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// The second of two equal keys is another item.
fn insert(items: &mut BTreeMap<String, String>, key: String, content: String) {
    let mut free = key.clone();
    let mut number = 1;
    while items.contains_key(&free) {
        number += 1;
        free = format!("{key} #{number}");
    }
    items.insert(free, content);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
