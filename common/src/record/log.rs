//! What `pso-logscan` finds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, RawBytes, Timestamp};

/// `log.count`: how often one type of one class occurred within the window. `name` is `<class>.<type>`, or `<class>`
/// for the sum over a class (then without `type`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogCountRecord {
    /// `error`, `conflict`, `validation`, `security`, or a class from the configuration.
    pub class: String,
    /// The word after `ERROR` (`SyncTimeout`), or what else tells kinds of a class apart; absent for a class's sum.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// Records of this type within the window.
    pub count: u64,
    /// Stamp of the earliest of them; absent when none has a stamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// Stamp of the latest of them; absent when none has a stamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// One of them, as it stands in the log; absent for a class's sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// The bytes of `example` where it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example_raw: Option<RawBytes>,
}

impl Kind for LogCountRecord {
    const KIND: &'static str = "log.count";
    const COLUMNS: &'static [&'static str] = &["class", "type", "count", "first_at", "last_at"];
}

/// `log.event`: one line of a log, among the last of its class. `message` is the line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogEventRecord {
    /// `error`, `conflict`, `validation`, `security`, or a class from the configuration.
    pub class: String,
    /// As in `log.count`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// The file, as it was found; `-` for standard input.
    pub path: String,
    /// Line number in the (decompressed) file, from 1.
    pub line: u64,
    /// The line's own stamp, or that of the record it belongs to; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// The line's bytes where it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<RawBytes>,
}

impl Kind for LogEventRecord {
    const KIND: &'static str = "log.event";
    const COLUMNS: &'static [&'static str] = &["class", "occurred_at", "path", "line"];
}

/// `log.coverage`: what was read of one file, so that "no errors" and "read nothing" do not look alike. `name` is the
/// path; `severity` is `unknown` when something of it could not be read, and `message` says why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogCoverageRecord {
    /// The file, as it was found; `-` for standard input.
    pub path: String,
    /// Size of the file as it lies on disk; absent for standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Bytes read from disk (compressed ones where the file is compressed).
    pub read_bytes: u64,
    /// Lines read.
    pub lines: u64,
    /// Lines without a stamp of their own.
    pub unparsed_lines: u64,
    /// Lines that the window left out.
    pub outside_lines: u64,
    /// Format of the stamps found first: `rfc3339`, `go`, `json`, …; absent when no line had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Zone taken for stamps that name none; absent when they all do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

impl Kind for LogCoverageRecord {
    const KIND: &'static str = "log.coverage";
    const COLUMNS: &'static [&'static str] =
        &["size_bytes", "read_bytes", "lines", "unparsed_lines", "outside_lines", "format", "zone"];
}
