//! Foreign keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics};

/// `pg.foreign_key`: one foreign key of one table, each partition its own. `name` is `schema.table.constraint`. Source:
/// `pg_constraint`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgForeignKeyRecord {
    /// Schema of the referring table (`pg_namespace.nspname`).
    pub schemaname: String,
    /// The referring table (`pg_class.relname`).
    pub relname: String,
    /// `pg_constraint.conname`.
    pub conname: String,
    /// The referring table, quoted as SQL needs it.
    pub on_table: String,
    /// Its schema, quoted as SQL needs it.
    pub in_schema: String,
    /// The table referred to, quoted as SQL needs it (`pg_constraint.confrelid`).
    pub refers_to: String,
    /// The referring columns (`pg_attribute.attname`).
    pub columns: Vec<String>,
    /// The same as a list that SQL takes.
    pub column_list: String,
    /// Their numbers (`pg_constraint.conkey`).
    pub conkey: Vec<i32>,
    /// What deleting the row referred to does (`pg_constraint.confdeltype`): `a` nothing, `r` is refused, `c` deletes these too,
    /// `n` sets NULL, `d` sets the default.
    pub confdeltype: String,
    /// Whether it is kept (`pg_constraint.conenforced`, always before 18).
    pub enforced: bool,
    /// The partitioned table of which the referring one is a partition, quoted as SQL needs it (`pg_inherits.inhparent`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_of: Option<String>,
    /// Whether the referring table is a session's temporary one (`pg_class.relpersistence`).
    pub temporary: bool,
}

impl Kind for PgForeignKeyRecord {
    const KIND: &'static str = "pg.foreign_key";
    const COLUMNS: &'static [&'static str] = &["column_list", "refers_to", "confdeltype"];
    const METRICS: Metrics = Metrics::new(
        &[Label::Given("datname"), Label::Field("schemaname"), Label::Field("relname"), Label::Field("conname")],
        &[Metric::moment("enforced", "pso_pg_foreign_key_enforced")],
    );
}
