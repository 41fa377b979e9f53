//! What `pso-pgstats` says about a server as a whole: ids that run out, and what keeps the log of changes from being removed.
//! Each test has a server of its own, because the settings, or what all databases share, matter.

use std::fs;
use std::time::{Duration, SystemTime};

use pso_tests::pg::{Builder, Database, TempPg};
use pso_tests::wait;
use serde_json::Value;

use super::{STATISTICS, advised, advised_no_more, major, message, names, number, run, silent, text, tool};

/// The archiver tries again after a minute when it has failed three times and nothing wakes it.
const ARCHIVER: Duration = Duration::from_secs(90);

fn builder() -> Builder {
    // Autovacuum would freeze while the test looks.
    TempPg::builder().setting("autovacuum", "off")
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
    database.execute_as_admin(text(&advice, "sql")).expect("frozen");
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
    database.execute_as_admin(text(&advice, "sql")).expect("frozen");
    advised_no_more(&database, &limit, name);
}

const SLOTS: &str =
    "SELECT string_agg(concat_ws(' ', slot_name, slot_type, plugin, database, temporary), E'\\n' ORDER BY slot_name)
                     FROM pg_replication_slots";

#[test]
fn slots_that_keep_much_are_advised_past_the_limit_only() {
    let server = builder().setting("wal_level", "logical").start().expect("PostgreSQL");
    let database = server.database("pgstats_slots").expect("a database");
    database
        .execute_as_admin(
            "SELECT pg_create_physical_replication_slot('left', true); SELECT pg_create_physical_replication_slot('idle');
             SELECT pg_create_logical_replication_slot('decoding', 'pgoutput');
             CREATE TABLE t AS SELECT repeat(n::text, 100) AS note FROM generate_series(1, 30000) AS n",
        )
        .expect("slots");
    // A physical slot begins at the last checkpoint.
    database.execute_as_admin("CHECKPOINT").expect("a checkpoint");
    database.execute_as_admin("SELECT pg_create_physical_replication_slot('late', true)").expect("a slot");
    let outcome = run(&database, &["slots"]);
    outcome.assert_code(0).assert_quiet();
    let slots = names(&outcome, "pg.slot");
    assert!(slots.len() == 4 && slots[3] == "idle", "{slots:?}");
    let left = outcome.record("pg.slot", "left");
    assert!(number(&left, "retained_bytes") > 3 << 20, "{left}");
    assert_eq!((&left["slot_type"], &left["active"], left.get("database")), (&"physical".into(), &false.into(), None));
    assert!(outcome.record("pg.slot", "idle").get("retained_bytes").is_none(), "{outcome}");
    let decoding = outcome.record("pg.slot", "decoding");
    assert_eq!((&decoding["database"], &decoding["plugin"]), (&"pgstats_slots".into(), &"pgoutput".into()));
    assert!(number(&decoding, "unconfirmed_bytes") > 3 << 20 && decoding["catalog_xmin_age"].is_u64(), "{decoding}");

    let limit = ["--max-slot-wal-mib", "3"];
    for name in ["slot_retains_wal:late", "slot_retains_wal:idle"] {
        silent(&database, &limit, name);
    }
    let before = database.scalar(SLOTS).expect("there");
    for name in ["slot_retains_wal:left", "slot_retains_wal:decoding"] {
        silent(&database, &["--max-slot-wal-mib", "1000"], name);
        let advice = advised(&database, &limit, name);
        assert!(number(&advice, "gain_bytes") > 3 << 20, "{advice}");
        database.execute_as_admin(text(&advice, "sql")).expect("dropped");
        assert_ne!(database.scalar(SLOTS).expect("there"), before);
        advised_no_more(&database, &limit, name);
        database.execute_as_admin(text(&advice, "undo_sql")).expect("brought back");
        assert_eq!(database.scalar(SLOTS).expect("there"), before);
    }
}

#[test]
fn a_standby_has_slots_of_its_own() {
    let primary = builder().start().expect("PostgreSQL");
    let database = primary.database("pgstats_cascade").expect("a database");
    let standby = primary.standby().expect("a standby");
    let replica = standby.replica_of(&database);
    let mut admin = replica.connect_as_admin().expect("connected");
    admin.batch_execute("SELECT pg_create_physical_replication_slot('cascade', true)").expect("a slot");
    database
        .execute("CREATE TABLE t AS SELECT repeat(n::text, 100) AS note FROM generate_series(1, 30000) AS n")
        .expect("written");
    standby.catch_up(&primary).expect("caught up");
    let limit = ["--max-slot-wal-mib", "3"];
    let advice = advised(&replica, &limit, "slot_retains_wal:cascade");
    silent(&database, &limit, "slot_retains_wal:cascade");
    replica.execute_as_admin(text(&advice, "sql")).expect("dropped");
    advised_no_more(&replica, &limit, "slot_retains_wal:cascade");
    replica.execute_as_admin(text(&advice, "undo_sql")).expect("brought back");
    assert_eq!(names(&run(&replica, &["slots"]), "pg.slot"), ["cascade"]);
}

