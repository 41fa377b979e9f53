//! Commands as targets: Nagios plugins, and others.

use std::fs;
use std::process::Command;

use pso_tests::wait;
use serde_json::json;

use super::*;

#[test]
fn a_command_is_judged_as_a_nagios_plugin() {
    let outcome = run(&[
        json!({"command": "echo 'CRIT | used=99%;80;95'; exit 2", "name": "critical"}),
        json!({"command": "echo 'used=99%;80;95 is no number here'", "name": "quiet"}),
        json!({"command": "echo '|used=99%;80;95'", "name": "calm"}),
        json!({"command": "echo dunno; exit 3", "name": "unknown"}),
        json!({"command": "exit 77", "name": "odd"}),
        json!({"command": ["/no/such/plugin"], "name": "missing"}),
        json!({"command": "kill -SEGV $$", "name": "crash"}),
        json!({"command": "read line && echo \"got $line\" || echo 'nothing on stdin'", "name": "stdin"}),
        json!({"command": "head -c 300000 /dev/zero | tr '\\0' x", "name": "long"}),
        json!({"command": "sleep 600 & sleep 600", "name": "slow", "timeout": "500ms"}),
    ]);
    outcome.assert_code(3).assert_quiet();
    let expected = [
        ("command.critical", "critical"),
        ("command.critical.used", "critical"),
        ("command.quiet", "ok"),
        ("command.calm", "ok"),
        // The program says that all is well.
        ("command.calm.used", "ok"),
        ("command.unknown", "unknown"),
        ("command.odd", "unknown"),
        ("command.missing", "unknown"),
        ("command.crash", "unknown"),
        ("command.stdin", "ok"),
        ("command.long", "ok"),
        ("command.slow", "unknown"),
    ];
    assert_eq!(pairs(&found(&outcome)), expected, "{outcome}");
    let message = |name: &str| outcome.record("health.check", name)["message"].as_str().expect("a text").to_owned();
    assert!(message("command.missing").starts_with("/no/such/plugin cannot be started"), "{outcome}");
    assert!(message("command.crash").starts_with("ended by signal 11"), "{outcome}");
    assert!(message("command.odd").starts_with("exit code 77"), "{outcome}");
    assert_eq!(message("command.stdin"), "nothing on stdin");
    assert!(message("command.long").chars().count() < 600, "{outcome}");
    assert!(message("command.slow").starts_with("not done within 500ms"), "{outcome}");
}

/// Whether a process is there that is not a zombie.
fn lives(pid: &str) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().expect("ps").stdout;
    !String::from_utf8_lossy(&state).trim().is_empty() && !state.starts_with(b"Z")
}

#[test]
fn a_command_ends_with_the_run() {
    let folder = deployment(&[json!({"command": "echo $$ > pid; sleep 600 & echo $! >> pid; wait", "name": "slow"})]);
    let file = folder.path().join("pid");
    let mut running = tool(folder.path()).args(["--timeout", "5m"]).spawn().expect("started");
    let pids = wait::until("the command to run", LIMIT, || {
        let pids: Vec<String> = fs::read_to_string(&file).ok()?.lines().map(str::to_owned).collect();
        (pids.len() == 2).then_some(pids)
    });
    let pids = pids.expect("running");
    running.signal("TERM").expect("sent");
    running.finish().expect("ends").assert_code(3);
    for pid in pids {
        wait::until("the command to end", LIMIT, || (!lives(&pid)).then_some(())).expect("ended");
    }
}
