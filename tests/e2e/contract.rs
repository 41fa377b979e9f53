//! What holds for every tool: usage, schema, configuration, the frame of a run, a closed pipe.

use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};

use pso_tests::tool::{Outcome, Tool, built_binary};
use serde_json::Value;

const TOOLS: [&str; 8] =
    ["pso-health", "pso-logscan", "pso-pgstats", "pso-backup", "pso-restore", "pso-rehearse", "pso-alert", "pso-audit"];

fn run(name: &str, args: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    Tool::new(name).expect("built").args(args).folder(folder.path()).run().expect("ends")
}

/// The arguments with which a tool comes as far as its configuration.
fn wanted(name: &str) -> &'static [&'static str] {
    if ["pso-restore", "pso-rehearse"].contains(&name) { &["latest"] } else { &[] }
}

#[test]
fn version_and_help_go_to_stdout_and_end_in_0() {
    for name in TOOLS {
        let version = run(name, &["--version"]);
        version.assert_code(0).assert_quiet();
        assert_eq!(version.text(), format!("{name} {}\n", env!("CARGO_PKG_VERSION")));
        let help = run(name, &["--help"]);
        help.assert_code(0).assert_quiet();
        for part in ["Usage:", "--config", "--format", "--print-config", "--schema", "xit code", "xample"] {
            assert!(help.text().contains(part), "{name} --help lacks {part:?}\n{}", help.text());
        }
    }
}

#[test]
fn a_usage_error_ends_in_3_and_names_the_argument() {
    for name in TOOLS {
        let outcome = run(name, &["--no-such-flag"]);
        outcome.assert_code(3).assert_stderr_has("--no-such-flag");
        let end = outcome.run_end();
        assert!(end["error"].as_str().is_some_and(|error| error.contains("--no-such-flag")), "{outcome}");
    }
}

#[test]
fn the_schema_names_every_kind_once() {
    for name in TOOLS {
        let mut args = wanted(name).to_vec();
        args.push("--schema");
        let outcome = run(name, &args);
        outcome.assert_quiet();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let schema: Value = serde_json::from_str(outcome.text()).expect("JSON");
        let kinds: Vec<&str> = schema["oneOf"]
            .as_array()
            .expect("kinds")
            .iter()
            .map(|kind| kind["properties"]["kind"]["const"].as_str().expect("a kind"))
            .collect();
        assert!(kinds.starts_with(&["run.start", "run.end", "config.setting"]) && kinds.len() > 4, "{name}: {kinds:?}");
    }
}

#[test]
fn a_broken_or_missing_configuration_is_one_clear_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = folder.path().join("broken.yaml");
    fs::write(&broken, "database:\n  postgres:\n    password: correct-horse-battery\nmaintenance:\n  pathes: {}\n")
        .expect("written");
    let unclosed = folder.path().join("unclosed.yaml");
    fs::write(&unclosed, "database: {postgres: {password: 'correct-horse-battery}}\n").expect("written");
    for name in TOOLS {
        for (file, expected) in [(&broken, "broken.yaml:5: unknown field `pathes`"), (&unclosed, "unclosed.yaml:1:")] {
            let outcome =
                Tool::new(name).expect("built").args(wanted(name)).arg("--config").arg(file).run().expect("ends");
            outcome.assert_code(3).assert_stderr_has(expected).assert_no_secret(&["correct-horse-battery"]);
            assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
            assert_eq!(outcome.run_end()["severity"], "unknown");
        }
        let outcome =
            Tool::new(name).expect("built").args(wanted(name)).env("PSO_CONFIG", "no/such.yaml").run().expect("ends");
        outcome.assert_code(3).assert_stderr_has("no/such.yaml");
    }
}

#[test]
fn a_bad_value_names_file_line_key_and_what_was_expected() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.yaml");
    fs::write(&file, "maintenance:\n  postgres:\n    port: many\n").expect("written");
    for name in ["pso-health", "pso-pgstats", "pso-backup", "pso-restore", "pso-rehearse", "pso-audit"] {
        let outcome =
            Tool::new(name).expect("built").args(wanted(name)).arg("--config").arg(&file).run().expect("ends");
        outcome.assert_code(3).assert_stderr_has(
            "c.yaml:3: maintenance.postgres.port: expected a number from 0 to 65535, found \"many\"",
        );
    }
}

#[test]
fn print_config_shows_every_value_with_its_source_and_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.yaml");
    fs::write(&file, "database:\n  postgres: {host: db.example, password: correct-horse-battery}\n").expect("written");
    for name in ["pso-health", "pso-pgstats", "pso-backup", "pso-restore", "pso-rehearse", "pso-audit"] {
        let outcome = Tool::new(name)
            .expect("built")
            .args(wanted(name))
            .arg("--print-config")
            .arg("--config")
            .arg(&file)
            .env("PGPORT", "6001")
            .env("PSO_QDRANT_API_KEY", "qdrant-key-of-the-test")
            .run()
            .expect("ends");
        outcome.assert_code(0).assert_quiet().assert_no_secret(&["correct-horse-battery", "qdrant-key-of-the-test"]);
        let setting = |key: &str| outcome.record("config.setting", key);
        assert_eq!(setting("maintenance.postgres.port")["setting"], "6001");
        assert_eq!(setting("maintenance.postgres.port")["source"], "env PGPORT");
        let host = setting("maintenance.postgres.host");
        assert_eq!(host["setting"], "db.example");
        assert_eq!(host["source"], format!("{}:2 (database.postgres.host)", file.display()));
        assert_eq!(setting("maintenance.postgres.password")["setting"], "***");
        assert_eq!(setting("maintenance.postgres.dbname")["source"], "default");
    }
}

#[test]
fn every_run_is_framed_by_its_start_and_its_end() {
    for name in TOOLS {
        let outcome = run(name, wanted(name));
        let records = outcome.records();
        let (start, end) = (&records[0], records.last().expect("records"));
        assert_eq!((&start["kind"], &end["kind"]), (&"run.start".into(), &"run.end".into()), "{outcome}");
        assert_eq!(start["pid"], end["pid"]);
        assert_eq!(end["records"], records.len() - 1, "{outcome}");
        assert_eq!(end["exit_code"].as_i64().map(|code| code as i32), outcome.code, "{outcome}");
    }
}

#[test]
fn a_closed_stdout_ends_a_read_only_tool_quietly() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = "2025-06-12T09:00:00.123Z ERROR SyncTimeout [sync-engine] authentication plan=a.md\n";
    fs::write(folder.path().join("a.log"), line.repeat(5000)).expect("written");
    let mut child = Command::new(built_binary("pso-logscan").expect("built"))
        .args(["--last", "1000", "--format", "jsonl"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    // One byte is read, then the pipe is closed, as `head -c 1` does.
    let mut pipe = child.stdout.take().expect("piped");
    pipe.read_exact(&mut [0]).expect("a first byte");
    drop(pipe);
    let output = child.wait_with_output().expect("ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.code().is_some_and(|code| code != 3), "{:?}", output.status);
}
