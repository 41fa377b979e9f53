//! An archive that is as it should be.

use super::Rehearsed;

#[test]
fn the_files_of_a_good_archive_hold() {
    let rehearsed = Rehearsed::start("rehearse_whole_files");
    let outcome = rehearsed.rehearse(&["latest", "--only", "config,scripts,plans"]);
    outcome.assert_code(0);
    assert_eq!(outcome.records_of_kind("rehearse.component").len(), 3, "{outcome}");
}
