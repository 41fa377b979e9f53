//! What is left when it is stopped, killed, or nobody reads any more: nothing; and the record says that nobody can tell.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pso_tests::tool::{Outcome, built_binary};
use pso_tests::wait;
use serde_json::Value;

use super::{Rehearsed, assert_empty};
use crate::parts::LIMIT;

/// The private folder of the one rehearsal that runs.
fn private_folder(temp: &Path) -> Option<PathBuf> {
    fs::read_dir(temp).ok()?.flatten().map(|entry| entry.path()).next()
}

/// The process id of the postmaster in a private folder, once there is one.
fn postmaster(folder: &Path) -> Option<u32> {
    let found = crate::parts::walk(folder).into_iter().find(|path| path.ends_with("/postmaster.pid"))?;
    fs::read_to_string(found).ok()?.lines().next()?.parse().ok()
}

fn is_alive(process: u32) -> bool {
    // One that has ended and that nobody has asked about yet is not.
    let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    status.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim_start().starts_with('Z'))
}

/// Phases, told by what lies in the private folder.
fn is_in_phase(phase: &str, temp: &Path) -> bool {
    let Some(folder) = private_folder(temp) else { return false };
    match phase {
        "made" => true,
        "initdb" => crate::parts::walk(&folder).iter().any(|path| path.ends_with("/PG_VERSION")),
        "started" => postmaster(&folder).is_some(),
        _ => crate::parts::walk(&folder).iter().any(|path| path.ends_with("/postmaster.opts")),
    }
}

fn assert_stopped(outcome: &Outcome, signal: &str) {
    outcome.assert_code(3).assert_stderr_has(signal);
    let results = outcome.records_of_kind("rehearse.result");
    assert_eq!(results.len(), 1, "{outcome}");
    assert_eq!((&results[0]["severity"], &results[0]["rehearsed_at"]), (&"unknown".into(), &Value::Null), "{outcome}");
    assert!(results[0]["unproven"].to_string().contains(signal), "{outcome}");
    assert_eq!(outcome.run_end()["exit_code"], 3);
}

#[test]
fn a_signal_in_any_phase_leaves_nothing() {
    let rehearsed = Rehearsed::start("rehearse_signal");
    rehearsed.parts.fatten();
    rehearsed.parts.archive();
    for (phase, signal) in [("made", "TERM"), ("initdb", "INT"), ("started", "HUP"), ("opts", "TERM")] {
        let mut running = rehearsed.tool(&["latest"]).spawn().expect("started");
        wait::until(phase, LIMIT, || is_in_phase(phase, rehearsed.temp.path()).then_some(())).expect(phase);
        let process = private_folder(rehearsed.temp.path()).and_then(|folder| postmaster(&folder));
        running.signal(signal).expect("sent");
        let outcome = running.finish().expect("ends");
        assert_stopped(&outcome, &format!("SIG{signal}"));
        assert_empty(rehearsed.temp.path(), &outcome);
        assert!(process.is_none_or(|process| !is_alive(process)), "{phase}: the server runs on");
    }
}

#[test]
fn the_next_run_removes_what_a_killed_one_has_left() {
    let rehearsed = Rehearsed::start("rehearse_killed");
    let temp = rehearsed.temp.path();
    let mut running = rehearsed.tool(&["latest"]).spawn().expect("started");
    wait::until("the server", LIMIT, || is_in_phase("started", temp).then_some(())).expect("started");
    let folder = private_folder(temp).expect("a folder");
    let process = postmaster(&folder).expect("a server");
    running.signal("KILL").expect("sent");
    running.finish().expect("ends");
    assert!(folder.exists() && is_alive(process), "a killed run cannot clean up");
    // What others have put there by such a name stays: in a folder for all, anybody can.
    let theirs = temp.join("pso-rehearse-theirs");
    fs::create_dir(&theirs).expect("made");
    fs::write(theirs.join("notes"), "mine").expect("written");
    symlink(rehearsed.parts.folder.path(), temp.join("pso-rehearse-link")).expect("linked");
    let outcome = rehearsed.tool(&["latest", "--only", "plans"]).run().expect("ends");
    outcome.assert_code(0).assert_stderr_has(&format!("removed {}", folder.display()));
    assert!(!folder.exists() && theirs.join("notes").exists() && temp.join("pso-rehearse-link").exists());
    assert!(rehearsed.archive.exists());
    wait::until("the server to end", LIMIT, || (!is_alive(process)).then_some(())).expect("it was ended");
}

