//! `monitoring-daemon`: round after round, until a signal comes or one of the two tools dies.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use pso_tests::wait;

use super::{Deployment, Shell, path_with_tools};
use crate::parts::LIMIT;

#[test]
fn the_daemon_tells_what_begins_and_ends_when_it_is_told_to() {
    let deployment = Deployment::start("script_daemon");
    let service = &deployment.parts.service;
    let healthy = service.state();
    for shell in Shell::all() {
        let parameters = [("check-interval-seconds", "1"), ("records", "notices.jsonl")];
        service.set(|state| *state = healthy.clone());
        service.forget();
        deployment.webhook.forget();
        let mut running = deployment.script(shell, "monitoring-daemon", &parameters).spawn().expect("started");
        wait::until("the first round", LIMIT, || (!service.requests().is_empty()).then_some(())).expect("a round");
        service.set(|state| state.degrade("sync_engine", "unhealthy"));
        wait::until("the notice", LIMIT, || {
            let told = deployment.webhook.requests();
            told.iter().any(|request| request.text().contains("sync_engine")).then_some(())
        })
        .expect("a notice");
        assert!(running.is_running().expect("known"), "it goes on");
        running.signal("TERM").expect("sent");
        if shell == Shell::Bash {
            let outcome = running.finish().expect("ends");
            assert_eq!(outcome.code, Some(2), "{outcome}");
            let end = outcome.records_of_kind("run.end").pop().expect("an end");
            assert_eq!(end["tool"], "pso-alert", "{outcome}");
            let kept = fs::read_to_string(deployment.parts.path("notices.jsonl")).expect("kept");
            assert!(kept.contains("alert.notice"), "{kept}");
        }
    }
}

#[test]
fn a_daemon_whose_half_has_died_ends() {
    let deployment = Deployment::start("script_daemon_dies");
    let fake = deployment.parts.path("fake");
    fs::create_dir(&fake).expect("a folder");
    for (tool, said) in [("pso-health", "pso-health died"), ("pso-alert", "pso-alert died")] {
        let program = fake.join(tool);
        fs::write(&program, "#!/bin/sh\nkill -9 $$\n").expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("mode");
        let path = format!("{}:{}", fake.display(), path_with_tools());
        let tool = deployment.script(Shell::Bash, "monitoring-daemon", &[("check-interval-seconds", "1")]);
        let outcome = tool.env("PATH", path).run().expect("ends");
        outcome.assert_stderr_has(said);
        assert_eq!(outcome.code, Some(3), "{outcome}");
        fs::remove_file(program).expect("removed");
    }
}
