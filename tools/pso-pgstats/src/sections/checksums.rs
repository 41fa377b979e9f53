//! `checksums`: whether damage to the data is noticed, and what was found (`pg_stat_database`).

use pso_common::record::PgChecksumsRecord;

use super::Section;
use crate::records::Row;

pub(super) const SECTION: Section = Section::plain::<PgChecksumsRecord>(
    "checksums",
    "Whether pages have checksums, and how many were wrong",
    &[(130_000, include_str!("../../queries/checksums.sql"))],
);

impl Row for PgChecksumsRecord {
    const NOUN: (&'static str, &'static str) = ("cluster", "clusters");

    fn name(&self) -> String {
        "checksums".to_owned()
    }
}
