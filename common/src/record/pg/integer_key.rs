//! Keys of two and four bytes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics};

/// `pg.integer_key`: a column of two or four bytes that is a key alone, or refers to one. `name` is `schema.table.column`. Source:
/// `pg_index`, `pg_constraint`, `pg_stats`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgIntegerKeyRecord {
    /// Schema of the table (`pg_namespace.nspname`).
    pub schemaname: String,
    /// The table (`pg_class.relname`).
    pub relname: String,
    /// The column (`pg_attribute.attname`).
    pub column_name: String,
    /// The table, quoted as SQL needs it.
    pub on_table: String,
    /// The column, quoted as SQL needs it.
    pub column: String,
    /// `smallint` or `integer` (`pg_attribute.atttypid`).
    pub data_type: String,
    /// The value furthest from zero that the last analyse saw (`pg_stats.histogram_bounds`, `most_common_vals`); there may be others
    /// beyond by now. Absent before the first analyse, and where the role may not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub furthest_value: Option<i64>,
    /// The last value of the type on that side of zero.
    pub limit_value: i64,
    /// How far `furthest_value` is on the way to `limit_value`, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_percent: Option<f64>,
    /// Whether the role may see the statistics of the column, which is who may read all of its rows.
    pub readable: bool,
}

impl Kind for PgIntegerKeyRecord {
    const KIND: &'static str = "pg.integer_key";
    const COLUMNS: &'static [&'static str] = &["data_type", "furthest_value", "limit_value", "used_percent"];
    const METRICS: Metrics = Metrics::new(
        &[Label::Given("datname"), Label::Field("schemaname"), Label::Field("relname"), Label::Field("column_name")],
        &[Metric::level("used_percent", "pso_pg_integer_key_used_percent")],
    );
}
