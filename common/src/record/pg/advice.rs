//! What to do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Labels};

/// How sure an advice is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Worth a look; the evidence is thin or an estimate.
    #[default]
    Low,
    /// Likely right; look at the evidence first.
    Medium,
    /// Follows from the catalogues alone.
    High,
}

/// `pg.advice`: something to do, with what speaks for it. `name` is `<rule>:<object>`, `message` says why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgAdviceRecord {
    /// The rule, such as `unused_index`.
    pub rule: String,
    /// What it is about, quoted as SQL needs it.
    pub object: String,
    /// The numbers that the rule judged, by their source column.
    pub evidence: Labels,
    /// How sure the advice is.
    pub confidence: Confidence,
    /// The statement that follows the advice; absent when there is none to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// The statement that brings back what was there; absent when nothing is lost. Several are parted by a semicolon and a line
    /// end, and are run one by one, in no transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_sql: Option<String>,
    /// Bytes that following it would free, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain_bytes: Option<i64>,
}

impl Kind for PgAdviceRecord {
    const KIND: &'static str = "pg.advice";
    const COLUMNS: &'static [&'static str] = &["confidence", "gain_bytes"];
    const BELOW: &'static [&'static str] = &["sql"];
}
