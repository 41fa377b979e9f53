//! `prepared`: transactions that wait for the second phase of their commit (`pg_prepared_xacts`).

use pso_common::record::PgPreparedRecord;

use super::Section;
use crate::records::Row;

pub(super) const SECTION: Section = Section::plain::<PgPreparedRecord>(
    "prepared",
    "Prepared transactions of all databases and their age",
    &[(130_000, include_str!("../../queries/prepared.sql"))],
);

impl Row for PgPreparedRecord {
    const NOUN: (&'static str, &'static str) = ("prepared transaction", "prepared transactions");

    fn name(&self) -> String {
        self.gid.clone()
    }
}
