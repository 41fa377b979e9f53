//! The end of a section.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Kind;

/// `pg.section`: the end of a section: how much it gave, what it could not show and why. `name` is the section.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgSectionRecord {
    /// Records that the section gave; absent when it could not be read, so that empty and failed do not look alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Milliseconds that reading it took; for advice with what was read for it alone. Absent when nothing was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
}

impl Kind for PgSectionRecord {
    const KIND: &'static str = "pg.section";
    const COLUMNS: &'static [&'static str] = &["rows", "elapsed_ms"];
}
