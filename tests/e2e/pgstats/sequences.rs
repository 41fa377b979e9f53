//! What `pso-pgstats` sees of sequences, and advises, against a real server.

use std::time::{Duration, Instant};

use pso_tests::pg::Database;
use serde_json::Value;

use super::{advice_of, advised_on, database, message, objects, run, silent, tool};

fn advised(database: &Database) -> Vec<Value> {
    advice_of(&run(database, &["advice"]), "sequence_exhaustion")
}

/// Of the ways to number rows each past three quarters of its values, and just there.
const FILLED: &str = r#"
    CREATE TABLE past (id serial PRIMARY KEY); SELECT setval('past_id_seq', 1611000000);
    CREATE TABLE inside (id serial PRIMARY KEY); SELECT setval('inside_id_seq', 1610612735);
    CREATE TABLE "Wid ""e" ("I d" int GENERATED ALWAYS AS IDENTITY); ALTER TABLE "Wid ""e" ALTER "I d" TYPE bigint;
    ALTER SEQUENCE "Wid ""e_I d_seq" AS int; SELECT setval('"Wid ""e_I d_seq"', 2147483000);
    CREATE SEQUENCE large; CREATE TABLE by_default (id int DEFAULT nextval('large')); SELECT setval('large', 2147483600);
    CREATE SEQUENCE short MAXVALUE 1000; SELECT setval('short', 800);
    CREATE SEQUENCE down INCREMENT -1 AS smallint; SELECT setval('down', -30000);
    CREATE SEQUENCE round CYCLE MAXVALUE 1000; SELECT setval('round', 1000);
    CREATE SEQUENCE fresh MAXVALUE 10; CREATE TEMP SEQUENCE passing MAXVALUE 2
"#;

#[test]
fn a_sequence_that_runs_out_is_advised_past_the_limit_only() {
    let database = database("pgstats_sequences");
    database.execute(FILLED).expect("created");
    let outcome = run(&database, &["sequences"]);
    outcome.assert_code(0).assert_quiet();
    let records = outcome.records_of_kind("pg.sequence");
    let used = |record: &Value| record["used_percent"].as_f64().unwrap_or(-1.0);
    assert!(records.iter().map(used).is_sorted_by(|a, b| a >= b) && records.len() == 8, "{outcome}");
    let large = outcome.record("pg.sequence", "public.large");
    assert_eq!((&large["column_type"], &large["limit_value"]), (&"integer".into(), &2_147_483_647.into()), "{large}");
    assert_eq!((&large["on_table"], &large["remaining"]), (&"public.by_default".into(), &47.into()), "{large}");
    assert!(outcome.record("pg.sequence", "public.fresh").get("last_value").is_none(), "{outcome}");

    let wide = r#"public."Wid ""e_I d_seq""#;
    let found = advised(&database);
    assert_eq!(
        objects(&found),
        [wide, "public.down", "public.large", "public.past_id_seq", "public.short"],
        "{found:?}"
    );
    let severity = |object: &str| &found.iter().find(|advice| advice["object"] == object).expect("advised")["severity"];
    assert_eq!((severity("public.past_id_seq"), severity(wide)), (&"warning".into(), &"high".into()));

    let definitions = "SELECT string_agg(s::text, E'\\n' ORDER BY s.seqrelid) FROM pg_sequence AS s";
    for advice in &found {
        let object = advice["object"].as_str().expect("an object");
        let before = database.scalar(definitions).expect("there");
        let Some(sql) = advice["sql"].as_str() else {
            // To give the column a larger type takes a while, and is left to people.
            assert!(["public.large", "public.past_id_seq"].contains(&object), "{advice}");
            continue;
        };
        database.execute(sql).expect("followed");
        assert_ne!(database.scalar(definitions).expect("there"), before, "{advice}");
        assert!(!objects(&advised(&database)).contains(&object), "{advice}");
        database.execute(advice["undo_sql"].as_str().expect("SQL")).expect("taken back");
        assert_eq!(database.scalar(definitions).expect("there"), before, "{advice}");
    }
    database
        .execute("ALTER TABLE past ALTER id TYPE bigint; ALTER SEQUENCE past_id_seq AS bigint; ALTER TABLE by_default ALTER id TYPE bigint")
        .expect("made wider");
    assert_eq!(objects(&advised(&database)), [wide, "public.down", "public.short"]);
}

#[test]
fn a_sequence_that_grows_keeps_its_other_end() {
    let database = database("pgstats_sequences_ends");
    database
        .execute(
            "CREATE SEQUENCE chosen AS int MINVALUE 5; SELECT setval('chosen', 2000000000);
             CREATE SEQUENCE doubled AS int MINVALUE -2147483648; SELECT setval('doubled', 2000000000);
             CREATE SEQUENCE down AS int INCREMENT -1 MAXVALUE 2147483647; SELECT setval('down', -2000000000)",
        )
        .expect("created");
    let ends = "SELECT string_agg(s::text, E'\\n' ORDER BY s.seqrelid) FROM pg_sequence AS s";
    let before = database.scalar(ends).expect("there");
    let found = advised(&database);
    assert_eq!(objects(&found), ["public.chosen", "public.doubled", "public.down"]);
    for field in ["sql", "undo_sql"] {
        for advice in &found {
            database.execute(advice[field].as_str().expect("SQL")).expect("followed");
        }
        if field == "sql" {
            assert_eq!(objects(&advised(&database)), [""; 0]);
            let other = "SELECT string_agg(CASE WHEN increment_by > 0 THEN min_value ELSE max_value END::text, ' ' ORDER BY sequencename)
                         FROM pg_sequences";
            assert_eq!(database.scalar(other).expect("asked"), "5 -2147483648 2147483647");
        }
    }
    assert_eq!(database.scalar(ends).expect("there"), before);
}

