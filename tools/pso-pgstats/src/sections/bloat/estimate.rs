//! How many bytes a table or a B-tree would take if it were written anew, from what ANALYZE knows of its columns.
//!
//! The layout of pages and rows is that of the manual's chapters "Database Page Layout" and "B-Tree Implementation"; sizes as
//! on 64-bit machines. What is not known of a row is where its columns of variable length end: there half of what
//! aligning can cost is added.

use serde::Deserialize;

use super::{Found, Relation};

/// `MAXALIGN`.
const WORD: u32 = 8;
/// The head of a page, and a row's entry in its list of lines.
const PAGE_HEAD: f64 = 24.0;
pub(super) const LINE: f64 = 4.0;
/// The head of a row without and with the bits for nulls.
const ROW_HEAD: u32 = 23;
/// What a page of a B-tree has at its end.
const BTREE_SPECIAL: f64 = 16.0;
/// The head of an entry; with its bits for nulls, which are as many as an index may have columns.
const ENTRY_HEAD: [f64; 2] = [8.0, 16.0];
/// Entries are put together up to a tenth of a page (`nbtsort.c`), six bytes for each row (`ItemPointerData`).
const TOGETHER: f64 = 812.0;
const ROW_POINTER: f64 = 6.0;
/// Shorter values have a head of one byte and are not aligned.
const SHORT: f64 = 128.0;

/// A column: `attlen`, `attalign`, `avg_width`, `null_frac`, `n_distinct`, `attisdropped`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Column(i32, char, Option<f64>, Option<f64>, Option<f64>, bool);

impl Column {
    fn nulls(&self) -> f64 {
        if self.5 { 1.0 } else { self.3.unwrap_or(0.0).clamp(0.0, 1.0) }
    }

    /// Bytes of a value; a column of fixed length needs no statistics.
    fn width(&self) -> Option<f64> {
        if self.0 > 0 { Some(f64::from(self.0)) } else { self.2 }
    }

    fn align(&self, width: f64) -> u32 {
        match self.1 {
            _ if self.0 < 0 && width < SHORT => 1,
            'd' => 8,
            'i' => 4,
            's' => 2,
            _ => 1,
        }
    }
}

/// The values of a row, one after the other.
struct Data {
    bytes: f64,
    /// Where they end: a multiple of this.
    grain: u32,
    /// Every row ends at the same place.
    exact: bool,
    /// The share of rows with a null.
    nulls: f64,
}

/// None where a column has no statistics and needs them.
fn data(columns: &[Column]) -> Option<Data> {
    let mut data = Data { bytes: 0.0, grain: WORD, exact: true, nulls: 0.0 };
    for column in columns {
        let present = 1.0 - column.nulls();
        data.nulls = 1.0 - (1.0 - data.nulls) * present;
        if present <= 0.0 {
            continue;
        }
        let width = column.width()?;
        let align = column.align(width);
        let gap = if data.exact {
            up(data.bytes, align) - data.bytes
        } else {
            f64::from(align.saturating_sub(data.grain)) / 2.0
        };
        let always = present >= 1.0;
        data.grain = match u32::try_from(column.0) {
            Ok(length) if always => gcd(data.grain.max(align), length),
            Ok(length) => gcd(gcd(data.grain, align), length),
            Err(_) => 1,
        };
        data.exact &= always && column.0 > 0;
        data.bytes += present * (gap + width);
    }
    Some(data)
}

impl Data {
    /// With a head of either length, aligned to words.
    fn aligned(&self, head: f64, head_with_nulls: f64) -> f64 {
        let head = head + (head_with_nulls - head) * self.nulls;
        if self.exact {
            head + up(self.bytes, WORD)
        } else {
            head + self.bytes + f64::from(WORD - self.grain.min(WORD)) / 2.0
        }
    }
}

