//! What `pso-pgstats` sees of autovacuum, and advises, against a real server.

use pso_tests::pg::TempPg;
use pso_tests::wait;

use super::{STATISTICS, advised_on, major, pid, run};

#[test]
fn a_table_that_autovacuum_leaves_alone_is_advised() {
    let database = TempPg::shared().expect("PostgreSQL").database("pgstats_autovacuum_off").expect("a database");
    database
        .execute(
            r#"CREATE TABLE "Past it" (id int) WITH (autovacuum_enabled = false, fillfactor = 77);
               CREATE TABLE inside (id int) WITH (autovacuum_enabled = off); CREATE TABLE plain (id int);
               CREATE TABLE explicit (id int) WITH (autovacuum_enabled = on);
               INSERT INTO "Past it" SELECT generate_series(1, 1000); INSERT INTO inside SELECT generate_series(1, 999);
               INSERT INTO plain SELECT generate_series(1, 1000); INSERT INTO explicit SELECT generate_series(1, 1000)"#,
        )
        .expect("created");
    let rule = "autovacuum_off";
    let advice = advised_on(&database, &[], rule, &["public.\"Past it\""]).remove(0);
    assert_eq!((&advice["severity"], &advice["confidence"]), (&"info".into(), &"medium".into()), "{advice}");
    let options = "SELECT reloptions::text FROM pg_class WHERE relname = 'Past it'";
    let before = database.scalar(options).expect("there");
    database.execute(advice["sql"].as_str().expect("SQL")).expect("followed");
    assert_ne!(database.scalar(options).expect("there"), before);
    advised_on(&database, &[], rule, &[]);
    database.execute(advice["undo_sql"].as_str().expect("SQL")).expect("taken back");
    // The order of the options is of no meaning.
    let sorted = |text: &str| {
        let mut options: Vec<String> = text.trim_matches(['{', '}']).split(',').map(str::to_owned).collect();
        options.sort();
        options
    };
    assert_eq!(sorted(&database.scalar(options).expect("there")), sorted(&before));
}

#[test]
fn a_table_far_past_its_threshold_is_advised_with_what_holds_vacuum_back() {
    // Nobody comes while we look.
    let builder = TempPg::builder().setting("autovacuum_naptime", "1h").setting("max_prepared_transactions", "2");
    // Only the dead rows are to count.
    let server = builder.setting("autovacuum_vacuum_insert_threshold", "-1").start().expect("PostgreSQL");
    let database = server.database("pgstats_autovacuum_behind").expect("a database");
    for (table, options, deleted) in [
        // 50 + 20 % of 20,000 are 4,050.
        ("past", "", 8200),
        ("inside", "", 8000),
        ("own_past", "WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0)", 2100),
        ("own_inside", "WITH (autovacuum_vacuum_threshold = 1100, autovacuum_vacuum_scale_factor = 0)", 2100),
    ] {
        database
            .execute(&format!(
                "CREATE TABLE {table} (id int) {options}; INSERT INTO {table} SELECT generate_series(1, 20000); ANALYZE {table}"
            ))
            .expect("created");
        database.execute(&format!("DELETE FROM {table} WHERE id <= {deleted}")).expect("deleted");
    }
    let rule = "autovacuum_behind";
    let expected = ["public.own_past", "public.past"];
    let free = advised_on(&database, &[], rule, &expected);
    assert!(free[0]["message"].as_str().expect("why").contains("nothing is seen to hold vacuum back"), "{free:?}");
    let own = run(&database, &["vacuum"]).record("pg.vacuum", "public.own_past");
    assert_eq!((&own["vacuum_threshold"], &own["threshold_percent"]), (&1000.0.into(), &210.0.into()), "{own}");

    // Each that can keep the horizon.
    let mut writer = database.connect().expect("connected");
    writer.batch_execute("BEGIN; CREATE TABLE mine (id int)").expect("begun");
    let pid = pid(&mut writer);
    let held = advised_on(&database, &[], rule, &expected);
    assert_eq!(held[0]["evidence"]["horizon_holder"], format!("pid {pid}"), "{held:?}");
    writer.batch_execute("PREPARE TRANSACTION 'left ''behind'").expect("prepared");
    let held = advised_on(&database, &[], rule, &expected);
    assert_eq!(held[0]["evidence"]["horizon_holder"], "the prepared transaction left 'behind", "{held:?}");
    assert!(held[0]["message"].as_str().expect("why").contains("left 'behind may still see it"), "{held:?}");
    writer.batch_execute("ROLLBACK PREPARED 'left ''behind'").expect("rolled back");

    for advice in &held {
        database.execute(advice["sql"].as_str().expect("SQL")).expect("vacuumed");
    }
    advised_on(&database, &[], rule, &[]);
}

