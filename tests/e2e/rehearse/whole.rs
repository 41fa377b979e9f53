//! An archive that is as it should be.

use super::Rehearsed;

#[test]
fn the_files_of_a_good_archive_hold() {
    let rehearsed = Rehearsed::start("rehearse_whole_files");
    let outcome = rehearsed.rehearse(&["latest", "--only", "config,scripts,plans"]);
    outcome.assert_code(0);
    assert_eq!(outcome.records_of_kind("rehearse.component").len(), 3, "{outcome}");
}

/// A rehearsal is the same wherever it is run from, and says where nothing is wrong what nobody can prove.
#[test]
fn a_whole_archive_holds_and_its_result_says_what_that_proves() {
    let rehearsed = Rehearsed::start("rehearse_whole");
    let outcome = rehearsed.rehearse(&["latest"]);
    outcome.assert_code(0).assert_quiet();
    let components = outcome.records_of_kind("rehearse.component");
    assert_eq!(components.len(), 5, "{outcome}");
    for component in &components {
        assert_eq!((&component["severity"], component["restore_ms"].is_u64()), (&"ok".into(), true), "{outcome}");
        assert!(component["proven"].as_array().is_some_and(|proven| !proven.is_empty()), "{outcome}");
    }
    let result = outcome.records_of_kind("rehearse.result").remove(0);
    let longest = components.iter().filter_map(|component| component["restore_ms"].as_u64()).max();
    assert!(result["restore_ms"].as_u64() >= longest, "it is the time until all is there\n{outcome}");
    let sum: u64 = components.iter().filter_map(|component| component["restored_bytes"].as_u64()).sum();
    assert_eq!(result["restored_bytes"], sum);
    let rows = &outcome.record("rehearse.component", "postgres")["rows"];
    assert!(rows.as_object().is_some_and(|rows| !rows.is_empty()) && result["rows"] == *rows, "{outcome}");
    let points = &outcome.record("rehearse.component", "qdrant")["points"];
    assert!(points.as_object().is_some_and(|points| !points.is_empty()) && result["points"] == *points, "{outcome}");
    assert!(result["unproven"].to_string().contains("nothing is signed"), "{outcome}");
    let status = pso_archive::Status::read(&rehearsed.archive).expect("a status");
    assert_eq!(status.rehearsed_at.map(|at| at.to_string().into()), Some(result["rehearsed_at"].clone()));
    assert_eq!(status.verified_at, status.rehearsed_at, "all of it was read");
}

#[test]
fn odd_files_are_restored_and_told() {
    let rehearsed = Rehearsed::start("rehearse_odd_files");
    let put = |name: &str, content: &[u8]| std::fs::write(rehearsed.parts.path(name), content).expect("written");
    put("roadmaps/plans/latin.md", b"# Pl\xe4ne\n");
    put("roadmaps/plans/zeros.md", b"# a\0\0\0\n");
    put("roadmaps/plans/\u{e4} 'quoted' $(x).md", b"# a\n");
    put("config/broken.yaml", b"a: [1\nb: 2\n");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let above = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb += &format!("a{level}: &a{level} [{above}]\n");
    }
    put("config/bomb.yaml", bomb.as_bytes());
    rehearsed.parts.archive();
    let outcome = rehearsed.rehearse(&["latest", "--only", "config,plans"]);
    outcome.assert_code(1);
    let said = |component: &str, field: &str| outcome.record("rehearse.component", component)[field].to_string();
    assert!(said("plans", "warnings").contains("is not UTF-8: plans/latin.md"), "{outcome}");
    assert!(said("plans", "warnings").contains("NUL bytes in a text, as after a crash: plans/zeros.md"), "{outcome}");
    assert!(said("config", "warnings").contains("not valid YAML: config/broken.yaml"), "{outcome}");
    assert!(said("config", "unproven").contains("config/bomb.yaml"), "{outcome}");
    let result = outcome.records_of_kind("rehearse.result").remove(0);
    assert_eq!(
        (&result["severity"], result.get("refuted")),
        (&"warning".into(), None),
        "it can be restored\n{outcome}"
    );
}
