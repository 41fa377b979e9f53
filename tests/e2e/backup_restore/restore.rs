//! What was lost is back, row by row, point by point and byte by byte; what fails is undone.

use std::fs;
use std::time::Duration;

use pso_tests::deployment::{self, Spec, TABLES};
use pso_tests::fingerprint;
use pso_tests::pg::TempPg;
use pso_tests::proxy::{Direction, Mode, TcpProxy};
use pso_tests::wait;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::parts::{LIMIT, Parts, checked, flip, states, walk};

#[test]
fn what_was_lost_is_back() {
    let parts = Parts::start("br_chain");
    let before = parts.content();
    let outcome = parts.backup(&[]);
    outcome.assert_code(0).assert_quiet().assert_no_secret(&[parts.database.password()]);
    let rows = outcome.record("backup.component", "postgres")["rows"].clone();
    for table in TABLES {
        let count = parts.database.scalar(&format!("SELECT count(*) FROM {table}")).expect("a count");
        assert_eq!(rows[format!("public.{table}")].to_string(), count, "{table}");
    }
    assert_eq!(rows.as_object().map(serde_json::Map::len), Some(TABLES.len()));
    for (collection, points) in outcome.record("backup.component", "qdrant")["points"].as_object().expect("points") {
        assert_eq!(points.as_u64(), parts.qdrant.client().count(collection).ok(), "{collection}");
    }
    let archive = outcome.records_of_kind("backup.archive").pop().expect("an archive");
    let path = parts.path(archive["path"].as_str().expect("a path"));
    let content = fs::read(&path).expect("readable");
    let sha256: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(archive["sha256"], sha256.as_str());
    assert_eq!(archive["size_bytes"], content.len());
    let log = parts.last_log();
    assert_eq!((&log["status"], &log["backup_path"]), (&Value::from("success"), &archive["path"]));
    parts.assert_no_trace(&parts.daily());

    let listed = parts.backup(&["list"]);
    let name = archive["name"].as_str().expect("a name");
    assert_eq!(listed.assert_code(0).record("backup.archive", name)["taken_at"], archive["taken_at"]);
    let verified = parts.backup(&["verify"]);
    verified.assert_code(0);
    assert_eq!(verified.records_of_kind("backup.component").len(), 5);

    parts.damage();
    let outcome = parts.restore(&["latest", "--yes"]);
    outcome.assert_code(0).assert_quiet().assert_no_secret(&[parts.database.password()]);
    assert!(states(&outcome, "done").contains(&"health service".to_owned()), "{outcome}");
    before.assert_same(&parts.content());
    let kept = walk(&parts.path(".pso-restore"));
    assert!(kept.iter().any(|path| path.ends_with("replaced/scripts/backup-daily.ps1")), "{kept:?}");
    // What was there is the way back, the collections too.
    assert!(kept.iter().any(|path| path.ends_with("/qdrant/tasks.snapshot")), "{kept:?}");
    assert!(!kept.iter().any(|path| path.contains("/new/")), "{kept:?}");
    // Once more, over what is right already.
    parts.restore(&["latest", "--yes"]).assert_code(0);
    before.assert_same(&parts.content());
}

