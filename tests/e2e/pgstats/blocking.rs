//! Who waits for whom, as `pso-pgstats` sees it, and what it advises to end.

use std::thread::JoinHandle;

use pso_tests::pg::{Database, TempPg};
use pso_tests::tool::Outcome;
use pso_tests::wait;
use serde_json::Value;

use super::{STATISTICS, advised, advised_no_more, database, major, message, names, pid, run, tool};

/// Any wait is too long.
const AT_ONCE: [&str; 2] = ["--max-blocked", "0s"];

/// A session that runs what has to wait, in a thread; its pid, and whether it went well in the end.
pub(crate) fn waiting(database: &Database, sql: &'static str) -> (i32, JoinHandle<bool>) {
    let mut client = database.connect().expect("connected");
    // Nothing that a test does may wait for ever.
    client.batch_execute("SET lock_timeout = '60s'").expect("set");
    let pid = pid(&mut client);
    let thread = std::thread::spawn(move || client.batch_execute(sql).is_ok());
    wait::until(&format!("pid {pid} waits"), STATISTICS, || {
        let asked = format!("SELECT 1 FROM pg_locks WHERE pid = {pid} AND NOT granted");
        database.scalar(&asked).ok()
    })
    .expect("waits");
    (pid, thread)
}

pub(crate) fn blocking(database: &Database) -> Outcome {
    let outcome = run(database, &["blocking"]);
    outcome.assert_code(0).assert_quiet();
    outcome
}

fn strings(outcome: &Outcome, field: &str) -> Vec<String> {
    let records = outcome.records_of_kind("pg.blocking");
    records.iter().map(|record| record[field].as_str().unwrap_or("-").to_owned()).collect()
}

#[test]
fn the_tree_shows_who_waits_for_whom() {
    let database = database("pgstats_tree");
    database
        .execute(
            "CREATE TABLE \"Od\"\"d 🚀\" (id int PRIMARY KEY, n int); INSERT INTO \"Od\"\"d 🚀\" VALUES (1, 0), (2, 0)",
        )
        .expect("created");
    assert_eq!(message(&blocking(&database).record("pg.section", "blocking")), "nobody waits for a lock");
    let mut root = database.connect().expect("connected");
    root.batch_execute("SET application_name = 'the root'; BEGIN; UPDATE \"Od\"\"d 🚀\" SET n = 1 WHERE id = 1")
        .expect("held");
    let r = pid(&mut root);
    let (first, one) = waiting(&database, "UPDATE \"Od\"\"d 🚀\" SET n = 2 WHERE id = 1");
    let (ddl, two) = waiting(&database, "ALTER TABLE \"Od\"\"d 🚀\" ADD COLUMN x int");
    let (reader, three) = waiting(&database, "SELECT * FROM \"Od\"\"d 🚀\"");

    let outcome = blocking(&database);
    let mut expected =
        vec![r.to_string(), format!("{r} > {first}"), format!("{r} > {ddl}"), format!("{r} > {ddl} > {reader}")];
    let mut paths = strings(&outcome, "path");
    assert_eq!(paths[0], expected[0], "the root comes first\n{outcome}");
    paths.sort();
    expected.sort();
    assert_eq!(paths, expected, "{outcome}");
    let end = outcome.record("pg.section", "blocking");
    assert_eq!((&end["rows"], message(&end)), (&4.into(), "3 sessions wait for a lock, because of 1"), "{end}");

    let record = outcome.record("pg.blocking", &format!("pid {r}"));
    assert_eq!((&record["application_name"], &record["state"]), (&"the root".into(), &"idle in transaction".into()));
    assert_eq!((&record["blocks"], &record["blocks_in_all"], &record["depth"]), (&2.into(), &3.into(), &0.into()));
    assert!(record.get("waiting_ms").is_none() && record["longest_wait_ms"].is_u64(), "{record}");
    let row = outcome.record("pg.blocking", &format!("pid {first}"));
    assert_eq!(row["lock_object"], "public.\"Od\"\"d 🚀\" (0,1)", "{row}");
    assert_eq!((&row["locktype"], &row["mode"]), (&"transactionid".into(), &"ShareLock".into()), "{row}");
    let table = outcome.record("pg.blocking", &format!("pid {ddl}"));
    assert_eq!(
        (&table["lock_object"], &table["mode"]),
        (&"public.\"Od\"\"d 🚀\"".into(), &"AccessExclusiveLock".into())
    );
    assert!(table["waiting_ms"].is_u64() && table["query"].as_str().expect("a query").starts_with("ALTER"), "{table}");
    let mut by: Vec<i64> = table["blocked_by"].as_array().expect("pids").iter().filter_map(Value::as_i64).collect();
    by.sort_unstable();
    let mut both = vec![i64::from(r), i64::from(first)];
    both.sort_unstable();
    assert_eq!(by, both, "{table}");

    let advice = advised(&database, &AT_ONCE, &format!("blocking_root:pid {r}"));
    let queue =
        format!("Up to 1 of them wait only because pid {ddl} wants public.\"Od\"\"d 🚀\" in AccessExclusiveLock");
    assert!(message(&advice).contains(&queue), "{advice}");

    // The tree of another database is not shown.
    let elsewhere = TempPg::shared().expect("PostgreSQL").database("pgstats_tree_elsewhere").expect("a database");
    assert_eq!(strings(&blocking(&elsewhere), "path"), [""; 0]);
    root.batch_execute("COMMIT").expect("ended");
    assert!([one, two, three].into_iter().all(|thread| thread.join().expect("ends")), "they got their locks");
    assert_eq!(strings(&blocking(&database), "path"), [""; 0]);
}

