//! What `pso-pgstats` sees of statements, what of them it never shows, and what it advises.

use pso_tests::pg::{Database, TempPg};
use pso_tests::wait;
use serde_json::Value;

use super::{STATISTICS, advised, advised_no_more, database, major, message, names, of_rule, run};

/// All that was counted.
const ALL: [&str; 7] = ["statements", "--min-mean", "0s", "--min-total", "0s", "--limit", "1000"];

/// Runs until the statement has been counted so often.
fn counted(database: &Database, part: &str, calls: i64) -> Value {
    wait::until(&format!("{calls} calls of {part}"), STATISTICS, || {
        let outcome = run(database, &ALL);
        outcome.assert_code(0).assert_quiet();
        let of = |record: &Value| record["query"].as_str().expect("a query").contains(part) && record["calls"] == calls;
        outcome.records_of_kind("pg.statement").into_iter().find(of)
    })
    .expect("counted")
}

#[test]
fn a_statement_is_shown_with_what_its_version_counts() {
    let database = database("pgstats_statement");
    database.enable_statements().expect("statements");
    database.execute("CREATE TABLE t AS SELECT generate_series(1, 5000) AS n").expect("created");
    for _ in 0..3 {
        database.rows("SELECT n, n AS counted_three_times FROM t ORDER BY n DESC").expect("asked");
    }
    let record = counted(&database, "counted_three_times", 3);
    assert_eq!((&record["rows"], &record["usename"]), (&15_000.into(), &"sync_user".into()), "{record}");
    let ms = |field: &str| record[field].as_f64().expect("ms");
    assert!(ms("min_ms") <= ms("mean_ms") && ms("mean_ms") <= ms("max_ms") && ms("stddev_ms") >= 0.0, "{record}");
    assert!((ms("mean_ms") * 3.0 - ms("total_ms")).abs() < 0.001 && ms("total_percent") > 0.0, "{record}");
    assert!(record["shared_blks_hit"].as_i64() > Some(0), "{record}");
    let extension = database.scalar("SELECT extversion FROM pg_extension WHERE extname = 'pg_stat_statements'");
    let minor: u32 = extension.expect("there").rsplit('.').next().expect("a part").parse().expect("a number");
    let since = [
        (1, ["temp_blks_written", "blk_read_ms", "blk_write_ms"].as_slice()),
        (8, ["plans", "plan_ms", "wal_bytes"].as_slice()),
        (9, ["toplevel"].as_slice()),
        (10, ["jit_functions", "jit_ms"].as_slice()),
        (11, ["stats_since_at"].as_slice()),
    ];
    for (from, fields) in since {
        for field in fields {
            assert_eq!(record.get(field).is_some(), minor >= from, "{field} in 1.{minor}: {record}");
        }
    }
    let stats = run(&database, &["statement_stats"]);
    stats.assert_code(0).assert_quiet();
    let stats = stats.record("pg.statement_stats", "pg_stat_statements");
    assert_eq!((&stats["loaded"], &stats["created"]), (&true.into(), &true.into()), "{stats}");
    assert!(stats["entries"].as_i64() > Some(0) && stats["max_entries"].as_i64() >= Some(100), "{stats}");
    assert_eq!((stats.get("dealloc").is_some(), stats.get("available")), (minor >= 9, None), "{stats}");
}

#[test]
fn the_slowest_on_average_and_in_all_are_shown() {
    let database = database("pgstats_top");
    database.enable_statements().expect("statements");
    database.rows("SELECT pg_sleep(0.2) AS slow_once").expect("slow");
    for _ in 0..12 {
        database.rows("SELECT pg_sleep(0.03), 1 AS quick_but_often").expect("slept");
    }
    counted(&database, "quick_but_often", 12);
    let shown = |args: &[&str]| {
        let outcome = run(&database, &[&["statements", "--limit", "1"], args].concat());
        let queries = outcome.records_of_kind("pg.statement").into_iter().map(|record| record["query"].to_string());
        let queries: Vec<String> = queries.collect();
        let end = message(&outcome.record("pg.section", "statements")).to_owned();
        (["slow_once", "quick_but_often"].map(|part| queries.iter().any(|query| query.contains(part))), end)
    };
    let (both, end) = shown(&["--min-mean", "150ms", "--min-total", "300ms"]);
    assert!(end.starts_with("1 slower than 150ms on average; 1 took longer than 300ms in all"), "{end}");
    assert_eq!(both, [true, true]);
    assert_eq!(shown(&["--min-mean", "150ms", "--min-total", "1h"]).0, [true, false]);
    assert_eq!(shown(&["--min-mean", "1h", "--min-total", "300ms"]).0, [false, true]);
}

