//! The frame of every run: a start without its end tells a reader that a tool died.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Kind;

/// `run.start`: the first record of every run. `name` is the tool's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunStartRecord {
    /// The tool's version.
    pub version: String,
    /// Process id of the run on `host`; with `host` and `tool` it joins the start to its end.
    pub pid: u32,
}

impl Kind for RunStartRecord {
    const KIND: &'static str = "run.start";
    const COLUMNS: &'static [&'static str] = &["version", "pid"];
}

/// `run.end`: the last record of every run. Its `severity` is the worst that the run wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunEndRecord {
    /// Process id of the run, as in its `run.start`.
    pub pid: u32,
    /// Records that the run wrote of its own, the start included, this one not.
    pub records: u64,
    /// Milliseconds from start to end.
    pub elapsed_ms: u64,
    /// The exit code of the process: 0 ok, 1 warning, 2 high or critical, 3 unknown or not done.
    pub exit_code: u8,
    /// Why the tool could not do its job; absent when it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Kind for RunEndRecord {
    const KIND: &'static str = "run.end";
    const COLUMNS: &'static [&'static str] = &["records", "elapsed_ms", "exit_code"];
}
