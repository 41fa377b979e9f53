//! What deleting rows works with, resolved once.

use std::time::Duration;

use anyhow::ensure;
use pso_common::config::{Config, Field, Percent};

use super::rules::{self, Rule, RuleSection};
use crate::cli::Cli;

/// The keys of `maintenance.prune` that speak of rows.
#[derive(Clone, Copy)]
pub(crate) struct RowKeys<'s> {
    pub(crate) rows: &'s [RuleSection],
    pub(crate) max_share: &'s Field,
    pub(crate) batch_time: &'s Field,
    pub(crate) batch_pause: &'s Field,
    pub(crate) lock_timeout: &'s Field,
    pub(crate) count_timeout: &'s Field,
}

/// Which rows go, and how gently.
#[derive(Clone, Debug)]
pub(crate) struct RowSettings {
    pub(crate) rules: Vec<Rule>,
    /// How long one transaction should take.
    pub(crate) batch_time: Duration,
    /// How long to leave the server alone after it, as a multiple of the time that it took.
    pub(crate) batch_pause: f64,
    /// How long to wait for a lock.
    pub(crate) lock_timeout: Duration,
    /// How long counting one table may take.
    pub(crate) count_timeout: Duration,
}

impl RowSettings {
    /// # Errors
    /// When a value is none that can be meant; the message names its key.
    pub(crate) fn resolve(config: &Config, cli: &Cli, keys: RowKeys<'_>, retention_days: u32) -> anyhow::Result<Self> {
        let max_share = config.pick("maintenance.prune.max_share").file(keys.max_share).or(Percent(50.0))?.0;
        let batch_pause = config.pick("maintenance.prune.batch_pause").file(keys.batch_pause).or(1.0)?;
        ensure!(
            (0.0..=100.0).contains(&batch_pause),
            "maintenance.prune.batch_pause is {batch_pause}; give a number from 0 (no pause) to 100"
        );
        let span = |key: &str, field: &Field, usual: u64, least: u64| -> anyhow::Result<Duration> {
            let span = config.pick(key).file(field).or(Duration::from_millis(usual))?;
            // 0 would mean "no limit" to the server.
            ensure!(
                (Duration::from_millis(least)..=Duration::from_secs(86_400)).contains(&span),
                "{key} is {span:?}; give a span from {least}ms to 24h"
            );
            Ok(span)
        };
        Ok(Self {
            rules: rules::resolve(config, cli, keys.rows, retention_days, max_share)?,
            batch_time: span("maintenance.prune.batch_time", keys.batch_time, 200, 1)?,
            batch_pause,
            lock_timeout: span("maintenance.prune.lock_timeout", keys.lock_timeout, 1_000, 1)?,
            count_timeout: span("maintenance.prune.count_timeout", keys.count_timeout, 600_000, 100)?,
        })
    }
}
