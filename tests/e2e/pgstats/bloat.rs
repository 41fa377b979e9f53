//! What `pso-pgstats` takes for bloat, held against `pgstattuple` and against what writing it anew gives back.

use std::collections::BTreeMap;

use pso_tests::pg::{Database, TempPg};
use pso_tests::tool::Outcome;
use serde_json::Value;

use super::{advised, advised_no_more, message, names, of_rule, run, tool};

fn database(name: &str) -> Database {
    let database = super::database(name);
    database
        .execute_as_admin("CREATE EXTENSION pgstattuple; GRANT pg_stat_scan_tables TO sync_user")
        .expect("measured");
    database
}

/// Tables and indexes of many shapes. `id` is deleted by.
const SHAPES: &str = "
    CREATE TABLE narrow (id int, n int); INSERT INTO narrow SELECT n, n FROM generate_series(1, 60000) AS n;
    CREATE TABLE wide (id bigint, a text, b text, c numeric, d timestamptz, e bool);
    INSERT INTO wide SELECT n, repeat('x', 10 + n % 200), md5(n::text), n * 1.5, now(), n % 2 = 0 FROM generate_series(1, 20000) AS n;
    CREATE TABLE nulls (id int, a int, b bigint, c text, d int);
    INSERT INTO nulls SELECT n, CASE WHEN n % 3 = 0 THEN n END, CASE WHEN n % 2 = 0 THEN n END,
        CASE WHEN n % 5 = 0 THEN 'hello' || n END, NULL FROM generate_series(1, 50000) AS n;
    CREATE TABLE roomy (id int, t text) WITH (fillfactor = 70);
    INSERT INTO roomy SELECT n, md5(n::text) FROM generate_series(1, 30000) AS n;
    CREATE TABLE unordered (a bool, id bigint, c smallint, d bigint, e bool, f uuid, g date);
    INSERT INTO unordered SELECT true, n, 1, n, false, md5(n::text)::uuid, now() FROM generate_series(1, 30000) AS n;
    CREATE TABLE long (id int, t text); INSERT INTO long SELECT n, repeat(md5(n::text), 40) FROM generate_series(1, 5000) AS n;
    CREATE TABLE toasted (id int, t text); ALTER TABLE toasted ALTER t SET STORAGE EXTERNAL;
    INSERT INTO toasted SELECT n, repeat(md5(n::text), 100) FROM generate_series(1, 10000) AS n;
    CREATE TABLE dropped (id int, x text, y int); ALTER TABLE dropped DROP x;
    INSERT INTO dropped SELECT n, n FROM generate_series(1, 40000) AS n;
    CREATE MATERIALIZED VIEW seen AS SELECT id, n FROM narrow;
    CREATE UNIQUE INDEX narrow_unique ON narrow (n); CREATE INDEX narrow_id ON narrow (id);
    CREATE INDEX wide_text ON wide (b); CREATE INDEX wide_lower ON wide (lower(b)); CREATE INDEX wide_number ON wide (c);
    CREATE INDEX nulls_some ON nulls (a); CREATE INDEX unordered_many ON unordered (c, d, f);
    CREATE INDEX unordered_with ON unordered (d) INCLUDE (f); CREATE INDEX unordered_roomy ON unordered (d) WITH (fillfactor = 60)";

const TABLES: [&str; 8] = ["narrow", "wide", "nulls", "roomy", "unordered", "long", "toasted", "dropped"];

/// Those of many equal keys, of which the estimate can only know how many there are on average.
const EQUAL: &str = "CREATE INDEX wide_flag ON wide (e); CREATE INDEX wide_few ON wide ((id % 50))";

fn number(record: &Value, field: &str) -> f64 {
    record[field].as_f64().unwrap_or_else(|| panic!("{field} of {record}"))
}

/// Bytes that each needs, by name.
fn needed(outcome: &Outcome) -> BTreeMap<String, f64> {
    let records = outcome.records_of_kind("pg.bloat");
    let needed = |record: &Value| number(record, "size_bytes") - number(record, "bloat_bytes");
    records.iter().map(|record| (record["name"].as_str().expect("a name").to_owned(), needed(record))).collect()
}

/// All within a share of each other, in percent; a page or two is nothing.
fn near(one: &BTreeMap<String, f64>, other: &BTreeMap<String, f64>, percent: f64, what: &str) {
    assert!(one.len() > 15 && one.keys().eq(other.keys()), "{what}: {:?} {:?}", one.keys(), other.keys());
    for (name, bytes) in one {
        let far = (bytes - other[name]).abs();
        assert!(far <= (bytes * percent / 100.0).max(2.0 * 8192.0), "{what}: {name}: {bytes} and {}", other[name]);
    }
}

