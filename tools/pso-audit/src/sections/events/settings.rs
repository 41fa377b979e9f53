//! What makes a burst.

use std::time::Duration;

use anyhow::ensure;
use pso_common::config::{Config, Field, ListField};
use serde::Deserialize;

/// What the section goes by.
#[derive(Clone, Debug)]
pub(crate) struct EventsSettings {
    /// So many failures from one source …
    pub(crate) burst_count: u32,
    /// … within so many minutes are a burst.
    pub(crate) burst_minutes: u32,
    /// Classes of `log.event` that are looked at.
    pub(crate) classes: Vec<String>,
}

/// `maintenance.audit.events`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EventsSection {
    burst_count: Field,
    burst_minutes: Field,
    classes: ListField,
}

impl EventsSettings {
    /// # Errors
    /// When a layer holds a bad value.
    pub(crate) fn resolve(config: &Config, section: &EventsSection) -> anyhow::Result<Self> {
        let settings = Self {
            burst_count: config
                .pick("maintenance.audit.events.burst_count")
                .env("PSO_AUDIT_BURST_COUNT")
                .file(&section.burst_count)
                .or(5)?,
            burst_minutes: config
                .pick("maintenance.audit.events.burst_minutes")
                .env("PSO_AUDIT_BURST_MINUTES")
                .file(&section.burst_minutes)
                .or(10)?,
            classes: config
                .pick("maintenance.audit.events.classes")
                .file_list(&section.classes)
                .or(vec!["security".to_owned()])?,
        };
        ensure!(settings.burst_count >= 2, "maintenance.audit.events.burst_count must be 2 or more");
        ensure!(
            (1..=7 * 24 * 60).contains(&settings.burst_minutes),
            "maintenance.audit.events.burst_minutes must lie between 1 and 10080 (a week)"
        );
        Ok(settings)
    }

    /// The span in seconds.
    pub(super) const fn span_s(&self) -> u32 {
        self.burst_minutes * 60
    }

    /// The span, for messages.
    pub(super) fn span(&self) -> String {
        pso_common::output::duration_ms(
            Duration::from_secs(self.span_s().into()).as_millis().try_into().unwrap_or(u64::MAX),
        )
    }
}
