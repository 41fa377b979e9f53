//! The process of Qdrant's engine: it is ended by somebody, or by a signal to its parent, or its parent is gone.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use pso_tests::tool::{Running, built_binary};
use pso_tests::wait;

use super::altered::content;
use super::qdrant::{TASKS, of_qdrant, sentences, with_collections};
use super::{Rehearsed, assert_empty};
use crate::parts::LIMIT;

/// An archive with many collections, so that there is time.
fn many(rehearsed: &Rehearsed) -> PathBuf {
    let whole = content(&rehearsed.archive, TASKS);
    with_collections(rehearsed, (0..40).map(|number| (format!("copy_{number:02}"), whole.clone())).collect())
}

/// The engine of a rehearsal: the child of it that was given `--engine`.
fn engine_of(parent: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let threads = fs::read_dir(format!("/proc/{parent}/task")).ok()?.flatten();
    let of_threads = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let all = std::iter::once(children).chain(of_threads).collect::<Vec<_>>().join(" ");
    all.split_whitespace().filter_map(|id| id.parse().ok()).find(|id| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == b"--engine")
    })
}

fn signal(name: &str, id: u32) {
    // It may have ended by itself.
    let _ = Command::new("kill").args(["-s", name, &id.to_string()]).stderr(Stdio::null()).status().expect("kill");
}

fn started(rehearsed: &Rehearsed) -> (Running, u32) {
    let path = many(rehearsed);
    let tool = rehearsed.tool(&[path.to_str().expect("UTF-8"), "--only", "qdrant"]).spawn().expect("started");
    let id = tool.id();
    let engine = wait::until("the engine", LIMIT, || engine_of(id)).expect("it is started");
    (tool, engine)
}

#[test]
fn who_kills_the_engine_leaves_one_collection_untold_and_no_other() {
    let rehearsed = Rehearsed::start("rehearse_qdrant_killed");
    let (tool, first) = started(&rehearsed);
    // One that cannot end by itself before it is killed.
    let id = tool.id();
    let stopped = wait::until("an engine that is stopped", LIMIT, || {
        let engine = engine_of(id)?;
        signal("STOP", engine);
        let state = fs::read_to_string(format!("/proc/{engine}/stat")).ok()?;
        state.contains(") T ").then_some(engine)
    })
    .expect("stopped");
    signal("KILL", stopped);
    let outcome = tool.finish().expect("ends");
    assert!(first > 0);
    outcome.assert_code(3);
    let record = of_qdrant(&outcome);
    assert_eq!(record["refuted"], serde_json::Value::Null, "{outcome}");
    let name = |number: usize| format!("copy_{number:02}");
    let told = (0..40).filter(|number| sentences(&record, "proven", &name(*number)).len() == 3).count();
    assert_eq!(told, 39, "{outcome}");
    let untold: Vec<String> =
        (0..40).flat_map(|number| sentences(&record, "unproven", &name(number))).map(str::to_owned).collect();
    assert!(untold.iter().any(|what| what.starts_with("Qdrant's engine was ended by SIGKILL while")), "{outcome}");
    assert_empty(rehearsed.temp.path(), &outcome);
}

#[test]
fn a_signal_ends_the_engine_too_and_nothing_is_left() {
    let rehearsed = Rehearsed::start("rehearse_qdrant_signal");
    for name in ["TERM", "INT", "HUP"] {
        let (mut tool, engine) = started(&rehearsed);
        tool.signal(name).expect("sent");
        let outcome = tool.finish().expect("ends");
        outcome.assert_code(3);
        outcome.assert_stderr_has(&format!("stopped by SIG{name}"));
        assert!(!fs::exists(format!("/proc/{engine}/exe")).unwrap_or_default(), "{outcome}");
        assert_empty(rehearsed.temp.path(), &outcome);
    }
}

