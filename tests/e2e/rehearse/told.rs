//! What pso-alert makes of rehearsals: one notice for a bad night, and its end with the next good one.

use std::path::Path;

use pso_tests::tool::{Outcome, Tool};
use serde_json::Value;

use super::Rehearsed;
use crate::parts::flip;

fn alert(folder: &Path, records: &[u8]) -> Outcome {
    Tool::new("pso-alert").expect("built").folder(folder).stdin(records).run().expect("ends")
}

/// Rule, state and why of each notice.
fn notices(outcome: &Outcome) -> Vec<[String; 3]> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let notices = outcome.records_of_kind("alert.notice");
    notices.iter().map(|notice| [&notice["rule"], &notice["state"], &notice["told"]].map(text)).collect()
}

fn notice(state: &str, told: &str) -> [String; 3] {
    ["rehearsal", state, told].map(str::to_owned)
}

#[test]
fn a_bad_night_is_told_once_and_ends_with_the_next_good_one() {
    let rehearsed = Rehearsed::start("rehearse_alert");
    let place = tempfile::tempdir().expect("a folder");
    let place = place.path();
    let files = ["latest", "--only", "config,scripts,plans"];
    let size = std::fs::metadata(&rehearsed.archive).expect("there").len();
    flip(&rehearsed.archive, size / 2);
    let bad = rehearsed.rehearse(&files);
    bad.assert_code(2);
    let first = alert(place, &bad.stdout);
    assert_eq!(notices(&first), [notice("firing", "now")], "{first}");
    let message = first.records_of_kind("alert.notice")[0]["message"].as_str().unwrap_or_default().to_owned();
    let name = rehearsed.archive.file_name().and_then(|name| name.to_str()).expect("UTF-8");
    assert!(message.contains(name) && message.contains("SHA-256"), "{message}");
    let again = alert(place, &rehearsed.rehearse(&files).stdout);
    assert_eq!(notices(&again), [notice("firing", "already")], "{again}");
    // Another archive, of the same folder.
    let next = rehearsed.parts.archive();
    assert_ne!(next, rehearsed.archive);
    let good = rehearsed.rehearse(&files);
    good.assert_code(0);
    let over = alert(place, &good.stdout);
    assert_eq!(notices(&over), [notice("resolved", "now")], "{over}");
}

#[test]
fn a_whole_pipe_comes_through() {
    let rehearsed = Rehearsed::start("rehearse_pipe");
    let backup = rehearsed.parts.backup(&["--only", "config,plans"]);
    backup.assert_code(0);
    let outcome = crate::parts::checked(rehearsed.tool(&["-"]).stdin(backup.stdout.clone()));
    outcome.assert_code(0);
    let kinds: Vec<String> =
        outcome.records().iter().map(|record| record["kind"].as_str().unwrap_or_default().to_owned()).collect();
    assert!(kinds.contains(&"backup.archive".to_owned()), "what came in goes on\n{outcome}");
    let expected = ["rehearse.component", "rehearse.component", "rehearse.result", "run.end"];
    assert_eq!(kinds[kinds.len() - 4..], expected, "{outcome}");
    let told = alert(tempfile::tempdir().expect("a folder").path(), &outcome.stdout);
    told.assert_code(0);
    assert_eq!(notices(&told), [[""; 3]; 0].map(|none| none.map(str::to_owned)));
    // The backup failed: there is nothing to rehearse, and nothing is taken instead.
    let outcome = crate::parts::checked(rehearsed.tool(&["-"]).stdin(Vec::new()));
    outcome.assert_code(3).assert_stderr_has("the backup failed");
}
