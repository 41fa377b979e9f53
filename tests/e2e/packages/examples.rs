//! `config.example.yaml` and `alerts.example.yaml`: every key in them is read, every key that is read is in them, and what they
//! call a default is one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pso_tests::tool::{Outcome, Tool};

use super::outline::{Key, Outline};

/// Every tool with the arguments with which it comes as far as its configuration.
const RUNS: [(&str, &[&str]); 10] = [
    ("pso-health", &[]),
    ("pso-logscan", &[]),
    ("pso-pgstats", &[]),
    ("pso-backup", &[]),
    ("pso-backup", &["--kind", "weekly"]),
    ("pso-restore", &["latest"]),
    ("pso-rehearse", &["latest"]),
    ("pso-audit", &[]),
    ("pso-prune", &[]),
    ("pso-alert", &[]),
];

/// What has no key of ours to be unknown: the server's part of the file, and mappings with names of the user's own.
const FREE: [&str; 6] =
    ["", "database", "database.postgres", "database.qdrant", "monitoring", "maintenance.logscan.classes"];

fn example(name: &str) -> Outline {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/examples").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Outline::parse(&text)
}

/// A deployment's folder with the files that the examples name.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(folder.path("config")).expect("made");
        let secrets = [
            "pg-password",
            "qdrant-key",
            "shop-token",
            "discord-webhook",
            "ntfy-token",
            "alertmanager-password",
            "tickets-url",
            "tickets-secret",
            "heartbeat-url",
        ];
        for name in secrets {
            fs::write(folder.path("config").join(name), "https://secret.example/x\n").expect("written");
        }
        // The example configuration names it.
        fs::write(folder.path("config/alerts.yaml"), "").expect("written");
        fs::write(folder.path("pg_service.conf"), "[planning]\n").expect("written");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let text = text.replace("/srv/planning", &self.0.path().display().to_string());
        fs::write(self.path("config").join(name), text).expect("written");
    }

    fn run(&self, (name, args): (&str, &[&str])) -> Outcome {
        let tool = Tool::new(name).expect("built").args(args).args(["--print-config", "--format", "jsonl"]);
        tool.folder(self.0.path()).env("PGSERVICEFILE", self.path("pg_service.conf")).run().expect("ends")
    }

    /// What each run says of its settings: name, value and source.
    fn settings(&self, runs: &[(&str, &[&str])]) -> Vec<Setting> {
        let mut settings = Vec::new();
        for &run in runs {
            let outcome = self.run(run);
            assert_eq!(outcome.code, Some(0), "{run:?}\n{outcome}");
            settings.extend(outcome.records_of_kind("config.setting").iter().map(|record| {
                let text = |field: &str| record[field].as_str().unwrap_or_default().to_owned();
                Setting { name: text("name"), value: text("setting"), source: text("source") }
            }));
        }
        settings
    }
}

struct Setting {
    name: String,
    value: String,
    source: String,
}

/// Whether one of the settings has come from this key.
fn is_read(key: &Key, file: &str, settings: &[Setting]) -> bool {
    // A channel's type is told by the keys that it may have; the heartbeat has one address, and the example both ways to it;
    // the statuses of a target are read, and not shown. That they are known is told by the test of unknown keys.
    let is_type = key.path.starts_with("alerts.") && key.path.ends_with(".type");
    if is_type || ["heartbeat.ca_file", "maintenance.health.targets[0].status"].contains(&key.path.as_str()) {
        return true;
    }
    let source = format!("{file}:{} ({}", key.line, key.path);
    // The rules of config/alerts.yaml go by their names, and a mapping in one line has its own keys.
    let by_line = format!("{file}:{} (", key.line);
    settings.iter().any(|setting| {
        setting.source.starts_with(&source) || (key.path.contains('[') && setting.source.starts_with(&by_line))
    })
}

fn every_key_is_read(name: &str, file: &str, runs: &[(&str, &[&str])]) {
    let (outline, folder) = (example(name), Folder::new());
    let write = |text: &str| folder.write(file, text);
    write(&outline.whole());
    let settings = folder.settings(runs);
    let place = format!("config/{file}");
    let mut unread = Vec::new();
    for key in outline.keys.iter().filter(|key| key.is_leaf && !is_read(key, &place, &settings)) {
        // Another key may go before it.
        write(&outline.alone(key));
        if !is_read(key, &place, &folder.settings(runs)) {
            unread.push(format!("{name}:{}: {}", key.line, key.path));
        }
    }
    assert!(unread.is_empty(), "no tool says that it has read these:\n{}", unread.join("\n"));
}

#[test]
fn every_key_of_the_configuration_is_read() {
    every_key_is_read("config.example.yaml", "config.yaml", &RUNS);
}

#[test]
fn every_key_of_the_alerts_is_read() {
    every_key_is_read("alerts.example.yaml", "alerts.yaml", &[("pso-alert", &[])]);
}

/// The names that a tool would have known, from its message about one that it does not know.
fn known(outcome: &Outcome) -> Option<BTreeSet<String>> {
    let (_, rest) = outcome.stderr.split_once("unknown field `pso_unknown`, expected ")?;
    let rest = rest.lines().next()?;
    let list = rest.strip_prefix("one of ").unwrap_or(rest);
    Some(list.replace(" or ", ", ").split(", ").map(|name| name.trim_matches('`').to_owned()).collect())
}