#[test]
fn the_engine_ends_with_its_parent_however_that_ended() {
    let rehearsed = Rehearsed::start("rehearse_qdrant_orphan");
    let (mut tool, _) = started(&rehearsed);
    let id = tool.id();
    let engine = wait::until("the engine", LIMIT, || engine_of(id)).expect("it is started");
    tool.signal("KILL").expect("sent");
    let outcome = tool.finish().expect("ends");
    wait::until("the engine to end", LIMIT, || {
        (!fs::exists(format!("/proc/{engine}/exe")).unwrap_or_default()).then_some(())
    })
    .expect("it ends");
    // The next one removes what was left.
    assert!(fs::read_dir(rehearsed.temp.path()).expect("a folder").count() > 0, "{outcome}");
    rehearsed.rehearse(&["latest", "--only", "qdrant"]).assert_code(0);
}

#[test]
fn an_upgrade_in_the_middle_takes_nothing_from_it() {
    let rehearsed = Rehearsed::start("rehearse_qdrant_upgrade");
    let path = many(&rehearsed);
    let program = rehearsed.parts.path("pso-rehearse");
    fs::copy(built_binary("pso-rehearse").expect("built"), &program).expect("copied");
    let mut command = Command::new(&program);
    command.args([path.to_str().expect("UTF-8"), "--only", "qdrant", "--format", "jsonl"]);
    command.current_dir(rehearsed.parts.folder.path()).env("TMPDIR", rehearsed.temp.path());
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
    wait::until("the engine", LIMIT, || engine_of(child.id())).expect("it is started");
    // `install` removes what is there and writes another.
    fs::remove_file(&program).expect("removed");
    fs::write(&program, "another version").expect("written");
    let output = child.wait_with_output().expect("ends");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
}

#[test]
fn a_machine_that_allows_too_little_is_told_as_such_and_the_next_run_clears_up() {
    let rehearsed = Rehearsed::start("rehearse_qdrant_ulimit");
    let program = built_binary("pso-rehearse").expect("built");
    let with = |limit: &str| {
        let script = format!("ulimit {limit}; exec \"$0\" latest --only qdrant --format jsonl");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(&program);
        command.current_dir(rehearsed.parts.folder.path()).env("TMPDIR", rehearsed.temp.path());
        let output = command.stdin(Stdio::null()).output().expect("ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!text.contains("\"refuted\""), "{limit}\n{text}");
        rehearsed.rehearse(&["latest", "--only", "plans"]).assert_code(0);
        (output.status.code(), text)
    };
    // The length of a file, in blocks of 512 bytes or a KiB.
    let (code, text) = with("-f 20000");
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("rehearse.result"), "{text}");
    // Open files: how many it takes depends on how many cores work at once.
    let mut told = 0;
    for files in 6.. {
        match with(&format!("-n {files}")) {
            (Some(0), _) => break,
            (Some(3), text) => told += usize::from(text.contains("rehearse.result")),
            (code, text) => panic!("{files} files: {code:?}\n{text}"),
        }
    }
    assert!(told > 0);
}

#[test]
fn in_the_middle_of_its_work_the_end_of_its_stdin_is_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    // Who opens it waits for a writer, and there is none.
    let pipe = folder.path().join("snapshot.tar");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let program = built_binary("pso-rehearse").expect("built");
    let mut command = Command::new(program);
    command.arg("--engine").arg(folder.path()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("started");
    let mut stdin = child.stdin.take().expect("a stdin");
    stdin.write_all(b"{\"snapshot\":\"snapshot.tar\",\"memory\":1073741824}\n").expect("written");
    wait::until("it to be at work", LIMIT, || {
        let place = fs::read_to_string(format!("/proc/{}/wchan", child.id())).unwrap_or_default();
        (place.contains("fifo") || place.contains("wait_for_partner")).then_some(())
    })
    .expect("at work");
    assert_eq!(child.try_wait().expect("a state"), None);
    drop(stdin);
    let status = wait::until("it to end", LIMIT, || child.try_wait().expect("a state")).expect("it ends");
    assert_eq!(status.code(), Some(3));
}
