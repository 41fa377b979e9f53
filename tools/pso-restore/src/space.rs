//! Whether there is room for what is to be restored, found out before the first change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::ensure;

use crate::files::FilesPlan;
use crate::postgres::{self, PgPlan};
use crate::qdrant::QdrantPlan;
use crate::settings::Settings;

/// What is known of the room.
pub(crate) struct Space {
    /// Bytes that the staged files need, and about how many the snapshots of what is there do.
    pub(crate) needed: u64,
    /// Bytes that are free where they go; absent where the system does not say.
    pub(crate) free: Option<u64>,
    /// What could not be found out.
    pub(crate) note: Option<String>,
    /// What may not fit.
    pub(crate) warnings: Vec<String>,
}

/// Looks at the file systems that get something.
///
/// # Errors
/// When one of them certainly has too little room.
pub(crate) fn look(
    settings: &Settings,
    databases: &[PgPlan],
    qdrant: Option<&QdrantPlan>,
    files: &[FilesPlan],
) -> anyhow::Result<Space> {
    let main = settings.undo_folder();
    let mut needed: BTreeMap<PathBuf, u64> = BTreeMap::from([(main.clone(), 0)]);
    for plan in files {
        *needed.entry(plan.undo.clone()).or_default() += plan.size();
    }
    for (folder, bytes) in &needed {
        ensure_room(folder, *bytes)?;
    }
    let mut note = None;
    let mut warnings = Vec::new();
    // How large they are is known only when they are made, and that comes after the database.
    let saved = qdrant.map_or(0, QdrantPlan::saved_size);
    let in_main = needed.entry(main.clone()).or_default();
    *in_main += saved;
    let free_in_main = free(&main);
    if let Some(free) = free_in_main.filter(|free| saved > 0 && free < in_main) {
        warnings.push(format!(
            "there are {free} bytes free in {}, and snapshots of the collections that are there may need {saved}: they may \
             not fit; `pso-restore --drop-previous` removes what earlier restores have kept",
            main.display()
        ));
    }
    let rows: u64 = databases.iter().map(PgPlan::size).sum();
    if !databases.is_empty() {
        match postgres::local_data_folder(&settings.postgres).as_deref().and_then(free) {
            Some(free) => {
                // What rows take in the database is known only when they are there: long texts are compressed in it,
                // and indexes come on top. A quarter is less than any of ours took.
                ensure!(
                    free >= rows / 4,
                    "the database's disk has {free} bytes free, and its dump alone has {rows}; make room, or restore \
                     elsewhere"
                );
                if free < rows {
                    warnings.push(format!(
                        "the database's disk has {free} bytes free, and its dump alone has {rows}: it may not fit"
                    ));
                }
            }
            None => note = Some("how much room the database's disk has is not known".to_owned()),
        }
    }
    Ok(Space { needed: needed.values().sum(), free: free_in_main, note, warnings })
}

/// Refuses where a folder's file system has less than so many bytes. What the system does not say is no reason.
pub(crate) fn ensure_room(folder: &Path, bytes: u64) -> anyhow::Result<()> {
    if let Some(free) = free(folder).filter(|free| *free < bytes) {
        anyhow::bail!(
            "there is too little room in {}: {bytes} bytes are needed and {free} are free; make room there, \
             `pso-restore --drop-previous` removes what earlier restores have kept",
            folder.display()
        );
    }
    Ok(())
}

/// Free bytes where a folder is, or will be.
fn free(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().map(|place| if place.as_os_str().is_empty() { Path::new(".") } else { place });
    there.filter(|place| place.exists()).find_map(|place| fs4::available_space(place).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_looked_for_where_a_folder_will_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let there = free(folder.path()).expect("known");
        assert!(there > 0);
        ensure_room(&folder.path().join("not/yet"), 1).expect("room for one byte");
        let message = ensure_room(&folder.path().join("not/yet"), u64::MAX).expect_err("no room").to_string();
        assert!(message.contains("are free") && message.contains("--drop-previous"), "{message}");
    }
}
