//! What `pso-pgstats` sees of sequences, and advises, against a real server.

use std::time::{Duration, Instant};

use pso_tests::pg::{Database, TempPg};
use pso_tests::tool::{Outcome, Tool};
use serde_json::Value;

fn database(name: &str) -> Database {
    TempPg::shared().expect("PostgreSQL").database(name).expect("a database")
}

fn tool(database: &Database, args: &[&str]) -> Tool {
    Tool::new("pso-pgstats").expect("built").envs(database.env()).args(args).folder(std::env::temp_dir())
}

fn run(database: &Database, args: &[&str]) -> Outcome {
    tool(database, args).run().expect("ends")
}

fn advised(database: &Database) -> Vec<Value> {
    let outcome = run(database, &["advice"]);
    outcome.records_of_kind("pg.advice").into_iter().filter(|advice| advice["rule"] == "sequence_exhaustion").collect()
}

fn objects(advice: &[Value]) -> Vec<&str> {
    let mut objects: Vec<&str> = advice.iter().map(|advice| advice["object"].as_str().expect("an object")).collect();
    objects.sort_unstable();
    objects
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
