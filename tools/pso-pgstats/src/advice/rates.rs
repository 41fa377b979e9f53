//! What several rules need to judge the counters of the database that was asked: which it is, and how much a day.

use std::time::Duration;

use pso_common::config::ConfigValue as _;
use pso_common::record::{PgDatabaseRecord, PgServerRecord};

use super::whole_seconds;
use crate::records::Snapshot;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The database that was asked. The others are judged by who asks them.
pub(super) fn current(snapshot: &Snapshot) -> impl Iterator<Item = &PgDatabaseRecord> {
    snapshot.records.databases.iter().filter(|database| database.current)
}

/// Its name as SQL needs it.
pub(super) fn object(database: &PgDatabaseRecord) -> String {
    database.object.clone().unwrap_or_default()
}

/// How long its counters have been counting, never shorter than in truth.
fn age(database: &PgDatabaseRecord, server: &PgServerRecord) -> Duration {
    database.stats_since_at.map_or(Duration::ZERO, |since| since.until(server.now))
}

/// The same for people.
pub(super) fn shown_age(database: &PgDatabaseRecord, server: &PgServerRecord) -> Option<String> {
    database.stats_since_at.map(|_| whole_seconds(age(database, server)).show())
}

/// Of a counter how much a day. What was counted in less than a day counts as a day's, so the rate is never too high.
#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
pub(super) fn per_day(counted: i64, database: &PgDatabaseRecord, server: &PgServerRecord) -> f64 {
    counted as f64 / (age(database, server).as_secs_f64() / DAY.as_secs_f64()).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::snapshot;

    #[test]
    fn a_rate_is_by_the_day_and_never_too_high() {
        let server = snapshot(|_| {}).server;
        let since = |text: &str| {
            let stats_since_at = Some(text.parse().expect("a time"));
            PgDatabaseRecord { stats_since_at, ..PgDatabaseRecord::default() }
        };
        let close = |rate: f64, expected: f64| assert!((rate - expected).abs() < 1e-9, "{rate}");
        close(per_day(10, &since("2026-11-20T09:00:00Z"), &server), 5.0);
        close(per_day(10, &since("2026-11-22T08:00:00Z"), &server), 10.0);
        close(per_day(10, &PgDatabaseRecord::default(), &server), 10.0);
    }
}
