//! What `pso-logscan` finds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, RawBytes, Timestamp};

/// `log.count`: how often one type of one class occurred within the window. `name` is `<class>.<type>`, or `<class>`
/// for the sum over a class (then without `type`). With `--by` there is one more for each class and type and span of
/// time in which there are any: with `bucket_at`, and with `@` and that moment at the end of `name`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogCountRecord {
    /// `error`, `conflict`, `validation`, `security`, or a class from the configuration.
    pub class: String,
    /// The word after `ERROR` (`SyncTimeout`), or what else tells kinds of a class apart; absent for a class's sum.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// Lines of this type within the window, or within the bucket.
    pub count: u64,
    /// When the span of time began that was counted; absent for counts of the whole window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_at: Option<Timestamp>,
    /// Length of that span in seconds; absent as `bucket_at` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_seconds: Option<u64>,
    /// Stamp of the earliest of them; absent when none has a stamp, and for a bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// Stamp of the latest of them; absent when none has a stamp, and for a bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// One of them, as it stands in the log; absent for a class's sum, and for a bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// The bytes of `example` where it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example_raw: Option<RawBytes>,
}

impl Kind for LogCountRecord {
    const KIND: &'static str = "log.count";
    const COLUMNS: &'static [&'static str] = &["class", "type", "count", "bucket_at", "first_at", "last_at"];
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
    /// Line number in the (decompressed) file, from 1; absent where the lines before it were not read, because the file
    /// was entered in its middle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Where the line begins: bytes from the beginning of the (decompressed) file, as UTF-8.
    #[serde(default)]
    pub offset: u64,
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
    /// Where reading began, because an earlier run had read what is before: bytes from the beginning of the (decompressed)
    /// file; absent where it is the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_offset: Option<u64>,
    /// Bytes of the (decompressed) file that were left out without being read: they lie outside of the window in a file
    /// that is in the order of time. Absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped_bytes: Option<u64>,
    /// The file that has the same content and was read instead; absent where this one was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<String>,
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
    /// Coverages that `merge` has folded into this one; absent where none were folded. Their numbers are added up, and
    /// different formats and zones stand side by side with commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<u64>,
}

impl Kind for LogCoverageRecord {
    const KIND: &'static str = "log.coverage";
    const COLUMNS: &'static [&'static str] =
        &["size_bytes", "read_bytes", "skipped_bytes", "lines", "unparsed_lines", "outside_lines", "format", "zone"];
}

/// `log.template`: what some of the records have in common. `name` is the template's id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogTemplateRecord {
    /// Stands for the template from run to run: a hash of its text, in hexadecimal.
    pub template_id: String,
    /// The words that the records have in common, with `<*>` where they differ.
    pub template: String,
    /// Records of this template within the window.
    pub count: u64,
    /// Stamp of the earliest of them; absent when none has a stamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// Stamp of the latest of them; absent when none has a stamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// The first line of one of them, as it stands in the log.
    pub example: String,
    /// The bytes of `example` where it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example_raw: Option<RawBytes>,
    /// The level that the records name, such as `error` or `info`; absent when they name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Whether no earlier run with the same bookmark has seen this template; false without a bookmark.
    pub new: bool,
}

impl Kind for LogTemplateRecord {
    const KIND: &'static str = "log.template";
    const COLUMNS: &'static [&'static str] = &["count", "new", "level", "first_at", "last_at", "template"];
}

/// `log.line`: which template one record belongs to (`--assign`). `name` is the template's id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogLineRecord {
    /// The file, as it was found; `-` for standard input.
    pub path: String,
    /// Number of the record's first line in the (decompressed) file, from 1; absent where the lines before it were not
    /// read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Where that line begins: bytes from the beginning of the (decompressed) file, as UTF-8.
    pub offset: u64,
    /// The template, as in `log.template`.
    pub template_id: String,
}

impl Kind for LogLineRecord {
    const KIND: &'static str = "log.line";
    const COLUMNS: &'static [&'static str] = &["path", "line", "template_id"];
}
