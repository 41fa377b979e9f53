//! What a plan promises, the service's commands around the switch, and what restores have kept.

use std::fs;
use std::process::{Command, Stdio};

use pso_tests::deployment::{self, Spec};
use pso_tests::mount::Mount;
use pso_tests::pg::TempPg;
use pso_tests::tool::built_binary;
use serde_json::Value;

use crate::parts::{Parts, checked, states};

/// The plan's hash, and that of each of its steps.
fn hashes(parts: &Parts) -> (String, Vec<(String, Value)>) {
    let outcome = parts.restore(&["latest", "--dry-run"]);
    outcome.assert_code(0);
    let plan = outcome.records_of_kind("restore.plan").pop().expect("a plan");
    let steps = outcome.records_of_kind("restore.step");
    let name =
        |step: &Value| format!("{} {}", step["step"].as_str().unwrap_or(""), step["name"].as_str().unwrap_or(""));
    let hash = plan["hash"].as_str().expect("a hash").to_owned();
    assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    (hash, steps.iter().map(|step| (name(step), step["hash"].clone())).collect())
}

#[test]
fn a_plan_holds_only_as_long_as_the_target_is_the_same() {
    let parts = Parts::start("br_hash");
    let before = parts.content();
    parts.archive();
    parts.damage();
    let (hash, steps) = hashes(&parts);
    assert_eq!(hashes(&parts), (hash.clone(), steps.clone()), "nothing has changed");
    let changes: [(&str, &dyn Fn()); 4] = [
        ("restore postgres:br_hash", &|| parts.database.execute("UPDATE plans SET status = status").expect("updated")),
        ("restore qdrant:tasks", &|| {
            let point = serde_json::json!({"points": [{"id": 1, "vector": vec![0.5; deployment::DIMENSIONS]}]});
            parts
                .qdrant
                .client()
                .result("PUT", "/collections/tasks/points?wait=true", Some(&point))
                .map(drop)
                .expect("put");
        }),
        ("aliases qdrant:aliases", &|| {
            parts.qdrant.client().create_collection("others", 4).expect("created");
            parts.qdrant.client().create_alias("new", "others").expect("created");
        }),
        ("restore scripts", &|| fs::write(parts.path("scripts/backup-daily.ps1"), "rm -rf ~").expect("written")),
    ];
    let mut last = (hash.clone(), steps);
    for (changed, change) in changes {
        change();
        let outcome = parts.restore(&["latest", "--yes", "--plan-hash", &last.0]);
        outcome.assert_code(3).assert_stderr_has("nothing was changed").assert_stderr_has(&last.0);
        assert!(states(&outcome, "done").is_empty(), "{outcome}");
        let now = hashes(&parts);
        assert_ne!(now.0, last.0, "{changed}");
        let differ: Vec<&str> =
            now.1.iter().zip(&last.1).filter(|(now, last)| now.1 != last.1).map(|(now, _)| now.0.as_str()).collect();
        assert!(differ.iter().any(|step| step.starts_with(changed)), "{changed}: {differ:?}");
        assert!(
            differ.iter().all(|step| step.split(':').next() == changed.split(':').next() || step.contains("br_hash")),
            "{differ:?}"
        );
        last = now;
    }
    parts.restore(&["latest", "--dry-run", "--plan-hash", &hash]).assert_code(3);
    parts.restore(&["latest", "--yes", "--plan-hash", &last.0]).assert_code(0);
    let now = parts.content();
    before.rows.assert_same(&now.rows);
    assert_eq!(before.files, now.files);
}

#[test]
fn a_service_that_does_not_stop_or_start() {
    let parts = Parts::start("br_hooks");
    parts.configure("restore: {service: {stop: [sh, -c, 'echo down; exit 7'], start: 'echo up', timeout: 5s}}");
    parts.archive();
    parts.damage();
    let damaged = parts.content();
    let outcome = parts.restore(&["latest", "--yes"]);
    outcome.assert_code(2).assert_stderr_has("everything is as it was before").assert_stderr_has("exit 7");
    // What they print is not for stdout; the service is started all the same.
    outcome.assert_stderr_has("down\n").assert_stderr_has("up\n");
    assert_eq!(states(&outcome, "failed"), ["stop service"]);
    assert!(states(&outcome, "done").contains(&"start service".to_owned()), "{outcome}");
    damaged.assert_same(&parts.content());
    parts.assert_no_trace_of_restore();

    parts.reconfigure(
        "stop: [sh, -c, 'echo down; exit 7'], start: 'echo up', timeout: 5s",
        "stop: 'sleep 60', start: 'true', timeout: 200ms",
    );
    let outcome = parts.restore(&["latest", "--yes", "--only", "plans"]);
    outcome.assert_code(2).assert_stderr_has("did not end within 200ms");
    let mut now = parts.content();
    now.files[0] = damaged.files[0].clone();
    damaged.assert_same(&now);

    parts.reconfigure("stop: 'sleep 60', start: 'true', timeout: 200ms", "stop: 'true', start: [false, now]");
    let outcome = parts.restore(&["latest", "--yes", "--only", "plans"]);
    outcome.assert_code(2).assert_stderr_has("the service was not started");
    let steps = outcome.records_of_kind("restore.step");
    let start = steps.iter().find(|step| step["step"] == "start" && step["state"] == "failed").expect("a start");
    assert_eq!(start["severity"], "critical");
    assert!(start["message"].as_str().is_some_and(|text| text.contains("false now")), "{start}");
    assert!(parts.path("roadmaps/plans").exists(), "it is restored all the same");

    parts.reconfigure("stop: 'true', start: [false, now]", "stop: 'true'");
    parts
        .restore(&["latest", "--dry-run"])
        .assert_code(3)
        .assert_stderr_has("maintenance.restore.service.start is missing");
}

