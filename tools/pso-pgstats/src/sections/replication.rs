//! `replication`: who receives the log of changes and how far behind they are; on a standby what it receives itself
//! (`pg_stat_replication`, `pg_stat_wal_receiver`).

use pso_common::record::{PgReplicationRecord, PgServerRecord};

use super::Section;
use crate::records::Row;
use crate::report::{Note, count};

pub(super) const SECTION: Section = Section::plain::<PgReplicationRecord>(
    "replication",
    "Standbys and other receivers, and how far behind they are",
    &[(130_000, include_str!("../../queries/replication.sql"))],
);

impl Row for PgReplicationRecord {
    const NOUN: (&'static str, &'static str) = ("sender or receiver", "senders and receivers");

    fn name(&self) -> String {
        match (&self.application_name, self.pid) {
            _ if self.direction == "receiver" => self.direction.clone(),
            (Some(name), _) if !name.is_empty() => match self.slot_name.as_ref().or(self.client_addr.as_ref()) {
                Some(other) if name == UNNAMED => format!("{name} ({other})"),
                _ => name.clone(),
            },
            (_, Some(pid)) => format!("pid {pid}"),
            _ => self.direction.clone(),
        }
    }

    fn notes(rows: &[Self], server: &PgServerRecord) -> Vec<Note> {
        hidden(rows, server).into_iter().collect()
    }
}

/// What all standbys call themselves that nobody has given a name (`application_name`, `cluster_name`): two of them would be
/// taken for one.
const UNNAMED: &str = "walreceiver";

/// What could not be seen, and the way out.
pub(crate) fn hidden(rows: &[PgReplicationRecord], server: &PgServerRecord) -> Option<Note> {
    let hidden = rows.iter().filter(|row| row.hidden).count();
    (hidden > 0).then(|| {
        let of = count(hidden, PgReplicationRecord::NOUN);
        Note::hidden(format!("of {of} only the pid can be seen"), "pg_read_all_stats", server)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standbys_that_nobody_named_are_told_apart() {
        let name = |application: &str, slot: Option<&str>, address: Option<&str>| {
            let record = PgReplicationRecord {
                direction: "sender".to_owned(),
                pid: Some(7),
                application_name: Some(application.to_owned()),
                slot_name: slot.map(str::to_owned),
                client_addr: address.map(str::to_owned),
                ..PgReplicationRecord::default()
            };
            record.name()
        };
        assert_eq!(name("walreceiver", Some("east"), Some("10.0.0.7")), "walreceiver (east)");
        assert_eq!(name("walreceiver", None, Some("10.0.0.7")), "walreceiver (10.0.0.7)");
        assert_eq!(name("walreceiver", None, None), "walreceiver");
        assert_eq!(name("east", Some("slot"), Some("10.0.0.7")), "east");
        assert_eq!(name("", None, None), "pid 7");
    }
}
