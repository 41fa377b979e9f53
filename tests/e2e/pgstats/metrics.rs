//! `pso-pgstats --format openmetrics`: what a parser of OpenMetrics takes, node_exporter's older parser too, under the names that
//! users of `postgres_exporter` expect.

use std::collections::{BTreeMap, BTreeSet};

use pso_tests::pg::{self, Database, TempPg};
use pso_tests::tool::Tool;
use pso_tests::wait;

use super::STATISTICS;

/// A family of samples.
#[derive(Debug, Default)]
struct Family {
    kind: Option<String>,
    unit: Option<String>,
    help: Option<String>,
    /// The labels of each sample, and its value.
    samples: Vec<(BTreeMap<String, String>, f64)>,
}

/// Reads the text as strictly as OpenMetrics 1.0 and the text format of Prometheus 0.0.4 do together.
fn parsed(text: &str) -> BTreeMap<String, Family> {
    let body = text.strip_suffix("# EOF\n").unwrap_or_else(|| panic!("no end: {text}"));
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let (mut current, mut seen) = (String::new(), BTreeSet::new());
    for line in body.lines() {
        let family = if let Some(comment) = line.strip_prefix("# ") {
            let (word, rest) = comment.split_once(' ').expect("a word");
            let (name, value) = rest.split_once(' ').expect("a name");
            if name != current {
                // Metadata comes before the samples, and a family stands in one piece.
                assert!(!families.contains_key(name), "{name} comes twice");
                current = name.to_owned();
            }
            let family = families.entry(current.clone()).or_default();
            assert!(family.samples.is_empty(), "{line} comes after the samples");
            let place = match word {
                "TYPE" => {
                    assert!(["counter", "gauge"].contains(&value), "{line}");
                    &mut family.kind
                }
                "UNIT" => {
                    assert!(name.ends_with(&format!("_{value}")), "{line}");
                    &mut family.unit
                }
                "HELP" => {
                    assert!(!value.contains(['"', '\\']) && !value.is_empty(), "{line}");
                    &mut family.help
                }
                _ => panic!("{line}"),
            };
            assert!(place.replace(value.to_owned()).is_none(), "{line} comes twice");
            continue;
        } else {
            families.get_mut(&current).unwrap_or_else(|| panic!("{line} is of no family"))
        };
        assert!(seen.insert(line.rsplit_once(' ').expect("a value").0.to_owned()), "{line} comes twice");
        let (name, labels, value) = sample(line);
        let expected =
            if family.kind.as_deref() == Some("counter") { format!("{current}_total") } else { current.clone() };
        assert_eq!(name, expected, "{line}");
        assert!(family.kind.as_deref() != Some("counter") || value >= 0.0, "{line}");
        family.samples.push((labels, value));
    }
    assert!(families.values().all(|family| !family.samples.is_empty() && family.help.is_some()), "{families:?}");
    families
}

/// A line `name{label="value",…} number`.
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let name: String = line.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    assert!(name.starts_with(|c: char| c.is_ascii_alphabetic()), "{line}");
    let mut rest = &line[name.len()..];
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(!label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
            let (mut value, mut letters) = (String::new(), after.char_indices());
            let end = loop {
                match letters.next().unwrap_or_else(|| panic!("no end of {label} in {line}")) {
                    (at, '"') => break at,
                    (_, '\\') => value.push(match letters.next() {
                        Some((_, 'n')) => '\n',
                        Some((_, letter @ ('"' | '\\'))) => letter,
                        other => panic!("{other:?} is escaped in {line}"),
                    }),
                    (_, letter) => value.push(letter),
                }
            };
            assert!(labels.insert(label.to_owned(), value).is_none(), "{label} comes twice in {line}");
            rest = &after[end + 1..];
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            rest = rest.strip_prefix(',').unwrap_or_else(|| panic!("{line}"));
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}")).parse();
    (name, labels, value.unwrap_or_else(|error| panic!("{error} in {line}")))
}

fn metrics(database: &Database) -> BTreeMap<String, Family> {
    let tool = Tool::new("pso-pgstats").expect("built").envs(database.env()).args(["--format", "openmetrics"]);
    let outcome = tool.folder(std::env::temp_dir()).run().expect("ends");
    assert!(outcome.stderr.is_empty() && matches!(outcome.code, Some(0..=2)), "{outcome}");
    parsed(outcome.text())
}

const TABLE: &str = "Tab\"le\nwith \\é 🚀";

/// Fills a database with a table of any name, and gives the labels that its metrics have.
fn filled(server: &TempPg, name: &str) -> (Database, BTreeMap<String, String>) {
    let database = server.database(name).expect("a database");
    let table = format!("\"{}\"", TABLE.replace('"', "\"\""));
    let schema = "\"Sch\"\"ema\"";
    database
        .execute(&format!(
            "CREATE SCHEMA {schema}; CREATE TABLE {schema}.{table} (id serial PRIMARY KEY, v text);
             INSERT INTO {schema}.{table} (v) SELECT 'x' FROM generate_series(1, 500); ANALYZE"
        ))
        .expect("created");
    // Before 15 a collector has them a moment later.
    let counted = "SELECT 1 FROM pg_stat_database d, pg_stat_user_tables t
                   WHERE d.datname = current_database() AND d.xact_commit > 0 AND t.n_live_tup = 500";
    wait::until("the statistics", STATISTICS, || database.scalar(counted).ok()).expect("counted");
    let labels = [("datname", database.name()), ("schemaname", "Sch\"ema"), ("relname", TABLE)];
    let labels = labels.map(|(label, value)| (label.to_owned(), value.to_owned())).into();
    (database, labels)
}

