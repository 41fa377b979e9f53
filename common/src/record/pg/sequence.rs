//! Sequences.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics};

/// `pg.sequence`: how far one sequence has come, and how far it can go. `name` is `schema.sequence`. Source: `pg_sequence`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgSequenceRecord {
    /// Schema of the sequence (`pg_namespace.nspname`).
    pub schemaname: String,
    /// Name of the sequence (`pg_class.relname`).
    pub sequencename: String,
    /// Both names, quoted as SQL needs them.
    pub object: String,
    /// Its type (`pg_sequence.seqtypid`): `smallint`, `integer` or `bigint`.
    pub data_type: String,
    /// The last value that it gave to a session (`pg_sequence_last_value`); absent before the first, and where `readable` or
    /// `held` say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_value: Option<i64>,
    /// `pg_sequence.seqincrement`; below 0 it counts down.
    pub increment: i64,
    /// `pg_sequence.seqmin`.
    pub min_value: i64,
    /// `pg_sequence.seqmax`.
    pub max_value: i64,
    /// The last value that its type allows in its direction.
    pub type_limit: i64,
    /// Whether it begins again at its end (`pg_sequence.seqcycle`).
    pub cycle: bool,
    /// The table that it counts for, quoted as SQL needs it: as serial, as identity, or because a default asks it (`pg_depend`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_table: Option<String>,
    /// The column that it counts for, quoted as SQL needs it; the one with the smallest type of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The type of the column (`format_type`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column_type: Option<String>,
    /// The last value that the column's type allows in the sequence's direction; absent where it is no integer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column_limit: Option<i64>,
    /// The last value that can be used: the sequence's own end, or the column's where that is nearer.
    pub limit_value: i64,
    /// How much of the way from the sequence's beginning to `limit_value` is gone, in percent, cut to two places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_percent: Option<f64>,
    /// Values left until `limit_value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<i64>,
    /// Whether the role may read it (`has_sequence_privilege(…, 'SELECT,USAGE')`).
    pub readable: bool,
    /// Whether another session holds it, or waits for it, in a mode that reading it would wait for (SHARE and stronger), or it cannot
    /// be read on a standby.
    pub held: bool,
}

impl Kind for PgSequenceRecord {
    const KIND: &'static str = "pg.sequence";
    const COLUMNS: &'static [&'static str] =
        &["used_percent", "last_value", "limit_value", "on_table", "column", "column_type"];
    const METRICS: Metrics = Metrics::new(
        &[Label::Given("datname"), Label::Field("schemaname"), Label::Field("sequencename")],
        &[
            Metric::level("last_value", "pso_pg_sequence_last_value"),
            Metric::moment("remaining", "pso_pg_sequence_remaining"),
            Metric::moment("used_percent", "pso_pg_sequence_used_percent"),
        ],
    );
}
