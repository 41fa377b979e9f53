//! What was added to a database.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics};

/// `pg.extension`: an extension of the database. `name` is the extension. Source: `pg_extension`, `pg_available_extensions`,
/// `pg_available_extension_versions`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgExtensionRecord {
    /// `extname`.
    pub extname: String,
    /// The same, quoted as SQL needs it.
    pub object: String,
    /// The schema of its objects (`pg_namespace.nspname`).
    pub schemaname: String,
    /// The version in this database (`extversion`).
    pub installed_version: String,
    /// The version that the server's files would install (`default_version`); absent where the files are gone, and with
    /// `files_unread`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_version: Option<String>,
    /// The steps from the one to the other, such as `1.4--1.5--1.6` (`pg_extension_update_paths`); absent where they are the same,
    /// and where there is no way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_path: Option<String>,
    /// Whether there is a way back (`pg_extension_update_paths`); false where they are the same.
    pub can_go_back: bool,
    /// Whether its objects can be moved to another schema (`extrelocatable`).
    pub relocatable: bool,
    /// Whether who may create objects in the database may install it, superuser or not (`trusted`, of the default version).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted: Option<bool>,
    /// The server could not read the files of its extensions, so that nothing is known of them; absent where it could.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub files_unread: bool,
}

impl Kind for PgExtensionRecord {
    const KIND: &'static str = "pg.extension";
    const COLUMNS: &'static [&'static str] =
        &["installed_version", "default_version", "schemaname", "relocatable", "trusted"];
    const METRICS: Metrics = Metrics::new(
        &[
            Label::Given("datname"),
            Label::Field("extname"),
            Label::Field("installed_version"),
            Label::Field("default_version"),
        ],
        &[Metric::presence("extname", "pso_pg_extension")],
    );
}