#[test]
fn what_a_command_is_given_from_the_environment_is_not_shown() {
    let parts = Parts::start("br_hook_secret");
    parts.configure(
        "restore: {service: {stop: 'echo ${SERVICE_TOKEN} > stopped', start: [sh, -c, 'echo \"$0\" > started; exit 9', '${SERVICE_TOKEN}']}}",
    );
    parts.archive();
    parts.damage();
    let run = |args: &[&str]| checked(parts.tool("pso-restore", args).env("SERVICE_TOKEN", "s3cr3t-t0ken"));
    for args in [&["latest", "--dry-run"][..], &["--print-config"], &["latest", "--yes", "--only", "plans"]] {
        run(args).assert_no_secret(&["s3cr3t-t0ken"]);
    }
    for name in ["stopped", "started"] {
        assert_eq!(fs::read_to_string(parts.path(name)).expect("it ran"), "s3cr3t-t0ken\n", "{name}");
    }
}

#[test]
fn too_little_room_for_the_way_back_is_told_before_anything_is_done() {
    let parts = Parts::start("br_room");
    parts.archive();
    fs::create_dir(parts.path(".pso-restore")).expect("created");
    let Ok(_mount) = Mount::tmpfs(&parts.path(".pso-restore"), 100) else { return };
    let outcome = parts.restore(&["latest", "--dry-run"]);
    outcome.assert_code(1).assert_stderr_has("may not fit").assert_stderr_has("--drop-previous");
    let plan = outcome.records_of_kind("restore.plan").pop().expect("a plan");
    assert!(plan["needed_bytes"].as_u64() > plan["free_bytes"].as_u64(), "{plan}");
    parts.restore(&["latest", "--dry-run", "--only", "plans,postgres"]).assert_code(0);
}

#[test]
fn what_restores_have_kept_can_be_dropped() {
    let pg = TempPg::start_new().expect("PostgreSQL");
    let database = pg.database("planning_sync").expect("a database");
    let parts = Parts { database, ..Parts::start("br_previous") };
    let spec = Spec::small(time::OffsetDateTime::now_utc());
    deployment::fill_database(&mut parts.database.connect().expect("connected"), &spec).expect("rows");
    let mut admin = pg.admin("postgres").expect("connected");
    admin.batch_execute("ALTER ROLE sync_user CREATEDB").expect("prepared");
    admin.batch_execute("CREATE DATABASE planning_sync_before_noon").expect("created");
    let env = parts.database.env();
    let run = |args: &[&str]| checked(parts.tool("pso-restore", args).envs(env.clone()));
    let before = parts.content();
    checked(parts.tool("pso-backup", &[]).envs(env.clone())).assert_code(0);
    parts.damage();
    run(&["latest", "--yes"]).assert_code(0);
    let outcome = run(&["--drop-previous", "--dry-run"]);
    outcome.assert_code(0);
    let planned = outcome.records_of_kind("restore.step");
    assert_eq!(planned.len(), 2, "{outcome}");
    for step in &planned {
        assert!(step["step"] == "drop" && step["state"] == "planned", "{step}");
        assert!(step["size_bytes"].as_u64().is_some_and(|size| size > 0), "{step}");
    }
    run(&["--drop-previous"]).assert_code(3).assert_stderr_has("--yes");
    // Somebody is looking into it.
    let kept = planned[0]["object"].as_str().expect("a name");
    let looking = pg.admin(kept).expect("connected");
    let outcome = run(&["--drop-previous", "--yes"]);
    outcome.assert_code(2).assert_stderr_has("not everything");
    assert_eq!(states(&outcome, "failed"), [format!("drop postgres:{kept}")]);
    drop(looking);
    // One whose journal cannot be read is left, and the rest is not.
    let damaged = parts.path(".pso-restore/20200101_000000");
    fs::create_dir(&damaged).expect("created");
    fs::write(damaged.join("journal.jsonl"), "{}\n{}\n").expect("written");
    run(&["--drop-previous", "--yes"]).assert_code(1).assert_stderr_has("20200101_000000 is left");
    fs::remove_dir_all(&damaged).expect("removed");
    let outcome = run(&["--drop-previous", "--yes"]);
    outcome.assert_code(0);
    assert_eq!(states(&outcome, "skipped").len(), 1, "{outcome}");
    parts.assert_no_trace_of_restore();
    let left = parts
        .database
        .scalar("SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname LIKE 'planning%'");
    assert_eq!(left.expect("names"), "planning_sync planning_sync_before_noon");
    before.assert_same(&parts.content());
}

