//! The record contract: what the tools write to stdout and read from stdin.
//!
//! A record is one JSON object a line: a [`Header`] that all kinds share, and the kind's own fields beside it. Each
//! kind is one struct here, documented field by field; [`schema`] derives the JSON Schema from those structs.

mod any;
mod audit;
mod backup;
mod health;
mod log;
mod metrics;
mod pg;
mod prune;
mod raw;
mod rehearse;
mod restore;
mod run;
pub mod schema;
mod setting;
mod severity;
mod timestamp;

mod alert;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use alert::{
    AlertChannelRecord, AlertDeliveryRecord, AlertNoticeRecord, AlertSilenceRecord, Because, DeliveryState,
    IncidentState, Telling,
};
pub use any::AnyRecord;
pub use audit::{AuditChange, AuditFindingRecord, AuditSectionRecord};
pub use backup::{BackupArchiveRecord, BackupComponentRecord, Component, Decision};
pub use health::{HealthCheckRecord, HealthMetricRecord, HealthRoundRecord, HealthTargetRecord, Layer};
pub use log::{LogCountRecord, LogCoverageRecord, LogEventRecord, LogLineRecord, LogTemplateRecord};
pub use metrics::{Label, Measure, Metric, Metrics};
pub use pg::*;
pub use prune::{PrunePart, PruneStepRecord};
pub use raw::RawBytes;
pub use rehearse::{RehearseComponentRecord, RehearseResultRecord};
pub use restore::{RestoreMode, RestorePlanRecord, RestoreStepRecord, StepState};
pub use run::{RunEndRecord, RunStartRecord};
pub use setting::ConfigSettingRecord;
pub use severity::Severity;
pub use timestamp::Timestamp;

/// The version of the record contract. Changes within a version only add fields and kinds.
pub const SCHEMA: u32 = 1;

/// The longest line that readers take, in bytes (16 MiB). A longer one is reported and skipped.
pub const MAX_LINE_BYTES: usize = 16 << 20;

/// Labels of a value: what it belongs to, as in OpenMetrics.
pub type Labels = BTreeMap<String, String>;

/// The fields that every record has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// The version of the record contract: 1.
    pub schema: u32,
    /// What the record is about: `<domain>.<noun>`.
    pub kind: String,
    /// When the record was written (RFC 3339, UTC).
    pub at: Timestamp,
    /// The tool that wrote it, such as `pso-health`.
    pub tool: String,
    /// The host on which the tool ran.
    pub host: String,
    /// How bad it is.
    pub severity: Severity,
    /// What within the kind: a check, a table, a file.
    pub name: String,
    /// One sentence for people.
    #[serde(default)]
    pub message: String,
}

/// The fields of one record kind beside the [`Header`].
pub trait Kind: Serialize + DeserializeOwned + JsonSchema {
    /// The kind's name, `<domain>.<noun>`.
    const KIND: &'static str;
    /// The fields that a table shows between `name` and `message`, in this order.
    const COLUMNS: &'static [&'static str];
    /// The fields that a table shows below the row, each uncut in a line of its own: what people copy.
    const BELOW: &'static [&'static str] = &[];
    /// Which of the fields are measurements.
    const METRICS: Metrics = Metrics::NONE;
}

/// A whole record: header and body side by side in one flat object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record<B> {
    /// The fields of every record.
    #[serde(flatten)]
    pub header: Header,
    /// The kind's own fields.
    #[serde(flatten)]
    pub body: B,
}
