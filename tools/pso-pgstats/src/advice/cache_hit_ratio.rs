//! `cache_hit_ratio`: many of the pages that the database's queries need are not in `shared_buffers`.

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Confidence, PgDatabaseRecord};

use super::{Advice, Judged, Rule, evidence, rates};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "cache_hit_ratio", on_standby: true, needs: &["databases"], judge };

/// Fewer pages say nothing.
const FEWEST: i64 = 100_000;

/// And they must be so many times `shared_buffers`, so that filling it once, after a start, makes at most 5 % of them.
const FILLINGS: i64 = 20;

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let buffers = snapshot.server.settings.get("shared_buffers").and_then(|pages| pages.parse::<i64>().ok());
    let fewest = FEWEST.max(buffers.unwrap_or_default().saturating_mul(FILLINGS));
    let cold = |database: &&PgDatabaseRecord| {
        let enough = database.blks_hit.saturating_add(database.blks_read) >= fewest;
        enough && database.hit_percent.is_some_and(|hit| hit < limits.min_cache_hit.0)
    };
    rates::current(snapshot).filter(cold).map(|database| advice(database, snapshot, limits)).collect()
}

fn advice(database: &PgDatabaseRecord, snapshot: &Snapshot, limits: &Limits) -> Advice {
    let hit = database.hit_percent.unwrap_or_default();
    Advice {
        severity: Severity::Info,
        object: rates::object(database),
        why: format!(
            "only {hit} % of the pages that its queries needed were in shared_buffers; the operating system's cache may have had \
             the others, and reports or backups read much once. See which tables are read (sequential scans, statements), \
             then whether shared_buffers suits the machine's memory: a quarter of it is usual, and takes a restart"
        ),
        evidence: evidence([
            ("blks_hit", Some(database.blks_hit.to_string())),
            ("blks_read", Some(database.blks_read.to_string())),
            ("hit_percent", Some(hit.to_string())),
            ("limit", Some(limits.min_cache_hit.show())),
            ("shared_buffers_pages", snapshot.server.settings.get("shared_buffers").cloned()),
            ("database_bytes", database.size_bytes.map(|bytes| bytes.to_string())),
            ("statistics_age", rates::shown_age(database, &snapshot.server)),
        ]),
        confidence: Confidence::Low,
        // How much memory the machine has, the server does not know.
        sql: None,
        undo_sql: None,
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn database(blks_hit: i64, hit_percent: f64) -> PgDatabaseRecord {
        PgDatabaseRecord { current: true, blks_hit, hit_percent: Some(hit_percent), ..PgDatabaseRecord::default() }
    }

    fn advised(database: PgDatabaseRecord, shared_buffers: &str) -> usize {
        let mut snapshot = snapshot(|records| records.databases = vec![database]);
        snapshot.server.settings.insert("shared_buffers".to_owned(), shared_buffers.to_owned());
        judged(&RULE, &snapshot).advice.len()
    }

    #[test]
    fn the_ratio_is_advised_below_the_limit_and_of_many_pages_only() {
        assert_eq!(advised(database(100_000, 94.99), "16"), 1);
        assert_eq!(advised(database(100_000, 95.0), "16"), 0);
        assert_eq!(advised(database(99_999, 10.0), "16"), 0);
        assert_eq!(advised(PgDatabaseRecord { blks_read: 1, ..database(99_999, 10.0) }, "16"), 1);
        assert_eq!(advised(PgDatabaseRecord { hit_percent: None, ..database(100_000, 0.0) }, "16"), 0);
        assert_eq!(advised(PgDatabaseRecord { current: false, ..database(100_000, 10.0) }, "16"), 0);
    }

    #[test]
    fn filling_the_cache_once_is_not_held_against_it() {
        assert_eq!(advised(database(2_000_000, 10.0), "100000"), 1);
        assert_eq!(advised(database(1_999_999, 10.0), "100000"), 0);
    }
}