#[test]
fn nothing_is_changed_without_consent() {
    let parts = Parts::start("br_consent");
    let archive = parts.archive();
    parts.damage();
    let damaged = parts.content();
    let outcome = parts.restore(&["latest", "--dry-run"]);
    outcome.assert_code(0).assert_quiet();
    let plan = outcome.records_of_kind("restore.plan").pop().expect("a plan");
    assert_eq!(plan["steps"].as_u64(), Some(states(&outcome, "planned").len() as u64));
    assert!(states(&outcome, "done").is_empty(), "{outcome}");
    assert!(!parts.path(".pso-restore").exists());
    let outcome = parts.restore(&["latest"]);
    outcome.assert_code(3).assert_stderr_has("--yes");
    damaged.assert_same(&parts.content());
    // Records are passed on, and the last archive is used.
    let name = archive.file_name().expect("a name").to_str().expect("UTF-8");
    let listed = parts.backup(&["list"]).stdout;
    let outcome = checked(parts.tool("pso-restore", &["-", "--dry-run"]).stdin(listed.clone()));
    outcome.assert_code(0);
    assert!(outcome.stdout.windows(listed.len()).any(|part| part == listed), "passed on untouched\n{outcome}");
    assert_eq!(outcome.record("restore.plan", name)["path"], plan["path"]);
    let outcome = checked(parts.tool("pso-restore", &["-", "--dry-run"]).stdin("not a record\n"));
    outcome.assert_code(3).assert_stderr_has("line 1");
    checked(parts.tool("pso-restore", &["-", "--yes"])).assert_code(3).assert_stderr_has("no backup.archive record");
    damaged.assert_same(&parts.content());
}

#[test]
fn a_reader_that_leaves_is_no_success_of_what_was_not_done() {
    let parts = Parts::start("br_reader");
    let before = parts.content();
    parts.archive();
    parts.damage();
    let nobody_reads = |args: &[&str]| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(built_binary("pso-restore").expect("built"));
        let status = command
            .args(args)
            .current_dir(parts.path(""))
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .stdout(writer);
        status.stderr(Stdio::null()).status().expect("ends").code()
    };
    assert_eq!(nobody_reads(&["latest"]), Some(3), "nothing was done without consent");
    assert_eq!(nobody_reads(&["latest", "--yes"]), Some(0));
    before.assert_same(&parts.content());
}

#[test]
fn a_part_is_restored_alone() {
    let parts = Parts::start("br_part");
    let before = parts.content();
    parts.archive();
    parts.damage();
    let damaged = parts.content();
    fs::create_dir_all(parts.path("roadmaps/plans")).expect("created");
    fs::write(parts.path("roadmaps/plans/new.md"), "# New\n").expect("written");
    let outcome = parts.restore(&["latest", "--yes", "--only", "plans"]);
    outcome.assert_code(0);
    assert!(fs::remove_file(parts.path("roadmaps/plans/new.md")).is_ok(), "what the archive does not have stays");
    let now = parts.content();
    damaged.rows.assert_same(&now.rows);
    damaged.points.assert_same(&now.points);
    damaged.files[0].assert_same(&now.files[0]);
    before.files[2].assert_same(&now.files[2]);
    let outcome = parts.backup(&["--only", "config"]);
    outcome.assert_code(0);
    parts.restore(&["latest", "--yes", "--only", "plans"]).assert_code(3).assert_stderr_has("has no plans");
}

#[test]
fn a_newest_archive_of_a_part_says_what_it_lacks() {
    let parts = Parts::start("br_part");
    parts.archive();
    parts.backup(&["--only", "plans,config"]).assert_code(0);
    let outcome = parts.restore(&["latest", "--dry-run"]);
    outcome.assert_code(1);
    let plan = outcome.records_of_kind("restore.plan").pop().expect("a plan");
    assert!(plan["message"].as_str().is_some_and(|text| text.contains("no postgres, qdrant, scripts")), "{plan}");
    parts.restore(&["latest", "--dry-run", "--only", "plans"]).assert_code(0);
}
