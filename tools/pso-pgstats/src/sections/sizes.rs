//! `sizes`: bytes on disk, the largest table first (`pg_table_size`, `pg_indexes_size`).

use pso_common::Severity;
use pso_common::output::bytes;
use pso_common::record::PgSizeRecord;

use crate::report::{Report, count};
use crate::watch::{Failure, Watch, get};

pub(super) fn read(watch: &mut Watch) -> Result<Report, Failure> {
    let mut report = Report::default();
    let mut held = Vec::new();
    let mut total: i64 = 0;
    for row in watch.query(include_str!("../../queries/sizes.sql"), &[])? {
        let (schemaname, relname): (String, String) = (get(&row, "schemaname")?, get(&row, "relname")?);
        let name = format!("{schemaname}.{relname}");
        if get(&row, "held")? {
            held.push(name);
            continue;
        }
        // A table that was dropped while the query ran has no size, and nothing to say.
        let Some(size_bytes) = get::<Option<i64>>(&row, "size_bytes")? else { continue };
        total = total.saturating_add(size_bytes);
        let (table_bytes, index_bytes) = (get(&row, "table_bytes")?, get(&row, "index_bytes")?);
        let body = PgSizeRecord { schemaname, relname, size_bytes, table_bytes, index_bytes };
        report.push(Severity::Ok, name, "", body);
    }
    let tables = count(report.findings.len(), "table", "tables");
    report.note(Severity::Ok, format!("{tables}, {}", bytes(total.unsigned_abs())));
    if !held.is_empty() {
        let text =
            format!("not measured, because another session holds or wants it in ACCESS EXCLUSIVE: {}", named(&held));
        report.note(Severity::Info, text);
    }
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
