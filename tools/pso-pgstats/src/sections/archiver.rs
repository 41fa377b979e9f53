//! `archiver`: whether the log of changes gets into the archive (`pg_stat_archiver`).

use pso_common::record::PgArchiverRecord;

use super::Section;
use crate::records::Row;

pub(super) const SECTION: Section = Section::plain::<PgArchiverRecord>(
    "archiver",
    "Files of WAL that were archived, and that failed",
    &[(130_000, include_str!("../../queries/archiver.sql"))],
);

impl Row for PgArchiverRecord {
    const NOUN: (&'static str, &'static str) = ("archiver", "archivers");

    fn name(&self) -> String {
        "archiver".to_owned()
    }
}
