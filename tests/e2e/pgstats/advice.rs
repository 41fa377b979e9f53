//! Each rule on a real server: the situation, a twin just inside the limit, the advised statement, and the way back.

use pso_tests::wait;

use super::{STATISTICS, advised, advised_no_more, database, major, message, names, of_rule, run, silent, undo};

#[test]
fn an_unused_index_is_advised_unless_it_keeps_a_promise() {
    let database = database("pgstats_unused");
    database
        .execute(
            "CREATE TABLE parent (id int PRIMARY KEY);
             CREATE TABLE child (
                 id int PRIMARY KEY, parent_id int REFERENCES parent, code int, span int4range, a int NOT NULL, b int, c int,
                 CONSTRAINT child_code UNIQUE (code), EXCLUDE USING gist (span WITH &&)
             ) WITH (autovacuum_enabled = off);
             CREATE INDEX child_parent ON child (parent_id, b);
             CREATE UNIQUE INDEX child_identity ON child (a); ALTER TABLE child REPLICA IDENTITY USING INDEX child_identity;
             CREATE INDEX child_cluster ON child (c, b); ALTER TABLE child CLUSTER ON child_cluster;
             CREATE INDEX child_used ON child (b);
             CREATE INDEX child_unused ON child (c) WITH (fillfactor = 77) WHERE c > 5;
             CREATE TABLE parts (id int, c int) PARTITION BY RANGE (id);
             CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (10000); CREATE INDEX parts_c ON parts (c);
             CREATE TABLE small (id int PRIMARY KEY, c int); CREATE INDEX small_c ON small (c);
             INSERT INTO child SELECT n, NULL, n, int4range(n, n + 1), n, n, n FROM generate_series(1, 2000) AS n;
             INSERT INTO parts SELECT n, n FROM generate_series(1, 2000) AS n;
             INSERT INTO small SELECT n, n FROM generate_series(1, 900) AS n",
        )
        .expect("created");
    database.execute("SET enable_seqscan = off; SELECT * FROM child WHERE b = 7").expect("used");
    let counted = "SELECT 1 FROM pg_stat_user_indexes i JOIN pg_stat_user_tables t USING (relid)
                   WHERE indexrelname = 'child_used' AND i.idx_scan > 0 AND n_live_tup = 2000";
    wait::until("the statistics", STATISTICS, || database.scalar(counted).ok()).expect("counted");

    let young = run(&database, &["advice"]);
    young.assert_code(0);
    assert!(!names(&young, "pg.advice").iter().any(|name| name.starts_with("unused_index")), "{young}");
    // Whoever else says the same is named with it.
    let said = young.record("pg.section", "advice");
    assert!(message(&said).contains("duplicate_index, covered_index, unused_index"), "{said}");
    assert!(message(&said).contains("not judged, the statistics are"), "{said}");

    let args = ["--min-stats-age", "0s"];
    let advice = advised(&database, &args, "unused_index:public.child_unused");
    let outcome = run(&database, &["advice", "--min-stats-age", "0s"]);
    outcome.assert_code(0);
    let unused = names(&outcome, "pg.advice").into_iter().filter(|name| name.starts_with("unused_index"));
    assert_eq!(unused.collect::<Vec<_>>(), ["unused_index:public.child_unused"], "{outcome}");
    assert_eq!((&advice["rule"], &advice["object"]), (&"unused_index".into(), &"public.child_unused".into()));
    assert_eq!(advice["evidence"]["idx_scan"], "0");
    assert!(advice["gain_bytes"].as_i64() > Some(0), "{advice}");

    let definitions =
        "SELECT string_agg(indexdef, E'\\n' ORDER BY indexdef) FROM pg_indexes WHERE schemaname = 'public'";
    let before = database.scalar(definitions).expect("there");
    database.execute(advice["sql"].as_str().expect("SQL")).expect("dropped");
    assert_ne!(database.scalar(definitions).expect("there"), before);
    advised_no_more(&database, &args, "unused_index:public.child_unused");
    undo(&database, &advice);
    assert_eq!(database.scalar(definitions).expect("there"), before);
}

#[test]
fn dead_rows_are_advised_past_the_limit_only() {
    let database = database("pgstats_dead");
    for (table, deleted) in [("past", 2600), ("inside", 2200), ("many", 10_000)] {
        database
            .execute(&format!(
                "CREATE TABLE {table} (id int) WITH (autovacuum_enabled = off);
                 INSERT INTO {table} SELECT generate_series(1, 25000); ANALYZE {table}; DELETE FROM {table} WHERE id <= {deleted}"
            ))
            .expect("created");
    }
    let past = advised(&database, &[], "dead_tuples:public.past");
    assert_eq!((&past["severity"], past.get("undo_sql")), (&"info".into(), None), "{past}");
    assert_eq!((&past["evidence"]["n_dead_tup"], &past["evidence"]["n_live_tup"]), (&"2600".into(), &"22400".into()));
    let many = advised(&database, &[], "dead_tuples:public.many");
    assert_eq!(many["severity"], "warning", "{many}");
    let outcome = run(&database, &["advice"]);
    outcome.assert_code(1);
    assert_eq!(of_rule(&outcome, "dead_tuples"), ["dead_tuples:public.many", "dead_tuples:public.past"]);
    for advice in [past, many] {
        let sql = advice["sql"].as_str().expect("SQL");
        assert!(sql.starts_with("VACUUM (ANALYZE) ") && !sql.contains("FULL"), "{sql}");
        database.execute(sql).expect("vacuumed");
        advised_no_more(&database, &[], advice["name"].as_str().expect("a name"));
    }
    run(&database, &["advice"]).assert_code(0);
}

