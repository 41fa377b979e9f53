//! What goes into an archive: several databases, roles, chosen collections, what is optional; and where it does not fit.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use pso_archive::Archive;
use pso_tests::Reply;
use pso_tests::mount::Mount;
use pso_tests::pg::TempPg;
use pso_tests::proxy::{Direction, Mode, TcpProxy};
use pso_tests::tool::Outcome;
use pso_tests::wait;
use pso_tests::webhook::WebhookSink;
use serde_json::{Value, json};

use crate::parts::{LIMIT, Parts, checked};

fn archive_of(parts: &Parts, outcome: &Outcome) -> PathBuf {
    let archive = outcome.records_of_kind("backup.archive").pop().expect("an archive");
    parts.path(archive["path"].as_str().expect("a path"))
}

#[test]
fn every_database_of_the_configuration_and_the_roles() {
    let parts = Parts::start("br_several");
    let other = TempPg::shared().expect("PostgreSQL").database("Été \"2\"").expect("a database");
    other.execute("CREATE TABLE notes AS SELECT n FROM generate_series(1, 7) AS n").expect("filled");
    let names = json!([parts.database.name(), other.name()]);
    parts.configure(&format!("backup: {{databases: {names}}}"));
    let outcome = parts.backup(&["--only", "postgres"]);
    outcome.assert_code(0).assert_quiet();
    let record = outcome.record("backup.component", "postgres");
    assert_eq!(record["entries"], 3);
    assert_eq!(record["rows"][format!("{}.public.notes", other.name())], 7);
    let plans = parts.database.scalar("SELECT count(*) FROM plans").expect("a count");
    assert_eq!(record["rows"][format!("{}.public.plans", parts.database.name())].to_string(), plans);
    let mut archive = Archive::open(&archive_of(&parts, &outcome)).expect("opens");
    let manifest = archive.manifest().clone();
    let dumped: Vec<&str> = manifest.databases.iter().map(|database| database.name.as_str()).collect();
    assert_eq!(dumped, [parts.database.name(), other.name()]);
    let clusters = [0, 1].map(|at| manifest.databases[at].system_identifier.clone());
    assert!(clusters[0].is_some() && clusters[0] == clusters[1], "{clusters:?}");
    assert_eq!(manifest.databases[1].entry, "postgres/%C3%89t%C3%A9%20%222%22.dump");
    let globals = manifest.entry(manifest.globals.as_deref().expect("globals")).expect("listed").clone();
    let mut sql = Vec::new();
    archive.copy(&globals, &mut sql, &Default::default()).expect("copied");
    let sql = String::from_utf8(sql).expect("UTF-8");
    assert!(sql.contains("CREATE ROLE sync_user") && !sql.contains("SCRAM-SHA-256"), "{sql}");
    for args in [&["verify"][..], &["verify", "--deep"], &["verify", "--sample", "50%"]] {
        parts.backup(args).assert_code(0);
    }
    // A database that is missing is no backup.
    parts.reconfigure(&names.to_string(), r#"["no_such_database"]"#);
    parts.backup(&["--only", "postgres"]).assert_code(3).assert_stderr_has("no_such_database");
}

#[test]
fn roles_that_cannot_be_read_are_said_or_a_failure() {
    let parts = Parts::start("br_globals");
    let programs = TempPg::shared().expect("PostgreSQL").programs().to_path_buf();
    let folder = parts.path("programs");
    fs::create_dir(&folder).expect("created");
    symlink(programs.join("pg_dump"), folder.join("pg_dump")).expect("linked");
    let backup = |args: &[&str]| checked(parts.tool("pso-backup", args).env("PSO_PG_BIN_DIR", &folder));
    let outcome = backup(&["--only", "postgres"]);
    let record = outcome.assert_code(0).record("backup.component", "postgres");
    assert_eq!((&record["severity"], &record["entries"]), (&"info".into(), &1.into()));
    assert!(record["message"].as_str().is_some_and(|text| text.contains("there is no pg_dumpall here")), "{record}");
    parts.configure("backup: {globals: yes}");
    backup(&["--only", "postgres"]).assert_code(2).assert_stderr_has("there is no pg_dumpall here");
    parts.reconfigure("globals: yes", "globals: no");
    let outcome = backup(&["--only", "postgres"]);
    assert_eq!(outcome.assert_code(0).record("backup.component", "postgres")["severity"], "ok");
    // An older pg_dump is refused before anything is done.
    fs::remove_file(folder.join("pg_dump")).expect("removed");
    executable(&folder.join("pg_dump"), "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n");
    backup(&[]).assert_code(3).assert_stderr_has("older than the server's major version");
}

fn executable(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("mode");
}

#[test]
fn an_optional_component_that_fails_is_missing_and_said_so() {
    let parts = Parts::start("br_optional");
    parts.configure("backup: {optional: [qdrant]}");
    let before = parts.daily();
    let check = |outcome: &Outcome, reason: &str| {
        outcome.assert_code(1);
        let archive = outcome.records_of_kind("backup.archive").pop().expect("an archive");
        assert_eq!((&archive["severity"], &archive["missing"]), (&"warning".into(), &json!(["qdrant"])), "{outcome}");
        assert_eq!(archive["components"], json!(["postgres", "config", "scripts", "plans"]));
        let component = outcome.record("backup.component", "qdrant");
        assert!(component["message"].as_str().is_some_and(|text| text.contains(reason)), "{outcome}");
        // Once each, however often it was begun.
        assert_eq!(outcome.records_of_kind("backup.component").len(), 5, "{outcome}");
        let manifest = Archive::open(&archive_of(&parts, outcome)).expect("opens").manifest().clone();
        assert!(manifest.missing[0].reason.contains(reason), "{:?}", manifest.missing);
        assert!(manifest.collections.is_empty() && manifest.databases.len() == 1);
    };
    let closed = pso_tests::pg::free_port().expect("a port");
    let url = format!("http://127.0.0.1:{closed}");
    check(&parts.backup(&["--qdrant-url", &url]), "connect to Qdrant");
    // Half-way, when the database is in the archive already.
    let proxy = TcpProxy::start(parts.qdrant.port()).expect("a proxy");
    proxy.set(Mode::CutAfter { direction: Direction::ToClient, bytes: 60_000 }).expect("set");
    check(&parts.backup(&["--qdrant-url", &proxy.url()]), "collection plans");
    let listed = parts.backup(&["list"]);
    for archive in listed.assert_code(1).records_of_kind("backup.archive") {
        assert_eq!((&archive["missing"], &archive["severity"]), (&json!(["qdrant"]), &"warning".into()));
    }
    parts.backup(&["verify", "--all"]).assert_code(0);
    // Nothing but what is missing.
    parts
        .backup(&["--only", "qdrant", "--qdrant-url", &url])
        .assert_code(3)
        .assert_stderr_has("none of the components");
    let outcome = parts.backup(&["--only", "qdrant", "--qdrant-url", &proxy.url()]);
    outcome.assert_code(2).assert_stderr_has("none of the components");
    parts.backup(&[]).assert_code(0);
    assert_eq!(parts.daily().len(), before.len() + 3 * 3);
    parts.assert_no_trace(&parts.daily());
}

#[test]
fn chosen_collections_one_snapshot_a_second() {
    let parts = Parts::start("br_collections");
    let outcome = parts.backup(&["--only", "qdrant"]);
    let manifest = Archive::open(&archive_of(&parts, &outcome)).expect("opens").manifest().clone();
    let mut seconds: Vec<&str> =
        manifest.collections.iter().map(|collection| name_end(&collection.snapshot.name)).collect();
    assert!(seconds.len() > 1 && manifest.collections.iter().all(|collection| collection.snapshot.sha256.is_some()));
    seconds.dedup();
    assert_eq!(seconds.len(), manifest.collections.len(), "{:?}", manifest.collections);
    parts.configure("backup: {collections: [tasks]}");
    let outcome = parts.backup(&["--only", "qdrant"]);
    let points = outcome.assert_code(0).record("backup.component", "qdrant")["points"].clone();
    assert_eq!(
        points.as_object().map(|points| points.keys().cloned().collect::<Vec<_>>()),
        Some(vec!["tasks".to_owned()])
    );
    parts.reconfigure("collections: [tasks]", "collections: [tasks, nothing]");
    parts.backup(&["--only", "qdrant"]).assert_code(3).assert_stderr_has("no collection nothing");
    parts.assert_no_trace(&parts.daily());
}

/// The moment in a snapshot's name.
fn name_end(name: &str) -> &str {
    let stem = name.strip_suffix(".snapshot").expect("a snapshot");
    &stem[stem.len() - 19..]
}

#[test]
fn a_snapshot_that_never_appears_is_not_waited_for_without_end() {
    let parts = Parts::start("br_never");
    let before = parts.daily();
    // A Qdrant whose disk is full: it accepts, and only its log says more.
    let silent = WebhookSink::start().expect("a server");
    let ok = |result: Value| Reply::json(200, &json!({"result": result, "status": "ok", "time": 0.0}));
    let info = json!({"status": "green", "optimizer_status": "ok", "segments_count": 1, "config": {}});
    silent.plan([Reply::json(200, &json!({"title": "qdrant", "version": "1.18.2"}))]);
    silent.plan([ok(json!({"collections": [{"name": "plans"}]})), ok(info.clone()), ok(info)]);
    silent.plan([ok(json!([])), ok(json!({"count": 3}))]);
    silent.plan([Reply::json(202, &json!({"status": "accepted", "time": 0.0}))]);
    silent.plan((0..100).map(|_| ok(json!([]))));
    let url = format!("http://127.0.0.1:{}", silent.port());
    let args = ["--only", "qdrant", "--qdrant-url", &url];
    let outcome = checked(parts.tool("pso-backup", &args).env("PSO_QDRANT_SNAPSHOT_TIMEOUT", "1s"));
    outcome.assert_code(2).assert_stderr_has("no snapshot appeared within 1s").assert_stderr_has("Qdrant's log");
    let asked = silent.requests().into_iter().find(|seen| seen.method == "POST" && seen.path.contains("snapshots"));
    assert_eq!(asked.expect("asked").path, "/collections/plans/snapshots?wait=false");
    let pending = parts.path("backups/daily/.pso-backup.pending");
    assert!(pending.exists(), "it may appear yet");
    fs::remove_file(pending).expect("removed");
    parts.assert_no_trace(&before);
}

#[test]
fn hooks_let_the_service_go_whatever_happens() {
    let parts = Parts::start("br_hooks");
    parts.fatten();
    let ran = parts.path("hooks.txt");
    let hook = |name: &str| format!("{name}: 'echo {name} $PSO_BACKUP_STATUS >> {}; cat /dev/stdin'", ran.display());
    let hooks = ["before", "after_success", "after_failure"].map(hook).join(", ");
    parts.configure(&format!("backup: {{hooks: {{{hooks}}}}}"));
    let slow = TcpProxy::start(parts.database.port()).expect("a proxy");
    let mut running = parts.tool("pso-backup", &[]).envs(parts.through(&slow)).spawn().expect("started");
    wait::until("the dump to begin", LIMIT, || (slow.passed(Direction::ToClient) > 200_000).then_some(()))
        .expect("the dump has begun");
    slow.set(Mode::Trickle { bytes: 512, every: std::time::Duration::from_millis(20) }).expect("set");
    running.signal("TERM").expect("sent");
    running.finish().expect("ends").assert_code(2).assert_stderr_has("SIGTERM");
    assert_eq!(fs::read_to_string(&ran).expect("ran"), "before starting\nafter_failure failed\n");
    fs::remove_file(&ran).expect("removed");
    // A hook that hangs ends with the run.
    parts.reconfigure("cat /dev/stdin', after_success", "sleep 60', after_success");
    let mut running = parts.tool("pso-backup", &["--only", "plans"]).spawn().expect("started");
    wait::until("the hook to run", LIMIT, || ran.exists().then_some(())).expect("it runs");
    running.signal("TERM").expect("sent");
    running
        .finish()
        .expect("ends")
        .assert_code(2)
        .assert_stderr_has("run the hook before")
        .assert_stderr_has("SIGTERM");
    assert_eq!(fs::read_to_string(&ran).expect("ran"), "before starting\nafter_failure failed\n");
}

#[test]
fn a_disk_that_is_full_is_told_and_left_clean() {
    let parts = Parts::start("br_full");
    parts.fatten();
    let archive = parts.archive();
    let size = fs::metadata(&archive).expect("there").len();
    let small = parts.path("small");
    let Ok(_disk) = Mount::tmpfs(&small, size / 1024 / 2) else {
        println!("not tried: only root may mount a small disk");
        return;
    };
    let files = || fs::read_dir(&small).expect("a folder").flatten().map(|entry| entry.file_name()).collect::<Vec<_>>();
    let outcome = parts.backup(&["--to", "small"]);
    outcome.assert_code(2).assert_stderr_has("the disk of small is full").assert_stderr_has("are free there");
    outcome.assert_stderr_has("no archive was published");
    assert_eq!(files(), [".pso-backup.lock"]);
    parts.assert_no_trace(&parts.daily());
    // What is sure not to fit is not begun.
    let outcome = parts.backup(&["--to", "small", "--only", "plans"]);
    outcome.assert_code(0);
    let plans = archive_of(&parts, &outcome);
    let filler = fs::File::create(small.join("filler")).expect("created");
    let _ = std::io::copy(&mut std::io::repeat(7), &mut &filler);
    let again = ["--to", "small", "--only", "plans"];
    parts.backup(&again).assert_code(3).assert_stderr_has("the disk of small is full");
    filler.set_len(filler.metadata().expect("there").len() - 8192).expect("cut");
    parts.backup(&again).assert_code(3).assert_stderr_has("there is no room for an archive in small");
    fs::remove_file(small.join("filler")).expect("removed");
    parts.backup(&["verify", plans.to_str().expect("UTF-8")]).assert_code(0);
    // Nor does the second place break the first.
    parts.configure("backup: {copy_to: small/second}");
    fs::create_dir(small.join("second")).expect("created");
    let outcome = parts.backup(&[]);
    outcome.assert_code(1).assert_stderr_has("the archive is published").assert_stderr_has("are free in");
    assert!(
        !fs::read_dir(small.join("second/daily"))
            .expect("a folder")
            .flatten()
            .any(|entry| { entry.file_name().to_string_lossy().contains(".zip") })
    );
}