#[test]
fn a_role_that_may_create_databases_keeps_the_old_one() {
    let pg = TempPg::start_new().expect("PostgreSQL");
    let database = pg.database("planning_sync").expect("a database");
    let parts = Parts { database, ..Parts::start("br_beside") };
    let spec = Spec::small(time::OffsetDateTime::now_utc());
    deployment::fill_database(&mut parts.database.connect().expect("connected"), &spec).expect("rows");
    let mut admin = pg.admin("postgres").expect("connected");
    admin
        .batch_execute(
            "ALTER ROLE sync_user CREATEDB; CREATE ROLE reader; GRANT CONNECT ON DATABASE planning_sync TO reader;
             REVOKE CONNECT ON DATABASE planning_sync FROM PUBLIC;
             ALTER DATABASE planning_sync SET search_path = public, \"odd, name\";
             COMMENT ON DATABASE planning_sync IS 'Plans d''été'",
        )
        .expect("prepared");
    parts.database.execute("GRANT SELECT ON plans TO reader").expect("granted");
    let facts = "SELECT (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(datacl) AS a), shobj_description(d.oid, 'pg_database'), (SELECT string_agg(s::text, ',') FROM pg_db_role_setting AS r, unnest(r.setconfig) AS s WHERE r.setdatabase = d.oid),
         has_table_privilege('reader', 'plans', 'SELECT')::text FROM pg_database AS d WHERE datname = current_database()";
    let env = parts.database.env();
    let run = |name: &str, args: &[&str]| checked(parts.tool(name, args).envs(env.clone()));
    let (before, facts_before) = (parts.content(), parts.database.rows(facts).expect("facts"));
    run("pso-backup", &[]).assert_code(0);
    parts.database.execute("DROP TABLE tasks CASCADE").expect("damaged");
    // Somebody is connected, as a service's pool is.
    let _session = parts.database.connect().expect("connected");
    let outcome = run("pso-restore", &["latest", "--yes"]);
    outcome.assert_code(0).assert_quiet();
    before.assert_same(&parts.content());
    assert_eq!(parts.database.rows(facts).expect("facts"), facts_before);
    let kept = admin.query("SELECT datname, datallowconn FROM pg_database WHERE datname LIKE 'planning_sync_%'", &[]);
    let kept = kept.expect("databases");
    assert_eq!(kept.len(), 1, "the old one, and nothing else");
    assert!(kept[0].get::<_, String>(0).starts_with("planning_sync_before_") && kept[0].get::<_, bool>(1));
    // And where there is none at all.
    admin.batch_execute("DROP DATABASE planning_sync WITH (FORCE)").expect("dropped");
    run("pso-restore", &["latest", "--yes", "--only", "postgres"]).assert_code(0);
    before.rows.assert_same(&fingerprint::tables(&mut parts.database.connect().expect("connected")).expect("rows"));
}

#[test]
fn what_fails_at_the_end_is_undone_from_the_beginning() {
    let pg = TempPg::start_new().expect("PostgreSQL");
    let database = pg.database("planning_sync").expect("a database");
    let parts = Parts { database, ..Parts::start("br_undo") };
    let spec = Spec::small(time::OffsetDateTime::now_utc());
    deployment::fill_database(&mut parts.database.connect().expect("connected"), &spec).expect("rows");
    pg.admin("postgres").expect("connected").batch_execute("ALTER ROLE sync_user CREATEDB").expect("granted");
    let env = parts.database.env();
    checked(parts.tool("pso-backup", &[]).envs(env.clone())).assert_code(0);
    parts.damage();
    parts.qdrant.client().create_collection("others", 4).expect("created");
    parts.qdrant.client().create_alias("plans_current", "others").expect("created");
    let damaged = parts.content();
    // Only a superuser may end this session, so the renaming, which comes last, cannot take place.
    let _session = parts.database.connect_as_admin().expect("connected");
    let outcome = checked(parts.tool("pso-restore", &["latest", "--yes"]).envs(env));
    outcome.assert_code(2).assert_stderr_has("everything is as it was before").assert_stderr_has("end the sessions");
    let undone = states(&outcome, "rolled_back");
    for step in [
        "restore postgres:planning_sync",
        "restore qdrant:plans",
        "restore qdrant:tasks",
        "aliases qdrant:plans_current",
    ] {
        assert!(undone.iter().any(|undone| undone == step), "{step} is not in {undone:?}\n{outcome}");
    }
    damaged.assert_same(&parts.content());
    let databases = "SELECT count(*) FROM pg_database WHERE datname LIKE 'planning_sync%'";
    assert_eq!(parts.database.scalar(databases).expect("a count"), "1");
    parts.assert_no_trace_of_restore();
}

