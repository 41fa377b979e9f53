//! Times in which nobody is told of some incidents.

use std::time::Duration;

use anyhow::ensure;
use pso_common::Timestamp;
use pso_common::record::AlertSilenceRecord;
use serde::{Deserialize, Serialize};

use super::Incident;
use crate::policy::Matchers;

/// What every incident has.
const EVERYWHERE: [&str; 7] = ["rule", "state", "severity", "host", "tool", "name", "kind"];

/// How long a silence may last that covers everything.
const MAX_OF_ALL: Duration = Duration::from_secs(86_400);

/// A time in which nobody is told of some incidents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Silence {
    pub(crate) id: String,
    pub(crate) matchers: Matchers,
    pub(crate) starts_at: Timestamp,
    pub(crate) ends_at: Timestamp,
    pub(crate) by: String,
    pub(crate) comment: String,
}

impl Silence {
    pub(crate) fn is_active(&self, now: Timestamp) -> bool {
        self.starts_at <= now && now < self.ends_at
    }

    /// Whether it keeps an incident from being told.
    pub(super) fn covers(&self, incident: &Incident, now: Timestamp) -> bool {
        self.is_active(now) && incident.fits(&self.matchers)
    }

    /// Refuses what nobody can mean.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(crate) fn check(&self, now: Timestamp) -> anyhow::Result<()> {
        ensure!(
            self.ends_at > self.starts_at,
            "it would end at {}, before it begins at {}",
            self.ends_at,
            self.starts_at
        );
        ensure!(self.ends_at > now, "it would have ended already, at {}", self.ends_at);
        ensure!(!self.matchers.is_empty(), "it would cover nothing: give at least one --match");
        for (key, pattern) in &self.matchers {
            ensure!(!pattern.is_empty(), "--match {key}= fits nothing; `*` fits anything");
        }
        let is_any = |pattern: &String| pattern.bytes().all(|byte| byte == b'*');
        let all = self.matchers.iter().all(|(key, pattern)| EVERYWHERE.contains(&key.as_str()) && is_any(pattern));
        ensure!(
            !all || (!self.comment.trim().is_empty() && self.starts_at.until(self.ends_at) <= MAX_OF_ALL),
            "it would cover every incident; that needs a --comment that says why, and lasts a day at most"
        );
        Ok(())
    }

    /// The record's own fields.
    pub(crate) fn record(&self, now: Timestamp) -> AlertSilenceRecord {
        AlertSilenceRecord {
            id: self.id.clone(),
            matchers: self.matchers.clone(),
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            by: self.by.clone(),
            active: self.is_active(now),
        }
    }
}
