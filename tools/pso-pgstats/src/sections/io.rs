//! `io`: who read and wrote how much, and for what (`pg_stat_io`).

use pso_common::record::PgIoRecord;

use super::Section;
use crate::records::Row;

pub(super) const SECTION: Section = Section::plain::<PgIoRecord>(
    "io",
    "Pages read and written by each sort of process (PostgreSQL 16 and newer)",
    &[(160_000, include_str!("../../queries/io.sql")), (180_000, include_str!("../../queries/io_18.sql"))],
);

impl Row for PgIoRecord {
    const NOUN: (&'static str, &'static str) = ("sort of access", "sorts of access");

    fn name(&self) -> String {
        format!("{} {} {}", self.backend_type, self.object, self.context)
    }
}
