//! The units: systemd itself verifies them and says how exposed they are, where `systemd-analyze` is installed.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::{INSTALLED, SCHEDULED, assert_runs, files};
use crate::scripts::folder;

/// systemd-analyze, or nothing where there is none (macOS, Alpine).
#[expect(clippy::print_stderr, reason = "what was not tested should be seen")]
fn analyze(args: &[&str]) -> Option<Output> {
    match Command::new("systemd-analyze").args(args).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("skipped: systemd-analyze: {error}");
            None
        }
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The units with the scripts where they are here, so that what they start is found; their paths.
fn units(change: impl Fn(&str) -> String) -> (TempDir, Vec<String>) {
    let copies = tempfile::tempdir().expect("a folder");
    let scripts = folder().canonicalize().expect("the scripts");
    let mut paths = Vec::new();
    for path in files("systemd") {
        let text = fs::read_to_string(&path).expect("readable");
        let copy = copies.path().join(path.file_name().expect("a name"));
        fs::write(&copy, change(&text.replace(INSTALLED, &format!("{}/", scripts.display())))).expect("written");
        paths.push(copy.to_str().expect("UTF-8").to_owned());
    }
    (copies, paths)
}

/// Nothing is said of good units. The manual pages are not installed where the tests run.
fn verify(paths: &[String]) -> Option<String> {
    let mut args = vec!["verify", "--man=no"];
    args.extend(paths.iter().map(String::as_str));
    let output = analyze(&args)?;
    let said = said(&output);
    assert!(output.status.success() || !said.is_empty());
    Some(said)
}

#[test]
fn every_unit_runs_a_script_that_takes_its_flags() {
    let mut scripts = Vec::new();
    for path in files("systemd") {
        let text = fs::read_to_string(&path).expect("readable");
        if path.extension().is_some_and(|extension| extension == "service") {
            let start = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a command");
            scripts.push(assert_runs(&start.split(' ').collect::<Vec<_>>()));
        } else {
            assert!(path.with_extension("service").exists(), "{}: nothing to start", path.display());
        }
    }
    scripts.sort();
    let mut expected = SCHEDULED.to_vec();
    expected.push("monitoring-daemon");
    expected.sort_unstable();
    assert_eq!(scripts, expected);
}

#[test]
fn systemd_has_nothing_to_say_against_the_units() {
    let (_folder, paths) = units(str::to_owned);
    assert_eq!(paths.len(), 9);
    let Some(said) = verify(&paths) else { return };
    assert_eq!(said, "");
    for (from, to) in [
        ("ProtectSystem=strict", "ProtectSytem=strict"),
        ("NoNewPrivileges=yes", "NoNewPrivileges=maybe"),
        ("daily-maintenance.sh", "daily-maintenence.sh"),
        ("OnCalendar=Sun", "OnCalendar=Sunny"),
    ] {
        let (_folder, paths) = units(|text| text.replace(from, to));
        assert_ne!(verify(&paths).expect("it was there before"), "", "{to} was not seen");
    }
}

#[test]
fn no_service_is_more_exposed_than_it_has_to_be() {
    // Of 10; systemd calls 2 "OK" and what has no hardening at all 9.6, "UNSAFE".
    let exposed = |paths: &[String]| {
        let mut exposed = Vec::new();
        for path in paths.iter().filter(|path| path.ends_with(".service")) {
            let output = analyze(&["security", "--offline=yes", "--threshold=20", "--no-pager", path])?;
            if !output.status.success() {
                exposed.push(said(&output));
            }
        }
        Some(exposed)
    };
    let (_folder, paths) = units(str::to_owned);
    let Some(found) = exposed(&paths) else { return };
    assert_eq!(found, [""; 0]);
    let (_folder, paths) = units(|text| text.replace("NoNewPrivileges=yes", "").replace("CapabilityBoundingSet=", ""));
    assert_eq!(exposed(&paths).expect("it was there before").len(), 5);
}