#[test]
fn the_estimate_is_near_the_truth() {
    let database = database("pgstats_bloat_shapes");
    database.execute(&format!("{SHAPES}; {EQUAL}")).expect("created");
    // Autovacuum would change it between the two runs.
    for table in TABLES {
        database.execute(&format!("ALTER TABLE {table} SET (autovacuum_enabled = off)")).expect("left alone");
    }
    for round in ["as it was written", "seven of ten deleted"] {
        if round != "as it was written" {
            let deletes = TABLES.map(|table| format!("DELETE FROM {table} WHERE id % 10 < 7"));
            database.execute(&deletes.join("; ")).expect("deleted");
            database.execute("REFRESH MATERIALIZED VIEW seen").expect("refreshed");
        }
        database.execute_as_admin("VACUUM ANALYZE").expect("vacuumed");
        let (estimated, exact) = (run(&database, &["bloat"]), run(&database, &["bloat", "--exact"]));
        estimated.assert_code(0).assert_quiet();
        exact.assert_code(0).assert_quiet();
        for (outcome, is) in [(&estimated, true), (&exact, false)] {
            for record in outcome.records_of_kind("pg.bloat") {
                assert_eq!(record["estimated"], is, "{record}");
            }
        }
        assert_eq!(exact.record("pg.bloat", "public.narrow")["method"], "pgstattuple");
        assert_eq!(exact.record("pg.bloat", "public.narrow_id")["method"], "pgstatindex");
        assert_eq!(estimated.record("pg.bloat", "public.narrow_unique")["method"], "pg_stats");
        assert_eq!(estimated.record("pg.bloat", "public.unordered_with")["method"], "pg_stats");
        assert_eq!(estimated.record("pg.bloat", "public.wide_flag")["method"], "pg_stats with deduplication");
        near(&needed(&exact), &needed(&estimated), 12.0, round);
    }
    // And what is there after all of it was written anew.
    let before = needed(&run(&database, &["bloat", "--exact"]));
    database.execute_as_admin("VACUUM (FULL, ANALYZE)").expect("written anew");
    let sizes = "SELECT 'public.' || relname, pg_relation_size(oid) FROM pg_class
                 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm', 'i')";
    let rows = database.rows(sizes).expect("measured");
    let text = |value: &Option<String>| value.clone().expect("a value");
    let mut sizes: BTreeMap<_, f64> =
        rows.iter().map(|row| (text(&row[0]), text(&row[1]).parse().expect("a number"))).collect();
    sizes.retain(|name, _| before.contains_key(name));
    near(&sizes, &before, 5.0, "written anew");
}

const ODD: &str = "\"odd \"\"name\n😀\"";

/// A table of 60,000 rows with a primary key, of which a share was deleted.
fn deleted(database: &Database, table: &str, percent: u32) {
    let fill = format!(
        "CREATE TABLE {table} (id int, note text DEFAULT md5('x')) WITH (autovacuum_enabled = off);
         INSERT INTO {table} SELECT generate_series(1, 60000); ALTER TABLE {table} ADD PRIMARY KEY (id);
         DELETE FROM {table} WHERE id % 100 < {percent}"
    );
    database.execute(&fill).expect("created");
    database.execute(&format!("VACUUM (ANALYZE) {table}")).expect("vacuumed");
}

/// The tables have four MiB, their keys one.
const SMALL: [&str; 2] = ["--min-bloat-mib", "1"];

