//! `--server`: scratch databases on a server that somebody has named.

use pso_tests::pg::TempPg;
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;

use super::assert_empty;
use super::postgres::{Db, assert_says};
use crate::parts::{LIMIT, checked};

const SQL: &str = "
    CREATE TABLE t (id serial PRIMARY KEY, n int CHECK (n > 0));
    INSERT INTO t (n) SELECT n FROM generate_series(1, 1000) AS n";

fn tool(db: &Db, role: &str, password: &str) -> Tool {
    let dsn = format!("postgresql://{role}@127.0.0.1:{}/postgres", db.database.port());
    db.tool(&["--server", &dsn]).env("PGPASSWORD", password)
}

fn databases(pg: &TempPg) -> Vec<String> {
    let mut admin = pg.admin("postgres").expect("connected");
    let rows = admin.query("SELECT datname FROM pg_database ORDER BY 1", &[]).expect("a list");
    rows.iter().map(|row| row.get(0)).collect()
}

#[track_caller]
fn assert_untouched(db: &Db, pg: &TempPg, before: &[String], outcome: &Outcome) {
    assert_empty(db.temp.path(), outcome);
    assert_eq!(databases(pg), before, "{outcome}");
}

#[test]
fn a_scratch_database_is_made_checked_and_dropped() {
    let pg = TempPg::start_new().expect("PostgreSQL");
    let db = Db::on(&pg, "rehearse_server", SQL);
    db.archive();
    let before = databases(&pg);
    let outcome = checked(tool(&db, "postgres", pg.admin_password()));
    outcome.assert_code(0).assert_no_secret(&[pg.admin_password()]);
    assert_untouched(&db, &pg, &before, &outcome);
    assert_says(&outcome, "proven", "rehearse_server was restored on 127.0.0.1 without an error");
    assert_says(&outcome, "proven", "1 table has the manifest's row counts, 1,000 rows");
    assert_says(&outcome, "proven", "amcheck finds nothing wrong in 1 table");
    assert_says(&outcome, "unproven", "owners and privileges were not restored");

    // A role that is no superuser cannot install amcheck.
    pg.admin("postgres").expect("connected").batch_execute("ALTER ROLE sync_user CREATEDB").expect("granted");
    let outcome = checked(tool(&db, "sync_user", db.database.password()));
    outcome.assert_code(0);
    assert_untouched(&db, &pg, &before, &outcome);
    assert_says(&outcome, "unproven", "no heap and no B-tree was looked through by amcheck");

    pg.admin("postgres").expect("connected").batch_execute("ALTER ROLE sync_user NOCREATEDB").expect("revoked");
    let outcome = checked(tool(&db, "sync_user", db.database.password()));
    outcome.assert_code(3);
    assert_says(&outcome, "unproven", "the role sync_user may not make databases on that server");
    assert_untouched(&db, &pg, &before, &outcome);

    let dsn = "postgresql://postgres:hidden@127.0.0.1/postgres";
    let outcome = checked(db.tool(&["--server", dsn]));
    outcome.assert_code(3).assert_no_secret(&["hidden"]);
    assert_says(&outcome, "unproven", "set PGPASSWORD");
}

