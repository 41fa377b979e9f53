//! The way back behind a restore that came to its end, and the ways out of one that was killed half way back or elsewhere.

use std::fs;

use pso_tests::proxy::TcpProxy;

use super::journal::Killed;
use crate::parts::{states, walk};

#[test]
fn a_restore_that_came_to_its_end_is_undone_by_its_name() {
    let killed = Killed::new("br_back", true);
    let outcome = killed.restore(&["latest", "--yes"]);
    outcome.assert_code(0);
    killed.assert_restored();
    assert!(states(&outcome, "done").contains(&killed.kept()), "{outcome}");
    let time = killed.last();
    // It has to be named: who only says it twice means no earlier restore.
    let named = format!("--rollback {time}");
    killed.restore(&["--rollback", "--yes"]).assert_code(3).assert_stderr_has(&named);
    killed.restore(&["--rollback", "20200101_000000", "--yes"]).assert_code(3).assert_stderr_has(&named);
    killed.restore(&["--resume", "--yes"]).assert_code(3).assert_stderr_has("no interrupted restore");
    killed.restore(&["--rollback", &time]).assert_code(3).assert_stderr_has("--yes");
    let outcome = killed.restore(&["--rollback", &time, "--dry-run"]);
    outcome.assert_code(0).assert_quiet();
    let plan = outcome.records_of_kind("restore.plan").pop().expect("a plan");
    assert_eq!(plan["mode"], "rollback");
    assert!(plan["message"].as_str().is_some_and(|text| text.contains("is lost")), "{plan}");
    assert_eq!(plan["steps"].as_u64(), Some(states(&outcome, "planned").len() as u64));
    killed.assert_restored();
    assert_eq!(killed.service(), "stop start");
    let outcome = killed.restore(&["--rollback", &time, "--yes"]);
    outcome.assert_code(0);
    assert_eq!(states(&outcome, "done"), ["stop service", "start service", "health service"]);
    killed.assert_rolled_back();
    assert_eq!(killed.service(), "stop start");
    killed.restore(&["--rollback", &time, "--yes"]).assert_code(3).assert_stderr_has("nothing is kept");
}

#[test]
fn only_the_last_restore_is_undone_and_then_the_one_before() {
    let killed = Killed::new("br_back_two", true);
    killed.restore(&["latest", "--yes"]).assert_code(0);
    let first = killed.last();
    killed.parts.database.execute("DELETE FROM conflicts").expect("damaged");
    fs::write(killed.parts.path("scripts/backup-daily.ps1"), "rm -rf ~").expect("written");
    let between = killed.parts.content();
    killed.restore(&["latest", "--yes"]).assert_code(0);
    assert_ne!(killed.last(), first);
    killed.restore(&["--rollback", &first, "--yes"]).assert_code(3).assert_stderr_has("only the last one");
    killed.restore(&["--rollback", &killed.last(), "--yes"]).assert_code(0);
    between.assert_same(&killed.parts.content());
    killed.restore(&["--rollback", &first, "--yes"]).assert_code(0);
    killed.assert_rolled_back();
}

#[test]
fn restores_in_one_second_keep_what_they_replace_apart() {
    let killed = Killed::new("br_back_second", false);
    let script = killed.parts.path("scripts/backup-daily.ps1");
    let texts: Vec<String> = (0..4).map(|number| format!("rm -rf {number}")).collect();
    for text in &texts {
        fs::write(&script, text).expect("written");
        killed.restore(&["latest", "--yes", "--only", "scripts"]).assert_code(0);
    }
    for text in texts.iter().rev() {
        killed.restore(&["--rollback", &killed.last(), "--yes"]).assert_code(0);
        assert_eq!(fs::read_to_string(&script).expect("readable"), *text);
    }
    killed.parts.assert_no_trace_of_restore();
}

#[test]
fn killed_while_a_restore_is_undone_by_its_name() {
    let killed = Killed::new("br_back_kill", true);
    killed.restore(&["latest", "--yes"]).assert_code(0);
    let time = killed.last();
    killed.touch("kill.stop");
    Killed::assert_killed(&killed.restore(&["--rollback", &time, "--yes"]));
    killed.restore(&["latest", "--yes"]).assert_code(3).assert_stderr_has("was interrupted");
    // Nothing was undone yet, so that is what it is resumed to.
    killed.restore(&["--resume", "--yes"]).assert_code(0);
    killed.assert_restored();
    killed.touch("kill.start");
    Killed::assert_killed(&killed.restore(&["--rollback", &time, "--yes"]));
    assert_eq!(killed.databases(), "1");
    killed.restore(&["latest", "--yes"]).assert_code(3).assert_stderr_has("left of it is the stopped service");
    killed.restore(&["--rollback", "--yes"]).assert_code(0);
    killed.assert_rolled_back();
}

