//! What `pso-pgstats` sees of how tables are written and read.

use pso_tests::pg::Database;
use pso_tests::wait;
use serde_json::Value;

use super::{STATISTICS, advised, advised_no_more, database, major, message, names, of_rule, run};

/// The record of a table, when the statistics have come so far.
fn table(database: &Database, name: &str, reached: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    wait::until(&format!("the statistics of {name}"), STATISTICS, || {
        last = run(database, &["tables"]).record("pg.table", name);
        reached(&last).then(|| last.clone())
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{last}"))
}

#[test]
fn what_was_written_and_read_is_counted() {
    let database = database("pgstats_tables_counted");
    database
        .execute(
            "CREATE TABLE t (id int PRIMARY KEY, n int, note text) WITH (autovacuum_enabled = off, fillfactor = 50);
             INSERT INTO t SELECT n, n, repeat('x', 5000) || n FROM generate_series(1, 1000) AS n; CREATE INDEX t_n ON t (n);
             CREATE TABLE plain (id int) WITH (autovacuum_enabled = off); INSERT INTO plain VALUES (1);
             CREATE TABLE parts (id int) PARTITION BY RANGE (id)",
        )
        .expect("created");
    database.execute("UPDATE t SET note = 'short' WHERE n <= 10").expect("updated");
    database.execute("UPDATE t SET n = -n WHERE id <= 5; SELECT count(*) FROM plain").expect("updated");
    database.execute("SET enable_seqscan = off; SELECT * FROM t WHERE id = 7").expect("read");
    let before = table(&database, "public.t", |t| t["n_tup_upd"] == 15 && t["idx_scan"].as_i64() > Some(0));
    // An update that changes an indexed column needs new entries in all indexes.
    assert_eq!((&before["n_tup_hot_upd"], &before["n_ins_since_vacuum"]), (&10.into(), &1000.into()), "{before}");
    assert!(before["idx_tup_fetch"].as_i64() > Some(0) && before["heap_blks_hit"].as_i64() > Some(0), "{before}");
    assert!(before["idx_blks_hit"].as_i64() > Some(0) && before["toast_blks_hit"].is_i64(), "{before}");
    assert_eq!((&before["vacuum_count"], &before["analyze_count"]), (&0.into(), &0.into()), "{before}");
    let major = major(&database);
    assert_eq!(
        (before["last_idx_scan_at"].is_string(), before["n_tup_newpage_upd"].is_i64()),
        (major >= 16, major >= 16)
    );
    assert_eq!(before["total_vacuum_ms"].is_i64(), major >= 18, "{before}");
    let plain = table(&database, "public.plain", |t| t["seq_scan"] == 1);
    assert_eq!((&plain["seq_tup_read"], plain["last_seq_scan_at"].is_string()), (&1.into(), major >= 16), "{plain}");
    // What it has not is absent.
    for field in ["idx_scan", "idx_tup_fetch", "idx_blks_hit", "toast_blks_hit", "last_idx_scan_at"] {
        assert!(plain.get(field).is_none(), "{field} {plain}");
    }
    database.execute_as_admin("VACUUM ANALYZE t").expect("vacuumed");
    let after = table(&database, "public.t", |t| t["vacuum_count"] == 1);
    assert_eq!((&after["analyze_count"], &after["n_ins_since_vacuum"]), (&1.into(), &0.into()), "{after}");
    assert_eq!((&after["autovacuum_count"], &after["autoanalyze_count"]), (&0.into(), &0.into()), "{after}");
}

/// Reads each row of it, so many times.
fn scan(database: &Database, table: &str, times: usize) {
    database
        .execute(&format!(
            "DO $$ BEGIN FOR i IN 1..{times} LOOP PERFORM count(*) FROM {table} WHERE n = i; END LOOP; END $$"
        ))
        .expect("read");
}

#[test]
fn a_large_table_that_is_read_row_by_row_is_advised_past_the_limit_only() {
    let database = database("pgstats_sequential");
    // Making the key is one scan, of no rows: 101 of 10,000 rows on average.
    for (table, rows) in [("\"past \"\"it\"", 10_100), ("small", 9_999), ("inside", 10_100), ("seldom", 10_100)] {
        database
            .execute(&format!(
                "CREATE TABLE {table} (id int PRIMARY KEY, n int) WITH (autovacuum_enabled = off);
                 INSERT INTO {table} SELECT n, n FROM generate_series(1, {rows}) AS n; ANALYZE {table}"
            ))
            .expect("created");
    }
    for (table, times) in [("\"past \"\"it\"", 100), ("small", 100), ("seldom", 98), ("inside", 100)] {
        scan(&database, table, times);
    }
    // As many by index.
    database
        .execute("DO $$ BEGIN FOR i IN 1..101 LOOP PERFORM n FROM inside WHERE id = i; END LOOP; END $$")
        .expect("read");
    table(&database, "public.inside", |t| t["seq_scan"] == 101 && t["idx_scan"] == 101);
    let args = ["--min-stats-age", "0s"];
    let name = "sequential_scans:public.\"past \"\"it\"";
    let advice = advised(&database, &args, name);
    assert_eq!((&advice["severity"], &advice["confidence"]), (&"info".into(), &"low".into()), "{advice}");
    assert_eq!(
        (&advice["evidence"]["seq_scan"], &advice["evidence"]["rows_per_scan"]),
        (&"101".into(), &"10000".into())
    );
    assert!(advice.get("sql").is_none() && message(&advice).contains("EXPLAIN"), "{advice}");
    let outcome = run(&database, &["advice", "--min-stats-age", "0s"]);
    assert_eq!(of_rule(&outcome, "sequential_scans"), [name], "{:?}", names(&outcome, "pg.advice"));
    // Young statistics say nothing, and that is said.
    let young = run(&database, &["advice"]);
    assert_eq!(of_rule(&young, "sequential_scans"), [""; 0]);
    let end = young.record("pg.section", "advice");
    assert!(message(&end).contains("sequential_scans") && message(&end).contains("--min-stats-age"), "{end}");

    // With the index, and counted anew, it is no more.
    database.execute("CREATE INDEX ON \"past \"\"it\" (n); ANALYZE").expect("indexed");
    database
        .execute_as_admin("SELECT pg_stat_reset_single_table_counters('public.\"past \"\"it\"'::regclass)")
        .expect("reset");
    scan(&database, "\"past \"\"it\"", 200);
    table(&database, "public.past \"it", |t| t["seq_scan"].as_i64() < Some(100));
    advised_no_more(&database, &args, name);
}
