//! Results of earlier nights: what has shrunk is told.

use std::fs;

use pso_tests::tool::Outcome;
use serde_json::Value;

use super::Rehearsed;

fn result(outcome: &Outcome) -> Value {
    outcome.records_of_kind("rehearse.result").remove(0)
}

#[test]
fn an_empty_table_of_the_next_night_is_a_warning() {
    let rehearsed = Rehearsed::start("rehearse_trend");
    let past = rehearsed.parts.path("rehearsals.jsonl");
    let file = past.to_str().expect("UTF-8");
    let night = ["latest", "--trend", file, "--records", file];
    let first = rehearsed.rehearse(&night);
    first.assert_code(0);
    assert!(result(&first)["unproven"].to_string().contains("postgres was not compared"), "{first}");
    let same = rehearsed.rehearse(&night);
    same.assert_code(0);
    let proven = result(&same)["proven"].to_string();
    assert!(proven.contains("nothing has shrunk") && proven.contains("it is the file that was rehearsed"), "{same}");
    // The trap: a dump that is whole, and of nothing.
    let tasks: u64 =
        rehearsed.parts.database.scalar("SELECT count(*) FROM tasks").expect("a count").parse().expect("a number");
    rehearsed.parts.database.execute("TRUNCATE conflicts; TRUNCATE tasks CASCADE").expect("emptied");
    let delete = serde_json::json!({"filter": {}});
    rehearsed
        .parts
        .qdrant
        .client()
        .result("POST", "/collections/plans/points/delete?wait=true", Some(&delete))
        .expect("deleted");
    rehearsed.parts.archive();
    // However much may be gone: nothing left is told.
    let next = rehearsed.rehearse(&[&night[..], &["--max-shrink", "100"]].concat());
    next.assert_code(1);
    let told = result(&next);
    assert_eq!(told["severity"], "warning", "{next}");
    let warnings = told["warnings"].to_string();
    assert!(
        warnings.contains(&format!("public.tasks had {tasks} rows in ")) && warnings.contains("is empty"),
        "{next}"
    );
    assert!(warnings.contains("plans had ") && warnings.contains(" points in "), "{next}");
    assert!(told["rehearsed_at"].is_string(), "it can be restored\n{next}");
    // It is told once: the night after it is as it was.
    rehearsed.parts.archive();
    rehearsed.rehearse(&night).assert_code(0);
}

#[test]
fn a_file_that_cannot_be_read_is_told_before_the_work() {
    let rehearsed = Rehearsed::start("rehearse_trend_bad");
    let past = rehearsed.parts.path("past.jsonl");
    let run = |file: &str| rehearsed.rehearse(&["latest", "--only", "plans", "--trend", file]);
    let folder = run(rehearsed.parts.folder.path().to_str().expect("UTF-8"));
    folder.assert_code(3);
    assert!(result(&folder)["message"].as_str().is_some_and(|text| text.contains("it is not a file")), "{folder}");
    assert_eq!(folder.records_of_kind("rehearse.component"), [Value::Null; 0]);
    // A line that a full disk has cut off is named, and the others count.
    let good = rehearsed.rehearse(&["latest", "--only", "plans"]);
    let mut text = good.text().to_owned();
    text.push_str("{\"schema\":1,\"kind\":\"rehearse.res");
    fs::write(&past, &text).expect("written");
    let outcome = run(past.to_str().expect("UTF-8"));
    outcome.assert_code(1);
    let said = result(&outcome)["warnings"].to_string();
    assert!(said.contains(&format!("line {} of", text.lines().count())), "{outcome}");
    assert!(result(&outcome)["proven"].to_string().contains("it is the file that was rehearsed"), "{outcome}");
    // As Windows PowerShell's `>` writes it.
    let utf16: Vec<u8> = [0xfeff].into_iter().chain(good.text().encode_utf16()).flat_map(u16::to_le_bytes).collect();
    fs::write(&past, utf16).expect("written");
    let outcome = run(past.to_str().expect("UTF-8"));
    outcome.assert_code(0);
    assert!(result(&outcome)["proven"].to_string().contains("it is the file that was rehearsed"), "{outcome}");
}

#[test]
fn an_archive_that_was_altered_with_all_that_lies_beside_it_is_found_out() {
    let rehearsed = Rehearsed::start("rehearse_trend_altered");
    let past = rehearsed.parts.path("past.jsonl");
    let file = past.to_str().expect("UTF-8");
    let files = ["--only", "config,scripts,plans", "--trend", file];
    rehearsed.rehearse(&[&["latest"], &files[..], &["--records", file]].concat()).assert_code(0);
    let archive = pso_archive::Archive::open(&rehearsed.archive).expect("readable");
    let plan =
        archive.manifest().entries.iter().find(|entry| entry.name.starts_with("plans/")).expect("a plan").name.clone();
    let altered = super::altered::Altered::of(&rehearsed.archive).replace(&plan, "# another plan\n");
    let altered = altered.write(rehearsed.parts.folder.path());
    for of in [|path: &std::path::Path| path.to_owned(), pso_archive::sidecar_path, pso_archive::status_path] {
        fs::copy(of(&altered), of(&rehearsed.archive)).expect("put in its place");
    }
    let outcome = rehearsed.rehearse(&[&["latest"], &files[..]].concat());
    outcome.assert_code(2);
    assert!(result(&outcome)["refuted"].to_string().contains("it is not the file that was rehearsed at"), "{outcome}");
}
