//! The same on each version of PostgreSQL, and on a standby.

use pso_tests::pg::{TempPg, versions};

use super::{Place, states};

/// Scattered over some hundred blocks, so that there are several ranges; one key that cascades, and one that keeps.
const TABLES: &str = "CREATE TABLE sync_operations (id int PRIMARY KEY, started_at timestamptz, text text);
    INSERT INTO sync_operations SELECT n, now() - CASE WHEN n % 3 = 0 THEN interval '40 days' ELSE '1 day' END, repeat('x', 300) FROM generate_series(1, 6000) AS n;
    CREATE TABLE conflicts (id int PRIMARY KEY, status text, resolved_at date, op int REFERENCES sync_operations ON DELETE CASCADE);
    INSERT INTO conflicts SELECT n, 'ignored', current_date, n FROM generate_series(1, 60) AS n;
    CREATE TABLE holds (op int REFERENCES sync_operations); INSERT INTO holds VALUES (3000);
    CREATE TABLE performance_metrics (id int, timestamp timestamp) PARTITION BY RANGE (timestamp);
    CREATE TABLE p0 PARTITION OF performance_metrics FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
    CREATE TABLE p1 PARTITION OF performance_metrics FOR VALUES FROM ('2020-01-01') TO (MAXVALUE);
    INSERT INTO performance_metrics VALUES (1, '2019-12-31'), (2, '-infinity'), (3, '2020-01-01'), (4, now()), (5, now());";

#[test]
fn every_version_deletes_and_drops_the_same() {
    for major in versions().expect("PostgreSQL") {
        let pg = TempPg::of_version(major).expect("PostgreSQL");
        let place = Place::of(pg.database("planning_sync").expect("a database"));
        place.execute(TABLES);
        place.configure("    max_share: 60\n");
        let outcome = place.prune(&["--yes", "--without-backup"]);
        outcome.assert_code(0);
        let expected = [
            "delete sync_operations planned 1999",
            "cascade conflicts planned 20",
            "keep sync_operations skipped 1",
            "delete conflicts skipped 0",
            "drop_partition p0 planned 2",
            "delete performance_metrics planned 1",
            "delete sync_operations done 1999",
            "cascade conflicts done 20",
            "drop_partition p0 done 2",
            "delete performance_metrics done 1",
        ];
        assert_eq!(states(&outcome), expected, "PostgreSQL {major}");
        let left = "SELECT (SELECT count(*) || ' ' || min(id) FROM sync_operations) || ' ' || (SELECT count(*) FROM conflicts) || ' ' || (SELECT string_agg(id::text, ',') FROM performance_metrics)";
        assert_eq!(place.scalar(left), "4001 1 40 4,5", "PostgreSQL {major}");
    }
}

#[test]
fn a_standby_is_left_to_its_primary() {
    let primary = TempPg::start_new().expect("PostgreSQL");
    let database = primary.database("planning_sync").expect("a database");
    database.execute("CREATE TABLE sync_operations (id int, started_at timestamptz); INSERT INTO sync_operations VALUES (1, '2020-01-01')").expect("filled");
    let standby = primary.standby().expect("a standby");
    standby.catch_up(&primary).expect("caught up");
    let place = Place::of(standby.replica_of(&database));
    let outcome = place.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(3);
    let step = outcome.record("prune.step", "rows:rows");
    let message = step["message"].as_str().expect("a text");
    assert!(message.ends_with("it is a standby, which cannot be changed; prune its primary"), "{message}");
}
