//! `slot_invalid`: a replication slot that can no longer be used, because what it should have kept is gone. Its reader has to
//! start anew.

use pso_common::Severity;
use pso_common::record::{Confidence, PgSlotRecord};

use super::slot_retains_wal::{create, droppable, lost};
use super::{Advice, Judged, Rule, evidence, quoted};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "slot_invalid", on_standby: true, needs: &["slots"], judge };

fn judge(snapshot: &Snapshot, _: &Limits) -> Judged {
    let slots = snapshot.records.slots.iter().filter(|slot| lost(slot));
    slots.map(|slot| advice(slot, snapshot)).collect()
}

fn advice(slot: &PgSlotRecord, snapshot: &Snapshot) -> Advice {
    let droppable = droppable(slot);
    let reason = slot.invalidation_reason.as_deref().unwrap_or("wal_removed");
    let way = if slot.synced { "; it is a copy of the primary's slot, so look there" } else { "" };
    Advice {
        severity: Severity::Warning,
        object: slot.slot_name.clone(),
        why: format!(
            "it can no longer be used ({reason}), so whoever reads from it has to be set up anew; a new slot of the same name \
             begins at the present{way}"
        ),
        evidence: evidence([
            ("wal_status", slot.wal_status.clone()),
            ("invalidation_reason", slot.invalidation_reason.clone()),
            ("slot_type", Some(slot.slot_type.clone())),
            ("database", slot.database.clone()),
            ("max_slot_wal_keep_size", snapshot.server.settings.get("max_slot_wal_keep_size").cloned()),
        ]),
        confidence: Confidence::High,
        sql: droppable.then(|| format!("SELECT pg_catalog.pg_drop_replication_slot({})", quoted(&slot.slot_name))),
        undo_sql: if droppable { create(slot, &snapshot.server.database) } else { None },
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn advised(wal_status: &str, reason: Option<&str>, active: bool) -> Vec<Advice> {
        let slot = PgSlotRecord {
            slot_name: "s".to_owned(),
            wal_status: Some(wal_status.to_owned()),
            invalidation_reason: reason.map(str::to_owned),
            active,
            ..PgSlotRecord::default()
        };
        judged(&RULE, &snapshot(|records| records.slots = vec![slot])).advice
    }

    #[test]
    fn a_slot_is_advised_when_it_is_lost_and_not_before() {
        for status in ["reserved", "extended", "unreserved"] {
            assert_eq!(advised(status, None, false), []);
        }
        let advice = advised("lost", None, false).remove(0);
        assert_eq!(advice.sql.as_deref(), Some("SELECT pg_catalog.pg_drop_replication_slot('s')"));
        assert!(advised("reserved", Some("rows_removed"), false)[0].why.contains("rows_removed"));
        assert_eq!(advised("lost", None, true)[0].sql, None);
    }
}
