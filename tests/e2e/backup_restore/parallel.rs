//! Restoring with several sessions: the same content whatever the number, and whatever fails leaves everything as it was.

use std::io::Write as _;
use std::os::unix::fs::chown;
use std::process::Command;

use pso_tests::fingerprint;
use pso_tests::mount::Mount;
use pso_tests::proxy::{Direction, Mode, TcpProxy};
use pso_tests::tool::Outcome;
use pso_tests::wait;

use crate::parts::{LIMIT, Parts, checked, on_own_server};

impl Parts {
    fn postgres(&self, tool: &str, args: &[&str]) -> Outcome {
        checked(self.tool(tool, args).envs(self.database.env()))
    }

    fn databases(&self) -> String {
        let sql =
            "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname LIKE 'planning_sync%'";
        self.database.scalar(sql).expect("names")
    }
}

/// Tables whose rows are hard to cut: one much larger than a piece, rows larger than one, rows of nothing, and texts that
/// look like the end of the rows.
const ROWS: &str = r"
    CREATE TABLE long AS SELECT n AS id, md5(n::text) || E'\n\\.\n\t' || repeat('é', n % 5) AS text FROM generate_series(1, 60000) AS n;
    ALTER TABLE long ADD PRIMARY KEY (id);
    CREATE TABLE wide (id int PRIMARY KEY, text text, bytes bytea);
    INSERT INTO wide SELECT n, repeat(md5(n::text) || E'\n', 40000), decode(repeat(md5(n::text), 1000), 'hex') FROM generate_series(1, 3) AS n;
    CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
    CREATE TABLE blank (text text); INSERT INTO blank SELECT '' FROM generate_series(1, 1000);
    CREATE TABLE ends (text text); INSERT INTO ends VALUES (E'\\.'), (E'\\\\.'), (NULL), (E'\r\n'), ('\N');
    CREATE TABLE empty (id int);
    CREATE TABLE unchecked (id int, plan int);
    INSERT INTO unchecked VALUES (1, -1);
    CREATE SCHEMA apart; CREATE TABLE apart.heir () INHERITS (unchecked);
    ALTER TABLE unchecked ADD CONSTRAINT unchecked_old CHECK (plan > 0) NOT VALID;
    CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM long;
    -- What the owner may do no longer has to be done before.
    REVOKE INSERT ON ends FROM sync_user;
    COMMENT ON TABLE long IS 'plans d''été'; CREATE INDEX ON long (text) WHERE id > 100;
";

#[test]
fn the_content_is_the_same_with_any_number_of_sessions() {
    let (_pg, parts) = on_own_server("br_jobs");
    parts.database.execute(ROWS).expect("filled");
    let large_object = "SELECT lo_from_bytea(0, decode(repeat('00ff0a5c', 200000), 'hex')), lo_from_bytea(0, '')";
    parts.database.execute(large_object).expect("large objects");
    let facts = || {
        let queries = [
            "SELECT oid::text, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY 1",
            "SELECT conname::text, convalidated::text FROM pg_constraint ORDER BY 1, 2",
            "SELECT relname::text, relacl::text, obj_description(oid, 'pg_class') FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
            "SELECT n::text FROM counted",
            // Gathered, so that the first queries are planned with them.
            "SELECT DISTINCT tablename::text FROM pg_stats WHERE schemaname = 'public' ORDER BY 1",
        ];
        queries.map(|query| parts.database.rows(query).expect("facts"))
    };
    parts.database.execute("ANALYZE").expect("analysed");
    parts.postgres("pso-backup", &["--only", "postgres"]).assert_code(0);
    let (before, facts_before) = (parts.content(), facts());
    let lose = "DROP TABLE long, wide CASCADE; DELETE FROM blank; DROP TABLE ends; SELECT lo_unlink(oid) FROM pg_largeobject_metadata";
    for jobs in ["1", "2", "5"] {
        parts.database.execute(lose).expect("damaged");
        let outcome = parts.postgres("pso-restore", &["latest", "--yes", "--only", "postgres", "--jobs", jobs]);
        outcome.assert_code(0).assert_quiet().assert_no_secret(&[parts.database.password()]);
        before.rows.assert_same(&parts.content().rows);
        before.schema.assert_same(&parts.content().schema);
        assert_eq!(facts(), facts_before, "{jobs} sessions");
    }
}

#[test]
fn a_number_of_sessions_that_makes_no_sense_is_refused() {
    let parts = Parts::start("br_no_jobs");
    for jobs in ["0", "1000"] {
        let outcome = parts.restore(&["latest", "--dry-run", "--jobs", jobs]);
        outcome.assert_code(3).assert_stderr_has("maintenance.restore.jobs");
    }
}