#[test]
fn a_prepared_transaction_is_advised_past_the_limit_only() {
    let server = builder().setting("max_prepared_transactions", "4").start().expect("PostgreSQL");
    let database = server.database("pgstats_prepared").expect("a database");
    let other = server.database("pgstats_elsewhere").expect("a database");
    database.execute("CREATE TABLE t (id int)").expect("created");
    database.execute("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION E'it''s \\\\ left'").expect("prepared");
    other.execute("BEGIN; CREATE TABLE t (id int); PREPARE TRANSACTION 'elsewhere'").expect("prepared");
    let outcome = run(&database, &["prepared"]);
    outcome.assert_code(0).assert_quiet();
    let left = outcome.record("pg.prepared", "it's \\ left");
    assert_eq!((&left["database"], &left["owner"]), (&"pgstats_prepared".into(), &"sync_user".into()), "{left}");
    assert!(left["prepared_ms"].is_u64() && left["xid_age"].is_u64(), "{left}");

    let (limit, name) = (["--max-prepared-age", "0s"], "prepared_transaction:it's \\ left");
    silent(&database, &["--max-prepared-age", "10m"], name);
    let advice = advised(&database, &limit, name);
    assert_eq!((&advice["confidence"], advice.get("undo_sql")), (&"low".into(), None), "{advice}");
    let elsewhere = advised(&database, &limit, "prepared_transaction:elsewhere");
    assert!(elsewhere.get("sql").is_none() && message(&elsewhere).contains("pgstats_elsewhere"), "{elsewhere}");
    database.execute(text(&advice, "sql")).expect("rolled back");
    advised_no_more(&database, &limit, name);
    let advice = advised(&other, &limit, "prepared_transaction:elsewhere");
    other.execute(text(&advice, "sql")).expect("rolled back");
}

#[test]
fn an_archiver_that_fails_is_advised_until_it_works() {
    let server = builder().setting("archive_mode", "on").start().expect("PostgreSQL");
    let database = server.database("pgstats_archiver").expect("a database");
    let archive_with = |command: &str| {
        database.execute_as_admin(&format!("ALTER SYSTEM SET archive_command = '{command}'")).expect("set");
        database.execute_as_admin("SELECT pg_reload_conf()").expect("reloaded");
        database.execute_as_admin("SELECT txid_current(); SELECT pg_switch_wal()").expect("a file to archive");
    };
    let state = |wanted: bool| {
        wait::until(&format!("an archiver that fails: {wanted}"), ARCHIVER, || {
            let record = run(&database, &["archiver"]).record("pg.archiver", "archiver");
            let done = if wanted { "failed_count" } else { "archived_count" };
            (record["failing"] == wanted && number(&record, done) > 0).then_some(record)
        })
        .expect("seen")
    };
    let name = "archiver_failing:archiver";
    archive_with("true");
    let works = state(false);
    assert!(works["failed_count"] == 0 && works.get("last_failed_ms").is_none(), "{works}");
    silent(&database, &[], name);
    archive_with("false");
    let record = state(true);
    assert!(record["last_failed_ms"].is_u64() && number(&record, "archived_count") > 0, "{record}");
    let advice = advised(&database, &[], name);
    assert_eq!((&advice["severity"], advice.get("sql")), (&"high".into(), None), "{advice}");
    assert_eq!(advice["evidence"]["last_failed_wal"], record["last_failed_wal"], "{advice}");
    // It has failed before, and works again: the twin.
    archive_with("true");
    assert!(number(&state(false), "failed_count") > 0);
    silent(&database, &[], name);
}

