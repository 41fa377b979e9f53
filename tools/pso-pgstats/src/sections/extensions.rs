//! `extensions`: what was added to the database, and whether the server has newer files for it (`pg_extension`,
//! `pg_available_extensions`).

use pso_common::record::PgExtensionRecord;

use super::Section;
use crate::records::Row;

pub(super) const SECTION: Section = Section::plain::<PgExtensionRecord>(
    "extensions",
    "Extensions of the database, and which version the server would install",
    &[(130_000, include_str!("../../queries/extensions.sql"))],
);

impl Row for PgExtensionRecord {
    const NOUN: (&'static str, &'static str) = ("extension", "extensions");

    fn name(&self) -> String {
        self.extname.clone()
    }
}
