//! What `pso-pgstats` says about a server as a whole: ids that run out, and what keeps the log of changes from being removed.
//! Each test has a server of its own, because the settings, or what all databases share, matter.

use pso_tests::pg::{Builder, Database, TempPg};
use serde_json::Value;

use crate::pgstats::{advised, advised_no_more, message, names, run};

fn builder() -> Builder {
    // Autovacuum would freeze while the test looks.
    TempPg::builder().setting("autovacuum", "off")
}

fn sql<'a>(advice: &'a Value, field: &str) -> &'a str {
    advice[field].as_str().expect("SQL")
}

fn number(record: &Value, field: &str) -> i64 {
    record[field].as_i64().expect("a number")
}

/// Not advised with these limits: the twin just inside.
fn silent(database: &Database, args: &[&str], name: &str) {
    let outcome = run(database, &[&["advice"], args].concat());
    assert!(!names(&outcome, "pg.advice").iter().any(|advice| advice == name), "{outcome}");
}

fn ages(database: &Database, name: &str) -> Value {
    let outcome = run(database, &["wraparound"]);
    outcome.assert_code(0).assert_quiet();
    outcome.record("pg.wraparound", name)
}

#[test]
fn old_transaction_ids_are_advised_past_the_limit_only() {
    let server = builder().start().expect("PostgreSQL");
    let database = server.database("pgstats \"xid\"").expect("a database");
    database.execute_as_admin("VACUUM (FREEZE)").expect("frozen");
    database
        .execute(
            "CREATE TABLE old (id int) WITH (autovacuum_freeze_max_age = 150000); INSERT INTO old VALUES (1);
             CREATE TABLE long (note text); CREATE TABLE parts (id int) PARTITION BY RANGE (id)",
        )
        .expect("created");
    database
        .execute("DO $$ BEGIN FOR i IN 1..3000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
        .expect("spent");

    let of_database = ages(&database, database.name());
    let age = number(&of_database, "xid_age");
    let asked = "SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()";
    assert_eq!(database.scalar(asked).expect("asked"), age.to_string());
    assert_eq!((&of_database["scope"], number(&of_database, "freeze_max_age")), (&"database".into(), 200_000_000));
    // The table that is nearest to its own limit is the first of the tables.
    let outcome = run(&database, &["wraparound"]);
    let tables: Vec<_> =
        outcome.records_of_kind("pg.wraparound").into_iter().filter(|r| r["scope"] == "table").collect();
    assert_eq!((&tables[0]["relname"], number(&tables[0], "freeze_max_age")), (&"old".into(), 150_000), "{outcome}");
    assert_eq!(tables.len(), 10, "{outcome}");

    let name = "xid_age:\"pgstats \"\"xid\"\"\"";
    let limit = ["--max-xid-age", &age.to_string()];
    silent(&database, &["--max-xid-age", &(age + 500).to_string()], name);
    let advice = advised(&database, &limit, name);
    assert_eq!((&advice["severity"], &advice["confidence"]), (&"warning".into(), &"high".into()), "{advice}");
    assert_eq!(advice["evidence"]["oldest_table"], "public.old", "{advice}");
    // Ids are the server's, so other databases are as old; what helps there cannot be done from here.
    let other = advised(&database, &limit, "xid_age:template0");
    assert!(other.get("sql").is_none() && message(&other).contains("nobody can connect to it"), "{other}");
    database.execute_as_admin(sql(&advice, "sql")).expect("frozen");
    advised_no_more(&database, &limit, name);
}

#[test]
fn old_multixact_ids_are_advised_past_the_limit_only() {
    let server = builder().start().expect("PostgreSQL");
    let database = server.database("pgstats_multixact").expect("a database");
    database.execute("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0)").expect("created");
    let mut session = database.connect().expect("connected");
    for _ in 0..20 {
        // A row that a transaction has locked and a part of it has changed is held by two ids.
        session
            .batch_execute("BEGIN; SELECT * FROM t FOR KEY SHARE; SAVEPOINT s; UPDATE t SET n = n + 1; COMMIT")
            .expect("a multixact");
    }
    let age = number(&ages(&database, "pgstats_multixact"), "multixact_age");
    assert!(age >= 20, "{age}");
    let name = "multixact_age:pgstats_multixact";
    let limit = ["--max-multixact-age", &age.to_string()];
    silent(&database, &["--max-multixact-age", &(age + 1).to_string()], name);
    let advice = advised(&database, &limit, name);
    assert_eq!(advice["evidence"]["multixact_age"], age.to_string(), "{advice}");
    database.execute_as_admin(sql(&advice, "sql")).expect("frozen");
    advised_no_more(&database, &limit, name);
}
