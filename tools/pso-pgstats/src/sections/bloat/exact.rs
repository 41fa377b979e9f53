//! `--exact`: the same, measured by the extension `pgstattuple`, which reads all of a table or index. The largest first, as long
//! as there is time; what is not measured keeps its estimate.

use std::time::{Duration, Instant};

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{PgBloatRecord, PgServerRecord};
use serde::Deserialize;

use super::estimate::{bytes, table_pages, up};
use super::{Found, Relation};
use crate::records::Row as _;
use crate::report::{Note, count};
use crate::watch::{Failure, Watch};

/// A measurement that failed after so long was too large a bite.
const LONG: Duration = Duration::from_secs(1);

/// The row of `pgstattuple_extension.sql`.
#[derive(Deserialize)]
struct Extension {
    schema: Option<String>,
    executable: bool,
}

/// The row of `pgstattuple_table.sql`.
#[derive(Deserialize)]
struct Table {
    table_len: i64,
    tuple_count: i64,
    tuple_len: i64,
}

/// The row of `pgstattuple_index.sql`.
#[derive(Deserialize)]
struct Index {
    index_size: i64,
    internal_pages: f64,
    leaf_pages: f64,
    /// How full the leaves are, in percent.
    density: f64,
}

/// Puts what can be measured in the place of the estimates (`records` are those of `relations`); says what could not be.
pub(super) fn measure(
    watch: &mut Watch,
    relations: &[Relation],
    records: &mut [PgBloatRecord],
) -> Result<Vec<Note>, Failure> {
    let extension: Extension = watch.record(include_str!("../../../queries/pgstattuple_extension.sql"), &[])?;
    let schema = match extension {
        Extension { schema: Some(schema), executable: true } => schema,
        other => return Ok(vec![Note::new(Severity::Info, way_out(&other, &watch.server))]),
    };
    // The other half is for the other sections.
    let (begun, budget) = (Instant::now(), watch.limits.deadline / 2);
    let mut bite = i64::MAX;
    let (mut held, mut late, mut failed) = (0, 0, Vec::new());
    for (relation, record) in relations.iter().zip(records) {
        if relation.held {
            held += 1;
        } else if relation.size_bytes > bite || begun.elapsed() > budget {
            late += 1;
        } else {
            let asked = Instant::now();
            match one(watch, &schema, relation) {
                Ok((size_bytes, found)) => *record = relation.record(size_bytes, Some(found)),
                Err(Failure::Lost(reason)) => return Err(Failure::Lost(reason)),
                Err(_) if asked.elapsed() >= LONG => {
                    late += 1;
                    bite = relation.size_bytes / 2;
                }
                Err(Failure::Unavailable(reason) | Failure::Unknown(reason)) => failed.push(reason),
            }
        }
    }
    let mut notes = Vec::new();
    let mut say = |number: usize, reason: String| {
        if number > 0 {
            let text = format!("{} not measured exactly, {reason}", count(number, PgBloatRecord::NOUN));
            notes.push(Note::new(Severity::Info, text));
        }
    };
    let deadline = watch.limits.deadline.show();
    say(held, "because another session holds or wants them in ACCESS EXCLUSIVE".to_owned());
    say(
        late,
        format!(
            "for want of time: half of the deadline of {deadline} (--deadline), or maintenance.postgres.statement_timeout"
        ),
    );
    say(failed.len(), failed.first().cloned().unwrap_or_default());
    Ok(notes)
}

fn one(watch: &mut Watch, schema: &str, relation: &Relation) -> Result<(i64, Found), Failure> {
    let oid = u32::try_from(relation.oid).map_err(|error| Failure::Unknown(error.to_string()))?;
    if relation.is_index() {
        let query = include_str!("../../../queries/pgstattuple_index.sql").replace("{schema}", schema);
        let index: Index = watch.record(&query, &[&oid])?;
        Ok((index.index_size, found(index_pages(&index, relation.fillfactor), relation, "pgstatindex")))
    } else {
        let query = include_str!("../../../queries/pgstattuple_table.sql").replace("{schema}", schema);
        let table: Table = watch.record(&query, &[&oid])?;
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let (rows, sum) = (table.tuple_count as f64, table.tuple_len as f64);
        let pages = if table.tuple_count > 0 { table_pages(relation, rows, row(rows, sum)) } else { 0.0 };
        Ok((table.table_len, found(pages, relation, "pgstattuple")))
    }
}

fn found(pages: f64, relation: &Relation, method: &'static str) -> Found {
    Found { needed_bytes: bytes(pages, relation), estimated: false, method }
}

/// What a row takes in a page: its length is not told aligned. Where all seem to be as long that is known, else half of what
/// aligning costs at most is added.
fn row(rows: f64, sum: f64) -> f64 {
    let mean = sum / rows;
    if mean.fract() == 0.0 { up(mean, 8) } else { mean + 3.5 }
}

/// The leaves as full as they are to be, the pages above them in proportion, and the one that says where the root is.
fn index_pages(index: &Index, fillfactor: i32) -> f64 {
    let full = (index.density / f64::from(fillfactor)).min(1.0);
    1.0 + ((index.leaf_pages + index.internal_pages) * full).ceil()
}

/// What is missing, and how to get it.
fn way_out(extension: &Extension, server: &PgServerRecord) -> String {
    let create = "run CREATE EXTENSION pgstattuple in this database as a superuser";
    let role = &server.role;
    let grant = format!("GRANT pg_stat_scan_tables TO {role}");
    match &extension.schema {
        None if server.is_superuser => format!("nothing measured exactly: {create}"),
        None => format!("nothing measured exactly: {create}; {grant}"),
        Some(schema) => {
            format!(
                "nothing measured exactly: the role {role} may not use the extension pgstattuple; {grant}; GRANT USAGE ON SCHEMA {schema} TO {role}"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_whole_words() {
        assert!((row(10.0, 320.0) - 32.0).abs() < f64::EPSILON && (row(10.0, 330.0) - 40.0).abs() < f64::EPSILON);
        assert!((row(10.0, 325.0) - 36.0).abs() < f64::EPSILON);
    }

    #[test]
    fn leaves_that_are_half_empty_need_half_of_the_pages() {
        let index = |density| Index { index_size: 0, internal_pages: 2.0, leaf_pages: 100.0, density };
        let pages = [90.0, 45.0, 0.0, 99.0].map(|density| index_pages(&index(density), 90));
        assert_eq!(pages.map(|pages| pages.to_string()), ["103", "52", "1", "103"]);
    }
}
