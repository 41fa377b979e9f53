//! `scripts/schedule`: what is scheduled exists, takes the flags that it is given, and never runs twice at once.

mod cron;
mod kubernetes;
mod systemd;
mod windows;

use std::fs;
use std::path::PathBuf;

use pso_tests::tool::Tool;

use crate::scripts::powershell::Script;
use crate::scripts::{SCRIPTS, folder, path_with_tools};

/// Where `make install` puts the scripts.
const INSTALLED: &str = "/usr/local/share/pso/scripts/";
/// What each kind of schedule runs.
const SCHEDULED: [&str; 4] = ["daily-health-check", "daily-maintenance", "security-check", "weekly-maintenance"];

fn read(name: &str) -> String {
    let path = folder().join("schedule").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder below `schedule`, sorted.
fn files(name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder().join("schedule").join(name)).expect("a folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// The command line is an installed script of ours, which takes these arguments; its name. That each of them hands its
/// records to pso-alert itself is a matter of the scripts' tests.
#[track_caller]
fn assert_runs(words: &[&str]) -> String {
    let name = words[0].strip_prefix(INSTALLED).and_then(|name| name.strip_suffix(".sh"));
    let name = name.unwrap_or_else(|| panic!("{} is no installed script", words[0]));
    assert!(SCRIPTS.iter().any(|(script, ..)| *script == name), "there is no script {name}");
    // Arguments are read in their order, and a wrong one is refused before the help is shown.
    let script = Tool::program(folder().join(format!("{name}.sh"))).args(&words[1..]).arg("--help");
    let outcome = script.env("PATH", path_with_tools()).run().expect("ends");
    assert!(outcome.code == Some(0) && outcome.text().starts_with("usage:"), "{outcome}");
    name.to_owned()
}

/// The same of a .ps1: its parameters are declared.
#[track_caller]
fn assert_declares(name: &str, parameters: &[&str]) {
    let script = Script::read(name);
    for parameter in parameters {
        let found = script.parameters.iter().any(|declared| format!("-{}", declared.name) == *parameter);
        assert!(found, "{name}.ps1 has no parameter {parameter}");
    }
}

#[test]
#[should_panic(expected = "ended with code 3")]
fn a_flag_that_a_script_does_not_have_is_seen() {
    assert_runs(&["/usr/local/share/pso/scripts/weekly-maintenance.sh", "--hours-back", "24"]);
}

#[test]
#[should_panic(expected = "there is no script yearly-maintenance")]
fn a_script_that_is_not_there_is_seen() {
    assert_runs(&["/usr/local/share/pso/scripts/yearly-maintenance.sh"]);
}