#[test]
fn a_slow_statement_is_advised_when_it_was_run_often() {
    let database = database("pgstats_slow");
    database.enable_statements().expect("statements");
    let run_once = |name: &str| drop(database.rows(&format!("SELECT pg_sleep(0.03), 1 AS {name}")).expect("slept"));
    for _ in 0..9 {
        run_once("past");
        database.rows("SELECT pg_sleep(0.03), 2, 1 AS inside").expect("slept");
    }
    run_once("past");
    let past = counted(&database, "past", 10);
    counted(&database, "inside", 9);
    let name = format!("slow_statement:{} of sync_user", past["queryid"].as_str().expect("an id"));
    let advice = advised(&database, &["--min-mean", "20ms"], &name);
    assert_eq!((&advice["severity"], advice.get("sql")), (&"info".into(), None), "{advice}");
    assert_eq!((&advice["evidence"]["calls"], &advice["evidence"]["rows"]), (&"10".into(), &"10".into()), "{advice}");
    assert!(message(&advice).contains("AS past") && message(&advice).contains("each time 1 rows"), "{advice}");
    let since = advice["evidence"].get("since").is_some();
    assert_eq!(since, major(&database) >= 14, "{advice}");
    let outcome = run(&database, &["advice", "--min-mean", "20ms"]);
    assert!(of_rule(&outcome, "slow_statement").iter().eq([&name]), "{outcome}");
    advised_no_more(&database, &["--min-mean", "10s"], &name);
}

#[test]
fn a_text_that_is_none_here_costs_the_texts_only() {
    let server = TempPg::with_settings(&[("pg_stat_statements.track", "all")]).expect("PostgreSQL");
    let database = server.database("pgstats_texts").expect("a database");
    database.enable_statements().expect("statements");
    let create = "CREATE DATABASE any_bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'";
    server.admin("postgres").expect("connected").batch_execute(create).expect("created");
    let comment = "DO $$ BEGIN EXECUTE 'COMMENT ON SCHEMA public IS ' || quote_literal(convert_from('\\xe9ff', 'SQL_ASCII')); END $$";
    server.admin("any_bytes").expect("connected").batch_execute(comment).expect("a comment");
    database.rows("SELECT pg_sleep(0.05)").expect("slept");
    let outcome = run(&database, &["statements", "--min-mean", "40ms"]);
    outcome.assert_code(0).assert_quiet();
    assert!(message(&outcome.record("pg.section", "statements")).contains("the texts are not shown"), "{outcome}");
    let records = outcome.records_of_kind("pg.statement");
    assert!(!records.is_empty() && records.iter().all(|record| record["query"] == ""), "{outcome}");
}

#[test]
fn no_password_is_shown() {
    let database = database("pgstats_passwords");
    database.enable_statements().expect("statements");
    let statements = [
        "CREATE USER pgstats_secret ENCRYPTED PASSWORD 'hunter-2a'",
        "ALTER ROLE pgstats_secret PASSWORD E'hunter-2b\\x21'",
        "ALTER ROLE pgstats_secret WITH PASSWORD $it's$hunter-2c$it's$",
        "ALTER USER pgstats_secret PASSWORD U&'hunter-2d\\0021'",
        "DO $do$ BEGIN EXECUTE 'ALTER ROLE pgstats_secret PASSWORD ''hunter-2e'''; END $do$",
        "CREATE FOREIGN DATA WRAPPER nothing",
        "CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing",
        "CREATE USER MAPPING FOR pgstats_secret SERVER elsewhere OPTIONS (user 'u', password 'hunter-2f')",
        "CREATE SUBSCRIPTION pgstats_secret CONNECTION 'host=127.0.0.1 port=1 password=hunter-2g dbname=d' PUBLICATION p
         WITH (connect = false)",
        "ALTER SUBSCRIPTION pgstats_secret CONNECTION 'postgresql://u:hunter-2h@127.0.0.1:1/d'",
    ];
    let mut admin = database.connect_as_admin().expect("connected");
    for statement in statements {
        // A tag must be a name; the odd one shows what is made of what the server refuses.
        let refused = admin.batch_execute(statement).is_err();
        assert_eq!(refused, statement.contains("$it's$"), "{statement}");
    }
    admin.batch_execute("ALTER ROLE pgstats_secret PASSWORD $it$hunter-2i$it$").expect("set");
    let mut open = database.connect().expect("connected");
    open.batch_execute("BEGIN; SELECT 'host=h password=hunter-2j user=u', 'postgres://u:hunter-2k@h/d'")
        .expect("begun");
    let outcome = wait::until("the statements", STATISTICS, || {
        let outcome = run(&database, &[&["activity"], &ALL[..]].concat());
        let text = outcome.text();
        (text.contains("OPTIONS (user 'u', password '***')") && text.contains("$it$***$it$")).then_some(outcome)
    })
    .expect("counted and masked");
    let text = outcome.text();
    for masked in [
        "ENCRYPTED PASSWORD '***'",
        "PASSWORD E'***'",
        "PASSWORD U&'***'",
        "PASSWORD ''***''",
        "password=*** dbname=d",
        "postgresql://u:***@127.0.0.1",
        "password=*** user=u', 'postgres://u:***@h/d'",
    ] {
        assert!(text.contains(masked), "{masked} is missing in {outcome}");
    }
    let at = text.find("hunter").map(|at| &text[at.saturating_sub(100)..at + 10]);
    assert_eq!(at, None, "a password is shown");
    admin
        .batch_execute(
            "ALTER SUBSCRIPTION pgstats_secret SET (slot_name = NONE); DROP SUBSCRIPTION pgstats_secret;
             DROP SERVER elsewhere CASCADE; DROP ROLE pgstats_secret",
        )
        .expect("dropped");
}