#[test]
fn what_is_half_undone_is_not_taken_for_restored() {
    let mut killed = Killed::new("br_back_half", true);
    killed.touch("kill.start");
    Killed::assert_killed(&killed.restore(&["latest", "--yes"]));
    killed.parts.qdrant.stop().expect("stopped");
    let outcome = killed.restore(&["--rollback", "--yes"]);
    // The way out is on stderr too: a table on a terminal is cut.
    outcome.assert_code(2).assert_stderr_has("snapshots/upload?priority=snapshot");
    killed.parts.qdrant.restart().expect("started");
    // The database is the old one again and the collections are the archive's: that is neither.
    killed.restore(&["latest", "--yes"]).assert_code(3).assert_stderr_has("it was being undone");
    killed.restore(&["--resume", "--yes"]).assert_code(0);
    killed.assert_restored();
}

#[test]
fn a_way_back_that_is_not_whole_is_not_begun() {
    let killed = Killed::new("br_back_gone", true);
    killed.restore(&["latest", "--yes"]).assert_code(0);
    let time = killed.last();
    let folder = killed.parts.path(".pso-restore");
    for name in ["/qdrant/tasks.snapshot", "/replaced/scripts/backup-daily.ps1"] {
        let path = walk(&folder).into_iter().find(|path| path.ends_with(name)).expect("kept");
        fs::rename(&path, killed.parts.path("away")).expect("moved");
        killed.restore(&["--rollback", &time, "--yes"]).assert_code(3).assert_stderr_has("is not there any more");
        fs::rename(killed.parts.path("away"), &path).expect("moved");
    }
    let admin = killed.pg.as_ref().expect("its own").admin("postgres");
    let sql = format!("DROP DATABASE planning_sync_before_{time}");
    admin.expect("connected").batch_execute(&sql).expect("dropped");
    let outcome = killed.restore(&["--rollback", &time, "--yes"]);
    outcome.assert_code(3).assert_stderr_has("is not there any more").assert_stderr_has("cannot be undone");
    killed.assert_restored();
    // A service that does not stop leaves it as it is too.
    killed.parts.reconfigure("restore: {service: {stop: '", "restore: {service: {stop: 'exit 3; ");
    fs::remove_dir_all(&folder).expect("removed");
    fs::write(killed.parts.path("scripts/backup-daily.ps1"), "rm -rf ~").expect("written");
    let config = fs::read(killed.parts.path("config/config.yaml")).expect("readable");
    killed.parts.reconfigure("exit 3; ", "");
    killed.restore(&["latest", "--yes", "--only", "scripts"]).assert_code(0);
    fs::write(killed.parts.path("config/config.yaml"), config).expect("written");
    let outcome = killed.restore(&["--rollback", &killed.last(), "--yes"]);
    outcome.assert_code(2).assert_stderr_has("nothing was rolled back");
    assert!(killed.journal().is_empty(), "it is of a restore that came to its end");
    killed.parts.reconfigure("exit 3; ", "");
    killed.restore(&["--rollback", &killed.last(), "--yes"]).assert_code(0);
    let script = fs::read_to_string(killed.parts.path("scripts/backup-daily.ps1")).expect("readable");
    assert_eq!(script, "rm -rf ~");
}

#[test]
fn what_was_restored_in_place_has_no_way_back() {
    let killed = Killed::new("br_back_place", false);
    let outcome = killed.restore(&["latest", "--yes"]);
    outcome.assert_code(0);
    assert!(!states(&outcome, "done").contains(&killed.kept()), "{outcome}");
    let outcome = killed.restore(&["--rollback", &killed.last(), "--yes"]);
    outcome.assert_code(3).assert_stderr_has("was restored in place").assert_stderr_has(".pso-restore/");
    killed.assert_restored();
}

#[test]
fn what_was_named_for_the_restore_is_meant_when_it_is_resumed() {
    let killed = Killed::new("br_kill_named", true);
    let admin = killed.pg.as_ref().expect("its own").admin("postgres");
    admin.expect("connected").batch_execute("CREATE DATABASE to_look_at OWNER sync_user").expect("created");
    // Before the servers that were named are touched.
    killed.touch("kill.stop");
    let qdrant = TcpProxy::start(killed.parts.qdrant.port()).expect("a proxy");
    let args = ["latest", "--yes", "--only", "postgres", "--pg-dbname", "to_look_at"];
    Killed::assert_killed(&killed.restore(&args));
    let outcome = killed.restore(&["--resume", "--yes"]);
    outcome.assert_code(0);
    assert!(states(&outcome, "done").contains(&"swap postgres:to_look_at".to_owned()), "{outcome}");
    killed.damaged.assert_same(&killed.parts.content());
    killed.touch("kill.stop");
    Killed::assert_killed(&killed.restore(&[
        "latest",
        "--yes",
        "--only",
        "postgres,qdrant",
        "--qdrant-url",
        &qdrant.url(),
    ]));
    let journal = killed.parts.path(".pso-restore/journal.jsonl");
    let text = killed.journal();
    // As if it had been killed before it did anything.
    fs::write(&journal, text.split_inclusive('\n').next().expect("a line")).expect("written");
    let outcome = killed.restore(&["--resume", "--yes"]);
    outcome.assert_code(3).assert_stderr_has(&format!("--qdrant-url {}", qdrant.url()));
    fs::write(&journal, text).expect("written");
    killed.restore(&["--rollback", "--yes", "--qdrant-url", &qdrant.url()]).assert_code(0);
    killed.damaged.assert_same(&killed.parts.content());
}
