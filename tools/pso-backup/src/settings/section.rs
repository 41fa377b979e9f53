//! `maintenance.backup` as the file has it.

use pso_common::config::{CommandField, Field, ListField, ToolSection};
use serde::Deserialize;

/// `maintenance.backup`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct BackupSection {
    pub(super) components: ListField,
    pub(super) optional: ListField,
    pub(super) compression: Field,
    pub(super) databases: ListField,
    pub(super) globals: Field,
    pub(super) collections: ListField,
    pub(super) copy_to: Field,
    pub(super) keep_days: Field,
    pub(super) weekly_keep_days: Field,
    pub(super) retention: Option<RetentionSection>,
    pub(super) encryption: Option<EncryptionSection>,
    pub(super) hooks: Option<HooksSection>,
    pub(super) stall_timeout: Field,
}

/// `maintenance.backup.retention`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RetentionSection {
    pub(super) keep_days: Field,
    pub(super) keep_daily: Field,
    pub(super) keep_weekly: Field,
    pub(super) keep_monthly: Field,
    pub(super) minimum: Field,
    pub(super) rehearsed_only: Field,
}

/// `maintenance.backup.encryption`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EncryptionSection {
    pub(super) recipients: ListField,
    pub(super) recipients_file: Field,
    pub(super) identity_file: Field,
}

/// `maintenance.backup.hooks`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HooksSection {
    pub(super) before: CommandField,
    pub(super) after_success: CommandField,
    pub(super) after_failure: CommandField,
    pub(super) timeout: Field,
}

impl ToolSection for BackupSection {
    const NAME: &'static str = "backup";
}