#[test]
fn what_breaks_off_before_anything_is_replaced_leaves_nothing() {
    let parts = Parts::start("br_midway");
    parts.archive();
    let content = parts.content();
    let qdrant = TcpProxy::start(parts.qdrant.port()).expect("a proxy");
    // In the middle of the snapshot that is made in case it is needed again.
    qdrant.set(Mode::CutAfter { direction: Direction::ToClient, bytes: 60_000 }).expect("set");
    let outcome = parts.restore(&["latest", "--yes", "--qdrant-url", &qdrant.url()]);
    outcome.assert_code(2).assert_stderr_has("everything is as it was before").assert_stderr_has("the download of");
    content.assert_same(&parts.content());
    parts.assert_no_trace_of_restore();
    // A restore that was killed before it replaced anything has left this; what one replaced has to stay.
    for name in ["20200101_000000/new/qdrant/plans.snapshot", "20200101_000001/qdrant/plans.snapshot"] {
        fs::create_dir_all(parts.path(".pso-restore").join(name).parent().expect("a parent")).expect("created");
        fs::write(parts.path(".pso-restore").join(name), "x").expect("written");
    }
    parts.restore(&["latest", "--yes"]).assert_code(0);
    let left: Vec<String> =
        walk(&parts.path(".pso-restore")).into_iter().filter(|path| path.contains("/2020")).collect();
    assert_eq!(left, [parts.path(".pso-restore/20200101_000001/qdrant/plans.snapshot").display().to_string()]);
}

#[test]
fn a_swap_whose_answer_is_lost_is_found_out() {
    let pg = TempPg::start_new().expect("PostgreSQL");
    let database = pg.database("planning_sync").expect("a database");
    let parts = Parts { database, ..Parts::start("br_swap") };
    let spec = Spec::small(time::OffsetDateTime::now_utc());
    deployment::fill_database(&mut parts.database.connect().expect("connected"), &spec).expect("rows");
    let mut admin = pg.admin("postgres").expect("connected");
    admin.batch_execute("ALTER ROLE sync_user CREATEDB").expect("granted");
    checked(parts.tool("pso-backup", &[]).envs(parts.database.env())).assert_code(0);
    let before = parts.content();
    parts.database.execute("DROP TABLE tasks CASCADE").expect("damaged");
    let damaged = parts.content();
    let proxy = TcpProxy::start(parts.database.port()).expect("a proxy");
    for committed in [false, true] {
        proxy.set(Mode::Pass).expect("set");
        // The renaming waits for this.
        admin.batch_execute("BEGIN; COMMENT ON DATABASE planning_sync IS 'held'").expect("held");
        let tool = parts.tool("pso-restore", &["latest", "--yes", "--only", "postgres"]);
        let running = tool.envs(parts.through(&proxy)).spawn().expect("started");
        let mut watch = pg.admin("postgres").expect("connected");
        let mut waits = |event: &str| {
            wait::until(event, LIMIT, || {
                let sql = "SELECT FROM pg_stat_activity WHERE application_name = 'pso-restore' AND $1 IN (wait_event_type, wait_event)";
                watch.query_opt(sql, &[&event]).expect("sessions").map(drop)
            })
            .expect("it waits");
        };
        waits("Lock");
        if committed {
            // The commit waits for a standby that there is not, and is not to be seen yet.
            let mut other = pg.admin("postgres").expect("connected");
            other.batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").expect("set");
            other.batch_execute("SELECT pg_reload_conf()").expect("reloaded");
            std::thread::sleep(Duration::from_millis(500));
            admin.batch_execute("ROLLBACK").expect("let go");
            waits("SyncRep");
            proxy.set(Mode::Drop).expect("set");
            std::thread::sleep(Duration::from_millis(500));
            other.batch_execute("ALTER SYSTEM RESET synchronous_standby_names").expect("reset");
            other.batch_execute("SELECT pg_reload_conf()").expect("reloaded");
        } else {
            proxy.set(Mode::Drop).expect("set");
            std::thread::sleep(Duration::from_millis(500));
        }
        proxy.set(Mode::Pass).expect("set");
        let outcome = running.finish().expect("ends");
        if committed {
            outcome.assert_code(0);
            before.assert_same(&parts.content());
        } else {
            outcome.assert_code(2).assert_stderr_has("everything is as it was before");
            admin.batch_execute("ROLLBACK").expect("let go");
            damaged.assert_same(&parts.content());
        }
        let closed = "SELECT count(*) FROM pg_database WHERE NOT datallowconn AND datname <> 'template0'";
        assert_eq!(parts.database.scalar(closed).expect("a count"), "0", "{outcome}");
        let all = "SELECT count(*) FROM pg_database WHERE datname LIKE 'planning_sync%'";
        assert_eq!(parts.database.scalar(all).expect("a count"), if committed { "2" } else { "1" }, "{outcome}");
    }
}

