//! The scripts that look: health, logs, database, security.

use std::fs;
use std::time::Duration;

use pso_tests::wait;

use super::{Deployment, Shell, assert_ran, count};
use crate::parts::LIMIT;

#[test]
fn the_health_check_looks_at_every_part_and_at_the_database() {
    let deployment = Deployment::start("script_health");
    for shell in Shell::all() {
        let outcome = deployment.run(shell, "daily-health-check", &[("records", "kept.jsonl")]);
        assert_ran(&outcome, &["pso-health", "pso-pgstats", "pso-alert"]);
        for (kind, name) in [
            ("health.check", "service"),
            ("health.check", "service.database.postgres"),
            ("health.check", "qdrant.collection.plans"),
            ("health.metric", "cpu_usage"),
            ("health.metric", "error_rate"),
            ("pg.table", "public.sync_operations"),
        ] {
            assert_eq!(outcome.record(kind, name)["kind"], kind);
        }
        let kept = fs::read_to_string(deployment.parts.path("kept.jsonl")).expect("kept");
        assert_eq!(kept, outcome.text());
        fs::remove_file(deployment.parts.path("kept.jsonl")).expect("removed");
    }
}

#[test]
fn the_logs_of_another_folder_and_of_fewer_hours_are_analysed() {
    let deployment = Deployment::start("script_logs");
    let now = time::OffsetDateTime::now_utc();
    let stamp = |hours| {
        let at = now - time::Duration::hours(hours);
        at.format(&time::format_description::well_known::Rfc3339).expect("a time")
    };
    // 51 errors of two hours ago, one too many for the alarm, and three of fifty hours ago.
    let recent: String = (0..51).map(|_| format!("{} ERROR SyncTimeout late\n", stamp(2))).collect();
    let old: String = (0..3).map(|_| format!("{} ERROR DiskFull old\n", stamp(50))).collect();
    fs::create_dir(deployment.parts.path("other logs")).expect("a folder");
    fs::write(deployment.parts.path("other logs/sync-engine.log"), old + &recent).expect("written");
    for shell in Shell::all() {
        let run = |hours| {
            let parameters = [("log-path", "./other logs"), ("hours-back", hours)];
            let outcome = deployment.run(shell, "analyze-logs", &parameters[..if hours.is_empty() { 1 } else { 2 }]);
            assert_ran(&outcome, &["pso-logscan", "pso-alert"]);
            (outcome.record("log.count", "error")["count"].as_u64().expect("a count"), outcome)
        };
        let (errors, outcome) = run("1");
        assert_eq!((errors, outcome.code), (0, Some(0)), "{outcome}");
        let (errors, outcome) = run("");
        assert_eq!((errors, outcome.code), (51, Some(2)), "{outcome}");
        assert_eq!(outcome.record("log.count", "error.SyncTimeout")["count"], 51);
        assert_eq!(run("72").0, 54);
    }
    let told = deployment.webhook.wait_for(1, Duration::from_secs(10)).expect("a notice");
    assert!(told[0].text().contains("High error count detected"), "{}", told[0].text());

    let without = deployment.run(Shell::Bash, "analyze-logs", &[]);
    assert!(without.record("log.coverage", "logs/sync-engine.log")["lines"].as_u64() > Some(0), "{without}");
}

#[test]
fn the_performance_is_analysed_and_what_to_do_is_said_and_nobody_is_told() {
    let deployment = Deployment::start("script_performance");
    // More dead rows than the tenth of the specification.
    let database = &deployment.parts.database;
    database
        .execute(
            "CREATE TABLE worn (n int) WITH (autovacuum_enabled = off);
             INSERT INTO worn SELECT generate_series(1, 9000); DELETE FROM worn WHERE n % 3 = 0",
        )
        .expect("worn");
    wait::until("the statistics", LIMIT, || {
        let dead = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'worn'";
        (database.scalar(dead).expect("a number") == "3000").then_some(())
    })
    .expect("counted");
    for shell in Shell::all() {
        let outcome = deployment.run(shell, "performance-analysis", &[]);
        assert_ran(&outcome, &["pso-pgstats"]);
        assert!(outcome.record("pg.size", "public.tasks")["severity"] == "ok", "{outcome}");
        assert!(count(&outcome, "pg.index") > 0, "{outcome}");
        let sections = outcome.records_of_kind("pg.section");
        let names: Vec<&str> = sections.iter().filter_map(|section| section["name"].as_str()).collect();
        assert_eq!(names, ["statements", "sizes", "indexes"], "{outcome}");

        let outcome = deployment.run(shell, "performance-recommendations", &[]);
        assert_ran(&outcome, &["pso-pgstats"]);
        let advice = outcome.record("pg.advice", "dead_tuples:public.worn");
        assert!(advice["sql"].as_str().expect("SQL").starts_with("VACUUM"), "{outcome}");
        assert!(outcome.code >= Some(1), "{outcome}");

        let table = deployment.script(shell, "performance-analysis", &[("format", "table")]).run().expect("ends");
        assert!(table.text().contains("SEVERITY"), "{table}");
    }
    assert_eq!(deployment.webhook.requests().len(), 0);
}

#[test]
fn security_is_checked_and_a_week_of_errors_is_not_its_matter() {
    let deployment = Deployment::start("script_security");
    let log = deployment.parts.path("logs/validation.log");
    let now = time::OffsetDateTime::now_utc() - time::Duration::days(3);
    let stamp = now.format(&time::format_description::well_known::Rfc3339).expect("a time");
    let line = format!("{stamp} WARN security: authentication failed for admin from 192.0.2.7\n");
    let before = fs::read_to_string(&log).unwrap_or_default();
    fs::write(&log, before + &line.repeat(5)).expect("written");
    let mut mode = fs::metadata(deployment.parts.path("config/config.yaml")).expect("there").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o666);
    fs::set_permissions(deployment.parts.path("config/config.yaml"), mode).expect("mode");
    for shell in Shell::all() {
        let outcome = deployment.run(shell, "security-check", &[]);
        assert_ran(&outcome, &["pso-logscan", "pso-audit", "pso-alert"]);
        assert_eq!(outcome.record("log.count", "error")["severity"], "info", "{outcome}");
        let findings = outcome.records_of_kind("audit.finding");
        let open =
            findings.iter().any(|finding| finding["object"].as_str().is_some_and(|at| at.contains("config.yaml")));
        assert!(open && outcome.code >= Some(2), "{outcome}");
        let sections = outcome.records_of_kind("audit.section");
        let names: Vec<&str> = sections.iter().filter_map(|section| section["name"].as_str()).collect();
        for section in ["files", "secrets", "token", "ports", "postgres", "qdrant", "events"] {
            assert!(names.contains(&section), "{section} was not looked at\n{outcome}");
        }
    }
}
