//! Which tables need it.

use anyhow::Context as _;
use pso_common::postgres::Client;

use super::settings::VacuumSettings;

/// A table, as the statistics describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) oid: u32,
    /// With its schema, quoted as SQL wants it.
    pub(super) name: String,
    pub(super) dead: u64,
    pub(super) live: u64,
    /// Rows deleted since the statistics began.
    pub(super) deleted: u64,
    /// How often somebody has vacuumed it by hand.
    pub(super) vacuums: u64,
    pub(super) never_analyzed: bool,
    /// Whether this role may vacuum it.
    pub(super) may: bool,
}

/// All tables, those with most dead rows first.
pub(super) fn tables(client: &mut Client) -> anyhow::Result<Vec<Table>> {
    let rows = client.query(include_str!("../../queries/vacuum_tables.sql"), &[]);
    let rows = rows.context("read which tables need VACUUM")?;
    let count = |row: &pso_common::postgres::Row, column: &str| {
        u64::try_from(row.get::<_, Option<i64>>(column).unwrap_or_default()).unwrap_or_default()
    };
    let tables = rows.iter().map(|row| Table {
        oid: row.get("oid"),
        name: row.get("name"),
        dead: count(row, "n_dead_tup"),
        live: count(row, "n_live_tup"),
        deleted: count(row, "n_tup_del"),
        vacuums: count(row, "vacuum_count"),
        never_analyzed: row.get("never_analyzed"),
        may: row.get("may"),
    });
    Ok(tables.collect())
}

impl Table {
    /// Why it needs VACUUM; `None` when it does not.
    pub(super) fn need(&self, settings: &VacuumSettings) -> Option<String> {
        let all = self.dead.saturating_add(self.live);
        #[expect(clippy::cast_precision_loss, reason = "a share is compared")]
        let (dead, all) = (self.dead as f64, all.max(1) as f64);
        if self.dead >= settings.min_dead_rows.max(1) && dead / all * 100.0 >= settings.min_dead_share.0 {
            Some(format!("{} dead rows beside {}", self.dead, self.live))
        } else if self.never_analyzed {
            Some("the planner has no statistics of it".to_owned())
        } else if settings.all {
            Some(format!("all tables are wanted; {} dead rows beside {}", self.dead, self.live))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pso_common::config::Percent;

    use super::*;

    #[test]
    fn many_dead_rows_and_a_share_that_counts() {
        let settings =
            VacuumSettings { all: false, budget: Duration::ZERO, min_dead_rows: 1000, min_dead_share: Percent(5.0) };
        let table = |dead, live| Table {
            oid: 1,
            name: "public.a".to_owned(),
            dead,
            live,
            deleted: 0,
            vacuums: 0,
            never_analyzed: false,
            may: true,
        };
        assert_eq!(table(1000, 19_000).need(&settings).as_deref(), Some("1000 dead rows beside 19000"));
        assert_eq!(table(1000, 19_001).need(&settings), None, "less than five in a hundred");
        assert_eq!(table(999, 0).need(&settings), None, "few");
        let fresh = Table { never_analyzed: true, ..table(0, 5) };
        assert!(fresh.need(&settings).is_some_and(|why| why.contains("no statistics")));
        let all = VacuumSettings { all: true, ..settings };
        assert!(table(0, 0).need(&all).is_some());
        let none = VacuumSettings { all: false, min_dead_rows: 0, min_dead_share: Percent(0.0), ..all };
        assert_eq!(table(0, 10).need(&none), None, "without dead rows there is nothing to do");
    }
}
