//! What `pso-pgstats` sees of reading and writing: `pg_stat_io` and the log of changes.

use pso_tests::pg::{self, Database, TempPg};
use pso_tests::wait;
use serde_json::Value;

use super::{STATISTICS, major, message, names, number, run, tool};

const PASSWORD: &str = "monitor-password";

/// A database on the installed version, and one on the newest.
fn databases(name: &str) -> Vec<(u32, &'static TempPg, Database)> {
    let installed = TempPg::shared().expect("PostgreSQL");
    let newest = TempPg::shared_of(pg::newest().expect("a version")).expect("PostgreSQL");
    let servers = [installed, newest].map(|server| {
        let database = server.database(name).expect("a database");
        (major(&database), server, database)
    });
    servers.into()
}

#[test]
fn what_processes_read_and_write_is_shown_where_it_is_counted() {
    for (major, _, database) in databases("pgstats_io") {
        if major < 16 {
            let outcome = run(&database, &["io"]);
            outcome.assert_code(0).assert_quiet();
            let end = outcome.record("pg.section", "io");
            assert!(end["severity"] == "info" && message(&end).contains("PostgreSQL 16 and newer tell it"), "{end}");
            continue;
        }
        let asked = "SELECT extends FROM pg_stat_io
                     WHERE backend_type = 'client backend' AND object = 'relation' AND context = 'normal'";
        let before: i64 = database.scalar(asked).expect("asked").parse().expect("a number");
        // 200 pages, each row one.
        database
            .execute("CREATE TABLE t (note text); INSERT INTO t SELECT repeat('x', 1900) || n FROM generate_series(1, 800) AS n")
            .expect("written");
        let outcome = wait::until("the statistics", STATISTICS, || {
            let outcome = run(&database, &["io"]);
            let written = outcome.record("pg.io", "client backend relation normal");
            (number(&written, "extends") > before).then_some(outcome)
        })
        .expect("counted");
        outcome.assert_code(0).assert_quiet();
        let written = outcome.record("pg.io", "client backend relation normal");
        assert!(number(&written, "extend_bytes") >= number(&written, "extends") * 8192, "{written}");
        assert!(number(&written, "hits") > 0 && written["stats_reset_at"].is_string(), "{written}");
        // Nobody measures times here.
        assert!(written.get("read_ms").is_none(), "{written}");
        let all = names(&outcome, "pg.io");
        assert_eq!(all.iter().any(|name| name.contains(" wal ")), major >= 18, "{all:?}");
        let idle = "SELECT count(*) FROM pg_stat_io
                    WHERE greatest(reads, writes, writebacks, extends, hits, evictions, reuses, fsyncs) > 0";
        assert!(all.len() <= database.scalar(idle).expect("asked").parse().expect("a number"), "{all:?}");
        let worst = outcome.records_of_kind("pg.io");
        let moved = |record: &Value| {
            ["read_bytes", "write_bytes", "extend_bytes"]
                .iter()
                .filter_map(|field| record[*field].as_i64())
                .sum::<i64>()
        };
        assert!(worst.is_sorted_by_key(|record| -moved(record)), "{outcome}");
    }
}

#[test]
fn what_is_written_to_the_log_is_counted_and_who_may_not_look_into_it_is_told() {
    for (major, server, database) in databases("pgstats_wal") {
        database
            .execute_as_admin(&format!(
                "CREATE ROLE pgstats_wal_monitor LOGIN PASSWORD '{PASSWORD}'; GRANT pg_monitor TO pgstats_wal_monitor"
            ))
            .expect("a role");
        let before = run(&database, &["wal"]);
        before.assert_code(0).assert_quiet();
        let end = before.record("pg.section", "wal");
        assert!(end["severity"] == "info" && message(&end).contains("GRANT pg_monitor TO sync_user"), "{end}");
        let before = before.record("pg.wal", "wal");
        assert_eq!((before.get("files"), &before["directory_readable"]), (None, &false.into()), "{before}");
        assert_eq!((&before["wal_level"], number(&before, "max_wal_size_bytes")), (&"replica".into(), 1 << 30));

        database.execute("CREATE TABLE t AS SELECT md5(n::text) FROM generate_series(1, 20000) AS n").expect("written");
        for (user, password) in [("pgstats_wal_monitor", PASSWORD), ("postgres", server.admin_password())] {
            let asked = tool(&database, &["wal"]).env("PGUSER", user).env("PGPASSWORD", password);
            let outcome = asked.run().expect("ends");
            outcome.assert_code(0).assert_quiet();
            let after = outcome.record("pg.wal", "wal");
            // Others may write at the same time.
            let files = number(&after, "files");
            assert!(files > 0 && number(&after, "directory_bytes") == files << 24, "{after}");
            let end = outcome.record("pg.section", "wal");
            if major < 14 {
                assert!(after.get("wal_bytes").is_none() && message(&end).contains("14 and newer"), "{after} {end}");
            } else {
                assert_eq!(end["severity"], "ok", "{end}");
                wait::until("the statistics", STATISTICS, || {
                    let after = run(&database, &["wal"]).record("pg.wal", "wal");
                    let more = |field| number(&after, field) - number(&before, field);
                    (more("wal_bytes") > 1_000_000 && more("wal_records") > 10_000 && after["wal_write"].is_i64())
                        .then_some(())
                })
                .expect("counted");
            }
        }
    }
}
