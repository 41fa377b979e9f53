//! The crontab: its lines are cron's, and a run that is still at work keeps the next one out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use pso_tests::tool::Tool;

use super::{INSTALLED, SCHEDULED, assert_runs, read};

/// Its lines: the five fields, and the command.
fn lines(text: &str) -> Vec<(Vec<&str>, String)> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut found = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        if !words[0].contains('=') {
            found.push((words[..5].to_vec(), words[5..].join(" ")));
        }
    }
    found
}

/// How the line that runs every five minutes ends: what it says on stderr is not mailed each time.
const LOGGED: &str = " 2>&1 >/dev/null | logger -t pso-health";

/// What crontab(5) allows and is used here: a number, `*`, `*/STEP`.
fn is_time(fields: &[&str]) -> bool {
    let ranges = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
    fields.len() == 5
        && fields.iter().zip(ranges).all(|(field, (first, last))| {
            let number = field.strip_prefix("*/").unwrap_or(field);
            *field == "*" || number.parse::<u32>().is_ok_and(|number| (first..=last).contains(&number))
        })
}

#[test]
fn every_line_is_crons_and_runs_a_script_that_takes_its_flags() {
    let text = read("crontab");
    let mut scripts = Vec::new();
    for (fields, command) in lines(&text) {
        assert!(is_time(&fields), "{fields:?}");
        assert!(!command.contains('%'), "cron takes a % for the end of the line: {command}");
        let run = command.strip_prefix("cd /srv/planning && flock ").expect("in the folder, behind a lock");
        let end = if fields[0] == "*/5" { LOGGED } else { " >/dev/null" };
        let run = run
            .strip_suffix(end)
            .expect("records are not mailed, what is said on stderr is, but not every five minutes");
        let words: Vec<&str> = run.split(' ').collect();
        let at = words.iter().position(|word| word.starts_with(INSTALLED)).expect("a script");
        scripts.push(assert_runs(&words[at..]));
    }
    scripts.sort();
    assert_eq!(scripts, SCHEDULED);
    assert!(is_time(&["*/5", "0", "31", "12", "7"]) && !is_time(&["60", "0", "1", "1", "0"]));
    assert!(!is_time(&["0", "0", "0", "1", "0"]) && !is_time(&["x", "0", "1", "1", "0"]) && !is_time(&["0", "4"]));
}

#[test]
fn a_run_that_is_at_work_keeps_the_next_one_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let scripts = folder.path().join("scripts");
    fs::create_dir(&scripts).expect("a folder");
    for name in SCHEDULED {
        let script = scripts.join(format!("{name}.sh"));
        fs::write(&script, "#!/bin/sh\necho ran >>ran\n").expect("written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("mode");
    }
    let mut tried = 0;
    for (_, command) in lines(&read("crontab")) {
        let lock = command.split(' ').find(|word| word.ends_with(".lock")).expect("a lock");
        let held = fs::File::create(folder.path().join(lock)).expect("a file");
        // The weekly run waits for the nightly one for an hour; here it waits for nobody. A pipe's exit code is its end's.
        let command = command.strip_suffix(LOGGED).map_or(command.clone(), |run| format!("{run} >/dev/null"));
        let command = command.replace("flock -w 3600", "flock -n");
        let command = command.replace("/srv/planning", &folder.path().display().to_string());
        let command = command.replace(INSTALLED, &format!("{}/", scripts.display()));
        let run = || Tool::program("/bin/sh").args(["-c", &command]).run().expect("ends");

        held.lock().expect("locked");
        let outcome = run();
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), ""), "{command}");
        assert!(!folder.path().join("ran").exists(), "{command}");
        held.unlock().expect("unlocked");
        let outcome = run();
        assert_eq!((outcome.code, outcome.stdout.len()), (Some(0), 0), "{command}\n{outcome}");
        fs::remove_file(folder.path().join("ran")).expect("it ran");
        tried += 1;
    }
    assert_eq!(tried, 4);
}
