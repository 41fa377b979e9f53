//! What `pso-audit` finds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, Labels, Timestamp};

/// How a finding stands to the run that `--baseline` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditChange {
    /// It was not there then.
    New,
    /// It was there then, and was looked for and not found now.
    Gone,
}

/// `audit.finding`: something that is open and should be closed. `name` is `<rule>:<object>`; `message` says what is wrong
/// and what it means. Secrets are named by their place, never shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditFindingRecord {
    /// The rule, such as `world_writable`.
    pub rule: String,
    /// What it is about: a file, a port, a role, a line of a file.
    pub object: String,
    /// What was seen, by its name (`mode`, `owner`, `listens_on`, …).
    pub evidence: Labels,
    /// What to do: the command or the statement where there is one that can be run as it is.
    pub fix: String,
    /// How it stands to the earlier run; absent without `--baseline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<AuditChange>,
    /// Why it is accepted (`maintenance.audit.accept`); absent when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// The end of the last day on which it is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_until: Option<Timestamp>,
}

impl Kind for AuditFindingRecord {
    const KIND: &'static str = "audit.finding";
    const COLUMNS: &'static [&'static str] = &["change"];
    const BELOW: &'static [&'static str] = &["fix"];
}

/// `audit.section`: the end of a section: how much it looked at and found, so that "nothing is open" and "nothing was looked
/// at" are told apart. `name` is the section; `severity` is `unknown` when something of it could not be looked at, and
/// `message` says what and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditSectionRecord {
    /// Things that were looked at: files, ports, roles, events.
    pub examined: u64,
    /// Findings of the section that are not accepted, whether shown or not.
    pub findings: u64,
    /// Findings that are accepted.
    pub accepted: u64,
    /// Milliseconds that it took.
    pub elapsed_ms: u64,
}

impl Kind for AuditSectionRecord {
    const KIND: &'static str = "audit.section";
    const COLUMNS: &'static [&'static str] = &["examined", "findings", "accepted", "elapsed_ms"];
}
