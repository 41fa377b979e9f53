//! `checkpoints`: how often and why, and who writes the pages (`pg_stat_checkpointer`, `pg_stat_bgwriter`).

use pso_common::record::PgCheckpointsRecord;

use super::Section;
use crate::records::Row;

pub(super) const SECTION: Section = Section::plain::<PgCheckpointsRecord>(
    "checkpoints",
    "Checkpoints on time and on request, and the pages that they and the background writer wrote",
    &[
        (130_000, include_str!("../../queries/checkpoints.sql")),
        (170_000, include_str!("../../queries/checkpoints_17.sql")),
    ],
);

impl Row for PgCheckpointsRecord {
    const NOUN: (&'static str, &'static str) = ("checkpointer", "checkpointers");

    fn name(&self) -> String {
        "checkpoints".to_owned()
    }
}