#[test]
fn an_archive_for_which_files_wait_is_advised_past_the_limit_only() {
    // Without a command nothing fails.
    let server = builder().setting("archive_mode", "on").start().expect("PostgreSQL");
    let database = server.database("pgstats_archiver_waits").expect("a database");
    database.execute_as_admin("SELECT txid_current(); SELECT pg_switch_wal()").expect("a file to archive");
    let ready = || {
        let folder = server.data_folder().join("pg_wal/archive_status");
        let mut files = fs::read_dir(folder).expect("the folder").map(|file| file.expect("a file").path());
        files.find(|path| path.extension().is_some_and(|end| end == "ready"))
    };
    let path = wait::until("a file that waits", STATISTICS, ready).expect("there");
    let waits_for = |minutes: u64| {
        let file = fs::File::options().write(true).open(&path).expect("the file");
        file.set_modified(SystemTime::now() - Duration::from_secs(minutes * 60)).expect("made older");
    };
    let name = "archiver_failing:archiver";
    let as_admin = |args: &[&str]| {
        let tool = tool(&database, args).env("PGUSER", "postgres").env("PGPASSWORD", server.admin_password());
        tool.run().expect("ends")
    };
    waits_for(9);
    assert!(!names(&as_admin(&["advice"]), "pg.advice").contains(&name.to_owned()));
    waits_for(11);
    let record = as_admin(&["archiver"]).record("pg.archiver", "archiver");
    assert!(record["waiting_files"] == 1 && record["failing"] == false, "{record}");
    let advice = as_admin(&["advice"]).record("pg.advice", name);
    assert_eq!((&advice["severity"], advice.get("sql")), (&"high".into(), None), "{advice}");
    assert!(message(&advice).starts_with("a file has waited for the archive for 11m"), "{advice}");
    // Who may not look is told what it needs.
    let hidden = run(&database, &["archiver"]);
    assert!(message(&hidden.record("pg.section", "archiver")).contains("GRANT pg_monitor TO sync_user"), "{hidden}");
    silent(&database, &[], name);

    database.execute_as_admin("ALTER SYSTEM SET archive_command = 'true'").expect("set");
    database.execute_as_admin("SELECT pg_reload_conf()").expect("reloaded");
    // Another file wakes the archiver.
    database.execute_as_admin("SELECT txid_current(); SELECT pg_switch_wal()").expect("a file to archive");
    let gone = || (!names(&as_admin(&["advice"]), "pg.advice").contains(&name.to_owned())).then_some(());
    wait::until("an archive for which nothing waits", ARCHIVER, gone).expect("archived");
}

#[test]
fn requested_checkpoints_are_advised_past_the_limit_only() {
    let server = builder().start().expect("PostgreSQL");
    let database = server.database("pgstats_checkpoints").expect("a database");
    let newer = major(&database) >= 17;
    let forget = || {
        let counters = if newer { "checkpointer" } else { "bgwriter" };
        database.execute_as_admin(&format!("SELECT pg_stat_reset_shared('{counters}')")).expect("reset");
    };
    let counted = |count: i64| {
        wait::until(&format!("{count} checkpoints"), STATISTICS, || {
            let record = run(&database, &["checkpoints"]).record("pg.checkpoints", "checkpoints");
            (number(&record, "num_requested") == count).then_some(record)
        })
        .expect("counted")
    };
    let args = ["--min-stats-age", "0s"];
    let name = "checkpoints_requested:max_wal_size";
    forget();
    counted(0);
    for _ in 0..9 {
        database.execute_as_admin("CHECKPOINT").expect("a checkpoint");
    }
    let record = counted(9);
    assert_eq!(
        (number(&record, "max_wal_size_bytes"), &record["requested_percent"]),
        (1 << 30, &100.0.into()),
        "{record}"
    );
    assert_eq!(record.get("restartpoints_done").is_some(), newer, "{record}");
    silent(&database, &args, name);
    database.execute_as_admin("CHECKPOINT").expect("a checkpoint");
    counted(10);
    silent(&database, &[], name);
    let advice = advised(&database, &args, name);
    assert_eq!((&advice["evidence"]["num_requested"], &advice["severity"]), (&"10".into(), &"info".into()), "{advice}");
    let changed = |field: &str, expected: &str| {
        database.execute_as_admin(text(&advice, field)).expect("set");
        database.execute_as_admin("SELECT pg_reload_conf()").expect("reloaded");
        wait::until("the setting", STATISTICS, || {
            (database.scalar("SHOW max_wal_size").ok()? == expected).then_some(())
        })
        .expect("reloaded");
    };
    changed("sql", "2GB");
    forget();
    advised_no_more(&database, &args, name);
    changed("undo_sql", "1GB");
}

