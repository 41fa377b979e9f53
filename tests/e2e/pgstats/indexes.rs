//! What `pso-pgstats` advises about indexes, against a real server: the situation, its twin just inside, and the way back.

use pso_tests::pg::{Database, TempPg};
use pso_tests::wait;
use serde_json::Value;

use super::{STATISTICS, advice_of, advised_on, database, major, objects, of_rule, run, silent, text, undo};

/// The statistics of a test are young.
const ANY_AGE: [&str; 2] = ["--min-stats-age", "0s"];

fn advised(database: &Database, rule: &str, expected: &[&str]) -> Vec<Value> {
    advised_on(database, &ANY_AGE, rule, expected)
}

/// Follows the advice, sees it gone, takes it back, and sees what was there.
fn there_and_back(database: &Database, rule: &str, advice: &Value) {
    let definitions = "SELECT coalesce(string_agg(indexdef, E'\\n' ORDER BY indexdef), '') FROM pg_indexes
                       WHERE schemaname NOT IN ('pg_catalog', 'pg_toast')";
    let before = database.scalar(definitions).expect("there");
    database.execute(advice["sql"].as_str().expect("SQL")).expect("followed");
    assert_ne!(database.scalar(definitions).expect("there"), before, "{advice}");
    let object = advice["object"].as_str().expect("an object");
    silent(database, &ANY_AGE, &format!("{rule}:{object}"));
    undo(database, advice);
    assert_eq!(database.scalar(definitions).expect("there"), before, "{advice}");
}

