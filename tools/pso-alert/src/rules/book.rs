//! The rules of a run, as the file has changed them.

use std::collections::HashMap;

use pso_common::Severity;

use super::own::{OwnRule, Template};
use super::thresholds::Thresholds;

/// A rule of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BuiltIn {
    pub(crate) name: &'static str,
    /// Whether it judges single records, so that its message can show their fields.
    pub(crate) of_record: bool,
    /// Whether it can be turned off: those that say that `pso-alert` itself is in trouble cannot.
    pub(crate) can_rest: bool,
}

pub(crate) const BUILT_IN: [BuiltIn; 19] = [
    of_record("cpu_usage"),
    of_record("memory_usage"),
    of_record("disk_usage"),
    of_record("error_rate"),
    of_record("sync_duration"),
    of_record("response_time"),
    of_record("health.check"),
    of_record("log.errors"),
    of_record("log.new"),
    of_record("rehearsal"),
    of_record("run.failed"),
    of_record("record.severity"),
    of_input("run.unfinished"),
    of_input("input.malformed"),
    of_input("input.empty"),
    of_state("no_data"),
    of_state("channel.failed"),
    of_state("incidents.overflow"),
    of_state("send"),
];

const fn of_record(name: &'static str) -> BuiltIn {
    BuiltIn { name, of_record: true, can_rest: true }
}

const fn of_input(name: &'static str) -> BuiltIn {
    BuiltIn { name, of_record: false, can_rest: true }
}

const fn of_state(name: &'static str) -> BuiltIn {
    BuiltIn { name, of_record: false, can_rest: false }
}

/// What the file says of a rule of ours, beside how its incidents are told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Changed {
    pub(crate) is_off: bool,
    pub(crate) severity: Option<Severity>,
    pub(crate) message: Option<Template>,
}

/// All rules in effect.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RuleBook {
    pub(crate) thresholds: Thresholds,
    pub(crate) own: Vec<OwnRule>,
    /// Rules of ours of which the file says something.
    pub(crate) changed: HashMap<String, Changed>,
    /// How bad it is that a run never ended.
    pub(crate) unfinished: Severity,
}

impl Default for RuleBook {
    fn default() -> Self {
        Self { thresholds: Thresholds::default(), own: Vec::new(), changed: HashMap::new(), unfinished: Severity::High }
    }
}

impl RuleBook {
    /// Whether a rule of ours judges.
    pub(super) fn is_on(&self, rule: &str) -> bool {
        !self.changed.get(rule).is_some_and(|changed| changed.is_off)
    }
}