#[test]
fn a_root_that_does_nothing_is_advised_past_the_limit_only() {
    let database = database("pgstats_root_idle");
    database.execute("CREATE TABLE t (id int)").expect("created");
    let mut root = database.connect().expect("connected");
    root.batch_execute("BEGIN; LOCK TABLE t").expect("held");
    let name = format!("blocking_root:pid {}", pid(&mut root));
    let (waiter, thread) = waiting(&database, "SELECT * FROM t");
    let inside = run(&database, &["advice", "--max-blocked", "1h"]);
    assert!(!names(&inside, "pg.advice").contains(&name), "{inside}");
    let stale = advised(&database, &AT_ONCE, &name);
    assert_eq!(
        (&stale["severity"], &stale["evidence"]["blocked"]),
        (&"high".into(), &format!("pid {waiter} (public.t)").into())
    );
    assert!(message(&stale).starts_with("1 session waits for sync_user (pso-tests), pid "), "{stale}");

    // What idle_in_transaction says is the same statement, and is told once.
    let both = run(&database, &["advice", "--max-blocked", "0s", "--max-idle-in-transaction", "0s"]);
    let sql = |record: &Value| record["sql"] == stale["sql"];
    assert_eq!(both.records_of_kind("pg.advice").iter().filter(|record| sql(record)).count(), 1, "{both}");

    // The advice is about that transaction: the next one of the same session is not hit.
    root.batch_execute("COMMIT; BEGIN; SELECT 1").expect("begun");
    assert!(thread.join().expect("ends"), "the waiter got its lock");
    assert!(database.rows(stale["sql"].as_str().expect("SQL")).expect("run").is_empty());
    root.batch_execute("LOCK TABLE t").expect("still there");
    let (_, thread) = waiting(&database, "SELECT * FROM t");
    let advice = advised(&database, &AT_ONCE, &name);
    assert_eq!(database.scalar(advice["sql"].as_str().expect("SQL")).expect("run"), "t");
    assert!(thread.join().expect("ends"), "the waiter got its lock");
    advised_no_more(&database, &AT_ONCE, &name);
    assert!(root.batch_execute("SELECT 1").is_err(), "the session was ended");
}