#[test]
fn a_duplicate_index_is_advised_unless_it_keeps_a_promise() {
    let database = database("pgstats_duplicate");
    database
        .execute(
            r#"CREATE TABLE t (id int PRIMARY KEY, a int, b text, c int) WITH (autovacuum_enabled = off);
               CREATE INDEX t_id ON t (id);
               CREATE INDEX "T b1" ON t (b, a); CREATE INDEX "t b""2" ON t (b, a) WITH (fillfactor = 77);
               COMMENT ON INDEX "t b""2" IS 'it''s the second';
               CREATE UNIQUE INDEX t_c1 ON t (c); CREATE UNIQUE INDEX t_c2 ON t (c);
               CREATE INDEX t_a1 ON t (a); CREATE INDEX t_a2 ON t (a DESC); CREATE INDEX t_a3 ON t (a) WHERE a > 1;
               CREATE INDEX t_a4 ON t USING hash (a); CREATE INDEX t_a5 ON t ((a + 1)); CREATE INDEX t_a6 ON t ((a + 2));
               CREATE INDEX t_p1 ON t (c, a) WHERE c > 7; CREATE INDEX t_p2 ON t (c, a) WHERE c > 7;
               CREATE INDEX t_o ON t (b text_pattern_ops, a); CREATE INDEX t_k ON t (b COLLATE "POSIX", a);
               CREATE TABLE small (a int) WITH (autovacuum_enabled = off);
               CREATE INDEX small_1 ON small (a); CREATE INDEX small_2 ON small (a);
               INSERT INTO small SELECT generate_series(1, 999);
               INSERT INTO t SELECT n, n, n, n FROM generate_series(1, 1000) AS n"#,
        )
        .expect("created");
    let rule = "duplicate_index";
    let expected = [r#"public."t b""2""#, "public.t_id", "public.t_p2"];
    let advice = advised(&database, rule, &expected);
    for advice in &advice {
        assert_eq!((&advice["severity"], &advice["confidence"]), (&"info".into(), &"high".into()), "{advice}");
        assert!(advice["gain_bytes"].as_i64() > Some(0), "{advice}");
        there_and_back(&database, rule, advice);
    }
    let of_key = advice.iter().find(|advice| advice["object"] == "public.t_id").expect("advised");
    assert_eq!(of_key["evidence"]["kept"], "public.t_pkey");

    // Which one stays: the one that is used.
    let count = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 't_p2' AND idx_scan > 0";
    database.execute("ALTER INDEX t_p1 RENAME TO t_p0").expect("renamed");
    let set = "SET enable_seqscan = off; SET enable_bitmapscan = off";
    wait::until("the other one used", STATISTICS, || {
        database.execute(&format!("{set}; SELECT * FROM t WHERE c > 7 AND c = 9")).expect("read");
        database
            .scalar("SELECT 1 FROM pg_stat_user_indexes WHERE indexrelname IN ('t_p0', 't_p2') AND idx_scan > 0")
            .ok()
    })
    .expect("counted");
    let stays = if database.scalar(count).is_ok() { "public.t_p2" } else { "public.t_p0" };
    let outcome = run(&database, &["advice", "--min-stats-age", "0s"]);
    let goes = if stays == "public.t_p2" { "public.t_p0" } else { "public.t_p2" };
    assert!(objects(&advice_of(&outcome, rule)).contains(&goes), "{stays} stays\n{outcome}");

    let young = run(&database, &["advice"]);
    assert!(of_rule(&young, rule).is_empty() && of_rule(&young, "covered_index").is_empty(), "{young}");
}

#[test]
fn an_index_comes_back_with_all_that_it_had() {
    let server = TempPg::builder().start().expect("PostgreSQL");
    let database = server.database("pgstats_index_back").expect("a database");
    // Before 15 a tablespace needs a folder that the server owns.
    let tablespace = if major(&database) >= 15 { r#"TABLESPACE "Other disk""# } else { "" };
    if major(&database) >= 15 {
        let mut admin = database.connect_as_admin().expect("connected");
        for sql in [
            "SET allow_in_place_tablespaces = on",
            r#"CREATE TABLESPACE "Other disk" LOCATION ''"#,
            r#"GRANT CREATE ON TABLESPACE "Other disk" TO PUBLIC"#,
        ] {
            admin.batch_execute(sql).expect("a tablespace");
        }
    }
    database
        .execute(&format!(
            r#"CREATE TABLE t (a int, b text, c int) WITH (autovacuum_enabled = off);
               INSERT INTO t SELECT n, n, n FROM generate_series(1, 1000) AS n;
               CREATE INDEX "I 1" ON t (b COLLATE "C" text_pattern_ops DESC NULLS LAST) INCLUDE (c) WITH (fillfactor = 77) {tablespace}
                   WHERE c > 3 AND b <> ' WHERE ' AND CASE WHEN a > 1 THEN true END;
               COMMENT ON INDEX "I 1" IS 'it''s; mine';
               CREATE INDEX i2 ON t (a) {tablespace};
               CREATE INDEX i3 ON t (lower(b), (a + 1)); ALTER INDEX i3 ALTER COLUMN 2 SET STATISTICS 500;
               CREATE INDEX i4 ON t USING brin (c) WITH (pages_per_range = 7)"#
        ))
        .expect("created");
    let rule = "unused_index";
    let all = r"SELECT string_agg(concat_ws(' ', pg_get_indexdef(c.oid), t.spcname, obj_description(c.oid, 'pg_class'), (
                    SELECT string_agg(a.attstattarget::text, ',' ORDER BY attnum) FROM pg_attribute AS a WHERE a.attrelid = c.oid)),
                    E'\n' ORDER BY c.relname)
                FROM pg_class AS c LEFT JOIN pg_tablespace AS t ON t.oid = c.reltablespace
                WHERE c.relkind = 'i' AND c.relnamespace = 'public'::regnamespace";
    let before = database.scalar(all).expect("there");
    let expected = ["public.\"I 1\"", "public.i2", "public.i3", "public.i4"];
    for advice in advised(&database, rule, &expected) {
        let back = text(&advice, "undo_sql");
        // Whoever misses it again is in a hurry, and must not stop all writes.
        assert!(back.starts_with("CREATE INDEX CONCURRENTLY ") && !back.contains("SET TABLESPACE"), "{back}");
        database.execute(advice["sql"].as_str().expect("SQL")).expect("dropped");
        undo(&database, &advice);
        assert_eq!(database.scalar(all).expect("there"), before, "{advice}");
    }
}

