//! Running a program and looking at what came out.

use std::io::Write;
use std::time::{Duration, Instant};

use pso_tests::tool::Tool;
use pso_tests::wait;

fn shell(script: &str) -> Tool {
    Tool::program("sh").arg("-c").arg(script)
}

#[test]
fn everything_that_came_out_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = shell("cat; pwd >&2; echo \"$GIVEN\" >&2; exit 3")
        .stdin("one\ntwo\n")
        .env("GIVEN", "é")
        .folder(folder.path())
        .run()
        .unwrap();
    assert_eq!((outcome.code, outcome.signal, outcome.text()), (Some(3), None, "one\ntwo\n"));
    assert_eq!(outcome.stderr, format!("{}\né\n", folder.path().canonicalize().unwrap().display()));
    outcome.assert_stderr_has("é");
}

#[test]
fn the_environment_is_cleared() {
    let outcome = Tool::program("env").env("ONLY", "this").run().unwrap();
    let mut names: Vec<&str> = outcome.text().lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["ONLY", "PATH"]);
}

#[test]
fn a_tool_that_does_not_end_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let script = "echo $$ >parent; sleep 300 & echo $! >child; echo said; wait";
    let error = shell(script).folder(folder.path()).limit(Duration::from_millis(500)).run().unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(format!("{error:#}").contains("said"), "{error:#}");
    for name in ["parent", "child"] {
        let id = std::fs::read_to_string(folder.path().join(name)).unwrap();
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.trim()));
            stat.map_or(true, |stat| stat.contains(") Z ")).then_some(())
        };
        wait::until(&format!("the {name} to end"), Duration::from_secs(10), gone).unwrap();
    }
}

#[test]
fn signals_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap 'echo caught; exit 7' TERM; : >ready; while :; do sleep 0.05; done";
    let mut running = shell(script).folder(folder.path()).spawn().unwrap();
    let ready = || folder.path().join("ready").exists().then_some(());
    wait::until("the shell to be ready", Duration::from_secs(10), ready).unwrap();
    assert!(running.is_running().unwrap());
    running.signal("TERM").unwrap();
    let outcome = running.finish().unwrap();
    assert_eq!((outcome.code, outcome.text()), (Some(7), "caught\n"));
    let mut running = shell("read -r line; echo \"got $line\"").spawn().unwrap();
    running.stdin.as_mut().unwrap().write_all(b"word\n").unwrap();
    assert_eq!(running.finish().unwrap().text(), "got word\n");
}

#[test]
fn records_are_taken_apart() {
    let lines = [
        r#"{"schema":1,"kind":"run.start","tool":"sh"}"#,
        r#"{"schema":1,"kind":"health.check","name":"postgres","severity":"ok"}"#,
        r#"{"schema":1,"kind":"health.check","name":"qdrant","severity":"high"}"#,
        r#"{"schema":1,"kind":"run.end","tool":"sh","severity":"high","exit_code":2}"#,
    ];
    let outcome = shell("cat; exit 2").stdin(format!("{}\n", lines.join("\n"))).run().unwrap();
    outcome.assert_code(2).assert_quiet();
    assert_eq!(outcome.records_of_kind("health.check").len(), 2);
    assert_eq!(outcome.record("health.check", "qdrant")["severity"], "high");
    assert_eq!(outcome.run_end()["exit_code"], 2);
}

#[test]
#[should_panic(expected = "exit_code of run.end")]
fn an_end_that_lies_is_found() {
    shell("cat; exit 1")
        .stdin("{\"kind\":\"run.end\",\"tool\":\"sh\",\"exit_code\":0}\n")
        .run()
        .unwrap()
        .assert_code(1);
}

#[test]
#[should_panic(expected = "line 2 of stdout is not JSON")]
fn prose_on_stdout_is_found() {
    let _ = shell("cat").stdin("{\"kind\":\"a\"}\nprose\n").run().unwrap().records();
}

#[test]
#[should_panic(expected = "a secret is in stderr")]
fn an_escaped_secret_is_found() {
    let outcome = shell("echo 'url=p%40%3A%2FabcdefGH12' >&2").run().unwrap();
    outcome.assert_no_secret(&["p@:/abcdefGH12"]);
}

#[test]
fn a_tool_that_is_not_built_is_named() {
    let error = Tool::new("pso-no-such-tool").unwrap_err().to_string();
    assert!(error.contains("pso-no-such-tool") && error.contains("make test"), "{error}");
}
