//! How a server is set up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics};

/// `pg.setting`: a setting that is not as PostgreSQL has it, one of a role or database alone, or a line of a configuration file
/// that the server cannot use. `name` is the setting, with the database or role that it is for, or the line. Values that may
/// hold a password are never read: those of commands, connection strings, and texts that extensions and applications have made
/// up. Source: `pg_settings`, `pg_db_role_setting`, `pg_file_settings`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgSettingRecord {
    /// `server`, `override` (of a role or database) or `file` (a line that cannot be used).
    pub scope: String,
    /// The setting; absent for a line that is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting_name: Option<String>,
    /// Its value, of the server as it is for a new session of the role (`pg_settings.reset_val`), in its `unit`; of an override as
    /// it was written. Absent where it is `secret`, and for a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
    /// Whether it has a value that is not shown, because it may hold a password.
    pub secret: bool,
    /// `pg_settings.unit`, such as `8kB` or `ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// When it can be changed (`context`): `postmaster` only by a restart, `sighup` by a reload, others in a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Where the value comes from (`source`), such as `configuration file`, `command line` or `database`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The file (`sourcefile`), which only superusers and `pg_read_all_settings` see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sourcefile: Option<String>,
    /// The line in it (`sourceline`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sourceline: Option<i32>,
    /// What it is where nobody sets it (`boot_val`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_val: Option<String>,
    /// Whether the file has another value, which only a restart brings (`pending_restart`).
    pub pending_restart: bool,
    /// That value, as it was written (`pg_file_settings.setting`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_setting: Option<String>,
    /// Where that is written, as `file:line` (`pg_file_settings.sourcefile`, `sourceline`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_source: Option<String>,
    /// The database of an override (`pg_db_role_setting.setdatabase`); absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datname: Option<String>,
    /// The role of an override (`pg_db_role_setting.setrole`); absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolname: Option<String>,
    /// The statement that changes an override, up to `SET` or `RESET`, such as `ALTER DATABASE app`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alter: Option<String>,
    /// Why the server cannot use the line (`pg_file_settings.error`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Kind for PgSettingRecord {
    const KIND: &'static str = "pg.setting";
    const COLUMNS: &'static [&'static str] =
        &["setting", "unit", "boot_val", "source", "sourcefile", "sourceline", "pending_setting", "error"];
    const METRICS: Metrics = Metrics::new(
        &[
            Label::Field("scope"),
            Label::Field("setting_name"),
            Label::Field("datname"),
            Label::Field("rolname"),
            Label::Field("sourcefile"),
            Label::Field("sourceline"),
        ],
        &[Metric::moment("pending_restart", "pso_pg_setting_pending_restart")],
    );
}
