//! Whatever happens to the state file, people are told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use pso_tests::mount::Mount;
use pso_tests::tool::Tool;
use pso_tests::webhook::WebhookSink;
use serde_json::json;
use tempfile::TempDir;

use super::{alert, deployment, end, record, start, trouble};

fn hooked(sink: &WebhookSink) -> TempDir {
    deployment(&format!("alerts: {{webhook: {{enabled: true, url: '{}'}}}}\n", sink.generic_url()))
}

fn with_state(folder: &TempDir, state: &Path) -> Tool {
    alert(folder.path()).arg("--state").arg(state)
}

/// Names in a folder that speak of damage, without the companions.
fn set_aside(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("read").map(|entry| entry.expect("read").file_name());
    let names = names.filter_map(|name| name.into_string().ok());
    names.filter(|name| name.contains(".damaged-") && !name.ends_with("-wal") && !name.ends_with("-shm")).collect()
}

#[test]
fn a_damaged_state_is_set_aside_with_its_name_said_and_people_are_told() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink);
    let state = folder.path().join(".pso-alert/state.db");
    alert(folder.path()).stdin(trouble()).run().unwrap().assert_code(2).assert_quiet();
    assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(&state, "this was a database once").unwrap();
    // From the log all of it could be mended.
    fs::write(state.with_file_name("state.db-wal"), "and this its log").unwrap();
    let outcome = alert(folder.path()).stdin(trouble()).run().unwrap();
    let [aside] = set_aside(state.parent().unwrap()).try_into().expect("one file");
    outcome.assert_code(3).assert_stderr_has("is damaged; it was set aside as").assert_stderr_has(&aside);
    assert_eq!(fs::read(state.with_file_name(aside)).unwrap(), b"this was a database once");
    assert_eq!(sink.requests().len(), 2);
    // The new one remembers.
    alert(folder.path()).stdin(trouble()).run().unwrap().assert_code(2).assert_quiet();
    assert_eq!(sink.requests().len(), 2);
}

#[test]
fn the_log_of_another_state_does_not_keep_anybody_from_being_told() {
    let sink = WebhookSink::start().unwrap();
    let (one, other) = (hooked(&sink), hooked(&sink));
    for folder in [&one, &other] {
        alert(folder.path()).stdin(trouble()).run().unwrap().assert_code(2);
    }
    let log = |folder: &TempDir| folder.path().join(".pso-alert/state.db-wal");
    fs::copy(log(&other), log(&one)).unwrap();
    let new = record("health.check", "new", "critical", &json!({"status": "unhealthy", "elapsed_ms": 1}));
    let outcome = alert(one.path()).stdin([start(), new, end("critical", 2)].concat()).run().unwrap();
    assert!(matches!(outcome.code, Some(2 | 3)), "{outcome}");
    let told = sink.requests().iter().filter(|seen| seen.text().contains("\"name\":\"new\"")).count();
    assert_eq!(told, 1, "{outcome}");
}

#[test]
fn what_is_no_file_is_left_alone_and_people_are_told() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink);
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let outcome = with_state(&folder, &state).stdin(trouble()).run().unwrap();
    outcome.assert_code(3).assert_stderr_has("it is no file").assert_stderr_has("nothing is remembered");
    assert!(state.is_dir());
    assert_eq!(sink.requests().len(), 1);
}

#[test]
fn a_state_that_others_could_read_is_made_private_and_that_is_said() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink);
    let state = folder.path().join("state.db");
    with_state(&folder, &state).stdin(trouble()).run().unwrap().assert_code(2);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = with_state(&folder, &state).arg("--exit-zero").stdin(trouble()).run().unwrap();
    outcome.assert_code(1).assert_stderr_has("could be read by others (mode 0644); it is 0600 again");
    assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn on_a_full_disk_people_are_told_and_what_was_known_still_is() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink);
    let disk = folder.path().join("disk");
    let mount = Mount::tmpfs(&disk, 400).unwrap();
    let state = disk.join("state.db");
    with_state(&folder, &state).stdin(trouble()).run().unwrap().assert_code(2);
    assert_eq!(sink.requests().len(), 1);
    // Nothing fits any more; what is there may have a little room inside.
    let filler = fs::File::create(disk.join("filler")).unwrap();
    while std::io::Write::write(&mut &filler, &[0; 512]).is_ok_and(|written| written > 0) {}
    let check = json!({"status": "unhealthy", "elapsed_ms": 1, "message": "m".repeat(400)});
    let many = |count: usize| (0..count).map(|n| record("health.check", &format!("check-{n}"), "critical", &check));
    let input = [trouble(), start(), many(300).collect(), end("critical", 2)].concat();
    let outcome = with_state(&folder, &state).stdin(input.clone()).run().unwrap();
    outcome.assert_code(3).assert_stderr_has("state.db").assert_stderr_has("nothing is remembered");
    let told = |name: &str| {
        let name = format!("\"name\":\"{name}\"");
        sink.requests().iter().map(|seen| seen.text().matches(&name).count()).sum::<usize>()
    };
    assert_eq!((told("check-0"), told("check-299"), told("service")), (1, 1, 1), "{outcome}");
    // With room again all is as it was.
    fs::remove_file(disk.join("filler")).unwrap();
    mount.resize(4_000).unwrap();
    with_state(&folder, &state).stdin(input).run().unwrap().assert_code(2).assert_quiet();
    assert_eq!((told("check-0"), told("service")), (2, 1));
}

#[test]
fn on_a_disk_that_became_read_only_people_are_told() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink);
    let disk = folder.path().join("disk");
    let mount = Mount::tmpfs(&disk, 1_000).unwrap();
    let state = disk.join("state.db");
    with_state(&folder, &state).stdin(trouble()).run().unwrap().assert_code(2);
    mount.read_only().unwrap();
    let other = json!({"status": "unhealthy", "elapsed_ms": 1});
    let input = [trouble(), start(), record("health.check", "other", "critical", &other), end("critical", 2)].concat();
    let outcome = with_state(&folder, &state).stdin(input).run().unwrap();
    outcome.assert_code(3).assert_stderr_has("nothing is remembered");
    // What was told before is read, and not told again.
    let told: Vec<String> = sink.requests().iter().map(pso_tests::Seen::text).collect();
    assert_eq!(told.len(), 2, "{outcome}");
    assert!(told[1].contains("\"other\"") && !told[1].contains("\"service\""), "{}", told[1]);
}

#[test]
fn what_waits_when_the_disk_is_full_is_told_all_the_same() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink);
    let disk = folder.path().join("disk");
    let check = |n: u32| {
        let more = json!({"status": "unhealthy", "elapsed_ms": 1, "message": "m".repeat(400)});
        record("health.check", &format!("inc-{n}"), "critical", &more)
    };
    let input = [start(), (0..30).map(check).collect(), end("critical", 2)].concat();
    // Somewhere among these, the notices still fit and what follows does not.
    for kib in (100..420).step_by(20) {
        let mount = Mount::tmpfs(&disk, kib).unwrap();
        let before = sink.requests().len();
        let outcome = with_state(&folder, &disk.join("state.db")).stdin(input.clone()).run().unwrap();
        assert!(sink.requests().len() > before, "{kib} KiB: {outcome}");
        drop(mount);
    }
}