#[test]
fn a_key_that_runs_out_without_a_sequence_is_advised_past_the_limit_only() {
    let database = database("pgstats_integer_keys");
    database
        .execute(
            r#"CREATE TABLE "Past it" ("I d" int PRIMARY KEY, small smallint UNIQUE) WITH (autovacuum_enabled = off);
               INSERT INTO "Past it" SELECT 1611000000 + n * 100, 20000 + n FROM generate_series(1, 20) AS n;
               CREATE TABLE inside (id int PRIMARY KEY) WITH (autovacuum_enabled = off);
               INSERT INTO inside SELECT 1610612735 - n FROM generate_series(0, 20) AS n;
               CREATE TABLE down (id int PRIMARY KEY) WITH (autovacuum_enabled = off);
               INSERT INTO down SELECT -2147483648 + n FROM generate_series(0, 20) AS n;
               CREATE TABLE wide (id bigint PRIMARY KEY); INSERT INTO wide VALUES (2147483000), (1);
               CREATE TABLE refers (wide_id int REFERENCES wide, other int) WITH (autovacuum_enabled = off);
               INSERT INTO refers SELECT 2147483000, 2147483000 FROM generate_series(1, 20);
               CREATE TABLE counted (id serial PRIMARY KEY) WITH (autovacuum_enabled = off);
               INSERT INTO counted SELECT 2147483000 - n FROM generate_series(1, 20) AS n; SELECT setval('counted_id_seq', 7);
               ANALYZE"#,
        )
        .expect("created");
    let rule = "integer_key_exhaustion";
    let past = "public.\"Past it\".\"I d\"";
    let found = advised_on(&database, &[], rule, &[past, "public.down.id", "public.refers.wide_id"]);
    assert_eq!((&found[0]["severity"], &found[0]["confidence"]), (&"warning".into(), &"medium".into()), "{found:?}");
    assert!(found[1]["severity"] == "high" && found[1]["evidence"]["used_percent"] == "100", "{found:?}");
    assert!(found[0].get("sql").is_none() && message(&found[0]).contains("saw the value 1611002000"), "{found:?}");
    silent(&database, &["--max-sequence", "100%"], rule);

    database.execute_as_admin("CREATE ROLE pgstats_keys LOGIN PASSWORD 'nothing-at-all-2'").expect("a role");
    let hidden = tool(&database, &["integer_keys"]).env("PGUSER", "pgstats_keys").env("PGPASSWORD", "nothing-at-all-2");
    let hidden = hidden.run().expect("ends");
    let end = hidden.record("pg.section", "integer_keys");
    assert!(end["severity"] == "info" && message(&end).contains("TO pgstats_keys"), "{hidden}");
    assert!(hidden.records_of_kind("pg.integer_key").iter().all(|key| key.get("used_percent").is_none()), "{hidden}");
    database.execute_as_admin("DROP ROLE pgstats_keys").expect("dropped");

    database
        .execute("ALTER TABLE refers ALTER wide_id TYPE bigint; ALTER TABLE down ALTER id TYPE bigint; ANALYZE")
        .expect("made wider");
    advised_on(&database, &[], rule, &[past]);
}

#[test]
fn what_cannot_be_read_of_sequences_is_said() {
    let database = database("pgstats_sequences_hidden");
    database
        .execute_as_admin(
            "CREATE ROLE pgstats_sequences LOGIN PASSWORD 'nothing-at-all-1'; CREATE SEQUENCE of_others;
             CREATE SEQUENCE held; GRANT USAGE ON SEQUENCE held TO pgstats_sequences; SELECT setval('of_others', 7)",
        )
        .expect("created");
    let mut holder = database.connect_as_admin().expect("connected");
    holder.batch_execute("BEGIN; ALTER SEQUENCE held RENAME TO held_by_another").expect("held");
    let locked = "SELECT count(*) FROM pg_locks WHERE relation = 'held'::regclass AND mode = 'AccessExclusiveLock'";
    let expected = database.scalar(locked).expect("asked") == "1";
    let started = Instant::now();
    let outcome = tool(&database, &["sequences"])
        .env("PGUSER", "pgstats_sequences")
        .env("PGPASSWORD", "nothing-at-all-1")
        .run()
        .expect("ends");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    outcome.assert_code(0).assert_quiet();
    let end = outcome.record("pg.section", "sequences");
    let text = end["message"].as_str().expect("a message");
    assert!(text.contains("1 sequence without") && text.contains("TO pgstats_sequences"), "{end}");
    assert!(expected && text.contains("1 sequence not read"), "{end}");
    assert!(outcome.record("pg.sequence", "public.of_others").get("last_value").is_none(), "{outcome}");
    drop(holder);
    database.execute_as_admin("DROP OWNED BY pgstats_sequences; DROP ROLE pgstats_sequences").expect("dropped");
}