#[test]
fn a_signal_and_the_next_run_drop_what_is_left_and_nothing_else() {
    let slow = "
        SET app.here = 'on';
        CREATE FUNCTION slow() RETURNS int LANGUAGE plpgsql AS $$
        BEGIN
            IF current_setting('app.here', true) IS DISTINCT FROM 'on' THEN PERFORM pg_sleep(3600); END IF;
            RETURN 1;
        END $$;
        CREATE MATERIALIZED VIEW slowly AS SELECT public.slow() AS one";
    let pg = TempPg::start_new().expect("PostgreSQL");
    let db = Db::on(&pg, "rehearse_server_slow", slow);
    db.archive();
    let before = databases(&pg);
    let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    let hangs = || {
        let mut admin = pg.admin("postgres").expect("connected");
        wait::until("the restore to hang", LIMIT, || {
            (admin.query_one(sleeps, &[]).expect("a count").get::<_, i64>(0) == 1).then_some(())
        })
        .expect("it hangs");
    };
    let mut running = tool(&db, "postgres", pg.admin_password()).spawn().expect("started");
    hangs();
    running.signal("TERM").expect("sent");
    let outcome = running.finish().expect("it ends");
    outcome.assert_code(3);
    assert_untouched(&db, &pg, &before, &outcome);

    let mut running = tool(&db, "postgres", pg.admin_password()).spawn().expect("started");
    hangs();
    running.signal("KILL").expect("sent");
    running.finish().expect("it is dead");
    let left: Vec<String> = databases(&pg).into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(left.len(), 1, "the scratch database is left: {left:?}");
    let mut admin = pg.admin("postgres").expect("connected");
    admin.batch_execute("CREATE DATABASE pso_rehearse_mine").expect("somebody's own");
    // The server notices late that a client has gone.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pso_rehearse_%'";
    admin.execute(end, &[]).expect("ended");
    let mut running = tool(&db, "postgres", pg.admin_password()).spawn().expect("started");
    // Its session sleeps until then, too.
    wait::until("the leftover to be dropped", LIMIT, || (!databases(&pg).contains(&left[0])).then_some(()))
        .expect("dropped");
    hangs();
    let now = databases(&pg);
    assert_eq!(now.len(), before.len() + 2, "its own, and somebody's: {now:?}");
    assert!(now.contains(&"pso_rehearse_mine".to_owned()), "{now:?}");
    running.signal("TERM").expect("sent");
    let outcome = running.finish().expect("it ends");
    outcome.assert_code(3);
}

#[test]
fn only_what_is_surely_left_is_dropped() {
    let pg = TempPg::start_new().expect("PostgreSQL");
    let db = Db::on(&pg, "rehearse_server_others", SQL);
    db.archive();
    let mut admin = pg.admin("postgres").expect("connected");
    let comment = "pso-rehearse: scratch database of process 1 on another-host; it is dropped when that ends, or by the next rehearsal";
    for name in ["pso_rehearse_1_1_0", "pso_rehearse_2_1_0"] {
        admin.batch_execute(&format!("CREATE DATABASE {name}")).expect("made");
        admin.batch_execute(&format!("COMMENT ON DATABASE {name} IS '{comment}'")).expect("said");
    }
    // Behind a pool a session is not called as it was told.
    let mut worker = pg.admin("pso_rehearse_2_1_0").expect("connected");
    let outcome = checked(tool(&db, "postgres", pg.admin_password()));
    outcome.assert_code(0);
    let now = databases(&pg);
    assert!(!now.contains(&"pso_rehearse_1_1_0".to_owned()), "{now:?}");
    assert!(now.contains(&"pso_rehearse_2_1_0".to_owned()), "{now:?}");
    worker.batch_execute("SELECT 1").expect("it lives");
}

#[test]
fn row_security_that_binds_the_owner_hides_nothing_there() {
    let hidden = "
        CREATE TABLE hidden (id serial, n int); INSERT INTO hidden (n) VALUES (1), (2);
        ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; ALTER TABLE hidden FORCE ROW LEVEL SECURITY;
        CREATE POLICY none ON hidden USING (false)";
    let pg = TempPg::start_new().expect("PostgreSQL");
    let db = Db::on(&pg, "rehearse_server_hidden", hidden);
    db.archive();
    pg.admin("postgres").expect("connected").batch_execute("ALTER ROLE sync_user CREATEDB").expect("granted");
    let outcome = checked(tool(&db, "sync_user", db.database.password()));
    outcome.assert_code(0);
    assert_says(&outcome, "proven", "1 table has the manifest's row counts, 2 rows");
    assert_says(&outcome, "proven", "1 column's sequence is not behind");
}
