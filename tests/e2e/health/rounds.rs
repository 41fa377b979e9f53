//! `pso-health --every`: rounds, what is kept between them, the file for node_exporter, systemd, a clean stop.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use pso_tests::mount::Mount;
use pso_tests::service::{Health, Service};
use pso_tests::tool::Tool;
use pso_tests::wait;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(30);

fn tool(service: &Service, folder: &Path) -> Tool {
    Tool::new("pso-health").expect("built").args(["--only", "service", "--service-url", &service.url()]).folder(folder)
}

fn rounds(records: &[Value]) -> Vec<&Value> {
    records.iter().filter(|record| record["kind"] == "health.round").collect()
}

/// The records that a run has written so far.
fn so_far(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn rounds_follow_each_other_and_each_has_an_end() {
    let (service, folder) = (Service::start().expect("a port"), tempfile::tempdir().expect("a folder"));
    let outcome = tool(&service, folder.path()).args(["--every", "150ms", "--count", "4"]).run().expect("ends");
    outcome.assert_code(0).assert_quiet();
    let records = outcome.records();
    let numbers: Vec<_> = rounds(&records).iter().map(|round| round["round"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, [1, 2, 3, 4], "{outcome}");
    assert!(rounds(&records).iter().all(|round| round["checks"] == 1 && round["hanging"] == 0), "{outcome}");
    let checks = records.iter().filter(|record| record["kind"] == "health.check" && record["name"] == "service");
    assert_eq!(checks.count(), 4, "{outcome}");
    assert_eq!(service.requests().iter().filter(|seen| seen.path == "/health").count(), 4);
    assert_eq!((&records[0]["kind"], &outcome.run_end()["kind"]), (&"run.start".into(), &"run.end".into()));
}

#[test]
fn a_slow_round_leaves_out_those_whose_time_has_passed() {
    let (service, folder) = (Service::start().expect("a port"), tempfile::tempdir().expect("a folder"));
    service.set(|state| state.health = Health::Slow(Duration::from_millis(450)));
    let outcome = tool(&service, folder.path()).args(["--every", "200ms", "--count", "3"]).run().expect("ends");
    let records = outcome.records();
    let missed: Vec<_> = rounds(&records).iter().map(|round| round["missed"].as_u64().expect("a number")).collect();
    assert_eq!(missed[0], 0, "{outcome}");
    assert!(missed[1] >= 2 && missed[2] >= 2, "{outcome}");
    assert_eq!(service.requests().len(), 3, "no round has piled up");
}

#[test]
fn a_signal_between_or_within_rounds_is_a_clean_stop() {
    let (service, folder) = (Service::start().expect("a port"), tempfile::tempdir().expect("a folder"));
    for (health, waits_for) in [(Health::Json, "health.round"), (Health::Hang, "run.start")] {
        service.set(|state| state.health = health.clone());
        let file = folder.path().join(format!("{waits_for}.jsonl"));
        let tool = tool(&service, folder.path()).args(["--every", "1h", "--records"]).arg(&file);
        let mut running = tool.spawn().expect("started");
        wait::until("the tool to be at work", LIMIT, || {
            so_far(&file).iter().any(|record| record["kind"] == waits_for).then_some(())
        })
        .expect("at work");
        running.signal("TERM").expect("sent");
        let outcome = running.finish().expect("ends");
        outcome.assert_code(0).assert_quiet();
        assert!(outcome.run_end().get("error").is_none(), "{outcome}");
    }
}

#[test]
fn systemd_is_told_that_it_is_ready_alive_and_stopping() {
    let (service, folder) = (Service::start().expect("a port"), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("bound");
    socket.set_read_timeout(Some(LIMIT)).expect("set");
    let tool = tool(&service, folder.path()).args(["--every", "1h"]).env("NOTIFY_SOCKET", &path);
    let mut running = tool.env("WATCHDOG_USEC", "300000").spawn().expect("started");
    let receive = || -> io::Result<String> {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned())
    };
    assert_eq!(receive().expect("told"), "READY=1\nWATCHDOG=1");
    let mut alive = 0;
    while alive < 3 {
        match receive().expect("told").as_str() {
            "WATCHDOG=1" => alive += 1,
            other => assert_eq!(other, "STATUS=round 1: ok"),
        }
    }
    running.signal("INT").expect("sent");
    while receive().expect("told") != "STOPPING=1" {}
    running.finish().expect("ends").assert_code(0).assert_quiet();
}

#[test]
fn a_supervisor_may_listen_on_a_socket_without_a_file() {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::SocketAddr;

    let (service, folder) = (Service::start().expect("a port"), tempfile::tempdir().expect("a folder"));
    let name = folder.path().to_str().expect("UTF-8");
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name).expect("a name")).expect("bound");
    socket.set_read_timeout(Some(LIMIT)).expect("set");
    let tool = tool(&service, folder.path()).args(["--every", "1h", "--count", "1"]);
    tool.env("NOTIFY_SOCKET", format!("@{name}")).run().expect("ends").assert_code(0).assert_quiet();
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).expect("told");
    assert_eq!(String::from_utf8_lossy(&buffer[..length]), "READY=1\nWATCHDOG=1");
}