#[test]
fn a_database_that_a_killed_restore_has_locked_is_opened() {
    let pg = TempPg::start_new().expect("PostgreSQL");
    let database = pg.database("planning_sync").expect("a database");
    let parts = Parts { database, ..Parts::start("br_locked") };
    let spec = Spec::small(time::OffsetDateTime::now_utc());
    deployment::fill_database(&mut parts.database.connect().expect("connected"), &spec).expect("rows");
    let mut admin = pg.admin("postgres").expect("connected");
    admin.batch_execute("ALTER ROLE sync_user CREATEDB").expect("granted");
    let run = |name: &str, args: &[&str]| checked(parts.tool(name, args).envs(parts.database.env()));
    run("pso-backup", &["--only", "postgres"]).assert_code(0);
    let before = parts.content();
    admin.batch_execute("ALTER DATABASE planning_sync ALLOW_CONNECTIONS false").expect("locked");
    let outcome = run("pso-restore", &["latest", "--yes"]);
    outcome.assert_code(3).assert_stderr_has("no restore has left it so").assert_stderr_has("ALLOW_CONNECTIONS true");
    for name in ["planning_sync_pso_new_20200101_000000", "planning_sync_before_20200101_000000"] {
        admin.batch_execute(&format!("CREATE DATABASE {name} OWNER sync_user")).expect("created");
    }
    admin.batch_execute("ALTER DATABASE planning_sync_before_20200101_000000 ALLOW_CONNECTIONS false").expect("locked");
    let outcome = run("pso-restore", &["latest", "--dry-run"]);
    let way_out = "ALTER DATABASE \"planning_sync\" ALLOW_CONNECTIONS true";
    outcome.assert_code(1).assert_stderr_has("planning_sync_pso_new_20200101_000000").assert_stderr_has(way_out);
    run("pso-restore", &["latest", "--yes"]).assert_code(1).assert_stderr_has("lets others in again");
    before.rows.assert_same(&fingerprint::tables(&mut parts.database.connect().expect("connected")).expect("rows"));
    let names = parts
        .database
        .rows("SELECT datname::text FROM pg_database WHERE datname LIKE 'planning_sync%' AND datallowconn");
    let names: Vec<String> = names.expect("databases").into_iter().flatten().flatten().collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(!names.iter().any(|name| name.contains("_pso_new_")), "{names:?}");
}