#[test]
fn a_covered_index_is_advised_unless_it_keeps_a_promise() {
    let database = database("pgstats_covered");
    database
        .execute(
            "CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int, d int) WITH (autovacuum_enabled = off);
             CREATE INDEX t_ab ON t (a, b); CREATE INDEX t_a ON t (a); CREATE INDEX t_b ON t (b);
             CREATE INDEX t_id_a ON t (id, a); CREATE INDEX t_a_desc ON t (a DESC);
             CREATE INDEX t_c_with_d ON t (c) INCLUDE (d); CREATE INDEX t_cb ON t (c, b);
             CREATE INDEX t_d ON t (d) WHERE d > 1; CREATE INDEX t_da ON t (d, a);
             INSERT INTO t SELECT n, n, n, n, n FROM generate_series(1, 1000) AS n",
        )
        .expect("created");
    let advice = advised(&database, "covered_index", &["public.t_a"]);
    assert_eq!(advice[0]["confidence"], "medium", "{advice:?}");
    assert_eq!(advice[0]["evidence"]["kept"], "public.t_ab");
    there_and_back(&database, "covered_index", &advice[0]);
    // The first one used and the longer one not: the longer one is no proof that it does as well.
    let used = "SELECT 1 FROM pg_stat_user_indexes WHERE indexrelname = 't_b' AND idx_scan > 0";
    database.execute("CREATE INDEX t_bc ON t (b, c)").expect("created");
    advised(&database, "covered_index", &["public.t_a", "public.t_b"]);
    database.execute("DROP INDEX t_bc; SET enable_seqscan = off; SELECT * FROM t WHERE b = 7").expect("used");
    wait::until("the statistics", STATISTICS, || database.scalar(used).ok()).expect("counted");
    database.execute("CREATE INDEX t_bc ON t (b, c)").expect("created");
    advised(&database, "covered_index", &["public.t_a"]);
}

#[test]
fn an_invalid_index_is_advised_once_nobody_builds_it() {
    let database = database("pgstats_invalid");
    database
        .execute(
            "CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 1), (1, 2); CREATE INDEX t_b ON t (b);
             CREATE TABLE twin (a int); CREATE INDEX twin_a ON twin (a)",
        )
        .expect("created");
    let rule = "invalid_index";
    let refused = database.execute("CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)");
    assert!(refused.is_err(), "its values are not unique");

    // While an old transaction makes the next one wait, it is not valid, and being built.
    let mut old = database.connect().expect("connected");
    old.batch_execute("BEGIN; INSERT INTO t VALUES (3, 3)").expect("begun");
    let mut builder = database.connect().expect("connected");
    let cancel = builder.cancel_token();
    let building = std::thread::spawn(move || builder.batch_execute("REINDEX INDEX CONCURRENTLY t_b").is_err());
    let there = "SELECT 1 FROM pg_class WHERE relname = 't_b_ccnew'";
    wait::until("the new index", STATISTICS, || database.scalar(there).ok()).expect("being built");
    let outcome = run(&database, &["advice", "--min-stats-age", "0s"]);
    assert_eq!(of_rule(&outcome, rule), [""; 0], "{outcome}");
    let end = outcome.record("pg.section", "advice")["message"].as_str().expect("a message").to_owned();
    assert!(end.contains("invalid_index: 2 indexes not judged"), "{end}");
    cancel.cancel_query(postgres::NoTls).expect("cancelled");
    assert!(building.join().expect("ends"), "it was cancelled");
    drop(old);

    let advice = advised(&database, rule, &["public.t_a", "public.t_b_ccnew"]);
    assert!(advice.iter().all(|advice| advice["severity"] == "warning"), "{advice:?}");
    let again = advice[0]["sql"].as_str().expect("SQL");
    assert_eq!(again, "REINDEX INDEX CONCURRENTLY public.t_a");
    database.execute("DELETE FROM t WHERE b = 2").expect("unique now");
    database.execute(again).expect("built");
    database.execute(advice[1]["sql"].as_str().expect("SQL")).expect("dropped");
    advised(&database, rule, &[]);
    assert_eq!(database.scalar("SELECT count(*) FROM pg_indexes WHERE tablename = 't'").expect("asked"), "2");
}

