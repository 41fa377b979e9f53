//! The targets on their seeds, and on changes of these that are the same in each run.

use std::fs;
use std::path::PathBuf;

use fastrand::Rng;

use super::*;

/// Changed seeds of each target: a few seconds in a debug build.
const CHANGED: usize = 300;

/// What texts that matter are made of.
const WORDS: [&str; 40] = [
    "2025-06-12T09:00:00.123Z ",
    "2025-06-12 09:00:00,123 ",
    "2025/06/12 09:01:00 ",
    "Jun 12 09:00:00 ",
    "[12/Jun/2025:09:00:00 +0200]",
    "1749718800",
    "250612 090000 ",
    "I0612 09:00:00.123456 ",
    "+02:00",
    "Z",
    " UTC",
    ":60",
    "9999-12-31",
    "0000",
    "ERROR ",
    "ERROR Sync",
    "ValidationError: ",
    "conflict ",
    "unresolved",
    "authentication",
    "security",
    "deadlock",
    "\u{1b}[31m",
    "\n",
    "\r\n",
    "\n\n\n",
    "\t",
    "é",
    "e\u{301}",
    "\u{feff}",
    "{\"time\":",
    "\"level\":\"error\"",
    "\"msg\":\"x y\"",
    "\\u00e9",
    "\\\"",
    "[{}]",
    "null",
    "<*>",
    "192.0.2.1:8080",
    "/var/log/x",
];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/seeds").join(target);
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder of seeds").map(|entry| entry.expect("an entry").path()).collect();
    // The same order everywhere.
    paths.sort_unstable();
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

fn change(seed: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Rng) {
    let at = random.usize(..=seed.len());
    match random.u8(..7) {
        0 if at < seed.len() => seed[at] = random.u8(..),
        1 if at < seed.len() => seed[at] ^= 1 << random.u8(..8),
        2 => drop(seed.drain(at..(at + random.usize(..8)).min(seed.len()))),
        3 => {
            let piece = seed[at..(at + random.usize(..40)).min(seed.len())].to_vec();
            let to = random.usize(..=seed.len());
            seed.splice(to..to, piece);
        }
        4 => {
            let other = &others[random.usize(..others.len())];
            let from = random.usize(..=other.len());
            seed.splice(at.., other[from..].iter().copied());
        }
        _ => drop(seed.splice(at..at, WORDS[random.usize(..WORDS.len())].bytes())),
    }
}

/// Runs a target; says what it was given when it panics.
fn check(name: &str, target: Target, data: &[u8]) {
    if let Err(panic) = std::panic::catch_unwind(|| target(data)) {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        panic!("{name} on b\"{}\": {}", data.escape_ascii(), words.unwrap_or("see above"));
    }
}

#[test]
fn all_promises_hold_on_the_seeds_and_on_changes_of_them() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() > 2, "{name} has no seeds");
        seeds.iter().for_each(|seed| check(name, target, seed));
        let mut random = Rng::with_seed(7);
        for _ in 0..CHANGED {
            let mut data = seeds[random.usize(..seeds.len())].clone();
            for _ in 0..random.usize(1..6) {
                change(&mut data, &seeds, &mut random);
            }
            check(name, target, &data);
        }
    }
}

/// `tests/fuzz` is compiled by nobody but `make fuzz`: at least it names what there is.
#[test]
fn each_target_is_called_by_a_binary_of_its_name() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
    for (name, _) in TARGETS {
        let text = fs::read_to_string(folder.join("targets").join(name).with_extension("rs")).expect("a target");
        assert!(text.contains(&format!("pso_logscan::fuzzing::{name}(data)")), "{name}");
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
    }
    assert_eq!(fs::read_dir(folder.join("targets")).expect("a folder").count(), TARGETS.len());
}