/// A disk without room, until the file in it goes.
fn full_disk(folder: &Path) -> Mount {
    let mount = Mount::tmpfs(&folder.join("full"), 64).expect("mounted");
    fs::write(folder.join("full/filler"), vec![b'x'; 64 << 10]).expect("written");
    mount
}

#[test]
fn a_full_disk_costs_the_file_and_not_the_records() {
    let (service, folder) = (Service::start().expect("a port"), tempfile::tempdir().expect("a folder"));
    let _mount = full_disk(folder.path());
    for (args, message) in [
        (["--records", "full/records.jsonl"], "append to full/records.jsonl (--records): No space left on device"),
        (["--textfile", "full/pso.prom"], "write the metrics to full/pso.prom (--textfile): No space left on device"),
    ] {
        let outcome = tool(&service, folder.path()).args(args).run().expect("ends");
        outcome.assert_code(3).assert_stderr_has(message);
        assert_eq!(outcome.record("health.check", "service")["severity"], "ok");
        assert!(outcome.run_end()["error"].as_str().is_some_and(|error| error.starts_with(message)), "{outcome}");
    }
    let outcome = tool(&service, folder.path()).args(["--state", "full/state.json"]).run().expect("ends");
    outcome.assert_code(1).assert_stderr_has("write the state to full/state.json (--state): No space left on device");
}

#[test]
fn rounds_go_on_while_a_disk_is_full() {
    let (service, folder) = (Service::start().expect("a port"), tempfile::tempdir().expect("a folder"));
    let _mount = full_disk(folder.path());
    let args = ["--every", "100ms", "--textfile", "full/pso.prom", "--records", "full/records.jsonl"];
    let running = tool(&service, folder.path()).args(args).spawn();
    let mut running = running.expect("started");
    wait::until("two rounds", LIMIT, || {
        let seen = service.requests().iter().filter(|seen| seen.path == "/health").count();
        (seen > 2).then_some(())
    })
    .expect("it goes on");
    fs::remove_file(folder.path().join("full/filler")).expect("removed");
    let records = folder.path().join("full/records.jsonl");
    wait::until("both files", LIMIT, || {
        let text = fs::read_to_string(folder.path().join("full/pso.prom")).ok()?;
        let whole = text.ends_with("# EOF\n");
        (whole && so_far(&records).iter().any(|record| record["kind"] == "health.round")).then_some(())
    })
    .expect("written once there is room");
    running.signal("TERM").expect("sent");
    let outcome = running.finish().expect("ends");
    // It was told when it was so, and that is the worst that there was.
    outcome.assert_code(1).assert_stderr_has("(--records): No space left on device");
    assert!(outcome.run_end().get("error").is_none(), "{outcome}");
    let numbers: Vec<_> = rounds(&outcome.records()).iter().map(|round| round["round"].as_u64()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).map(Some).collect::<Vec<_>>(), "none is missing on stdout");
}