/// What it would take; none where that cannot be told.
pub(super) fn needed(relation: &Relation) -> Option<Found> {
    let columns = relation.columns.as_deref().unwrap_or_default();
    if !relation.analyzed {
        return None;
    }
    if relation.is_index() {
        let together = relation.deduplicates == Some(true);
        let method = if together { "pg_stats with deduplication" } else { "pg_stats" };
        let pages = btree_pages(relation, columns, together)?;
        return Some(Found { needed_bytes: bytes(pages, relation), estimated: true, method });
    }
    let pages = if relation.reltuples > 0.0 {
        let data = data(columns)?;
        #[expect(clippy::cast_possible_truncation, reason = "at most 1,600 columns")]
        let bits = columns.len().div_ceil(8) as u32;
        let row = data.aligned(up(f64::from(ROW_HEAD), WORD), up(f64::from(ROW_HEAD + bits), WORD));
        table_pages(relation, relation.reltuples, row)
    } else {
        0.0
    };
    Some(Found { needed_bytes: bytes(pages, relation), estimated: true, method: "pg_stats" })
}

/// Pages of so many rows of so many bytes.
pub(super) fn table_pages(relation: &Relation, rows: f64, row: f64) -> f64 {
    let usable = filled(relation) - PAGE_HEAD;
    (rows / (usable / (row + LINE)).floor().max(1.0)).ceil()
}

/// Bytes of a page that are to be written to.
fn filled(relation: &Relation) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most 32 KiB")]
    let page = relation.block_size as f64;
    page * f64::from(relation.fillfactor) / 100.0
}

fn btree_pages(relation: &Relation, columns: &[Column], together: bool) -> Option<f64> {
    let rows = relation.reltuples.max(0.0);
    let data = data(columns)?;
    let entry = data.aligned(ENTRY_HEAD[0], ENTRY_HEAD[1]) + LINE;
    let (sum, largest) = if together {
        let (groups, nulls) = groups(columns, rows);
        let sum = grouped(rows - nulls, groups, entry) + grouped(nulls, 1.0, entry);
        // Where entries are long because many rows share them, a page's end is left empty as they do not fit.
        (sum, if rows > 2.0 * groups { TOGETHER } else { entry })
    } else {
        (rows * entry, entry)
    };
    // Each page repeats the key that it ends before.
    let usable = (filled(relation) - PAGE_HEAD - BTREE_SPECIAL - entry).max(entry);
    let usable = if largest > entry { usable - largest / 2.0 } else { (usable / entry).floor() * entry };
    let leaves = (sum / usable).ceil();
    #[expect(clippy::cast_precision_loss, reason = "at most 32 KiB")]
    let fan_out = (relation.block_size as f64 * 0.7 / entry).max(2.0);
    let inner = if leaves > 1.0 { (leaves / (fan_out - 1.0)).ceil() } else { 0.0 };
    Some(1.0 + leaves + inner)
}

/// How many different keys there are at most, and how many rows have none. Two columns may depend on each other, so there may be
/// fewer: then the index needs less than is told, and its bloat is more.
fn groups(columns: &[Column], rows: f64) -> (f64, f64) {
    let nulls = if let [only] = columns { rows * only.nulls() } else { 0.0 };
    let distinct = columns.iter().map(|column| match column.4 {
        Some(number) if number > 0.0 => number,
        Some(share) if share < 0.0 => -share * rows,
        _ if column.nulls() >= 1.0 => 1.0,
        _ => rows,
    });
    (distinct.product::<f64>().clamp(1.0, (rows - nulls).max(1.0)), nulls)
}

/// Bytes of so many rows in so many groups of equal ones.
fn grouped(rows: f64, groups: f64, entry: f64) -> f64 {
    if rows <= 0.0 {
        return 0.0;
    }
    let each = (rows / groups).max(1.0);
    let entries = (each * ROW_POINTER / (TOGETHER - entry).max(ROW_POINTER)).ceil();
    groups * (each * entry).min(entries * entry + each * ROW_POINTER)
}

#[expect(clippy::cast_possible_truncation, reason = "a file has at most 32 TiB")]
pub(super) fn bytes(pages: f64, relation: &Relation) -> i64 {
    (pages as i64).saturating_mul(relation.block_size)
}

pub(super) fn up(bytes: f64, align: u32) -> f64 {
    let align = f64::from(align);
    (bytes / align).ceil() * align
}

const fn gcd(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { gcd(other, one % other) }
}
