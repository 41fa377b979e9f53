//! Partitions that are old as a whole are dropped; rows of others are deleted.

use super::{Place, states};

/// A table divided by day, from 100 days ago to tomorrow, by tens; ten rows a day. What is older than 30 days are the
/// three and a bit oldest of its ten partitions and, of two, a part.
const METRICS: &str = "CREATE TABLE sync_operations (id int, started_at timestamptz NOT NULL) PARTITION BY RANGE (started_at);
    DO $$ BEGIN FOR n IN 0..5 LOOP
        EXECUTE format('CREATE TABLE \"p %s\" PARTITION OF sync_operations FOR VALUES FROM (%L) TO (%L)', n,
                       date_trunc('day', now(), 'UTC') - (50 - n * 10) * interval '1 day', date_trunc('day', now(), 'UTC') - (40 - n * 10) * interval '1 day');
    END LOOP; END $$;
    INSERT INTO sync_operations SELECT n, date_trunc('day', now(), 'UTC') - (50 - n / 10) * interval '1 day' + interval '1 second' FROM generate_series(0, 509) AS n;";

const OLD: &str = "SELECT count(*) FROM sync_operations WHERE started_at < now() - interval '30 days'";
const YOUNG: &str =
    "SELECT count(*) || ' ' || sum(id) FROM sync_operations WHERE started_at >= now() - interval '30 days'";

fn of_operations(states: Vec<String>) -> Vec<String> {
    states.into_iter().filter(|step| !step.contains("conflicts") && !step.contains("performance")).collect()
}

#[test]
fn old_partitions_are_dropped_and_the_rest_is_deleted_from() {
    let place = Place::new("prune_partitions");
    place.execute(METRICS);
    let (old, young) = (place.scalar(OLD), place.scalar(YOUNG));
    assert_eq!(old, "210");
    // Somebody is reading another partition all the while.
    let mut reader = place.database.connect().expect("connected");
    reader.batch_execute("SET lock_timeout = '10s'").expect("set");
    let outcome = place.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(0);
    let each = |state: &str| {
        vec![
            format!("drop_partition p 0 {state} 100"),
            format!("drop_partition p 1 {state} 100"),
            format!("delete sync_operations {state} 10"),
        ]
    };
    assert_eq!(of_operations(states(&outcome)), [each("planned"), each("done")].concat());
    assert_eq!(place.scalar(OLD), "0");
    assert_eq!(place.scalar(YOUNG), young);
    assert_eq!(place.scalar("SELECT count(*) FROM pg_class WHERE relname LIKE 'p _' AND relkind = 'r'"), "4");
}

#[test]
fn a_default_partition_sub_partitions_and_an_older_server_s_way_are_one_transaction_each() {
    let place = Place::new("prune_default");
    place.execute(METRICS);
    place.execute(
        "CREATE TABLE rest PARTITION OF sync_operations DEFAULT;
         INSERT INTO sync_operations SELECT 1000 + n, now() - interval '90 days' FROM generate_series(1, 7) AS n;
         INSERT INTO sync_operations VALUES (2000, now() + interval '400 days');
         DROP TABLE \"p 1\";
         CREATE TABLE \"p 1\" (LIKE sync_operations) PARTITION BY HASH (id);
         CREATE TABLE \"p 1a\" PARTITION OF \"p 1\" FOR VALUES WITH (modulus 2, remainder 0);
         CREATE TABLE \"p 1b\" PARTITION OF \"p 1\" FOR VALUES WITH (modulus 2, remainder 1);
         ALTER TABLE sync_operations ATTACH PARTITION \"p 1\" FOR VALUES FROM (date_trunc('day', now(), 'UTC') - interval '40 days') TO (date_trunc('day', now(), 'UTC') - interval '30 days')"
            .replace("(date_trunc('day', now(), 'UTC') - interval '40 days') TO (date_trunc('day', now(), 'UTC') - interval '30 days')",
                &place.scalar("SELECT format('(%L) TO (%L)', date_trunc('day', now(), 'UTC') - interval '40 days', date_trunc('day', now(), 'UTC') - interval '30 days')"))
            .as_str(),
    );
    place.execute(
        "INSERT INTO sync_operations SELECT 3000 + n, now() - interval '35 days' FROM generate_series(1, 20) AS n",
    );
    let young = place.scalar(YOUNG);
    let outcome = place.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(0);
    let each = |state: &str| {
        vec![
            format!("drop_partition p 0 {state} 100"),
            format!("drop_partition p 1 {state} 20"),
            format!("delete sync_operations {state} 17"),
        ]
    };
    assert_eq!(of_operations(states(&outcome)), [each("planned"), each("done")].concat());
    assert_eq!((place.scalar(OLD), place.scalar(YOUNG)), ("0".to_owned(), young));
    assert_eq!(place.scalar("SELECT count(*) FROM pg_class WHERE relname LIKE 'p 1%'"), "0");
}