#[test]
fn a_root_at_work_is_cancelled_and_a_session_with_a_lock_is_ended() {
    let database = database("pgstats_root_active");
    database.execute("CREATE TABLE t (id int)").expect("created");
    let mut working = database.connect().expect("connected");
    let root = pid(&mut working);
    let work = std::thread::spawn(move || {
        let failed = working.batch_execute("BEGIN; LOCK TABLE t; SELECT pg_sleep(60)").is_err();
        (failed, working.batch_execute("ROLLBACK; SELECT 1").is_ok())
    });
    let held = format!("SELECT 1 FROM pg_locks WHERE pid = {root} AND relation = 't'::regclass AND granted");
    wait::until("the lock", STATISTICS, || database.scalar(&held).ok()).expect("held");
    let (_, thread) = waiting(&database, "SELECT * FROM t");
    let name = format!("blocking_root:pid {root}");
    let advice = advised(&database, &AT_ONCE, &name);
    let sql = advice["sql"].as_str().expect("SQL");
    assert!(sql.contains("pg_cancel_backend") && message(&advice).contains("it is at work"), "{advice}");
    assert_eq!(database.scalar(sql).expect("run"), "t");
    assert_eq!(work.join().expect("ends"), (true, true), "cancelled, and the session is there");
    assert!(thread.join().expect("ends"), "the waiter got its lock");
    advised_no_more(&database, &AT_ONCE, &name);

    let mut idle = database.connect().expect("connected");
    idle.batch_execute("SELECT pg_advisory_lock(-7)").expect("held");
    let name = format!("blocking_root:pid {}", pid(&mut idle));
    let (waiter, thread) = waiting(&database, "SELECT pg_advisory_xact_lock(-7)");
    let record = blocking(&database).record("pg.blocking", &format!("pid {waiter}"));
    assert_eq!((&record["lock_object"], &record["locktype"]), (&"advisory -7".into(), &"advisory".into()), "{record}");
    let advice = advised(&database, &AT_ONCE, &name);
    assert_eq!(database.scalar(advice["sql"].as_str().expect("SQL")).expect("run"), "t");
    assert!(thread.join().expect("ends"), "the waiter got its lock");
    advised_no_more(&database, &AT_ONCE, &name);
}

#[test]
fn a_prepared_transaction_can_be_the_root() {
    let server = TempPg::with_settings(&[("max_prepared_transactions", "4")]).expect("PostgreSQL");
    let database = server.database("pgstats_root_prepared").expect("a database");
    database.execute("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0)").expect("created");
    // It holds the table, too, but in a mode that is in nobody's way.
    database
        .execute("BEGIN; SELECT * FROM t; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'harmless'")
        .expect("prepared");
    let gid = "it''s \"left\" 🚀";
    database.execute(&format!("BEGIN; UPDATE t SET n = 1; PREPARE TRANSACTION '{gid}'")).expect("prepared");
    let (row, one) = waiting(&database, "UPDATE t SET n = 2");
    let (build, two) = waiting(&database, "CREATE INDEX ON t (n)");
    let outcome = blocking(&database);
    let shown = gid.replace("''", "'");
    let root = outcome.record("pg.blocking", &format!("prepared transaction {shown}"));
    assert_eq!(
        (&root["pid"], &root["blocks_in_all"], &root["usename"]),
        (&0.into(), &2.into(), &"sync_user".into()),
        "{root}"
    );
    assert!(!outcome.text().contains("harmless"), "{outcome}");
    for waiter in [row, build] {
        assert_eq!(outcome.record("pg.blocking", &format!("pid {waiter}"))["root_pid"], 0, "{outcome}");
    }
    let name = format!("blocking_root:{shown}");
    let advice = advised(&database, &AT_ONCE, &name);
    database.execute(advice["sql"].as_str().expect("SQL")).expect("rolled back");
    assert!(one.join().expect("ends") && two.join().expect("ends"), "they got their locks");
    advised_no_more(&database, &AT_ONCE, &name);
    database.execute("ROLLBACK PREPARED 'harmless'").expect("rolled back");
}