#[test]
fn only_files_are_replaced() {
    let (service, folder) = (Service::start().expect("a port"), tempfile::tempdir().expect("a folder"));
    std::os::unix::fs::symlink("/dev/null", folder.path().join("link")).expect("linked");
    let _socket = UnixDatagram::bind(folder.path().join("socket")).expect("bound");
    for (path, reason) in [("link", "it is a link"), ("socket", "it is a device or a pipe"), (".", "it is a folder")] {
        let outcome = tool(&service, folder.path()).args(["--textfile", path]).run().expect("ends");
        outcome.assert_code(3).assert_stderr_has(&format!("write the metrics to {path} (--textfile): {reason}"));
        let outcome = tool(&service, folder.path()).args(["--state", path]).run().expect("ends");
        outcome.assert_code(1).assert_stderr_has(&format!("write the state to {path} (--state): {reason}"));
    }
    assert!(folder.path().join("link").is_symlink(), "it is as it was");
}

#[test]
fn the_textfile_is_that_of_the_last_round() {
    let (service, folder) = (Service::start().expect("a port"), tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("pso.prom");
    let tool = tool(&service, folder.path()).args(["--every", "100ms", "--textfile", "pso.prom"]);
    let mut running = tool.spawn().expect("started");
    let says = |line: &str| {
        wait::until(line, LIMIT, || fs::read_to_string(&file).ok()?.contains(line).then_some(())).expect("written");
    };
    says("pso_worst_severity{tool=\"pso-health\"} 0\n");
    assert_eq!(file.metadata().expect("there").permissions().mode() & 0o777, 0o644);
    service.set(|state| state.degrade("cache", "gone"));
    says("pso_health_check_severity{name=\"service.cache\"} 4\n");
    says("pso_worst_severity{tool=\"pso-health\"} 4\n");
    service.set(|state| {
        state.services.pop();
        "healthy".clone_into(&mut state.status);
    });
    says("pso_worst_severity{tool=\"pso-health\"} 0\n");
    assert!(!fs::read_to_string(&file).expect("there").contains("cache"), "what is no more is gone");
    running.signal("TERM").expect("sent");
    // The worst of all rounds, not of the last one alone.
    running.finish().expect("ends").assert_code(2).assert_quiet();
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1, "nothing is left beside it");
}

#[test]
fn a_single_run_writes_the_textfile_beside_its_records() {
    let (service, folder) = (Service::start().expect("a port"), tempfile::tempdir().expect("a folder"));
    let outcome = tool(&service, folder.path()).args(["--textfile", "pso.prom"]).run().expect("ends");
    outcome.assert_code(0).assert_quiet();
    assert_eq!(outcome.record("health.check", "service")["severity"], "ok");
    let text = fs::read_to_string(folder.path().join("pso.prom")).expect("there");
    assert!(text.contains("pso_health_check_severity{name=\"service\"} 0\n") && text.ends_with("# EOF\n"), "{text}");
    let outcome = tool(&service, folder.path()).args(["--textfile", "no/such.prom"]).run().expect("ends");
    outcome.assert_code(3).assert_stderr_has("write the metrics to no/such.prom (--textfile)");
}

#[test]
fn flags_that_do_not_go_together_are_told() {
    let (service, folder) = (Service::start().expect("a port"), tempfile::tempdir().expect("a folder"));
    for (args, message) in [
        (&["--count", "3"][..], "--count needs --every"),
        (&["--every", "5m", "--format", "nagios"], "for Nagios leave --every out"),
        (&["--every", "5m", "--format", "openmetrics"], "for OpenMetrics add --textfile FILE"),
        (&["--every", "1ms"], "at least 100ms"),
        (&["--every", "5m", "--count", "0"], "--count"),
        (&["--jobs", "0"], "--jobs must lie between 1 and 4096"),
        (&["--retries", "11"], "--retries must not be more than 10"),
        (&["--limit", "cpu_usage"], "expected NAME=WARNING"),
    ] {
        tool(&service, folder.path()).args(args).run().expect("ends").assert_code(3).assert_stderr_has(message);
    }
    assert!(service.requests().is_empty(), "nothing was asked");
}