#[test]
fn conditions_references_and_triggers_keep_partitions_from_being_dropped() {
    for (name, sql, config) in [
        ("condition", "SELECT 1", "    rows: [{table: sync_operations, where: [{column: id, is_not: 5}]}]\n"),
        (
            "reference",
            "ALTER TABLE sync_operations ADD PRIMARY KEY (id, started_at); CREATE TABLE r (id int, at timestamptz, FOREIGN KEY (id, at) REFERENCES sync_operations); INSERT INTO r SELECT id, started_at FROM sync_operations WHERE id = 5",
            "    max_share: 50\n",
        ),
        (
            "trigger",
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN CASE WHEN OLD.id = 5 THEN NULL ELSE OLD END; END'; CREATE TRIGGER t BEFORE DELETE ON \"p 0\" FOR EACH ROW EXECUTE FUNCTION keep()",
            "    max_share: 50\n",
        ),
    ] {
        let place = Place::new("prune_kept");
        place.execute(METRICS);
        place.execute(sql);
        place.configure(config);
        let outcome = place.prune(&["--yes", "--without-backup"]);
        let steps = of_operations(states(&outcome));
        let dropped = steps.iter().filter(|step| step.starts_with("drop_partition")).count();
        // Only the partition with the trigger cannot be dropped.
        assert_eq!(dropped, if name == "trigger" { 2 } else { 0 }, "{name}: {steps:#?}");
        assert_eq!(
            place.scalar(
                "SELECT string_agg(id::text, ' ') FROM sync_operations WHERE started_at < now() - interval '30 days'"
            ),
            "5",
            "{name}: {outcome}"
        );
    }
}

#[test]
fn a_partition_in_use_is_told_and_the_next_run_ends_it() {
    let place = Place::new("prune_in_use");
    place.execute(METRICS);
    place.configure("    lock_timeout: 50ms\n");
    let mut reader = place.database.connect().expect("connected");
    let mut reading = reader.transaction().expect("begun");
    reading.query("SELECT * FROM \"p 0\" LIMIT 1", &[]).expect("read");
    let outcome = place.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(2);
    let failed = outcome.records_of_kind("prune.step").into_iter().find(|step| step["state"] == "failed").expect("one");
    assert_eq!((&failed["object"], &failed["rows"], &failed["severity"]), (&"p 0".into(), &0.into(), &"high".into()));
    let message = failed["message"].as_str().expect("a text");
    assert!(message.contains("others have it locked"), "{message}");
    assert_eq!(place.scalar("SELECT count(*) FROM \"p 0\""), "100", "no row of it is lost");
    reading.rollback().expect("ended");
    let again = place.prune(&["--yes", "--without-backup"]);
    again.assert_code(0);
    let steps = of_operations(states(&again));
    assert!(steps.contains(&"drop_partition p 0 done 100".to_owned()), "{steps:#?}");
    assert_eq!(place.scalar(OLD), "0");
}

#[test]
fn what_a_killed_run_has_detached_is_dropped_by_the_next_and_nobody_elses() {
    let place = Place::new("prune_orphans");
    place.execute(METRICS);
    let root = place.scalar("SELECT 'sync_operations'::regclass::oid");
    // Detached by somebody who wants to keep it.
    place.execute("ALTER TABLE sync_operations DETACH PARTITION \"p 0\"");
    place.execute(&format!("COMMENT ON TABLE \"p 1\" IS 'pso-prune: to be dropped, detached from table {root}'; ALTER TABLE sync_operations DETACH PARTITION \"p 1\""));
    let outcome = place.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(0);
    let each =
        |state: &str| vec![format!("drop_partition p 1 {state} 100"), format!("delete sync_operations {state} 10")];
    assert_eq!(of_operations(states(&outcome)), [each("planned"), each("done")].concat());
    assert_eq!(place.scalar("SELECT count(*) FROM \"p 0\""), "100");
    // A marked one in which somebody keeps young rows.
    place.execute(&format!("COMMENT ON TABLE \"p 0\" IS 'pso-prune: to be dropped, detached from table {root}'; INSERT INTO \"p 0\" VALUES (1, now())"));
    place.prune(&["--yes", "--without-backup"]).assert_code(0);
    assert_eq!(place.scalar("SELECT count(*) FROM \"p 0\""), "101");
}