#[test]
fn a_deadlock_is_shown_and_left_to_the_server() {
    let server = TempPg::with_settings(&[("deadlock_timeout", "50s")]).expect("PostgreSQL");
    let database = server.database("pgstats_deadlock").expect("a database");
    database.execute("CREATE TABLE a (id int); CREATE TABLE b (id int)").expect("created");
    let mut sessions: Vec<(i32, JoinHandle<bool>)> = Vec::new();
    let mut first = database.connect().expect("connected");
    first.batch_execute("BEGIN; LOCK TABLE a").expect("held");
    let (second, two) = waiting(&database, "BEGIN; LOCK TABLE b; LOCK TABLE a");
    sessions.push((second, two));
    let root = pid(&mut first);
    let one = std::thread::spawn(move || first.batch_execute("LOCK TABLE b").is_ok());
    wait::until("the circle", STATISTICS, || {
        database.scalar("SELECT count(*) FROM pg_locks WHERE NOT granted").ok().filter(|count| count == "2")
    })
    .expect("both wait");
    let outcome = blocking(&database);
    let records = outcome.records_of_kind("pg.blocking");
    assert!(records.len() == 2 && records.iter().all(|record| record["deadlock"] == true), "{outcome}");
    assert!(message(&outcome.record("pg.section", "blocking")).ends_with("2 of them for each other"), "{outcome}");
    let advice = run(&database, &["advice", "--max-blocked", "0s"]);
    assert!(!names(&advice, "pg.advice").iter().any(|name| name.starts_with("blocking_root")), "{advice}");
    database.execute(&format!("SELECT pg_cancel_backend({root})")).expect("cancelled");
    assert!(!one.join().expect("ends"), "the one was cancelled");
    sessions.into_iter().for_each(|(_, thread)| assert!(thread.join().expect("ends"), "the other got its locks"));
}

#[test]
fn a_role_with_nothing_sees_the_tree_and_is_told_what_it_does_not() {
    let database = database("pgstats_root_hidden");
    database.execute("CREATE TABLE t (id int)").expect("created");
    database.execute_as_admin("CREATE ROLE pgstats_blocked LOGIN PASSWORD 'nothing-at-all-2'").expect("created");
    let mut root = database.connect().expect("connected");
    root.batch_execute("BEGIN; LOCK TABLE t").expect("held");
    let root_pid = pid(&mut root);
    let (waiter, thread) = waiting(&database, "SELECT 'a text of the application' FROM t");
    let tool = tool(&database, &["blocking", "advice", "--max-blocked", "0s"]);
    let outcome = tool.env("PGUSER", "pgstats_blocked").env("PGPASSWORD", "nothing-at-all-2").run().expect("ends");
    outcome.assert_quiet();
    assert_eq!(strings(&outcome, "path"), [root_pid.to_string(), format!("{root_pid} > {waiter}")], "{outcome}");
    assert!(!outcome.text().contains("a text of the application"), "{outcome}");
    let end = outcome.record("pg.section", "blocking");
    assert!(end["severity"] == "info" && message(&end).contains("GRANT pg_read_all_stats TO pgstats_blocked"), "{end}");
    let advice = outcome.record("pg.advice", &format!("blocking_root:pid {root_pid}"));
    assert!(advice.get("sql").is_none() && message(&advice).contains("cannot be seen by this role"), "{advice}");
    drop(root);
    assert!(thread.join().expect("ends"), "the waiter got its lock");
    database.execute_as_admin("DROP ROLE pgstats_blocked").expect("dropped");
}

