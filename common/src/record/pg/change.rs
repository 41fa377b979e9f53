//! What changed since an earlier run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::record::{Kind, Label, Metric, Metrics};

/// `pg.change`: how one number of one record has changed since the run of `--baseline`. `name` is
/// `<of_kind>:<object>:<field>`, `message` says it for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgChangeRecord {
    /// The kind of the two records, such as `pg.table`.
    pub of_kind: String,
    /// Their `name`.
    pub object: String,
    /// The field that differs.
    pub field: String,
    /// Whether it counts events, so that its rate is what matters; else it goes up and down (a size).
    pub counter: bool,
    /// Its value in the baseline.
    pub before: Number,
    /// Its value now.
    pub after: Number,
    /// `after` less `before`; absent for a counter that began anew in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Number>,
    /// `delta` a second; absent as `delta`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// Milliseconds between the two, by the server's clock (`clock_timestamp()`).
    pub elapsed_ms: u64,
    /// Whether the counter is smaller than it was: it, or what it counts for, began anew in between.
    pub reset: bool,
}

impl Kind for PgChangeRecord {
    const KIND: &'static str = "pg.change";
    const COLUMNS: &'static [&'static str] = &["before", "after", "delta", "per_second", "elapsed_ms"];
    const METRICS: Metrics = Metrics::new(
        &[Label::Given("datname"), Label::Field("of_kind"), Label::Field("object"), Label::Field("field")],
        &[Metric::moment("delta", "pso_pg_change_delta"), Metric::moment("per_second", "pso_pg_change_per_second")],
    );
}
