//! Templates of earlier runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::templates::cover::Cover;
use crate::templates::mine::Mined;

/// Templates that are remembered; those that were not seen for the longest time are forgotten first.
const MAX_KNOWN: usize = 5000;

/// The templates that earlier runs found, as a bookmark file keeps them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub(crate) struct Known {
    /// Runs so far: the clock by which templates are forgotten. Stamps are no such clock, since logs may have none.
    run: u64,
    /// Their keys, with the run in which each was last seen.
    templates: BTreeMap<String, u64>,
    cover: Cover<String>,
}

impl Known {
    /// The key of the template that covers `key`.
    pub(super) fn find(&self, key: &str) -> Option<&str> {
        let own = self.templates.get_key_value(key).map(|(key, _)| key);
        own.or_else(|| self.cover.find(key)).map(String::as_str)
    }

    /// Their keys, sorted.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.templates.keys().map(String::as_str)
    }

    /// Whether this is the key of one of them.
    pub(super) fn has(&self, key: &str) -> bool {
        self.templates.contains_key(key)
    }

    /// Remembers what this run found, after all of its lines were counted.
    pub(crate) fn learn(&mut self, mined: &Mined) {
        self.run += 1;
        for key in mined.templates.iter().flat_map(|template| &template.keys) {
            if self.templates.insert(key.clone(), self.run).is_none() {
                self.cover.insert(key, key.clone());
            }
        }
        if self.templates.len() > MAX_KNOWN {
            let mut oldest: Vec<(u64, &String)> = self.templates.iter().map(|(key, run)| (*run, key)).collect();
            oldest.sort_unstable();
            let surplus = oldest.len() - MAX_KNOWN;
            let gone: Vec<String> = oldest[..surplus].iter().map(|(_, key)| (*key).clone()).collect();
            for key in gone {
                self.templates.remove(&key);
            }
            *self = Self::from(Saved::from(std::mem::take(self)));
        }
    }
}

/// What a bookmark file has of it.
#[derive(Serialize, Deserialize)]
struct Saved {
    run: u64,
    templates: BTreeMap<String, u64>,
}

impl From<Saved> for Known {
    fn from(saved: Saved) -> Self {
        let mut cover = Cover::default();
        for key in saved.templates.keys() {
            cover.insert(key, key.clone());
        }
        Self { run: saved.run, templates: saved.templates, cover }
    }
}

impl From<Known> for Saved {
    fn from(known: Known) -> Self {
        Self { run: known.run, templates: known.templates }
    }
}
