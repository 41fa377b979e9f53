//! Indexes: what they are, and how they are used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics};

/// `pg.index`: use of one index. `name` is `schema.index`. Source: `pg_stat_user_indexes`, `pg_index`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgIndexRecord {
    /// `pg_stat_user_indexes.schemaname`.
    pub schemaname: String,
    /// `pg_stat_user_indexes.relname`: the table.
    pub relname: String,
    /// `pg_stat_user_indexes.indexrelname`.
    pub indexrelname: String,
    /// `schemaname` and `indexrelname`, quoted as SQL needs them.
    pub object: String,
    /// The table, quoted as SQL needs it; of an index of a TOAST table the one whose long values that holds.
    pub on_table: String,
    /// Scans since the statistics were reset (`idx_scan`).
    pub idx_scan: i64,
    /// Index entries read (`idx_tup_read`).
    pub idx_tup_read: i64,
    /// Rows fetched by simple index scans (`idx_tup_fetch`).
    pub idx_tup_fetch: i64,
    /// Bytes on disk (`pg_relation_size`); absent while another session holds the index exclusively.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// Keeps a promise, and is never to be dropped for lack of use: primary key, unique, exclusion, replica identity, or the
    /// index of any constraint (`pg_constraint.conindid`: a foreign key has that of the table it refers to).
    pub constraint: bool,
    /// `pg_index.indisprimary`.
    pub primary: bool,
    /// `pg_index.indisunique`.
    pub unique: bool,
    /// `pg_index.indisexclusion`.
    pub exclusion: bool,
    /// `pg_index.indisreplident`.
    pub replica_identity: bool,
    /// `pg_index.indisclustered`: the mark of CLUSTER, which dropping would lose.
    pub clustered: bool,
    /// Whether its first column is one of a foreign key of its table: deleting in the other table would read this one.
    pub leads_foreign_key: bool,
    /// Whether it belongs to the index of a partitioned table (`pg_class.relispartition`): it is dropped only with that.
    pub partition: bool,
    /// Whether it, or its table, belongs to an extension (`pg_depend.deptype`).
    pub extension: bool,
    /// Whether it is on a session's temporary table (`pg_class.relpersistence`).
    pub temporary: bool,
    /// `pg_index.indisvalid`.
    pub valid: bool,
    /// `pg_index.indisready` and `indislive`: it is kept up to date, and not being dropped.
    pub ready: bool,
    /// Whether it is not usable and another session holds its table as CREATE INDEX CONCURRENTLY does (`pg_locks.mode`, SHARE
    /// UPDATE EXCLUSIVE or more): it may be being built.
    pub building: bool,
    /// Access method (`pg_am.amname`).
    pub method: String,
    /// Its columns in their order, those of INCLUDE last; null stands for an expression (`pg_attribute.attname`).
    pub columns: Vec<Option<String>>,
    /// How many of the columns are keys (`pg_index.indnkeyatts`).
    pub key_columns: i32,
    /// Column numbers, operator classes, collations and options as the catalogue has them (`pg_index.indkey`, `indclass`,
    /// `indcollation`, `indoption`), for comparing: two indexes with the same sort the same.
    pub indkey: String,
    /// See `indkey`.
    pub indclass: String,
    /// See `indkey`.
    pub indcollation: String,
    /// See `indkey`.
    pub indoption: String,
    /// The expressions (`pg_get_expr(indexprs)`); absent where there are none, or another session holds the table exclusively.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expressions: Option<String>,
    /// Whether it has expressions (`pg_index.indexprs`).
    pub has_expressions: bool,
    /// The predicate of a partial index (`pg_get_expr(indpred)`); absent as `expressions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    /// Whether it is partial (`pg_index.indpred`).
    pub partial: bool,
    /// What makes it again without locking out who writes: `pg_get_indexdef`, its tablespace, how closely ANALYZE looks at its
    /// expressions, and its comment; several statements are parted by a semicolon and a line end. Absent where `constraint` says that it is never
    /// to be dropped, and while another session holds index or table exclusively.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
}

impl Kind for PgIndexRecord {
    const KIND: &'static str = "pg.index";
    const COLUMNS: &'static [&'static str] = &["relname", "idx_scan", "idx_tup_read", "idx_tup_fetch", "size_bytes"];
    const METRICS: Metrics = Metrics::new(
        &[Label::Given("datname"), Label::Field("schemaname"), Label::Field("relname"), Label::Field("indexrelname")],
        &[
            Metric::counter("idx_scan", "pg_stat_user_indexes_idx_scan_total"),
            Metric::counter("idx_tup_read", "pg_stat_user_indexes_idx_tup_read_total"),
            Metric::counter("idx_tup_fetch", "pg_stat_user_indexes_idx_tup_fetch_total"),
            Metric::level("size_bytes", "pso_pg_index_size_bytes"),
            Metric::moment("valid", "pso_pg_index_valid"),
        ],
    );
}
