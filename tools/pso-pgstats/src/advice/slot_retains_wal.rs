//! `slot_retains_wal`: a replication slot that keeps so much of the log of changes that the disk may fill up, which stops the
//! server.

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::output::bytes;
use pso_common::record::{Confidence, PgSlotRecord};

use super::{Advice, Judged, Rule, evidence, mebibytes, quoted};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "slot_retains_wal", on_standby: true, needs: &["slots"], judge };

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let limit = mebibytes(limits.max_slot_wal_mib);
    // What is lost keeps nothing; that is another rule's.
    let slots = snapshot.records.slots.iter().filter(|slot| !lost(slot));
    let retaining = slots.filter_map(|slot| Some((slot, slot.retained_bytes?))).filter(|(_, kept)| *kept >= limit);
    retaining.map(|(slot, kept)| advice(slot, kept, limit, &snapshot.server.database)).collect()
}

fn advice(slot: &PgSlotRecord, kept: i64, limit: i64, here: &str) -> Advice {
    let idle = slot.inactive_ms.map(|ms| super::whole_seconds(std::time::Duration::from_millis(ms)).show());
    let droppable = droppable(slot);
    let way = if slot.synced {
        "it is a copy of the primary's slot, so look there"
    } else if droppable {
        "nobody reads from it. If nobody will, drop it: its reader then has to start anew, and creating the slot again does \
         not bring its place in the log back"
    } else {
        "its reader does not keep up: see what it is doing"
    };
    Advice {
        severity: Severity::Warning,
        object: slot.slot_name.clone(),
        why: format!("it keeps {} of WAL from being removed; {way}", bytes(kept.unsigned_abs())),
        evidence: evidence([
            ("retained_bytes", Some(kept.to_string())),
            ("limit_bytes", Some(limit.to_string())),
            ("active", Some(slot.active.to_string())),
            ("active_pid", slot.active_pid.map(|pid| pid.to_string())),
            ("inactive", idle),
            ("wal_status", slot.wal_status.clone()),
            ("safe_wal_size", slot.safe_wal_bytes.map(|bytes| bytes.to_string())),
            ("slot_type", Some(slot.slot_type.clone())),
            ("database", slot.database.clone()),
        ]),
        // Whether somebody will come back, the server cannot tell, and what is dropped is lost.
        confidence: if droppable { Confidence::Low } else { Confidence::Medium },
        sql: droppable.then(|| format!("SELECT pg_catalog.pg_drop_replication_slot({})", quoted(&slot.slot_name))),
        undo_sql: if droppable { create(slot, here) } else { None },
        gain_bytes: droppable.then_some(kept),
    }
}

/// Whether what it should have kept is gone.
pub(super) fn lost(slot: &PgSlotRecord) -> bool {
    slot.wal_status.as_deref() == Some("lost") || slot.invalidation_reason.is_some()
}

/// Not where a reader, the end of the session, or the primary's slot decides.
pub(super) const fn droppable(slot: &PgSlotRecord) -> bool {
    !(slot.active || slot.temporary || slot.synced)
}

/// A logical slot belongs to the database in which it is created; from another it cannot be brought back.
pub(super) fn create(slot: &PgSlotRecord, here: &str) -> Option<String> {
    let name = quoted(&slot.slot_name);
    let Some(plugin) = &slot.plugin else {
        return Some(format!("SELECT pg_catalog.pg_create_physical_replication_slot({name}, true)"));
    };
    (slot.database.as_deref() == Some(here)).then(|| {
        // The names of the arguments, so that servers without an argument do not see it.
        let mut options = String::new();
        for (given, option) in [(slot.two_phase, "twophase"), (slot.failover, "failover")] {
            if given {
                options.push_str(&format!(", {option} => true"));
            }
        }
        format!("SELECT pg_catalog.pg_create_logical_replication_slot({name}, {}{options})", quoted(plugin))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    const LIMIT: i64 = 5120 * 1024 * 1024;

    fn slot() -> PgSlotRecord {
        PgSlotRecord { slot_name: "s".to_owned(), retained_bytes: Some(LIMIT), ..PgSlotRecord::default() }
    }

    fn logical(database: &str) -> PgSlotRecord {
        let (plugin, database) = (Some("pgoutput".to_owned()), Some(database.to_owned()));
        PgSlotRecord { plugin, database, ..slot() }
    }

    fn advised(slot: PgSlotRecord) -> Vec<Advice> {
        judged(&RULE, &snapshot(|records| records.slots = vec![slot])).advice
    }

    #[test]
    fn a_slot_is_advised_from_the_limit_on() {
        assert_eq!(advised(PgSlotRecord { retained_bytes: Some(LIMIT - 1), ..slot() }), []);
        assert_eq!(advised(PgSlotRecord { retained_bytes: None, ..slot() }), []);
        let advice = advised(slot()).remove(0);
        assert_eq!(advice.gain_bytes, Some(LIMIT));
        assert_eq!(advice.sql.as_deref(), Some("SELECT pg_catalog.pg_drop_replication_slot('s')"));
        let undo = "SELECT pg_catalog.pg_create_physical_replication_slot('s', true)";
        assert_eq!(advice.undo_sql.as_deref(), Some(undo));
    }

    #[test]
    fn a_slot_that_somebody_else_decides_about_is_not_dropped() {
        let others: [fn(&mut PgSlotRecord); 3] =
            [|slot| slot.active = true, |slot| slot.temporary = true, |slot| slot.synced = true];
        for change in others {
            let mut slot = slot();
            change(&mut slot);
            let advice = advised(slot).remove(0);
            assert_eq!((advice.sql, advice.undo_sql, advice.gain_bytes), (None, None, None));
        }
    }

    #[test]
    fn a_logical_slot_can_be_brought_back_in_its_own_database_only() {
        let undo = |slot| advised(slot).remove(0).undo_sql;
        let plain = "SELECT pg_catalog.pg_create_logical_replication_slot('s', 'pgoutput')";
        assert_eq!(undo(logical("app")).as_deref(), Some(plain));
        assert_eq!(undo(logical("other")), None);
        let both = PgSlotRecord { two_phase: true, failover: true, ..logical("app") };
        assert!(undo(both).expect("SQL").ends_with("'pgoutput', twophase => true, failover => true)"));
    }
}
