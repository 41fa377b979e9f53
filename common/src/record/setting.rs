//! Effective configuration, one record a value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Kind;

/// `config.setting`: one effective value of the configuration (`--print-config`). `name` is the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigSettingRecord {
    /// The value in effect; `***` where it is a secret.
    pub setting: String,
    /// Where it came from: `flag`, `env NAME`, `FILE:LINE (key)` or `default`.
    pub source: String,
}

impl Kind for ConfigSettingRecord {
    const KIND: &'static str = "config.setting";
    const COLUMNS: &'static [&'static str] = &["setting", "source"];
}