#[test]
fn every_key_that_is_read_is_in_the_configuration() {
    let (outline, folder) = (example("config.example.yaml"), Folder::new());
    let mut missing = Vec::new();
    for (mapping, names) in outline.mappings() {
        folder.write("config.yaml", &outline.with_another(mapping, "pso_unknown"));
        let known = RUNS.iter().find_map(|&run| known(&folder.run(run)));
        assert_eq!(known.is_none(), FREE.contains(&mapping), "{mapping}: are its keys of the user's own?");
        let shown: BTreeSet<&str> = names.into_iter().collect();
        let known = known.unwrap_or_default();
        // Its tool comes later.
        let unshown = known.iter().filter(|name| !shown.contains(name.as_str()) && name.as_str() != "report");
        // Each target has one of three forms, each condition one of five tests; together they show all.
        if !mapping.ends_with(']') {
            missing.extend(unshown.map(|name| format!("{mapping}.{name}")));
        }
    }
    missing.extend(unshown_of_items(&outline, &folder, "config.yaml", &RUNS));
    assert!(missing.is_empty(), "config.example.yaml lacks these:\n{}", missing.join("\n"));
}

/// The keys that no item of a list shows, of those that its items may have.
fn unshown_of_items(outline: &Outline, folder: &Folder, file: &str, runs: &[(&str, &[&str])]) -> Vec<String> {
    let mut lists: BTreeMap<&str, (BTreeSet<String>, BTreeSet<&str>)> = BTreeMap::new();
    let mappings = outline.mappings();
    for (mapping, names) in &mappings {
        let Some((list, _)) = mapping.strip_suffix(']').and_then(|item| item.rsplit_once('[')) else { continue };
        let (known_names, shown) = lists.entry(list).or_default();
        if known_names.is_empty() {
            folder.write(file, &outline.with_another(mapping, "pso_unknown"));
            let found = runs.iter().find_map(|&run| known(&folder.run(run)));
            *known_names = found.unwrap_or_else(|| panic!("{mapping} takes any key"));
        }
        shown.extend(names);
    }
    let unshown = lists.into_iter().flat_map(|(list, (known, shown))| {
        known.into_iter().filter(move |name| !shown.contains(name.as_str())).map(move |name| format!("{list}[].{name}"))
    });
    unshown.collect()
}

#[test]
fn every_key_that_is_read_is_in_the_alerts() {
    const RUN: [(&str, &[&str]); 1] = [("pso-alert", &[])];
    let (outline, folder) = (example("alerts.example.yaml"), Folder::new());
    let mappings = outline.mappings();
    let of_channels: BTreeSet<&str> = mappings
        .iter()
        .filter(|(mapping, _)| mapping.starts_with("alerts."))
        .flat_map(|(_, names)| names.clone())
        .collect();
    let mut missing = Vec::new();
    for (&mapping, names) in &mappings {
        // Channels have names of the user's own.
        if mapping == "alerts" || mapping.ends_with(']') {
            continue;
        }
        folder.write("alerts.yaml", &outline.with_another(mapping, "pso_unknown"));
        let outcome = folder.run(RUN[0]);
        let known = known(&outcome).unwrap_or_else(|| panic!("{mapping:?} takes any key\n{outcome}"));
        let shown = if mapping.starts_with("alerts.") { of_channels.clone() } else { names.iter().copied().collect() };
        let unshown = known.iter().filter(|name| !shown.contains(name.as_str()));
        missing.extend(unshown.map(|name| format!("{mapping}.{name}")));
    }
    missing.extend(unshown_of_items(&outline, &folder, "alerts.yaml", &RUN));
    assert!(missing.is_empty(), "alerts.example.yaml lacks these:\n{}", missing.join("\n"));
}

/// By name, the values of these settings; those of a mapping in one line stand below its own name.
fn values(name: &str, settings: &[Setting]) -> BTreeSet<String> {
    // A limit of one severity goes by the name of the limit.
    let short = name.strip_suffix(".warning").unwrap_or(name);
    let below = format!("{name}.");
    let of = |wanted: &dyn Fn(&str) -> bool| -> BTreeSet<String> {
        settings.iter().filter(|setting| wanted(&setting.name)).map(|setting| setting.value.clone()).collect()
    };
    let found = of(&|other| other == name || other.starts_with(&below));
    if found.is_empty() { of(&|other| other == short) } else { found }
}

fn what_is_called_a_default_is_one(name: &str, file: &str, runs: &[(&str, &[&str])]) {
    let (outline, folder) = (example(name), Folder::new());
    folder.write(file, &outline.with_nothing());
    let mut defaults = folder.settings(runs);
    defaults.retain(|setting| setting.source == "default");
    let mut wrong = Vec::new();
    let mut compared = 0;
    folder.write(file, &outline.whole());
    let all = folder.settings(runs);
    for key in outline.keys.iter().filter(|key| key.is_leaf && !key.is_example) {
        let mut shown = values(&key.path, &all);
        if !is_read(key, &format!("config/{file}"), &all) {
            folder.write(file, &outline.alone(key));
            shown = values(&key.path, &folder.settings(runs));
        }
        let usual = values(&server_or_ours(&key.path), &defaults);
        compared += 1;
        if usual != shown && usual != values(&server_or_ours(&key.path), &all) {
            wrong.push(format!("{name}:{}: {} is shown as {shown:?}, and is {usual:?}", key.line, key.path));
        }
    }
    assert!(wrong.is_empty() && compared > 10, "{compared} compared:\n{}", wrong.join("\n"));
}

/// The name under which a key's value is told: the server's own keys stand in for ours.
fn server_or_ours(path: &str) -> String {
    match path {
        "monitoring.port" => "maintenance.service.port".to_owned(),
        other => other.replace("database.postgres.", "maintenance.postgres."),
    }
}

#[test]
fn what_the_configuration_calls_a_default_is_one() {
    what_is_called_a_default_is_one("config.example.yaml", "config.yaml", &RUNS);
}

#[test]
fn what_the_alerts_call_a_default_is_one() {
    what_is_called_a_default_is_one("alerts.example.yaml", "alerts.yaml", &[("pso-alert", &[])]);
}
