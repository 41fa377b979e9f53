//! `sizes`: bytes on disk, the largest table first (`pg_table_size`, `pg_indexes_size`).

use pso_common::Severity;
use pso_common::output::bytes;
use pso_common::record::PgSizeRecord;
use serde::Deserialize;

use super::Section;
use crate::records::{Records, Row};
use crate::report::{Report, count};
use crate::watch::{Failure, Variants, Watch};

pub(super) const SECTION: Section =
    Section::special::<PgSizeRecord>("sizes", "Bytes on disk, a table with its indexes", read);

impl Row for PgSizeRecord {
    const NOUN: (&'static str, &'static str) = ("table", "tables");

    fn name(&self) -> String {
        format!("{}.{}", self.schemaname, self.relname)
    }
}

/// A row of the query.
#[derive(Deserialize)]
struct Measured {
    relation: String,
    held: bool,
    /// Absent where it is held, and for a table that was dropped while the query ran.
    size: Option<PgSizeRecord>,
}

fn read(watch: &mut Watch, _: Variants) -> Result<Report, Failure> {
    let mut report = Report::default();
    let (mut sizes, mut held) = (Vec::new(), Vec::new());
    for row in watch.records::<Measured>(include_str!("../../queries/sizes.sql"), &[])? {
        if row.held {
            held.push(row.relation);
        } else {
            sizes.extend(row.size);
        }
    }
    let total = sizes.iter().fold(0_i64, |total, size| total.saturating_add(size.size_bytes));
    report.note(Severity::Ok, format!("{}, {}", count(sizes.len(), PgSizeRecord::NOUN), bytes(total.unsigned_abs())));
    if !held.is_empty() {
        let text =
            format!("not measured, because another session holds or wants it in ACCESS EXCLUSIVE: {}", named(&held));
        report.note(Severity::Info, text);
    }
    report.records = Records::of(sizes);
    Ok(report)
}

/// The first names of a list that may be very long: a restore holds every table.
fn named(names: &[String]) -> String {
    const NAMED: usize = 5;
    let more = names.len().saturating_sub(NAMED);
    let shown = names[..names.len() - more].join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (1..=7).map(|number| format!("t{number}")).collect();
        assert_eq!(named(&names[..2]), "t1, t2");
        assert_eq!(named(&names), "t1, t2, t3, t4, t5 and 2 more");
    }
}