#[test]
fn a_table_that_was_never_analysed_is_advised() {
    let database = database("pgstats_analyze");
    for (table, rows) in [("past", 1000), ("inside", 999)] {
        database
            .execute(&format!(
                "CREATE TABLE {table} WITH (autovacuum_enabled = off) AS SELECT generate_series(1, {rows}) AS id"
            ))
            .expect("created");
    }
    // An index counts the rows, and is no analyse. Counters that were reset forget the analyse, and the planner does not.
    database
        .execute(
            "CREATE TABLE restored WITH (autovacuum_enabled = off) AS SELECT generate_series(1, 1000) AS id;
             CREATE INDEX ON restored (id);
             CREATE TABLE forgotten WITH (autovacuum_enabled = off) AS SELECT generate_series(1, 1000) AS id; ANALYZE forgotten",
        )
        .expect("created");
    let analyzed = "SELECT 1 FROM pg_stat_user_tables WHERE relname = 'forgotten' AND last_analyze IS NOT NULL";
    wait::until("the analyse", STATISTICS, || database.scalar(analyzed).ok()).expect("counted");
    database.execute_as_admin("SELECT pg_stat_reset_single_table_counters('forgotten'::regclass)").expect("reset");
    let forgotten = "SELECT 1 FROM pg_stat_user_tables WHERE relname = 'forgotten' AND last_analyze IS NULL";
    wait::until("the reset", STATISTICS, || database.scalar(forgotten).ok()).expect("seen");
    for name in ["never_analyzed:public.past", "never_analyzed:public.restored"] {
        let advice = advised(&database, &[], name);
        assert_eq!((&advice["severity"], &advice["confidence"]), (&"info".into(), &"high".into()), "{advice}");
        assert_eq!(advice["evidence"]["planner_statistics"], "false", "{advice}");
        assert_eq!(of_rule(&run(&database, &["advice"]), "never_analyzed").first().map(String::as_str), Some(name));
        database.execute(advice["sql"].as_str().expect("SQL")).expect("analysed");
        advised_no_more(&database, &[], name);
    }
    assert_eq!(of_rule(&run(&database, &["advice"]), "never_analyzed"), [""; 0]);
    let known = run(&database, &["tables"]).record("pg.table", "public.forgotten");
    assert_eq!(known["planner_statistics"], true, "{known}");
}

#[test]
fn a_partitioned_table_that_was_never_analysed_is_advised() {
    let database = database("pgstats_analyze_parts");
    for (table, rows) in [("past", 1000), ("inside", 999)] {
        database
            .execute(&format!(
                "CREATE TABLE {table} (id int) PARTITION BY RANGE (id);
                 CREATE TABLE {table}_1 PARTITION OF {table} FOR VALUES FROM (0) TO (400) WITH (autovacuum_enabled = off);
                 CREATE TABLE {table}_2 PARTITION OF {table} FOR VALUES FROM (400) TO (9000) PARTITION BY RANGE (id);
                 CREATE TABLE {table}_3 PARTITION OF {table}_2 FOR VALUES FROM (400) TO (9000) WITH (autovacuum_enabled = off);
                 INSERT INTO {table} SELECT generate_series(1, {rows}); ANALYZE {table}_1, {table}_3"
            ))
            .expect("created");
    }
    let rule = "never_analyzed";
    if major(&database) < 14 {
        // pg_stat_user_tables has no partitioned tables yet.
        return silent(&database, &[], rule);
    }
    let name = "never_analyzed:public.past";
    let advice = advised(&database, &[], name);
    assert_eq!(advice["evidence"]["partitions_live_tup"], "1000", "{advice}");
    assert_eq!(of_rule(&run(&database, &["advice"]), rule), [name]);
    database.execute(advice["sql"].as_str().expect("SQL")).expect("analysed");
    advised_no_more(&database, &[], name);
}

#[test]
fn a_transaction_left_open_is_advised_past_the_limit_only() {
    let database = database("pgstats_open");
    let mut open = database.connect().expect("connected");
    open.batch_execute("SET application_name = 'left ''open'; BEGIN; SELECT 1").expect("begun");
    let pid: i32 = open.query_one("SELECT pg_backend_pid()", &[]).expect("asked").get(0);
    let name = format!("idle_in_transaction:pid {pid}");
    run(&database, &["advice"]).assert_code(0);
    let args = ["--max-idle-in-transaction", "0s"];
    let stale = advised(&database, &args, &name);
    assert_eq!(stale["severity"], "warning", "{stale}");
    assert!(message(&stale).contains("left 'open"), "{stale}");

    // The advice is about that transaction: the next one of the same session is not hit.
    open.batch_execute("COMMIT; BEGIN; SELECT 1").expect("begun");
    assert!(database.rows(stale["sql"].as_str().expect("SQL")).expect("run").is_empty());
    open.batch_execute("SELECT 1").expect("still there");

    let advice = advised(&database, &args, &name);
    assert_eq!(database.scalar(advice["sql"].as_str().expect("SQL")).expect("run"), "t");
    advised_no_more(&database, &args, &name);
    assert!(open.batch_execute("SELECT 1").is_err(), "the session was ended");
}