#[test]
fn a_table_into_which_much_was_inserted_is_advised_past_its_threshold_only() {
    // Nobody comes while we look.
    let server = TempPg::with_settings(&[("autovacuum_naptime", "1h")]).expect("PostgreSQL");
    let database = server.database("pgstats_inserted").expect("a database");
    for (table, options) in [
        // 1000 + 20 % of 20,000 are 5000.
        ("past", ""),
        ("own_past", "WITH (autovacuum_vacuum_insert_threshold = 9999, autovacuum_vacuum_insert_scale_factor = 0)"),
        ("own_inside", "WITH (autovacuum_vacuum_insert_threshold = 10000, autovacuum_vacuum_insert_scale_factor = 0)"),
        ("never", "WITH (autovacuum_vacuum_insert_threshold = -1)"),
    ] {
        database
            .execute(&format!(
                "CREATE TABLE {table} (id int) {options}; INSERT INTO {table} SELECT generate_series(1, 20000); ANALYZE {table}"
            ))
            .expect("created");
    }
    let rule = "autovacuum_behind";
    let advice = advised_on(&database, &[], rule, &["public.own_past", "public.past"]);
    assert_eq!((&advice[1]["severity"], &advice[1]["evidence"]["insert_threshold"]), (&"info".into(), &"5000".into()));
    assert!(advice[1]["message"].as_str().expect("why").starts_with("20000 rows inserted"), "{advice:?}");
    let outcome = run(&database, &["vacuum"]);
    outcome.assert_code(0);
    assert_eq!(outcome.record("pg.vacuum", "public.own_inside")["insert_percent"], 200.0, "{outcome}");
    assert!(outcome.record("pg.vacuum", "public.never").get("insert_threshold").is_none(), "{outcome}");
    let wider = run(&database, &["advice", "--late-vacuum", "4"]).records_of_kind("pg.advice");
    assert!(!wider.iter().any(|advice| advice["rule"] == rule), "{wider:?}");
    for advice in &advice {
        database.execute(advice["sql"].as_str().expect("SQL")).expect("vacuumed");
    }
    advised_on(&database, &[], rule, &[]);
    // From 18 on only what is not frozen counts.
    database.execute("VACUUM (FREEZE) past").expect("frozen");
    let frozen = run(&database, &["vacuum"]).record("pg.vacuum", "public.past");
    assert_eq!(frozen["insert_threshold"], if major(&database) >= 18 { 1000.0 } else { 5000.0 }, "{frozen}");
}

#[test]
fn a_standby_that_holds_vacuum_back_is_named_and_so_is_its_slot() {
    let primary = TempPg::with_settings(&[("autovacuum_naptime", "1h")]).expect("PostgreSQL");
    let database = primary.database("pgstats_feedback").expect("a database");
    database
        .execute("CREATE TABLE past (id int); INSERT INTO past SELECT generate_series(1, 20000); ANALYZE past")
        .expect("created");
    database
        .execute_as_admin("SELECT pg_create_physical_replication_slot('keeps'); GRANT pg_read_all_stats TO sync_user")
        .expect("a slot");
    let feedback = [("hot_standby_feedback", "on"), ("wal_receiver_status_interval", "1s")];
    for (slot, holder, way) in
        [("", "the standby standby", "hot_standby_feedback"), ("keeps", "the slot keeps", "pg_drop_replication_slot")]
    {
        let standby =
            primary.standby_with(&[&feedback[..], &[("primary_slot_name", slot)]].concat()).expect("a standby");
        standby.catch_up(&primary).expect("caught up");
        let mut open = standby.replica_of(&database).connect().expect("connected");
        open.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM past").expect("begun");
        let told = "SELECT 1 FROM pg_stat_replication WHERE backend_xmin IS NOT NULL
                    UNION ALL SELECT 1 FROM pg_replication_slots WHERE xmin IS NOT NULL";
        wait::until("the standby's feedback", STATISTICS, || database.scalar(told).ok()).expect("told");
        database.execute("DELETE FROM past WHERE id % 10 < 5").expect("deleted");
        let advice = advised_on(&database, &[], "autovacuum_behind", &["public.past"]).remove(0);
        assert_eq!(advice["evidence"]["horizon_holder"], holder, "{advice}");
        assert!(advice["message"].as_str().expect("why").contains(way), "{advice}");
        // As long as it is held the rows stay.
        let vacuum = advice["sql"].as_str().expect("SQL");
        database.execute(vacuum).expect("vacuumed");
        let kept =
            "SELECT 1 FROM pg_stat_user_tables WHERE relname = 'past' AND vacuum_count > 0 AND n_dead_tup >= 5000";
        wait::until("the rows that are kept", STATISTICS, || database.scalar(kept).ok()).expect("kept");
        open.batch_execute("COMMIT").expect("ended");
        drop(open);
        drop(standby);
        database
            .execute_as_admin(
                "SELECT pg_drop_replication_slot('keeps'), pg_create_physical_replication_slot('keeps')
                 FROM pg_replication_slots WHERE xmin IS NOT NULL AND NOT active",
            )
            .expect("a new slot");
        wait::until("the rows to be removed", STATISTICS, || {
            database.execute(vacuum).ok()?;
            let gone = "SELECT 1 FROM pg_stat_user_tables WHERE relname = 'past' AND n_dead_tup = 0";
            database.scalar(gone).ok()
        })
        .expect("removed");
        advised_on(&database, &[], "autovacuum_behind", &[]);
        database
            .execute("TRUNCATE past; INSERT INTO past SELECT generate_series(1, 20000); ANALYZE past")
            .expect("filled");
        database.execute("VACUUM past").expect("vacuumed");
    }
}