#[test]
fn a_table_that_is_mostly_empty_is_advised_past_the_limit_only() {
    let database = database("pgstats_bloat_table");
    deleted(&database, ODD, 56);
    deleted(&database, "inside", 46);
    let name = format!("bloat_table:public.{ODD}");
    let outcome = run(&database, &[&["advice"][..], &SMALL].concat());
    assert_eq!(of_rule(&outcome, "bloat_table"), [name.as_str()], "{outcome}");
    // By default so little is nothing.
    assert_eq!(of_rule(&run(&database, &["advice"]), "bloat_table"), [""; 0]);
    let advice = advised(&database, &SMALL, &name);
    assert_eq!((&advice["severity"], &advice["confidence"]), (&"info".into(), &"low".into()), "{advice}");
    assert!(message(&advice).contains("measure it with --exact"), "{advice}");
    let args = [&SMALL[..], &["--exact"]].concat();
    let exact = advised(&database, &args, &name);
    assert_eq!(
        (&exact["confidence"], &exact["evidence"]["method"]),
        (&"high".into(), &"pgstattuple".into()),
        "{exact}"
    );
    assert!(number(&exact, "gain_bytes") > 2_000_000.0, "{exact}");
    let size = || {
        let asked = format!("SELECT pg_relation_size({}::regclass)", quoted(&format!("public.{ODD}")));
        database.scalar(&asked).expect("measured").parse::<f64>().expect("a number")
    };
    let before = size();
    database.execute(exact["sql"].as_str().expect("SQL")).expect("written anew");
    let gained = before - size();
    assert!((gained - number(&exact, "gain_bytes")).abs() <= 2.0 * 8192.0, "{gained} {exact}");
    for args in [&SMALL[..], &args] {
        advised_no_more(&database, args, &name);
    }
    assert_eq!(database.scalar(&format!("SELECT count(*) FROM {ODD}")).expect("counted"), "26400");
    // Of a small table with much beside it nobody knows how long it would be locked.
    database
        .execute(
            "CREATE TABLE beside (id int, note text) WITH (autovacuum_enabled = off);
             ALTER TABLE beside ALTER note SET STORAGE EXTERNAL;
             INSERT INTO beside SELECT n, CASE WHEN n % 100 = 0 THEN repeat('x', 120000) ELSE repeat('y', 100) END
                 FROM generate_series(0, 59999) AS n;
             DELETE FROM beside WHERE id % 100 BETWEEN 1 AND 90",
        )
        .expect("created");
    database.execute("VACUUM (ANALYZE) beside").expect("vacuumed");
    let advice = advised(&database, &SMALL, "bloat_table:public.beside");
    assert!(advice.get("sql").is_none() && message(&advice).contains("pg_repack"), "{advice}");
    let whole: i64 =
        advice["evidence"]["with_toast_and_indexes_bytes"].as_str().expect("a number").parse().expect("a number");
    assert!(number(&advice, "gain_bytes") < 16e6 && whole > 64 << 20, "{advice}");
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[test]
fn an_index_that_is_mostly_empty_is_advised_past_the_limit_only() {
    let database = database("pgstats_bloat_index");
    let fill = |table: &str, index: &str, percent: u32| {
        let fill = format!(
            "CREATE TABLE {table} (id int, note text DEFAULT md5('x')) WITH (autovacuum_enabled = off);
             INSERT INTO {table} SELECT generate_series(1, 60000); ALTER TABLE {table} ADD PRIMARY KEY (id);
             CREATE INDEX {index} ON {table} (note, id); DELETE FROM {table} WHERE id % 100 < {percent}"
        );
        database.execute(&fill).expect("created");
        // Of pages that still have an entry vacuum gives none back.
        database.execute(&format!("VACUUM (ANALYZE) {table}")).expect("vacuumed");
    };
    fill("past", ODD, 90);
    fill("inside", "inside_note", 45);
    let expected = [format!("bloat_index:public.{ODD}"), "bloat_index:public.past_pkey".to_owned()];
    let mut advice = of_rule(&run(&database, &[&["advice"][..], &SMALL].concat()), "bloat_index");
    advice.sort();
    assert_eq!(advice, expected);
    let definitions =
        "SELECT string_agg(indexdef, E'\\n' ORDER BY indexdef) FROM pg_indexes WHERE schemaname = 'public'";
    let before = database.scalar(definitions).expect("there");
    for name in expected {
        let measured = advised(&database, &[&SMALL[..], &["--exact"]].concat(), &name);
        assert_eq!(measured["evidence"]["method"], "pgstatindex", "{measured}");
        let advice = advised(&database, &SMALL, &name);
        assert!(advice.get("undo_sql").is_none() && number(&advice, "gain_bytes") > 1_000_000.0, "{advice}");
        let far = number(&advice, "gain_bytes") - number(&measured, "gain_bytes");
        assert!(far.abs() < number(&measured, "gain_bytes") / 20.0, "{advice} {measured}");
        database.execute(advice["sql"].as_str().expect("SQL")).expect("written anew");
        advised_no_more(&database, &SMALL, &name);
        advised_no_more(&database, &[&SMALL[..], &["--exact"]].concat(), &name);
    }
    assert_eq!(database.scalar(definitions).expect("there"), before);
}

#[test]
fn what_could_not_be_measured_keeps_its_estimate_and_is_said() {
    let server = TempPg::shared().expect("PostgreSQL");
    let database = server.database("pgstats_bloat_seen").expect("a database");
    deleted(&database, "t", 50);
    database
        .execute("CREATE TABLE fresh WITH (autovacuum_enabled = off) AS SELECT generate_series(1, 30000) AS id")
        .expect("created");
    database
        .execute_as_admin(
            "CREATE ROLE pgstats_bloat_nobody LOGIN PASSWORD 'nobody-password';
             CREATE ROLE pgstats_bloat_monitor LOGIN PASSWORD 'nobody-password'; GRANT pg_monitor TO pgstats_bloat_monitor",
        )
        .expect("roles");
    let ask = |role: &str, args: &[&str]| {
        let args = [&["bloat"], args].concat();
        let tool = tool(&database, &args).env("PGUSER", role).env("PGPASSWORD", "nobody-password");
        let outcome = tool.run().expect("ends");
        outcome.assert_code(0).assert_quiet();
        (outcome.record("pg.section", "bloat"), outcome)
    };
    // Never analysed: there is no estimate, but it can be measured.
    let outcome = run(&database, &["bloat"]);
    let end = outcome.record("pg.section", "bloat");
    assert!(end["severity"] == "ok" && message(&end).contains("1 table or index without an estimate"), "{end}");
    assert!(outcome.record("pg.bloat", "public.fresh").get("bloat_bytes").is_none(), "{outcome}");
    assert!(number(&outcome.record("pg.bloat", "public.t"), "bloat_percent") > 40.0, "{outcome}");

    // Without the extension.
    let missing = run(&database, &["bloat", "--exact"]);
    let end = missing.record("pg.section", "bloat");
    assert!(end["severity"] == "info" && message(&end).contains("CREATE EXTENSION pgstattuple"), "{end}");
    assert!(message(&end).contains("GRANT pg_stat_scan_tables TO sync_user"), "{end}");
    assert_eq!(names(&missing, "pg.bloat"), names(&outcome, "pg.bloat"));

    // In a schema of its own, which is not in anybody's path.
    database
        .execute_as_admin("CREATE SCHEMA \"Ext's\"; CREATE EXTENSION pgstattuple SCHEMA \"Ext's\"; GRANT USAGE ON SCHEMA \"Ext's\" TO PUBLIC")
        .expect("an extension");
    let (end, nobody) = ask("pgstats_bloat_nobody", &["--exact"]);
    assert!(end["severity"] == "info" && message(&end).contains("may not use the extension"), "{end}");
    assert!(message(&end).contains("GRANT pg_stat_scan_tables TO pgstats_bloat_nobody"), "{end}");
    assert!(message(&end).contains("SELECT ON ALL TABLES IN SCHEMA … TO pgstats_bloat_nobody"), "{end}");
    assert!(nobody.record("pg.bloat", "public.t").get("bloat_bytes").is_none(), "{nobody}");
    assert_eq!(names(&nobody, "pg.bloat").len(), names(&outcome, "pg.bloat").len());
    let (end, monitor) = ask("pgstats_bloat_monitor", &["--exact"]);
    assert!(end["severity"] == "ok" && !message(&end).contains("without"), "{end}");
    assert!(number(&monitor.record("pg.bloat", "public.t"), "bloat_percent") > 40.0, "{monitor}");
    assert_eq!(monitor.record("pg.bloat", "public.fresh")["estimated"], false, "{monitor}");

    // Held by somebody else.
    let mut holder = database.connect().expect("connected");
    holder.batch_execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE").expect("locked");
    let (end, held) = ask("pgstats_bloat_monitor", &["--exact"]);
    assert!(
        message(&end).contains("2 tables and indexes not measured exactly, because another session holds"),
        "{end}"
    );
    assert_eq!(held.record("pg.bloat", "public.t")["estimated"], true, "{held}");
    assert_eq!(held.record("pg.bloat", "public.fresh")["estimated"], false, "{held}");
    holder.batch_execute("LOCK TABLE fresh IN ACCESS EXCLUSIVE MODE").expect("locked");
    let (end, held) = ask("pgstats_bloat_monitor", &[]);
    assert!(end["severity"] == "info" && message(&end).contains("1 table not looked at, because another"), "{end}");
    assert_eq!(names(&held, "pg.bloat").len(), 2, "{held}");
    drop(holder);

    // One that takes its time and fails: what is smaller than half of it is still tried.
    database
        .execute_as_admin(
            "CREATE OR REPLACE FUNCTION \"Ext's\".pgstattuple(
                 reloid regclass, OUT table_len bigint, OUT tuple_count bigint, OUT tuple_len bigint, OUT tuple_percent float8,
                 OUT dead_tuple_count bigint, OUT dead_tuple_len bigint, OUT dead_tuple_percent float8, OUT free_space bigint,
                 OUT free_percent float8
             ) LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.1); RAISE 'too slow'; END $$",
        )
        .expect("replaced");
    let (end, slow) = ask("pgstats_bloat_monitor", &["--exact"]);
    assert!(message(&end).contains("2 tables and indexes not measured exactly, for want of time"), "{end}");
    assert_eq!(slow.record("pg.bloat", "public.t")["estimated"], true, "{slow}");
    assert_eq!(slow.record("pg.bloat", "public.t_pkey")["estimated"], false, "{slow}");
    let (end, slow) = ask("pgstats_bloat_monitor", &["--exact", "--deadline", "2s"]);
    assert!(message(&end).contains("3 tables and indexes not measured exactly, for want of time"), "{end}");
    assert_eq!(slow.record("pg.bloat", "public.t_pkey")["estimated"], true, "{slow}");
}