#[test]
fn a_standby_that_does_not_replay_is_advised_past_the_limit_only() {
    let primary = builder().start().expect("PostgreSQL");
    let database = primary.database("pgstats_lag").expect("a database");
    database.execute_as_admin("GRANT pg_read_all_stats TO sync_user").expect("granted");
    let standby = primary.standby().expect("a standby");
    standby.catch_up(&primary).expect("caught up");
    let replica = standby.replica_of(&database);
    let outcome = run(&replica, &["replication"]);
    outcome.assert_code(0).assert_quiet();
    let receiver = outcome.record("pg.replication", "receiver");
    assert_eq!((&receiver["state"], &receiver["replay_paused"]), (&"streaming".into(), &false.into()), "{receiver}");

    replica.execute_as_admin("SELECT pg_wal_replay_pause()").expect("paused");
    database
        .execute("CREATE TABLE t AS SELECT repeat(n::text, 100) AS note FROM generate_series(1, 30000) AS n")
        .expect("written");
    let limit = ["--max-replication-lag-mib", "3"];
    let (here, there) = ("replication_lag:standby", "replication_lag:receiver");
    let behind = advised(&database, &limit, here);
    assert!(behind.get("sql").is_none() && message(&behind).contains("MiB behind"), "{behind}");
    let sender = run(&database, &["replication"]).record("pg.replication", "standby");
    assert_eq!((&sender["direction"], &sender["sync_state"]), (&"sender".into(), &"async".into()), "{sender}");
    assert!(number(&sender, "replay_lag_bytes") > 3 << 20 && sender["client_addr"] == "127.0.0.1", "{sender}");
    let paused = advised(&replica, &limit, there);
    assert_eq!(paused["confidence"], "high", "{paused}");
    for (database, name) in [(&database, here), (&replica, there)] {
        silent(database, &["--max-replication-lag-mib", "1000"], name);
    }

    replica.execute_as_admin(text(&paused, "sql")).expect("resumed");
    advised_no_more(&replica, &limit, there);
    advised_no_more(&database, &limit, here);
    replica.execute_as_admin(text(&paused, "undo_sql")).expect("paused");
    wait::until("the pause", STATISTICS, || {
        (run(&replica, &["replication"]).record("pg.replication", "receiver")["replay_paused"] == true).then_some(())
    })
    .expect("paused");

    // Who may see nothing is told so.
    database.execute_as_admin("REVOKE pg_read_all_stats FROM sync_user").expect("revoked");
    let outcome = run(&database, &["replication", "advice", "--max-replication-lag-mib", "0"]);
    for section in ["replication", "advice"] {
        let end = outcome.record("pg.section", section);
        assert!(end["severity"] == "info" && message(&end).contains("GRANT pg_read_all_stats TO sync_user"), "{end}");
    }
    silent(&database, &["--max-replication-lag-mib", "0"], here);
}

#[test]
fn a_slot_that_was_lost_is_advised_and_its_twin_is_not() {
    let server = builder().setting("max_slot_wal_keep_size", "20MB").start().expect("PostgreSQL");
    let database = server.database("pgstats_lost_slot").expect("a database");
    database.execute_as_admin("SELECT pg_create_physical_replication_slot('lost', true)").expect("a slot");
    // A file of the log has 16 MiB; only a checkpoint removes any.
    for _ in 0..5 {
        database.execute_as_admin("SELECT txid_current(); SELECT pg_switch_wal()").expect("a file of the log");
    }
    database.execute_as_admin("CHECKPOINT").expect("a checkpoint");
    database.execute_as_admin("SELECT pg_create_physical_replication_slot('kept', true)").expect("a slot");
    let slots = run(&database, &["slots"]);
    assert_eq!(slots.record("pg.slot", "lost")["wal_status"], "lost", "{slots}");
    assert!(slots.record("pg.slot", "kept")["safe_wal_bytes"].is_u64(), "{slots}");
    silent(&database, &[], "slot_invalid:kept");
    let advice = advised(&database, &[], "slot_invalid:lost");
    assert_eq!(
        (&advice["confidence"], &advice["evidence"]["wal_status"]),
        (&"high".into(), &"lost".into()),
        "{advice}"
    );
    silent(&database, &["--max-slot-wal-mib", "0"], "slot_retains_wal:lost");
    let before = database.scalar(SLOTS).expect("there");
    database.execute_as_admin(text(&advice, "sql")).expect("dropped");
    assert_ne!(database.scalar(SLOTS).expect("there"), before);
    advised_no_more(&database, &[], "slot_invalid:lost");
    database.execute_as_admin(text(&advice, "undo_sql")).expect("brought back");
    assert_eq!(database.scalar(SLOTS).expect("there"), before);
}
