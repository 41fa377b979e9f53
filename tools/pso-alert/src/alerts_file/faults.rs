//! What is wrong with the file, gathered, so that one look at it is enough.

use anyhow::{bail, ensure};
use pso_common::config::{Config, ConfigValue, Field, ListField, RequiredField};

/// Faults that are shown; a file with more of them is not an alerts file.
const MAX_SHOWN: usize = 20;

/// Reads values and remembers those that are wrong.
pub(super) struct Faults<'c> {
    pub(super) config: &'c Config,
    found: Vec<String>,
}

impl<'c> Faults<'c> {
    pub(super) const fn new(config: &'c Config) -> Self {
        Self { config, found: Vec::new() }
    }

    /// The value of a key, if it has one; a wrong one is a fault.
    pub(super) fn get<T: ConfigValue>(&mut self, key: &str, field: &Field) -> Option<T> {
        let picked = self.config.pick(key).file(field).optional();
        self.keep(picked).flatten()
    }

    /// The value of a key, or what holds without one.
    pub(super) fn or<T: ConfigValue>(&mut self, key: &str, field: &Field, default: T) -> Option<T> {
        let picked = self.config.pick(key).file(field).or(default);
        self.keep(picked)
    }

    /// The list of a key, if it has one.
    pub(super) fn list<T: ConfigValue>(&mut self, key: &str, list: &ListField) -> Option<Vec<T>> {
        let picked = self.config.pick(key).file_list(list).optional();
        self.keep(picked).flatten()
    }

    /// What was read, or nothing and a fault.
    pub(super) fn keep<T>(&mut self, result: anyhow::Result<T>) -> Option<T> {
        result.map_err(|error| self.found.push(format!("{error:#}"))).ok()
    }

    /// Something is wrong with a key; `field` tells the line.
    pub(super) fn add(&mut self, key: &str, field: &RequiredField, what: &str) {
        self.found.push(format!("{}:{}: {key}: {what}", self.file(), field.referenced.line()));
    }

    fn file(&self) -> String {
        self.config.path().map_or_else(String::new, |path| path.display().to_string())
    }

    /// # Errors
    /// All faults, in the order of their lines.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        let start = format!("{}:", self.file());
        let line = |fault: &String| -> Option<u64> { fault.strip_prefix(&start)?.split(':').next()?.parse().ok() };
        self.found.sort_by_key(line);
        let faults = self.found.len();
        if let [one] = self.found.as_slice() {
            bail!("{one}");
        }
        // An error is one line, so each has a number.
        let shown = self.found.iter().take(MAX_SHOWN).enumerate();
        let mut shown: Vec<String> = shown.map(|(at, fault)| format!("({}) {fault}", at + 1)).collect();
        if faults > MAX_SHOWN {
            shown.push(format!("and {} more", faults - MAX_SHOWN));
        }
        ensure!(faults == 0, "{faults} faults: {}", shown.join(" "));
        Ok(())
    }
}