#[test]
fn several_at_once_do_not_disturb_each_other() {
    let rehearsed = Rehearsed::start("rehearse_several");
    let running: Vec<_> = (0..3)
        .map(|_| rehearsed.tool(&["latest", "--only", "config,scripts,plans"]).spawn().expect("started"))
        .collect();
    for run in running {
        run.finish().expect("ends").assert_code(0);
    }
    let outcome = rehearsed.rehearse(&["latest", "--only", "plans"]);
    outcome.assert_code(0);
}

#[test]
fn a_reader_that_has_seen_enough_ends_it() {
    let rehearsed = Rehearsed::start("rehearse_closed");
    let mut child = Command::new(built_binary("pso-rehearse").expect("built"))
        .arg("latest")
        .current_dir(rehearsed.parts.folder.path())
        .env("TMPDIR", rehearsed.temp.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut first = [0];
    child.stdout.take().expect("a pipe").read_exact(&mut first).expect("a byte");
    let output = child.wait_with_output().expect("ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(private_folder(rehearsed.temp.path()).is_none());
}

#[test]
fn an_archive_that_goes_meanwhile_is_no_longer_there_to_be_proven() {
    let rehearsed = Rehearsed::start("rehearse_gone");
    let good = fs::read(&rehearsed.archive).expect("readable");
    for replace in [false, true] {
        fs::write(&rehearsed.archive, &good).expect("written");
        let running = rehearsed.tool(&["latest"]).spawn().expect("started");
        wait::until("initdb", LIMIT, || is_in_phase("initdb", rehearsed.temp.path()).then_some(())).expect("begun");
        let other = rehearsed.parts.path("backups/daily/.other");
        fs::write(&other, &good).expect("written");
        if replace {
            fs::rename(&other, &rehearsed.archive).expect("replaced");
        } else {
            fs::remove_file(&other).and_then(|()| fs::remove_file(&rehearsed.archive)).expect("removed");
        }
        let outcome = running.finish().expect("ends");
        outcome.assert_code(3);
        let result = outcome.records_of_kind("rehearse.result").remove(0);
        assert!(result["message"].as_str().is_some_and(|text| text.contains("removed or replaced")), "{outcome}");
        let components = outcome.records_of_kind("rehearse.component");
        assert_eq!(components.len(), 5, "what was opened was rehearsed to its end\n{outcome}");
        assert!(components.iter().all(|record| record["severity"] != "critical"), "{outcome}");
        assert_empty(rehearsed.temp.path(), &outcome);
    }
}

#[test]
fn what_is_kept_is_said_and_stays() {
    let rehearsed = Rehearsed::start("rehearse_keep");
    let outcome = rehearsed.tool(&["latest", "--keep"]).run().expect("ends");
    let folder = private_folder(rehearsed.temp.path()).expect("kept");
    outcome.assert_stderr_has(&format!("kept in {}", folder.display())).assert_stderr_has("pg_ctl");
    assert!(crate::parts::walk(&folder).iter().any(|path| path.contains("/plans/")), "{outcome}");
    assert_eq!(postmaster(&folder), None, "the server does not run");
    rehearsed.tool(&["latest", "--only", "plans"]).run().expect("ends").assert_code(0);
    assert!(folder.exists(), "it is no leftover");
}
