//! `slots`: who keeps the log of changes from being removed, and how much of it (`pg_replication_slots`).

use pso_common::record::PgSlotRecord;

use super::Section;
use crate::records::Row;

pub(super) const SECTION: Section = Section::plain::<PgSlotRecord>(
    "slots",
    "Bytes of WAL that each replication slot keeps, and whether anybody reads it",
    &[(130_000, include_str!("../../queries/slots.sql")), (170_000, include_str!("../../queries/slots_17.sql"))],
);

impl Row for PgSlotRecord {
    const NOUN: (&'static str, &'static str) = ("replication slot", "replication slots");

    fn name(&self) -> String {
        self.slot_name.clone()
    }
}