#[test]
fn strong_locks_and_those_that_are_waited_for_are_shown() {
    let server = TempPg::with_settings(&[("max_prepared_transactions", "2"), ("max_locks_per_transaction", "77")])
        .expect("PostgreSQL");
    let database = server.database("pgstats_locks").expect("a database");
    database
        .execute("CREATE TABLE \"T 🚀\" (id int); CREATE TABLE weak (id int); CREATE TABLE p (id int)")
        .expect("created");
    let empty = run(&database, &["locks"]);
    empty.assert_code(0).assert_quiet();
    let end = empty.record("pg.section", "locks");
    assert!(end["rows"] == 0 && message(&end).starts_with("0 waited for, 0 held"), "{end}");

    let mut holder = database.connect().expect("connected");
    holder
        .batch_execute(
            "BEGIN; LOCK TABLE \"T 🚀\" IN SHARE MODE; INSERT INTO weak VALUES (1); SELECT pg_advisory_xact_lock(1, 2)",
        )
        .expect("held");
    let held = pid(&mut holder);
    database.execute("BEGIN; LOCK TABLE p IN EXCLUSIVE MODE; PREPARE TRANSACTION 'keeps p'").expect("prepared");
    let (writer, one) = waiting(&database, "INSERT INTO \"T 🚀\" VALUES (1)");
    let (other, two) = waiting(&database, "SELECT pg_advisory_lock(1, 2)");
    let outcome = run(&database, &["locks"]);
    outcome.assert_code(0).assert_quiet();
    // What is waited for comes first.
    let waited = names(&outcome, "pg.lock");
    assert_eq!(&waited[2..], ["prepared transaction keeps p".to_owned(), format!("pid {held}")], "{outcome}");
    let lock = outcome.record("pg.lock", &format!("pid {writer}"));
    assert_eq!((&lock["mode"], &lock["granted"]), (&"RowExclusiveLock".into(), &false.into()), "{lock}");
    assert!(lock["lock_object"] == "public.\"T 🚀\"" && lock["waiting_ms"].is_u64(), "{lock}");
    let advisory = outcome.record("pg.lock", &format!("pid {other}"));
    assert_eq!(advisory["lock_object"], "advisory (1,2)", "{advisory}");
    let strong = outcome.record("pg.lock", &format!("pid {held}"));
    assert_eq!(
        (&strong["mode"], &strong["granted"], strong.get("waiting_ms")),
        (&"ShareLock".into(), &true.into(), None)
    );
    assert!(strong["xact_ms"].is_u64() && strong["state"] == "idle in transaction", "{strong}");
    let prepared = outcome.record("pg.lock", "prepared transaction keeps p");
    assert_eq!(
        (&prepared["lock_object"], &prepared["usename"]),
        (&"public.p".into(), &"sync_user".into()),
        "{prepared}"
    );
    let end = outcome.record("pg.section", "locks");
    let connections = database.scalar("SHOW max_connections").expect("asked").parse::<u64>().expect("a number");
    let room = format!("of at least {} entries of the lock table used", 77 * (connections + 2));
    assert!(message(&end).starts_with("2 waited for, 2 held; in all databases "), "{end}");
    assert!(message(&end).contains("1 ShareLock") && message(&end).contains(&room), "{end}");
    holder.batch_execute("ROLLBACK").expect("ended");
    assert!(one.join().expect("ends") && two.join().expect("ends"), "they got their locks");
    database.execute("ROLLBACK PREPARED 'keeps p'").expect("rolled back");
}

