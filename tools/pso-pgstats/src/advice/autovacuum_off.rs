//! `autovacuum_off`: a table that autovacuum was told to leave alone. That is often done for a load, and forgotten.

use pso_common::Severity;
use pso_common::record::{Confidence, PgVacuumRecord};

use super::{Advice, Judged, Rule, evidence};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "autovacuum_off", on_standby: false, needs: &["vacuum"], judge };

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let minimum = i64::from(limits.min_rows);
    let off = |table: &&PgVacuumRecord| {
        // Of a table with its own setting and the server's off, the server's is to be told.
        let server = snapshot.server.settings.get("autovacuum").is_none_or(|setting| setting == "on");
        let own = table.autovacuum_enabled.is_some() && !table.autovacuum;
        server && own && !table.temporary && table.n_live_tup.saturating_add(table.n_dead_tup) >= minimum
    };
    snapshot.records.vacuum.iter().filter(off).map(advice).collect()
}

fn advice(table: &PgVacuumRecord) -> Advice {
    let object = &table.object;
    let own = table.autovacuum_enabled.as_deref().unwrap_or("off");
    Advice {
        severity: Severity::Info,
        object: object.clone(),
        why: "autovacuum is off for it: dead rows stay, and the planner's statistics grow old, unless something else sees to \
              that"
            .to_owned(),
        evidence: evidence([
            ("autovacuum_enabled", Some(own.to_owned())),
            ("n_live_tup", Some(table.n_live_tup.to_string())),
            ("n_dead_tup", Some(table.n_dead_tup.to_string())),
            ("last_vacuum_at", Some(table.last_vacuum_at.map_or_else(|| "never".to_owned(), |at| at.to_string()))),
        ]),
        // Somebody wanted it so, once.
        confidence: Confidence::Medium,
        sql: Some(format!("ALTER TABLE {object} RESET (autovacuum_enabled)")),
        undo_sql: Some(format!("ALTER TABLE {object} SET (autovacuum_enabled = {own})")),
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn table(n_live_tup: i64, own: Option<&str>) -> PgVacuumRecord {
        let autovacuum_enabled = own.map(str::to_owned);
        let autovacuum = own.is_none_or(|own| own == "on");
        let object = "public.t".to_owned();
        PgVacuumRecord { object, n_live_tup, autovacuum, autovacuum_enabled, ..PgVacuumRecord::default() }
    }

    fn advised(table: PgVacuumRecord) -> Vec<Advice> {
        judged(&RULE, &snapshot(|records| records.vacuum = vec![table])).advice
    }

    #[test]
    fn a_table_that_is_left_alone_is_advised_from_the_limit_on() {
        assert_eq!(advised(table(999, Some("off"))), []);
        let advice = advised(table(1000, Some("false"))).remove(0);
        assert_eq!(advice.undo_sql.as_deref(), Some("ALTER TABLE public.t SET (autovacuum_enabled = false)"));
        assert_eq!(advised(table(1000, Some("on"))), []);
        assert_eq!(advised(table(1000, None)), []);
        assert_eq!(advised(PgVacuumRecord { temporary: true, ..table(1000, Some("off")) }), []);
    }

    #[test]
    fn where_the_server_has_it_off_the_tables_are_not_to_blame() {
        let mut snapshot = snapshot(|records| records.vacuum = vec![table(1000, Some("on")), table(1000, Some("off"))]);
        snapshot.server.settings.insert("autovacuum".to_owned(), "off".to_owned());
        assert_eq!(judged(&RULE, &snapshot).advice, []);
    }
}
