//! Who is at work, as `pso-pgstats` sees it, and what it advises on transactions that take long.

use pso_tests::wait;
use serde_json::Value;

use super::blocking::{blocking, waiting};
use super::{STATISTICS, advised, advised_no_more, database, major, message, names, pid, run, silent};

#[test]
fn activity_says_who_it_is_and_whom_it_waits_for() {
    let database = database("pgstats_activity");
    database.execute("CREATE TABLE t (id int)").expect("created");
    let mut holder = database.connect().expect("connected");
    holder.batch_execute("BEGIN; LOCK TABLE t").expect("held");
    let held = pid(&mut holder);
    let (waiter, thread) = waiting(&database, "SELECT 1 FROM t; ALTER ROLE CURRENT_USER PASSWORD 'never-shown'");
    let outcome = run(&database, &["activity"]);
    outcome.assert_code(0).assert_quiet();
    let record = outcome.record("pg.activity", &format!("pid {waiter}"));
    assert_eq!(record["blocked_by"], Value::from(vec![held]), "{record}");
    assert_eq!((&record["client_addr"], &record["backend_type"]), (&"127.0.0.1".into(), &"client backend".into()));
    assert_eq!(record["query"], "SELECT 1 FROM t; ALTER ROLE CURRENT_USER PASSWORD '***'", "{record}");
    let holds = outcome.record("pg.activity", &format!("pid {held}"));
    assert_eq!(holds.get("query_id").is_some_and(Value::is_string), major(&database) >= 14, "{holds}");
    assert!(holds.get("blocked_by").is_none() && record["xact_ms"].is_u64(), "{outcome}");
    assert!(blocking(&database).text().contains("PASSWORD '***'"));
    database.execute_as_admin(&format!("SELECT pg_cancel_backend({waiter})")).expect("cancelled");
    assert!(!thread.join().expect("ends"), "it was cancelled");
}

#[test]
fn a_long_transaction_is_advised_past_the_limit_only() {
    let database = database("pgstats_long");
    let mut long = database.connect().expect("connected");
    let root = pid(&mut long);
    let name = format!("long_transaction:pid {root}");
    let work = std::thread::spawn(move || {
        let failed = long.batch_execute("BEGIN; CREATE TABLE t (id int); SELECT pg_sleep(60)").is_err();
        (failed, long.batch_execute("ROLLBACK; SELECT 1").is_ok())
    });
    let args = ["--max-transaction", "0s"];
    let advice = advised(&database, &args, &name);
    assert_eq!((&advice["severity"], &advice["confidence"]), (&"warning".into(), &"low".into()), "{advice}");
    let inside = run(&database, &["advice", "--max-transaction", "1h"]);
    assert!(!names(&inside, "pg.advice").contains(&name), "{inside}");
    // It has an id of its own from the table on.
    let advice = wait::until("its transaction id", STATISTICS, || {
        database.execute("SELECT pg_current_xact_id()").ok()?;
        Some(advised(&database, &args, &name)).filter(|advice| message(advice).contains("vacuum removes nothing"))
    })
    .expect("seen");
    assert_eq!(database.scalar(advice["sql"].as_str().expect("SQL")).expect("run"), "t");
    assert_eq!(work.join().expect("ends"), (true, true), "cancelled, and the session is there");
    advised_no_more(&database, &args, &name);

    // A copy of the database is let finish; what waits for its client is ended.
    let mut dump = database.connect().expect("connected");
    dump.batch_execute("SET application_name = 'pg_dump'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        .expect("begun");
    let name = format!("long_transaction:pid {}", pid(&mut dump));
    let advice = advised(&database, &args, &name);
    assert_eq!((&advice["severity"], advice.get("sql")), (&"info".into(), None), "{advice}");
    // The first session of pg_dump --jobs is idle like this until the others are done.
    silent(&database, &["--max-idle-in-transaction", "0s"], "idle_in_transaction");
    database.execute("CREATE TABLE copied (id int)").expect("created");
    dump.batch_execute("LOCK TABLE copied IN ACCESS SHARE MODE").expect("locked");
    let (_, changed) = waiting(&database, "ALTER TABLE copied ADD note text");
    let root = advised(&database, &["--max-blocked", "0s"], &format!("blocking_root:pid {}", pid(&mut dump)));
    assert!(root.get("sql").is_none() && message(&root).contains("cancel what waits for it"), "{root}");
    dump.batch_execute("SET application_name = 'forgotten'").expect("set");
    let advice = advised(&database, &args, &name);
    assert_eq!(database.scalar(advice["sql"].as_str().expect("SQL")).expect("run"), "t");
    advised_no_more(&database, &args, &name);
    assert!(changed.join().expect("ends"), "nobody is in its way");
}