#[test]
fn a_missing_extension_is_advised_with_its_own_way_out() {
    let there = database("pgstats_extension");
    let name = "statements_missing:pg_stat_statements";
    let advice = advised(&there, &[], name);
    assert_eq!((&advice["severity"], &advice["confidence"]), (&"info".into(), &"high".into()), "{advice}");
    let extensions = "SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension";
    let before = there.scalar(extensions).expect("there");
    there.execute_as_admin(advice["sql"].as_str().expect("SQL")).expect("created");
    advised_no_more(&there, &[], name);
    // Wherever it is.
    there
        .execute_as_admin(
            "CREATE SCHEMA \"new\nline; 🚀\"; GRANT USAGE ON SCHEMA \"new\nline; 🚀\" TO sync_user;
             ALTER EXTENSION pg_stat_statements SET SCHEMA \"new\nline; 🚀\"",
        )
        .expect("moved");
    let outcome = run(&there, &["statements", "statement_stats"]);
    outcome.assert_code(0).assert_quiet();
    assert!(outcome.record("pg.section", "statements")["rows"].is_u64(), "{outcome}");
    assert!(outcome.record("pg.statement_stats", "pg_stat_statements")["entries"].is_u64(), "{outcome}");
    there.execute_as_admin(advice["undo_sql"].as_str().expect("SQL")).expect("dropped");
    assert_eq!(there.scalar(extensions).expect("there"), before);
    advised(&there, &[], name);

    let server = TempPg::builder().without_statements().start().expect("PostgreSQL");
    let database = server.database("pgstats_not_preloaded").expect("a database");
    let missing = advised(&database, &[], name);
    assert!(missing.get("sql").is_none() && message(&missing).contains("shared_preload_libraries"), "{missing}");
    assert!(message(&missing).contains("CREATE EXTENSION") && !message(&missing).contains("contrib"), "{missing}");
    database.enable_statements().expect("created");
    let created = advised(&database, &[], name);
    assert!(created.get("sql").is_none() && !message(&created).contains("CREATE EXTENSION"), "{created}");
    assert_eq!((&created["evidence"]["created"], &created["evidence"]["loaded"]), (&"true".into(), &"false".into()));
    let stats = run(&database, &["statement_stats"]).record("pg.statement_stats", "pg_stat_statements");
    assert!(stats["loaded"] == false && stats.get("entries").is_none(), "{stats}");
}

#[test]
fn statements_that_are_forgotten_are_advised() {
    let mut server = TempPg::start_new().expect("PostgreSQL");
    let name = "statements_evicting:pg_stat_statements.max";
    let stats = |database: &Database| {
        let outcome = run(database, &["statement_stats"]);
        outcome.assert_code(0).assert_quiet();
        outcome.record("pg.statement_stats", "pg_stat_statements")
    };
    let database = server.database("pgstats_evicting").expect("a database");
    database.enable_statements().expect("statements");
    if major(&database) < 14 {
        // Nobody counts it there.
        assert!(stats(&database).get("dealloc").is_none());
        return;
    }
    let restarted = |server: &mut TempPg, database: &Database, sql: &str| {
        database.execute_as_admin(sql).expect("set");
        server.stop().expect("stopped");
        server.start().expect("started");
        database.execute_as_admin("SELECT pg_stat_statements_reset()").expect("reset");
    };
    // What is set on the command line, as the harness does it, wins over ALTER SYSTEM.
    restarted(&mut server, &database, "ALTER SYSTEM SET pg_stat_statements.max = 100");
    // Statements differ in more than their values.
    let work = |database: &Database| {
        let statements: Vec<String> =
            (1..=120).map(|count| format!("SELECT {}", vec!["1"; count].join(", "))).collect();
        let mut session = database.connect().expect("connected");
        statements.iter().for_each(|statement| session.batch_execute(statement).expect("run"));
    };
    assert!(!names(&run(&database, &["advice"]), "pg.advice").iter().any(|advice| advice == name));
    wait::until("ten evictions", STATISTICS, || {
        work(&database);
        (stats(&database)["dealloc"].as_i64() >= Some(10)).then_some(())
    })
    .expect("counted");
    let advice = advised(&database, &[], name);
    assert_eq!((&advice["severity"], &advice["evidence"]["max"]), (&"info".into(), &"100".into()), "{advice}");
    let set = |database: &Database| database.scalar("SHOW pg_stat_statements.max").expect("asked");
    restarted(&mut server, &database, advice["sql"].as_str().expect("SQL"));
    assert_eq!(set(&database), "200");
    work(&database);
    work(&database);
    assert_eq!(stats(&database)["dealloc"], 0);
    advised_no_more(&database, &[], name);
    restarted(&mut server, &database, advice["undo_sql"].as_str().expect("SQL"));
    assert_eq!(set(&database), "100");
}