#[test]
fn what_a_parallel_worker_waits_for_is_told_of_its_leader() {
    let database = database("pgstats_parallel");
    database
        .execute(
            "CREATE TABLE t (id int);
             CREATE FUNCTION reads() RETURNS bigint LANGUAGE plpgsql PARALLEL SAFE AS 'BEGIN RETURN (SELECT count(*) FROM t); END'",
        )
        .expect("created");
    let mut holder = database.connect().expect("connected");
    holder.batch_execute("BEGIN; LOCK TABLE t").expect("held");
    let held = pid(&mut holder);
    let newer = major(&database) >= 16;
    let mut client = database.connect().expect("connected");
    let parallel = if newer { "debug_parallel_query" } else { "force_parallel_mode" };
    client.batch_execute(&format!("SET {parallel} = on; SET lock_timeout = '60s'")).expect("set");
    let leader = pid(&mut client);
    let thread = std::thread::spawn(move || client.batch_execute("SELECT reads()").is_ok());
    let outcome = wait::until("the worker waits", STATISTICS, || {
        let outcome = run(&database, &["activity", "blocking"]);
        (!outcome.records_of_kind("pg.blocking").is_empty()).then_some(outcome)
    })
    .expect("seen");
    assert_eq!(strings(&outcome, "path"), [held.to_string(), format!("{held} > {leader}")], "{outcome}");
    let waits = outcome.record("pg.blocking", &format!("pid {leader}"));
    assert_eq!((&waits["lock_object"], &waits["mode"]), (&"public.t".into(), &"AccessShareLock".into()), "{waits}");
    let of = |record: &Value| record["leader_pid"] == leader;
    let worker = outcome.records_of_kind("pg.activity").into_iter().find(of).expect("the worker");
    assert_eq!(worker["backend_type"], "parallel worker", "{worker}");
    let clients = message(&outcome.record("pg.section", "activity")).to_owned();
    assert_eq!(clients, "1 active, 1 idle in transaction", "a worker is no client");
    holder.batch_execute("COMMIT").expect("ended");
    assert!(thread.join().expect("ends"), "it got its lock");
}

#[test]
fn on_a_standby_the_replay_of_a_lock_is_a_root_that_nobody_ends() {
    let primary = TempPg::start_new().expect("PostgreSQL");
    let database = primary.database("pgstats_replayed_lock").expect("a database");
    database.execute("CREATE TABLE t (id int)").expect("created");
    let standby = primary.standby().expect("a standby");
    let replica = standby.replica_of(&database);
    let mut holder = database.connect().expect("connected");
    holder.batch_execute("BEGIN; LOCK TABLE t; ALTER TABLE t ADD COLUMN x int").expect("held");
    // A commit takes with it to the standby what was written before it.
    database.execute("CREATE TABLE later (id int)").expect("created");
    standby.catch_up(&primary).expect("caught up");
    let held = "SELECT 1 FROM pg_locks WHERE relation = 't'::regclass AND mode = 'AccessExclusiveLock' AND granted";
    wait::until("the replayed lock", STATISTICS, || replica.scalar(held).ok()).expect("held");
    let (waiter, thread) = waiting(&replica, "SELECT * FROM t");
    let outcome = run_as_admin(&standby, &replica);
    let replays = outcome.records_of_kind("pg.blocking").into_iter().find(|record| record["backend_type"] == "startup");
    let root = replays.expect("the startup process")["pid"].as_i64().expect("a pid");
    assert_eq!(strings(&outcome, "path"), [root.to_string(), format!("{root} > {waiter}")], "{outcome}");
    let advice = outcome.record("pg.advice", &format!("blocking_root:pid {root}"));
    assert!(advice.get("sql").is_none() && message(&advice).contains("it replays what the primary did"), "{advice}");
    holder.batch_execute("COMMIT").expect("ended");
    standby.catch_up(&primary).expect("caught up");
    assert!(thread.join().expect("ends"), "it got its lock");
}

fn run_as_admin(server: &TempPg, database: &Database) -> Outcome {
    let tool = tool(database, &["blocking", "advice", "--max-blocked", "0s"]);
    let outcome = tool.env("PGUSER", "postgres").env("PGPASSWORD", server.admin_password()).run().expect("ends");
    outcome.assert_quiet();
    outcome
}
