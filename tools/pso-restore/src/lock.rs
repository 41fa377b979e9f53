//! One restore into a deployment at a time, and none beside what reads or cleans it.

use std::path::Path;

use pso_archive::{BACKUP_LOCK, Lock, PRUNE_LOCK, RESTORE_LOCK, private_folder};
use pso_common::run::Intent;

use crate::settings::Settings;

/// Locks the target, where something may be changed: what is planned is then still so when it is done.
pub(crate) fn take(settings: &Settings, intent: Intent) -> anyhow::Result<Option<Lock>> {
    if !intent.changes() {
        return Ok(None);
    }
    let folder = settings.undo_folder();
    private_folder(&folder).map_err(|error| anyhow::anyhow!("create the folder {}: {error}", folder.display()))?;
    let what = format!("restore into {}", settings.paths.root.display());
    let lock = Lock::acquire(&settings.paths.join(Path::new(RESTORE_LOCK)), &what)?;
    // Looked at after our own was taken, as a backup does, so that at least one of the two sees the other. A backup
    // to somewhere else that runs already is not known here.
    for folder in settings.backup_folders() {
        Lock::refuse_held(&folder.join(BACKUP_LOCK), &format!("backup into {}", folder.display()))?;
    }
    let cleaning = settings.paths.join(Path::new(PRUNE_LOCK));
    Lock::refuse_held(&cleaning, "cleaning")?;
    Ok(Some(lock))
}
