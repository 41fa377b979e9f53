//! The machine itself, and its clock.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pso_tests::Reply;
use pso_tests::pg::{TempPg, free_port};
use pso_tests::qdrant::TempQdrant;
use pso_tests::service::Service;
use pso_tests::tool::Tool;
use pso_tests::webhook::WebhookSink;
use serde_json::json;
use time::format_description::well_known::Rfc2822;
use time::{OffsetDateTime, UtcOffset};

use super::Folder;

fn number(record: &serde_json::Value, field: &str) -> f64 {
    record[field].as_f64().unwrap_or_else(|| panic!("no number {field} in {record:#}"))
}

/// A line of `/proc/meminfo` in KiB.
fn meminfo(name: &str) -> f64 {
    let text = fs::read_to_string("/proc/meminfo").expect("/proc");
    let line = text.lines().find(|line| line.starts_with(name)).expect("a line");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

#[test]
fn the_machine_is_what_the_kernel_says() {
    let folder = Folder::new();
    folder.config("{limits: {host_memory_usage: off, load_per_cpu: off, memory_pressure: off, swap_usage: off}}");
    let busy = Arc::new(AtomicBool::new(true));
    let threads: Vec<_> = (0..thread::available_parallelism().expect("known").get())
        .map(|_| {
            let busy = Arc::clone(&busy);
            thread::spawn(move || while busy.load(Ordering::Relaxed) {})
        })
        .collect();
    let outcome = folder.run("host");
    busy.store(false, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().expect("ended"));
    outcome.assert_code(0).assert_quiet();

    let cpu = outcome.record("health.metric", "host_cpu_usage");
    assert!(number(&cpu, "value") > 50.0 && number(&cpu, "value") <= 100.0, "all CPUs were kept busy: {cpu:#}");
    assert!(cpu.get("limit").is_none() && number(&cpu, "elapsed_ms") >= 200.0, "{cpu:#}");
    let memory = outcome.record("health.metric", "host_memory_usage");
    if !memory["message"].as_str().expect("a message").contains("container") {
        let used = 100.0 - meminfo("MemAvailable:") / meminfo("MemTotal:") * 100.0;
        assert!((number(&memory, "value") - used).abs() < 20.0, "{used}: {memory:#}");
    }
    let uptime = fs::read_to_string("/proc/uptime").expect("/proc");
    let uptime: f64 = uptime.split(' ').next().and_then(|text| text.parse().ok()).expect("seconds");
    let told = outcome.record("health.metric", "uptime");
    assert!((number(&told, "value") - uptime).abs() < 60.0, "{uptime}: {told:#}");
    assert_eq!(told["severity"], if uptime < 3500.0 { "info" } else { "ok" }, "{told:#}");
    let load = outcome.record("health.metric", "load_per_cpu");
    assert!(number(&load, "value") >= 0.0 && load["unit"] == "ratio", "{load:#}");
    if fs::read_to_string("/proc/pressure/memory").is_ok() {
        assert_eq!(outcome.record("health.metric", "memory_pressure")["unit"], "percent");
    }
    let host = outcome.record("health.check", "host");
    assert!(
        host["severity"] == "ok" && host["message"].as_str().is_some_and(|text| text.starts_with("CPUs: ")),
        "{host:#}"
    );
    let swap = outcome.records().iter().any(|record| record["name"] == "swap_usage");
    assert_eq!(swap, meminfo("SwapTotal:") > 0.0, "{outcome}");
}

#[test]
fn rounds_measure_from_one_to_the_next_and_do_not_wait() {
    let folder = Folder::new();
    let outcome = folder.tool("host").args(["--every", "500ms", "--count", "3"]).run().expect("ends");
    let records = outcome.records();
    let took = |name: &str| -> Vec<f64> {
        records.iter().filter(|record| record["name"] == name).map(|record| number(record, "elapsed_ms")).collect()
    };
    let host = took("host");
    assert!(host.len() == 3 && host[0] >= 200.0, "the first round has nothing to compare with: {outcome}");
    assert!(host[1..].iter().all(|ms| *ms < 150.0), "{outcome}");
    let over: Vec<String> = records
        .iter()
        .filter(|record| record["name"] == "host_cpu_usage")
        .map(|record| record["message"].as_str().expect("a message").to_owned())
        .collect();
    assert!(over.len() == 3 && over[0].contains("(over 2"), "{over:?}");
    assert!(!over[2].contains("(over 2"), "from the second round to the third: {over:?}");
    // Nobody was killed for want of memory between two rounds; the first has nothing to compare with.
    if fs::read_to_string("/proc/vmstat").is_ok_and(|text| text.contains("oom_kill ")) {
        assert_eq!(took("oom_kills").len(), 2, "{outcome}");
    }
    let outcome = folder.tool("host").args(["--timeout", "100ms"]).run().expect("ends");
    assert!(!outcome.records().iter().any(|record| record["name"] == "host_cpu_usage"), "no time for it: {outcome}");
    assert_eq!(outcome.record("health.check", "host")["severity"], "ok");
}

/// The tool with servers that are not there.
fn alone(folder: &Folder, checks: &str) -> Tool {
    let port = free_port().expect("a port");
    folder
        .tool(checks)
        .env("PSO_SERVICE_URL", format!("http://127.0.0.1:{port}"))
        .env("PSO_QDRANT_URL", format!("http://127.0.0.1:{port}"))
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", port.to_string())
}

#[test]
fn clocks_that_agree() {
    let folder = Folder::new();
    let service = Service::start().expect("a port");
    let database = TempPg::shared().expect("PostgreSQL").database("health_clock").expect("a database");
    let qdrant = TempQdrant::start().expect("a vector store");
    let tool = folder.tool("host.clock").envs(database.env());
    let tool = tool.env("PSO_SERVICE_URL", service.url()).env("PSO_QDRANT_URL", qdrant.url());
    let outcome = tool.run().expect("ends");
    outcome.assert_code(0).assert_quiet().assert_no_secret(&[database.password()]);
    let records = outcome.records_of_kind("health.metric");
    let servers: Vec<_> = records.iter().map(|record| record["labels"]["server"].as_str().expect("a label")).collect();
    assert_eq!(servers, ["service", "postgres", "qdrant"], "{outcome}");
    for record in &records {
        assert_eq!((&record["name"], &record["severity"]), (&json!("clock_skew"), &json!("ok")));
        assert!(number(record, "value") < 0.5 && record["limit"] == 2.0, "they run on one machine: {record:#}");
    }
    assert_eq!(outcome.record("health.check", "host.clock")["message"], "servers that told the time: 3 of 3");
}

#[test]
fn a_clock_that_is_wrong_is_told_with_its_direction() {
    let folder = Folder::new();
    let sink = WebhookSink::start().expect("a port");
    let url = format!("http://127.0.0.1:{}", sink.port());
    for (ahead, severity, relation) in [(300, "high", "ahead of"), (-20, "warning", "behind"), (0, "ok", "agrees with")]
    {
        let date = (OffsetDateTime::now_utc() + Duration::from_secs(1000)) - Duration::from_secs(1000)
            + time::Duration::seconds(ahead);
        let date = date.to_offset(UtcOffset::UTC).format(&Rfc2822).expect("a date").replace("+0000", "GMT");
        // Whatever it answers, it tells the time.
        sink.plan([Reply::status(503).header("Date", &date)]);
        let outcome = alone(&folder, "host.clock").env("PSO_SERVICE_URL", &url).run().expect("ends");
        let skew = outcome.record("health.metric", "clock_skew");
        assert_eq!(skew["severity"], severity, "{outcome}");
        let apart = number(&skew, "value");
        #[expect(clippy::cast_precision_loss, reason = "seconds")]
        let expected = ahead.abs() as f64;
        assert!(apart <= expected && apart > expected - 10.0, "at least so much is certain: {skew:#}");
        assert!(skew["message"].as_str().is_some_and(|text| text.contains(relation)), "{skew:#}");
    }
}

#[test]
fn what_a_cache_has_kept_tells_the_time_of_then() {
    let folder = Folder::new();
    let sink = WebhookSink::start().expect("a port");
    let url = format!("http://127.0.0.1:{}", sink.port());
    let date = (OffsetDateTime::now_utc() - Duration::from_secs(3600)).to_offset(UtcOffset::UTC);
    let date = date.format(&Rfc2822).expect("a date").replace("+0000", "GMT");
    sink.plan([Reply::status(200).header("Date", &date).header("Age", "3600")]);
    let outcome = alone(&folder, "host.clock").env("PSO_SERVICE_URL", &url).run().expect("ends");
    let skew = outcome.record("health.metric", "clock_skew");
    assert_eq!(skew["severity"], "ok", "{skew:#}");
}

#[test]
fn servers_that_do_not_answer_say_nothing_of_clocks() {
    let folder = Folder::new();
    let outcome = alone(&folder, "host.clock").run().expect("ends");
    outcome.assert_code(0).assert_quiet();
    let clock = outcome.record("health.check", "host.clock");
    assert_eq!(clock["severity"], "info");
    assert_eq!(clock["message"], "servers that told the time: 0 of 3; not service, postgres, qdrant");
    // Of the servers only those are asked that are to be looked at.
    let service = Service::start().expect("a port");
    let tool = folder.tool("host.clock,service").env("PSO_SERVICE_URL", service.url());
    let outcome = tool.run().expect("ends");
    assert_eq!(outcome.record("health.check", "host.clock")["message"], "servers that told the time: 1 of 1");
}