#[test]
fn a_restore_that_is_stopped_is_undone() {
    let parts = Parts::start("br_stop");
    parts.fatten();
    let before = parts.content();
    parts.archive();
    parts.damage();
    parts.database.execute("DROP TABLE fat").expect("damaged");
    let damaged = parts.content();
    let slow = TcpProxy::start(parts.database.port()).expect("a proxy");
    let start = || {
        slow.set(Mode::Pass).expect("set");
        let seen = slow.passed(Direction::ToServer);
        let tool = parts.tool("pso-restore", &["latest", "--yes"]).envs(parts.through(&slow));
        let running = tool.spawn().expect("started");
        wait::until("the restore to begin", LIMIT, || {
            (slow.passed(Direction::ToServer) > seen + 400_000).then_some(())
        })
        .expect("the restore has begun");
        slow.set(Mode::Trickle { bytes: 512, every: Duration::from_millis(20) }).expect("set");
        running
    };
    let mut running = start();
    let outcome = parts.restore(&["latest", "--yes", "--only", "plans"]);
    outcome.assert_code(3).assert_stderr_has("already running").assert_stderr_has(&format!("process {}", running.id()));
    let outcome = parts.backup(&["--only", "plans"]);
    outcome.assert_code(3).assert_stderr_has("a restore into").assert_stderr_has(&format!("process {}", running.id()));
    running.signal("TERM").expect("sent");
    let outcome = running.finish().expect("ends");
    slow.set(Mode::Drop).expect("set");
    outcome.assert_code(2).assert_stderr_has("everything is as it was before").assert_stderr_has("SIGTERM");
    damaged.assert_same(&parts.content());
    parts.assert_no_trace_of_restore();
    // SIGKILL: the transaction ends with its session, and the next run says that there was one.
    let mut killed = start();
    killed.signal("KILL").expect("sent");
    assert_eq!(killed.finish().expect("ends").signal, Some(9));
    slow.set(Mode::Drop).expect("set");
    damaged.assert_same(&parts.content());
    parts.restore(&["latest", "--yes"]).assert_code(3).assert_stderr_has("--rollback");
    parts.restore(&["--rollback", "--yes"]).assert_code(0);
    damaged.assert_same(&parts.content());
    parts.assert_no_trace_of_restore();
    parts.restore(&["latest", "--yes"]).assert_code(0);
    before.assert_same(&parts.content());
}

#[test]
fn a_damaged_archive_is_not_restored() {
    let parts = Parts::start("br_damaged");
    let archive = parts.archive();
    let whole = fs::read(&archive).expect("readable");
    parts.damage();
    let damaged = parts.content();
    let refuse = |code: i32, what: &str| {
        let outcome = parts.restore(&["latest", "--yes"]);
        outcome.assert_code(3).assert_stderr_has("take another archive");
        let outcome = parts.backup(&["verify"]);
        outcome.assert_code(code);
        let record = outcome.records_of_kind("backup.archive").pop().unwrap_or_else(|| panic!("{what}\n{outcome}"));
        assert_eq!(record["severity"], "critical", "{what}\n{outcome}");
        outcome
    };
    for length in [0, 1000, whole.len() / 2, whole.len() - 1] {
        fs::write(&archive, &whole[..length]).expect("written");
        refuse(3, &format!("{length} bytes"));
    }
    parts.backup(&["list"]).assert_code(2);
    // In the dump, in a snapshot, in a plan, in a header.
    for at in [100, whole.len() as u64 / 3, whole.len() as u64 * 3 / 4, 4] {
        fs::write(&archive, &whole).expect("written");
        flip(&archive, at);
        refuse(2, &format!("byte {at}"));
    }
    // A name that leads outside, in a file whose hash is right.
    let mut hostile = whole.clone();
    let (from, to) = (b"scripts/backup-daily.ps1".as_slice(), b"../../x/backup-daily.ps1".as_slice());
    for at in 0..hostile.len() - from.len() {
        if &hostile[at..at + from.len()] == from {
            hostile[at..at + from.len()].copy_from_slice(to);
        }
    }
    fs::write(&archive, &hostile).expect("written");
    let sha256: String = Sha256::digest(&hostile).iter().map(|byte| format!("{byte:02x}")).collect();
    let name = archive.file_name().expect("a name").to_str().expect("UTF-8");
    fs::write(archive.with_file_name(format!("{name}.sha256")), format!("{sha256}  {name}\n")).expect("written");
    refuse(3, "a hostile name");
    damaged.assert_same(&parts.content());
    parts.assert_no_trace_of_restore();
    let written: Vec<String> =
        walk(parts.folder.path()).into_iter().filter(|path| path.ends_with("backup-daily.ps1")).collect();
    assert_eq!(written, [parts.path("scripts/backup-daily.ps1").display().to_string()]);
    // From the deployment's folder, from a component's, and from where files are staged.
    for place in ["../../x", "../x", "x", ".pso-restore/x"] {
        assert!(!parts.path(place).join("backup-daily.ps1").exists(), "{place}");
    }
}
