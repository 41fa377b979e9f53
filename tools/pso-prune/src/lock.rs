//! One cleaning of a deployment at a time, and none while a restore is putting it back.

use std::path::Path;

use pso_archive::{Lock, PRUNE_LOCK, RESTORE_LOCK};
use pso_common::run::Intent;

use crate::settings::Settings;

/// Takes the lock, unless only the plan can come of it.
///
/// # Errors
/// When another cleaning or a restore is running.
pub(crate) fn take(settings: &Settings, intent: Intent) -> anyhow::Result<Option<Lock>> {
    if !intent.changes() {
        return Ok(None);
    }
    let lock = Lock::acquire(&settings.paths.join(Path::new(PRUNE_LOCK)), "cleaning")?;
    // Behind ours, so that of two that begin at once one sees the other.
    Lock::refuse_held(&settings.paths.join(Path::new(RESTORE_LOCK)), "restore")?;
    Ok(Some(lock))
}
