//! A disk that is full, before or in the middle: nobody can tell then, and nothing is left.

use std::fs;
use std::io::Write as _;

use pso_tests::mount::Mount;

use super::{Rehearsed, assert_empty};

/// A tmpfs of so many KiB for what is temporary; `None`, and a note, where there can be none.
fn tmpfs(rehearsed: &Rehearsed, kib: u64) -> Option<Mount> {
    match Mount::tmpfs(rehearsed.temp.path(), kib) {
        Ok(mount) => Some(mount),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "not tested: {error:#}");
            None
        }
    }
}

#[test]
fn a_disk_that_is_too_small_is_told_with_what_is_needed() {
    let rehearsed = Rehearsed::start("rehearse_small_disk");
    let Some(_mount) = tmpfs(&rehearsed, 1024) else { return };
    let outcome = rehearsed.rehearse(&["latest"]);
    outcome.assert_code(3);
    let result = outcome.records_of_kind("rehearse.result").remove(0);
    assert_eq!(result["severity"], "unknown", "{outcome}");
    let message = result["message"].as_str().unwrap_or_default();
    assert!(message.contains("too little room") && message.contains("1.0 MiB"), "{message}");
    assert!(result["proven"].to_string().contains("SHA-256"), "the file was looked at all the same\n{outcome}");
}

#[test]
fn a_disk_that_is_full_in_the_middle_is_no_fault_of_the_archive() {
    let rehearsed = Rehearsed::start("rehearse_full_disk");
    rehearsed.parts.fatten();
    rehearsed.parts.archive();
    let database: u64 = 55 << 10;
    let mut codes = Vec::new();
    for more in [4, 12, 24, 40, 64, 400] {
        let Some(mount) = tmpfs(&rehearsed, database + (more << 10)) else { return };
        let outcome = rehearsed.rehearse(&["latest"]);
        let results = outcome.records_of_kind("rehearse.result");
        assert_eq!(results.len(), 1, "{outcome}");
        assert!(matches!(outcome.code, Some(0 | 1 | 3)), "{more} MiB: it cannot be restored?\n{outcome}");
        if outcome.code == Some(3) {
            let said = results[0]["unproven"].to_string().to_lowercase();
            assert!(["room", "space", "disk"].iter().any(|word| said.contains(word)), "{more} MiB: {outcome}");
        }
        codes.push(outcome.code);
        drop(mount);
    }
    assert_eq!((codes.first(), codes.last()), (Some(&Some(3)), Some(&Some(0))), "{codes:?}");
}

#[test]
fn files_that_do_not_fit_are_no_fault_of_the_archive() {
    let rehearsed = Rehearsed::start("rehearse_full_files");
    let plan = rehearsed.parts.path("roadmaps/plans/large.md");
    fs::write(&plan, "# large\n".repeat(100_000)).expect("written");
    rehearsed.parts.archive();
    for kib in [16, 512, 800] {
        let Some(_mount) = tmpfs(&rehearsed, kib) else { return };
        let outcome = rehearsed.rehearse(&["latest", "--only", "config,scripts,plans"]);
        outcome.assert_code(3);
        assert_empty(rehearsed.temp.path(), &outcome);
    }
    // No room for another file, whatever its size.
    let Ok(_mount) = Mount::tmpfs_of_files(rehearsed.temp.path(), 6) else { return };
    let outcome = rehearsed.rehearse(&["latest", "--only", "scripts"]);
    outcome.assert_code(3);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let rehearsed = Rehearsed::start("rehearse_no_temp");
    let outcome = rehearsed.rehearse(&["latest", "--only", "plans", "--temp-dir", "/no/such/folder"]);
    outcome.assert_code(3);
    let result = outcome.records_of_kind("rehearse.result").remove(0);
    let message = result["message"].as_str().unwrap_or_default();
    assert!(message.contains("/no/such/folder") && message.contains("--temp-dir"), "{message}");
}

#[test]
fn a_limit_of_the_size_of_files_is_told_and_nothing_is_left() {
    let rehearsed = super::Rehearsed::start("rehearse_space_limit");
    let program = pso_tests::tool::built_binary("pso-rehearse").expect("built");
    // Blocks of 512 bytes in sh: less than a segment of the log of PostgreSQL, and less than its own files.
    for blocks in ["16", "20000"] {
        let tool = pso_tests::tool::Tool::program("/bin/sh")
            .args(["-c", &format!("ulimit -f {blocks}; exec \"$0\" \"$@\"")])
            .arg(&program)
            .arg(&rehearsed.archive)
            .folder(rehearsed.parts.folder.path())
            .env("TMPDIR", rehearsed.temp.path())
            .env("PATH", "/usr/bin:/bin");
        let mut outcome = tool.run().expect("it ends");
        // Its own, and not that of what has started it.
        outcome.name = "pso-rehearse".to_owned();
        super::assert_empty(rehearsed.temp.path(), &outcome);
        outcome.assert_code(3);
        let result = outcome.records_of_kind("rehearse.result").remove(0);
        assert_eq!(result["refuted"].as_array().map_or(0, Vec::len), 0, "{outcome}");
    }
}
