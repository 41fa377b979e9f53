//! `indexes`: how often each is used, and what it takes (`pg_stat_user_indexes`, `pg_index`).

use pso_common::Severity;
use pso_common::record::PgIndexRecord;

use crate::report::{Report, count};
use crate::watch::{Failure, Watch, get};

pub(super) fn read(watch: &mut Watch) -> Result<Report, Failure> {
    let mut report = Report::default();
    for row in watch.query(include_str!("../../queries/indexes.sql"), &[])? {
        let (schemaname, indexrelname): (String, String) = (get(&row, "schemaname")?, get(&row, "indexrelname")?);
        let name = format!("{schemaname}.{indexrelname}");
        let valid = get(&row, "valid")?;
        let body = PgIndexRecord {
            schemaname,
            relname: get(&row, "relname")?,
            indexrelname,
            idx_scan: get(&row, "idx_scan")?,
            idx_tup_read: get(&row, "idx_tup_read")?,
            idx_tup_fetch: get(&row, "idx_tup_fetch")?,
            size_bytes: get(&row, "size_bytes")?,
            constraint: get(&row, "backs_constraint")?,
            valid,
        };
        let (severity, message) = if valid { (Severity::Ok, "") } else { (Severity::Info, INVALID) };
        report.push(severity, name, message, body);
    }
    report.note(Severity::Ok, count(report.findings.len(), "index", "indexes"));
    Ok(report)
}

const INVALID: &str = "not valid: it is being built, or CREATE INDEX CONCURRENTLY failed and left it behind, unused";