#[test]
fn rows_that_the_server_refuses_are_told_and_undone() {
    let (pg, parts) = on_own_server("br_refused");
    // What cannot be had again: the function of the constraint says no to what it once allowed.
    parts
        .database
        .execute(
            "CREATE FUNCTION allowed(int) RETURNS bool LANGUAGE sql AS 'SELECT current_setting(''pso.allowed'', true) IS NOT NULL';
             SET pso.allowed = 'yes';
             CREATE TABLE choosy (id int CHECK (public.allowed(id)), secret text);
             INSERT INTO choosy SELECT n, 'very secret' FROM generate_series(1, 10000) AS n;
             CREATE TABLE many AS SELECT n, repeat('x', 500) AS text FROM generate_series(1, 20000) AS n;",
        )
        .expect("filled");
    parts.postgres("pso-backup", &["--only", "postgres"]).assert_code(0);
    let before = parts.content();
    let outcome = parts.postgres("pso-restore", &["latest", "--yes"]);
    outcome.assert_code(2).assert_stderr_has("everything is as it was before").assert_stderr_has("check constraint");
    outcome.assert_stderr_has("COPY public.choosy").assert_no_secret(&["very secret"]);
    before.assert_same(&parts.content());
    assert_eq!(parts.databases(), "planning_sync");
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pso-restore'";
    assert_eq!(pg.admin("postgres").expect("connected").query_one(sessions, &[]).expect("a count").get::<_, i64>(0), 0);
}

#[test]
fn sessions_that_are_cut_or_stopped_leave_nothing() {
    let (_pg, parts) = on_own_server("br_cut");
    parts.fatten();
    parts.postgres("pso-backup", &["--only", "postgres"]).assert_code(0);
    let before = parts.content();
    let proxy = TcpProxy::start(parts.database.port()).expect("a proxy");
    let loading = || {
        proxy.set(Mode::Pass).expect("set");
        let seen = proxy.passed(Direction::ToServer);
        let tool = parts.tool("pso-restore", &["latest", "--yes", "--jobs", "3"]).envs(parts.through(&proxy));
        let running = tool.spawn().expect("started");
        wait::until("rows to be loaded", LIMIT, || (proxy.passed(Direction::ToServer) > seen + 600_000).then_some(()))
            .expect("it has begun");
        running
    };
    // Every connection of that moment breaks; later ones work, so that it can be undone.
    let running = loading();
    proxy.set(Mode::Drop).expect("set");
    proxy.set(Mode::Pass).expect("set");
    let outcome = running.finish().expect("ends");
    outcome.assert_code(2).assert_stderr_has("everything is as it was before");
    before.assert_same(&parts.content());
    assert_eq!(parts.databases(), "planning_sync", "{outcome}");
    // A signal while the sessions are busy.
    let mut running = loading();
    proxy.set(Mode::Trickle { bytes: 4096, every: std::time::Duration::from_millis(5) }).expect("set");
    running.signal("TERM").expect("sent");
    proxy.set(Mode::Pass).expect("set");
    let outcome = running.finish().expect("ends");
    outcome.assert_code(2).assert_stderr_has("everything is as it was before").assert_stderr_has("SIGTERM");
    before.assert_same(&parts.content());
    assert_eq!(parts.databases(), "planning_sync", "{outcome}");
}

#[test]
fn a_session_that_breaks_while_everything_waits_for_it_is_told_and_undone() {
    let (_pg, parts) = on_own_server("br_waits");
    // More than the queue and all buffers on the way hold.
    let sql = "CREATE TABLE fat AS SELECT n, repeat(md5(n::text), 20) AS text FROM generate_series(1, 60000) AS n";
    parts.database.execute(sql).expect("filled");
    parts.postgres("pso-backup", &["--only", "postgres"]).assert_code(0);
    let proxy = TcpProxy::start(parts.database.port()).expect("a proxy");
    let tool = parts.tool("pso-restore", &["latest", "--yes", "--jobs", "1"]).envs(parts.through(&proxy));
    let running = tool.spawn().expect("started");
    let passed = || proxy.passed(Direction::ToServer);
    wait::until("rows to be loaded", LIMIT, || (passed() > 1_000_000).then_some(())).expect("it has begun");
    proxy.set(Mode::Trickle { bytes: 16, every: std::time::Duration::from_millis(20) }).expect("set");
    let seen = passed();
    wait::until("everything to wait", LIMIT, || (passed() > seen + 800).then_some(())).expect("a second has gone by");
    proxy.set(Mode::Drop).expect("set");
    proxy.set(Mode::Pass).expect("set");
    let outcome = running.finish().expect("ends");
    outcome.assert_code(2).assert_stderr_has("everything is as it was before");
    assert_eq!(parts.databases(), "planning_sync", "{outcome}");
}