fn labels(family: &Family) -> BTreeSet<&str> {
    family.samples.iter().flat_map(|(labels, _)| labels.keys().map(String::as_str)).collect()
}

#[test]
fn the_names_are_those_of_postgres_exporter_and_any_name_of_a_table_is_kept() {
    let (database, table) = filled(TempPg::shared().expect("PostgreSQL"), "pgstats_metrics \"x\"\né🚀");
    let families = metrics(&database);
    let value = |name: &str, wanted: &BTreeMap<String, String>| {
        let family = families.get(name).unwrap_or_else(|| panic!("{name} is missing in {:?}", families.keys()));
        let found = family.samples.iter().find(|(labels, _)| labels == wanted);
        found.unwrap_or_else(|| panic!("{wanted:?} is missing in {family:?}")).1
    };
    let none = BTreeMap::new();
    assert!((value("pg_up", &none) - 1.0).abs() < f64::EPSILON);
    assert!(value("pg_postmaster_start_time_seconds", &none) > 1.6e9);
    assert!(value("pg_replication_is_replica", &none) < 1.0);
    let database_label = [("datname".to_owned(), database.name().to_owned())].into();
    assert!(value("pg_database_size_bytes", &database_label) > 1e6);
    assert!(value("pg_stat_database_xact_commit", &database_label) > 0.0);
    assert!((value("pg_settings_max_connections", &none) - 100.0).abs() < 1.0);
    assert!((value("pg_settings_fsync", &none)).abs() < f64::EPSILON, "the harness spares the disk");
    // The tool's own session is at work, and nobody is told twice.
    let states: BTreeMap<&str, f64> = families["pg_stat_activity_count"]
        .samples
        .iter()
        .map(|(labels, value)| (labels["state"].as_str(), *value))
        .collect();
    assert_eq!(states.keys().copied().collect::<Vec<_>>(), ["active", "idle", "idle in transaction"]);
    assert!(states.values().sum::<f64>() >= 1.0, "{states:?}");
    // What counts is told as a counter where the name that is known allows it; bytes and seconds are what they say.
    for (name, kind) in [
        ("pg_stat_user_tables_n_tup_ins", None),
        ("pg_stat_user_tables_seq_scan", None),
        ("pg_stat_user_tables_n_dead_tup", Some("gauge")),
        ("pg_stat_user_tables_table_size_bytes", Some("gauge")),
        ("pso_pg_size_bytes", Some("gauge")),
    ] {
        assert_eq!(families[name].kind.as_deref(), kind, "{name}");
        value(name, &table);
    }
    assert!((value("pg_stat_user_tables_n_live_tup", &table) - 500.0).abs() < 1.0);
    assert!(value("pso_pg_size_bytes", &table) >= 8192.0);
    assert_eq!(families["pso_pg_size_bytes"].unit.as_deref(), Some("bytes"));
    assert_eq!(
        labels(&families["pg_stat_user_indexes_idx_scan"]),
        ["datname", "indexrelname", "relname", "schemaname"].into()
    );
    assert_eq!(families["pg_stat_user_indexes_idx_scan"].kind.as_deref(), Some("counter"));
    assert_eq!(labels(&families["pso_pg_sequence_last_value"]), ["datname", "schemaname", "sequencename"].into());
    assert_eq!(labels(&families["pg_database_wraparound_age_datfrozenxid_seconds"]), ["datname"].into());
    assert_eq!(labels(&families["pso_worst_severity"]), ["tool"].into());
    // A fact is no check: it has no severity, and is not told a second time under a name of ours.
    assert!(!families.keys().any(|name| name == "pso_pg_table_severity" || name.starts_with("pso_pg_table_n_")));
}

#[test]
fn checkpoints_are_called_as_each_version_calls_them() {
    for major in pg::versions().expect("PostgreSQL") {
        let server = TempPg::shared_of(major).expect("PostgreSQL");
        let database = server.database("pgstats_metrics_checkpoints").expect("a database");
        let names: BTreeSet<String> = metrics(&database).into_keys().collect();
        let (theirs, not_theirs) = if major >= 17 {
            ("pg_stat_checkpointer_num_timed", "pg_stat_bgwriter_checkpoints_timed")
        } else {
            ("pg_stat_bgwriter_checkpoints_timed", "pg_stat_checkpointer_num_timed")
        };
        assert!(names.contains(theirs) && !names.contains(not_theirs), "PostgreSQL {major}: {names:?}");
        assert!(names.contains("pg_stat_bgwriter_buffers_alloc"), "PostgreSQL {major}: {names:?}");
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_no_healthy_one() {
    let tool = Tool::new("pso-pgstats").expect("built").env("PGHOST", "127.0.0.1").env("PGPORT", "1");
    let outcome = tool.args(["--format", "openmetrics"]).folder(std::env::temp_dir()).run().expect("ends");
    assert_eq!(outcome.code, Some(3), "{outcome}");
    let families = parsed(outcome.text());
    assert_eq!(families.keys().collect::<Vec<_>>(), ["pso_worst_severity"]);
    assert!((families["pso_worst_severity"].samples[0].1 - 5.0).abs() < f64::EPSILON);
}