#[test]
fn an_invalid_index_of_a_toast_table_is_advised() {
    let database = database("pgstats_invalid_toast");
    database.execute("CREATE TABLE t (id int PRIMARY KEY, note text); INSERT INTO t VALUES (1, 'x')").expect("created");
    let mut old = database.connect().expect("connected");
    old.batch_execute("BEGIN; INSERT INTO t VALUES (2, 'y')").expect("begun");
    let mut builder = database.connect().expect("connected");
    let cancel = builder.cancel_token();
    let building = std::thread::spawn(move || builder.batch_execute("REINDEX TABLE CONCURRENTLY t").is_err());
    let there = "SELECT count(*) FROM pg_class JOIN pg_index ON indexrelid = oid WHERE NOT indisvalid";
    wait::until("the new indexes", STATISTICS, || (database.scalar(there).ok()? == "2").then_some(())).expect("built");
    cancel.cancel_query(postgres::NoTls).expect("cancelled");
    assert!(building.join().expect("ends"), "it was cancelled");
    drop(old);
    let left = "SELECT indexrelid::regclass FROM pg_class JOIN pg_index ON indexrelid = oid
                WHERE NOT indisvalid AND relname LIKE 'pg\\_toast%'";
    let name = format!("invalid_index:{}", database.scalar(left).expect("left behind"));
    let outcome = run(&database, &["advice"]);
    let advice = outcome.record("pg.advice", &name);
    assert_eq!(advice["evidence"]["table"], "public.t", "{advice}");
    database.execute_as_admin(advice["sql"].as_str().expect("SQL")).expect("dropped");
    // That of the primary key is left to people.
    assert_eq!(database.scalar(there).expect("counted"), "1");
    assert_eq!(of_rule(&run(&database, &["advice"]), "invalid_index"), ["invalid_index:public.t_pkey_ccnew"]);
}

#[test]
fn a_foreign_key_without_an_index_is_advised() {
    let database = database("pgstats_foreign");
    database
        .execute(
            r#"CREATE TABLE r (id int PRIMARY KEY, "Ké y" int UNIQUE, b int, UNIQUE (id, b));
               INSERT INTO r SELECT n, n, n FROM generate_series(1, 1000) AS n;
               CREATE TABLE "T t" (a int REFERENCES r, "user" int REFERENCES r ("Ké y"), c int REFERENCES r, d int REFERENCES r,
                   e int, f int, FOREIGN KEY (e, f) REFERENCES r (id, b)) WITH (autovacuum_enabled = off);
               CREATE INDEX ON "T t" (a, c); CREATE INDEX ON "T t" (d) WHERE d IS NOT NULL; CREATE INDEX ON "T t" (f, e);
               CREATE INDEX ON "T t" ("user") WHERE "user" > 7;
               CREATE TABLE inside (a int REFERENCES r) WITH (autovacuum_enabled = off);
               CREATE TABLE parts (id int, a int REFERENCES r) PARTITION BY RANGE (id);
               CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (10000) WITH (autovacuum_enabled = off);
               CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY RANGE (id);
               CREATE TABLE half1 PARTITION OF whole FOR VALUES FROM (0) TO (500);
               CREATE TABLE half2 PARTITION OF whole FOR VALUES FROM (500) TO (10000);
               INSERT INTO whole SELECT generate_series(1, 1000);
               CREATE TABLE to_parts (a int REFERENCES whole) WITH (autovacuum_enabled = off);
               INSERT INTO "T t" SELECT n, n, n, n, n, n FROM generate_series(1, 1000) AS n;
               INSERT INTO inside SELECT generate_series(1, 999);
               INSERT INTO parts SELECT n, n FROM generate_series(1, 1000) AS n;
               INSERT INTO to_parts SELECT generate_series(1, 1000)"#,
        )
        .expect("created");
    let rule = "foreign_key_without_index";
    let expected = ["public.\"T t\" (\"user\")", "public.\"T t\" (c)", "public.part (a)", "public.to_parts (a)"];
    for advice in advised(&database, rule, &expected) {
        assert_eq!((&advice["severity"], &advice["confidence"]), (&"info".into(), &"low".into()), "{advice}");
        let way = "CREATE INDEX ON public.parts (a) takes them up";
        assert_eq!(
            advice["message"].as_str().expect("why").contains(way),
            advice["object"] == "public.part (a)",
            "{advice}"
        );
        there_and_back(&database, rule, &advice);
    }
    let keys = run(&database, &["foreign_keys"]);
    keys.assert_code(0).assert_quiet();
    assert_eq!(keys.records_of_kind("pg.foreign_key").len(), 8, "{keys}");
}