#[test]
fn a_limit_for_idle_sessions_does_not_end_a_restore() {
    let (pg, parts) = on_own_server("br_idle");
    parts.fatten();
    parts.postgres("pso-backup", &["--only", "postgres"]).assert_code(0);
    let before = parts.content();
    let mut admin = pg.admin("postgres").expect("connected");
    if admin.batch_execute("ALTER ROLE sync_user SET idle_session_timeout = '20ms'").is_err() {
        // PostgreSQL 13 has none.
        return;
    }
    let outcome = parts.postgres("pso-restore", &["latest", "--yes", "--only", "postgres"]);
    outcome.assert_code(0).assert_quiet();
    admin.batch_execute("ALTER ROLE sync_user RESET idle_session_timeout").expect("reset");
    before.rows.assert_same(&parts.content().rows);
}

#[test]
fn a_subscription_does_not_keep_an_unfinished_database() {
    let (pg, parts) = on_own_server("br_subscribed");
    // What subscribes is made before the content of the view, which cannot be had again.
    parts
        .database
        .execute(
            "SET pso.allowed = 'yes';
             CREATE MATERIALIZED VIEW choosy AS SELECT 1 / (current_setting('pso.allowed', true) IS NOT NULL)::int AS x",
        )
        .expect("filled");
    let subscribe = "CREATE SUBSCRIPTION sub CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false)";
    parts.database.execute_as_admin(subscribe).expect("subscribed");
    let by_superuser = |tool: &str, args: &[&str]| {
        let tool = parts.tool(tool, args).envs(parts.database.env());
        checked(tool.env("PGUSER", "postgres").env("PGPASSWORD", pg.admin_password()))
    };
    by_superuser("pso-backup", &["--only", "postgres"]).assert_code(0);
    let outcome = by_superuser("pso-restore", &["latest", "--yes"]);
    outcome.assert_code(2).assert_stderr_has("everything is as it was before").assert_stderr_has("division by zero");
    assert_eq!(parts.databases(), "planning_sync", "{outcome}");
    let mut admin = parts.database.connect_as_admin().expect("connected");
    let slot = admin.query_one("SELECT subslotname::text FROM pg_subscription", &[]).expect("only the old one's");
    assert_eq!(slot.get::<_, &str>(0), "sub");
}

#[test]
fn a_disk_that_the_rows_have_filled_is_emptied_again() {
    let (pg, parts) = on_own_server("br_filled");
    let place = pg.data_folder().with_file_name("filled");
    let mount = match Mount::tmpfs(&place, 200 << 10) {
        Ok(mount) => mount,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "not tested: {error:#}");
            return;
        }
    };
    chown(&place, pg.runs_as(), None).expect("given away");
    let mut admin = pg.admin("postgres").expect("connected");
    admin.batch_execute(&format!("CREATE TABLESPACE filled LOCATION '{}'", place.display())).expect("created");
    admin.batch_execute("GRANT CREATE ON TABLESPACE filled TO sync_user").expect("granted");
    admin.batch_execute("ALTER DATABASE planning_sync SET TABLESPACE filled").expect("moved");
    let sql = "CREATE TABLE fat AS SELECT n, repeat(md5(n::text), 20) AS text FROM generate_series(1, 60000) AS n";
    parts.database.execute(sql).expect("filled");
    parts.postgres("pso-backup", &["--only", "postgres"]).assert_code(0);
    // Since PostgreSQL 15 a new database has blocks that no disk has room for yet, until a checkpoint.
    parts.postgres("pso-restore", &["latest", "--yes", "--only", "postgres"]).assert_code(0);
    let used = Command::new("du").arg("-sk").arg(&place).output().expect("run").stdout;
    let used: u64 =
        String::from_utf8_lossy(&used).split_whitespace().next().expect("a size").parse().expect("a number");
    mount.resize(used + (8 << 10)).expect("resized");
    let (before, databases) = (parts.content(), parts.databases());
    let outcome = parts.postgres("pso-restore", &["latest", "--yes", "--only", "postgres"]);
    outcome.assert_code(2).assert_stderr_has("everything is as it was before").assert_stderr_has("No space left");
    before.assert_same(&parts.content());
    assert_eq!(parts.databases(), databases, "{outcome}");
    admin.batch_execute("CHECKPOINT").expect("there is room again");
}

