//! All that is looked at on this machine, together.

use std::collections::BTreeSet;

use pso_tests::pg::TempPg;
use pso_tests::qdrant::TempQdrant;
use pso_tests::service::Service;
use pso_tests::tool::Tool;
use serde_json::Value;

use super::Folder;

const LOCAL: &str = "ports,host,disk,backups,logs,plans";

#[test]
fn no_two_records_are_the_same_series() {
    let folder = Folder::new();
    folder.config(
        "{limits: {disk_usage: off, inode_usage: off, load_per_cpu: off, host_memory_usage: off, swap_usage: off, \
         memory_pressure: off}, logs: {files: [logs/a.log, logs/b.log, logs/c.log, logs/d.log]}, \
         paths: [., no/such, nor/such, /dev/shm]}",
    );
    folder.write("logs/a.log", "x\n");
    folder.write("logs/b.log", "x\n");
    folder.write("roadmaps/plans/a.md", "# Plan\n");
    let service = Service::start().expect("a port");
    let database = TempPg::shared().expect("PostgreSQL").database("health_local").expect("a database");
    let qdrant = TempQdrant::start().expect("a vector store");
    let tool = || -> Tool {
        let tool = folder.tool(LOCAL).envs(database.env()).args(["--state", "state.json"]);
        tool.env("PSO_SERVICE_URL", service.url()).env("PSO_QDRANT_URL", qdrant.url())
    };
    tool().run().expect("ends");
    let outcome = tool().run().expect("ends");
    outcome.assert_code(3).assert_quiet().assert_no_secret(&[database.password()]);
    let records: Vec<Value> = outcome
        .records()
        .into_iter()
        .filter(|record| record["kind"].as_str().is_some_and(|k| k.starts_with("health.")))
        .collect();
    let series: BTreeSet<String> =
        records.iter().map(|record| format!("{} {} {}", record["kind"], record["name"], record["labels"])).collect();
    assert_eq!(series.len(), records.len(), "{outcome}");
    assert!(records.iter().all(|record| record["message"] != "" && record["elapsed_ms"].is_u64()), "{outcome}");

    // Each has a sample of its own, and each number a value of its own.
    let measured = tool().args(["--format", "openmetrics"]).run().expect("ends");
    let samples = |name: &str| measured.text().lines().filter(|line| line.starts_with(name)).count();
    let count = |kind: &str| records.iter().filter(|record| record["kind"] == kind).count();
    assert_eq!(samples("pso_health_check_severity{"), count("health.check"), "{measured}");
    assert_eq!(samples("pso_health_metric_severity{"), count("health.metric"), "{measured}");
    assert_eq!(samples("pso_health_metric_value"), count("health.metric"), "{measured}");

    let nagios = tool().args(["--format", "nagios"]).run().expect("ends");
    let perfdata = nagios.text().split_once(" | ").expect("perfdata").1;
    let values = records.iter().filter(|record| record["value"].is_number()).count();
    assert_eq!(perfdata.matches("'=").count(), values, "{nagios}");
}
