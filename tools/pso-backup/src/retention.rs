//! What is past its time goes; what is the last of its kind stays.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use pso_archive::catalog::{self, Listed};
use pso_archive::{sidecar_path, sync_folder};
use pso_common::record::{BackupArchiveRecord, Component};
use pso_common::{Run, Severity, Timestamp};

use crate::list::record;

/// Removes archives of `folder` that are older than `keep_days`, one record each. Called after a success, with the
/// folder locked.
pub(crate) fn prune(run: &mut Run<'_>, folder: &PathBuf, keep_days: u32, now: Timestamp) -> anyhow::Result<()> {
    let listed = catalog::list(std::slice::from_ref(folder))?;
    let mut removed = false;
    for archive in past(&listed, keep_days, now) {
        let path = &archive.path;
        fs::remove_file(path).with_context(|| format!("remove the old archive {}", path.display()))?;
        // The hash of a file that is gone; the next run removes it if this one cannot.
        let _ = fs::remove_file(sidecar_path(path));
        removed = true;
        let (name, body): (String, BackupArchiveRecord) = record(archive);
        run.emit(Severity::Info, name, format!("removed: older than {keep_days} days"), body)?;
    }
    if removed {
        sync_folder(folder).with_context(|| format!("put {} on the disk", folder.display()))?;
    }
    Ok(())
}

/// The archives to remove: older than `keep_days`, and nothing in them that is not also in a newer one that can be
/// read. So an archive of the configuration alone never costs the last one of the database.
fn past(listed: &[Listed], keep_days: u32, now: Timestamp) -> Vec<&Listed> {
    let oldest = now.minus(Duration::from_secs(u64::from(keep_days) * 86_400));
    let mut newer: Vec<Component> = Vec::new();
    let mut past = Vec::new();
    // Newest first.
    for archive in listed {
        let components = archive.content.as_ref().map_or(&[][..], |summary| summary.components.as_slice());
        let replaced = !newer.is_empty() && components.iter().all(|component| newer.contains(component));
        if archive.taken_at() < oldest && replaced {
            past.push(archive);
        }
        newer.extend(components);
    }
    past
}

#[cfg(test)]
mod tests {
    use pso_archive::NamedArchive;
    use pso_archive::catalog::Summary;

    use super::*;

    const ALL: &[Component] = &Component::ALL;

    fn listed(named: &str, content: Option<(&str, &[Component])>) -> Listed {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let content = content
            .map(|(taken, components)| Summary { taken_at: at(taken), components: components.to_vec() })
            .ok_or_else(|| "damaged".to_owned());
        Listed { path: named.into(), size: 1, named: NamedArchive { at: at(named), number: 1 }, content }
    }

    fn removed(mut all: Vec<Listed>, now: &str) -> Vec<String> {
        all.sort_by_key(|archive| std::cmp::Reverse(archive.taken_at()));
        let now = now.parse().expect("a time");
        past(&all, 7, now).iter().map(|archive| archive.path.display().to_string()).collect()
    }

    fn whole(at: &str) -> Listed {
        listed(at, Some((at, ALL)))
    }

    #[test]
    fn what_is_older_goes() {
        let all = vec![whole("2026-11-22T09:00:00Z"), whole("2026-11-15T09:00:01Z"), whole("2026-11-15T08:59:59Z")];
        assert_eq!(removed(all, "2026-11-22T09:00:00Z"), ["2026-11-15T08:59:59Z"]);
    }

    #[test]
    fn a_month_of_failures_costs_nothing() {
        assert!(removed(vec![whole("2026-10-01T09:00:00Z")], "2026-11-22T09:00:00Z").is_empty());
        let damaged = vec![whole("2026-10-01T09:00:00Z"), listed("2026-11-22T09:00:00Z", None)];
        assert!(removed(damaged, "2026-11-22T09:00:00Z").is_empty(), "a damaged one does not replace a good one");
    }

    #[test]
    fn an_archive_of_a_part_replaces_that_part_only() {
        let part = "2026-11-22T09:00:00Z";
        let config = listed(part, Some((part, &[Component::Config])));
        let older = listed("2026-10-02T09:00:00Z", Some(("2026-10-02T09:00:00Z", &[Component::Config])));
        let all = vec![config, older, whole("2026-10-01T09:00:00Z")];
        assert_eq!(removed(all, part), ["2026-10-02T09:00:00Z"]);
    }

    #[test]
    fn the_manifest_counts_and_not_the_name() {
        // Copied back and renamed: its name says new, its manifest says old.
        let renamed = listed("2026-11-22T08:00:00Z", Some(("2026-01-01T00:00:00Z", ALL)));
        assert_eq!(removed(vec![renamed, whole("2026-11-22T09:00:00Z")], "2026-11-22T09:00:00Z").len(), 1);
        let unreadable = listed("2026-01-01T00:00:00Z", None);
        assert_eq!(removed(vec![unreadable, whole("2026-11-22T09:00:00Z")], "2026-11-22T09:00:00Z").len(), 1);
    }
}