#[test]
fn in_place_is_done_where_it_is_asked_for() {
    let (_pg, parts) = on_own_server("br_forced");
    parts.postgres("pso-backup", &["--only", "postgres"]).assert_code(0);
    let before = parts.content();
    parts.database.execute("DROP TABLE tasks CASCADE").expect("damaged");
    let outcome = parts.postgres("pso-restore", &["latest", "--yes", "--in-place"]);
    outcome.assert_code(0).assert_quiet();
    before.rows.assert_same(&parts.content().rows);
    before.schema.assert_same(&parts.content().schema);
    assert_eq!(parts.databases(), "planning_sync", "none was made beside it");
}

#[test]
fn every_database_of_an_archive_is_back() {
    let (pg, parts) = on_own_server("br_several");
    pg.admin("postgres")
        .expect("connected")
        .batch_execute("CREATE DATABASE planning_sync_two OWNER sync_user")
        .expect("created");
    let mut two = parts.database.connect_to("planning_sync_two").expect("connected");
    two.batch_execute("SET ROLE sync_user; CREATE TABLE public.notes AS SELECT n FROM generate_series(1, 100) AS n").or_else(|_| {
        two.batch_execute("CREATE TABLE public.notes AS SELECT n FROM generate_series(1, 100) AS n; ALTER TABLE public.notes OWNER TO sync_user")
    }).expect("filled");
    let config = parts.path("config/config.yaml");
    let text = std::fs::read_to_string(&config).expect("readable");
    let both =
        text.replace("\nmaintenance:\n", "\nmaintenance:\n  backup: {databases: [planning_sync, planning_sync_two]}\n");
    assert_ne!(both, text);
    std::fs::write(&config, both).expect("written");
    parts.postgres("pso-backup", &["--only", "postgres"]).assert_code(0);
    let before = fingerprint::tables(&mut two).expect("rows");
    let first = parts.content();
    let damage = |two: &mut postgres::Client| {
        two.batch_execute("DELETE FROM public.notes").expect("damaged");
        parts.database.execute("DELETE FROM conflicts").expect("damaged");
    };
    damage(&mut two);
    drop(two);
    let outcome = parts.postgres("pso-restore", &["latest", "--yes"]);
    outcome.assert_code(0).assert_quiet();
    let mut two = parts.database.connect_to("planning_sync_two").expect("connected");
    before.assert_same(&fingerprint::tables(&mut two).expect("rows"));
    first.rows.assert_same(&parts.content().rows);
    // The one that is named, and no other.
    damage(&mut two);
    drop(two);
    let outcome = parts.postgres("pso-restore", &["latest", "--yes", "--pg-dbname", "planning_sync_two"]);
    outcome.assert_code(0).assert_quiet();
    let mut two = parts.database.connect_to("planning_sync_two").expect("connected");
    before.assert_same(&fingerprint::tables(&mut two).expect("rows"));
    assert_eq!(parts.database.scalar("SELECT count(*) FROM conflicts").expect("a count"), "0");
}

#[test]
fn roles_that_are_missing_are_told_and_not_made() {
    let (pg, parts) = on_own_server("br_roles");
    let mut admin = pg.admin("postgres").expect("connected");
    admin.batch_execute("CREATE ROLE lost; CREATE ROLE \"Été\"").expect("created");
    let by_superuser = |tool: &str, args: &[&str]| {
        let tool = parts.tool(tool, args).envs(parts.database.env());
        checked(tool.env("PGUSER", "postgres").env("PGPASSWORD", pg.admin_password()))
    };
    by_superuser("pso-backup", &["--only", "postgres"]).assert_code(0);
    by_superuser("pso-restore", &["latest", "--dry-run"]).assert_code(0).assert_quiet();
    admin.batch_execute("DROP ROLE lost; DROP ROLE \"Été\"").expect("dropped");
    let outcome = by_superuser("pso-restore", &["latest", "--yes"]);
    outcome
        .assert_code(1)
        .assert_stderr_has("does not have the roles")
        .assert_stderr_has("lost")
        .assert_stderr_has("Été");
    outcome.assert_stderr_has("postgres/globals.sql");
    let found = admin.query_one("SELECT count(*) FROM pg_roles WHERE rolname IN ('lost', 'Été')", &[]);
    assert_eq!(found.expect("a count").get::<_, i64>(0), 0, "a restore gives nobody access");
}
