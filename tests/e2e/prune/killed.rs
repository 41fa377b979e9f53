//! A run that is stopped or killed in the middle: nothing beyond the plan is lost, and the next run ends the work.

use std::time::Duration;

use fastrand::Rng;
use pso_tests::fingerprint;
use pso_tests::wait;

use super::Place;

const LIMIT: Duration = Duration::from_secs(60);
/// How often it is killed.
const KILLS: usize = 24;

/// Rows that go one by one, with others that refer to them; and partitions.
const TABLES: &str = "CREATE TABLE sync_operations (id int PRIMARY KEY, started_at timestamptz, text text);
    INSERT INTO sync_operations SELECT n, now() - CASE WHEN n % 10 < 6 THEN interval '40 days' ELSE '1 day' END, md5(n::text) FROM generate_series(1, 10000) AS n;
    CREATE TABLE steps (id int PRIMARY KEY, op int REFERENCES sync_operations ON DELETE CASCADE);
    INSERT INTO steps SELECT n, n FROM generate_series(1, 10000) AS n; CREATE INDEX ON steps (op);
    CREATE TABLE performance_metrics (id int, timestamp timestamptz NOT NULL) PARTITION BY RANGE (timestamp);
    DO $$ BEGIN FOR n IN 0..29 LOOP
        EXECUTE format('CREATE TABLE m%s PARTITION OF performance_metrics FOR VALUES FROM (%L) TO (%L)', n, date_trunc('day', now()) - (130 - n) * interval '1 day', date_trunc('day', now()) - (129 - n) * interval '1 day');
    END LOOP; END $$;
    CREATE TABLE young PARTITION OF performance_metrics FOR VALUES FROM (date_trunc('day', now()) - interval '80 days') TO (MAXVALUE);
    INSERT INTO performance_metrics SELECT n, date_trunc('day', now()) - (130 - n % 30) * interval '1 day' FROM generate_series(1, 3000) AS n;
    INSERT INTO performance_metrics SELECT n, now() - interval '1 day' FROM generate_series(1, 100) AS n";

/// How much of what is due is still there, whether a table has it or not.
const DUE: &str = "SELECT (SELECT count(*) FROM sync_operations WHERE id % 10 < 6) +
    (SELECT 100 * count(*) FROM pg_class WHERE relname ~ '^m[0-9]+$' AND relkind = 'r')";

/// What must stay.
fn kept(place: &Place) -> String {
    place.scalar(
        "SELECT concat_ws(' ', (SELECT count(*) || md5(string_agg(o::text, ',' ORDER BY id)) FROM sync_operations AS o WHERE id % 10 >= 6),
                (SELECT count(*) || md5(string_agg(s::text, ',' ORDER BY id)) FROM steps AS s WHERE op % 10 >= 6),
                (SELECT count(*) || md5(string_agg(m::text, ',' ORDER BY id)) FROM young AS m))",
    )
}

#[test]
fn killed_at_random_moments_nothing_else_is_lost_and_the_next_run_goes_on() {
    let place = Place::new("prune_killed");
    place.execute(TABLES);
    // Small steps, so that there are many moments.
    place.configure("    max_share: 100\n    batch_time: 2ms\n    rows: [{table: sync_operations, batch: 60}]\n");
    let before = kept(&place);
    let seed = 20_260_628;
    let mut random = Rng::with_seed(seed);
    let all: u64 = place.scalar(DUE).parse().expect("a number");
    assert_eq!(all, 9_000);
    let mut moments: Vec<u64> = (0..KILLS).map(|_| random.u64(1..all)).collect();
    moments.sort_unstable();
    let mut killed = 0;
    for moment in moments.into_iter().rev() {
        let mut run = place.tool(&["--yes", "--without-backup"]).limit(LIMIT).spawn().expect("started");
        wait::until("rows to go", LIMIT, || {
            let left: u64 = place.scalar(DUE).parse().expect("a number");
            (left <= moment || !run.is_running().expect("known")).then_some(())
        })
        .expect("it goes on");
        // It may have come to its end.
        killed += usize::from(run.signal("KILL").is_ok());
        let _ = run.finish();
        assert_eq!(kept(&place), before, "killed with {moment} rows left, seed {seed}");
        // Nothing refers to what has gone, and nothing has gone without what it referred to.
        let torn = "SELECT count(*) FROM sync_operations AS o FULL JOIN steps AS s ON s.op = o.id WHERE s.id IS NULL OR o.id IS NULL";
        assert_eq!(place.scalar(torn), "0");
    }
    assert!(killed >= 20, "killed {killed} times");
    let last = place.prune(&["--yes", "--without-backup"]);
    last.assert_code(0);
    assert_eq!(place.scalar(DUE), "0", "{last}");
    assert_eq!(kept(&place), before);
    let left = "SELECT count(*) FROM pg_class WHERE relname ~ '^m[0-9]+$'";
    assert_eq!(place.scalar(left), "0", "no partition is left behind, in the table or beside it: {last}");
}

#[test]
fn a_signal_ends_it_after_the_transaction_and_the_record_says_how_far_it_came() {
    let place = Place::new("prune_stopped");
    place.execute(TABLES);
    place.configure("    max_share: 100\n    batch_pause: 20\n    rows: [{table: sync_operations, batch: 60}, {table: performance_metrics, enabled: false}]\n");
    let mut run = place.tool(&["--yes", "--without-backup"]).limit(LIMIT).spawn().expect("started");
    let left = || place.scalar("SELECT count(*) FROM sync_operations").parse::<u64>().expect("a number");
    wait::until("rows to go", LIMIT, || (left() < 9_700).then_some(())).expect("it began");
    run.signal("TERM").expect("sent");
    let outcome = run.finish().expect("ends");
    outcome.assert_code(2);
    let gone = 10_000 - left();
    assert!((1..6_000).contains(&gone), "{gone} rows went");
    let steps = outcome.records_of_kind("prune.step");
    let of_state = |step: &str| {
        let found = steps.iter().find(|record| record["step"] == step && record["state"] == "failed");
        found.unwrap_or_else(|| panic!("{step}\n{outcome}")).clone()
    };
    assert_eq!((&of_state("delete")["rows"], &of_state("cascade")["rows"]), (&gone.into(), &gone.into()));
    let message = of_state("delete")["message"].as_str().expect("a text").to_owned();
    assert!(message.contains("stopped by SIGTERM"), "{message}");
    assert!(
        message.ends_with(&format!("; {gone} of 6000 rows were deleted, and the next run goes on from there")),
        "{message}"
    );
    outcome.assert_stderr_has("stopped before everything was done");
    // The plan of the rows that stay is not touched by that.
    let mut client = place.database.connect().expect("connected");
    let before = fingerprint::tables(&mut client).expect("rows");
    place.prune(&["--dry-run"]).assert_code(0);
    before.assert_same(&fingerprint::tables(&mut client).expect("rows"));
}
