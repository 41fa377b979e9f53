//! The names in an archive of the script's, and what each is.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow, ensure};
use pso_common::record::Component;
use zip::ZipArchive;

use super::Assumed;
use crate::names::{check_entry_name, encoded};
use crate::packing::Packing;
use crate::reader::{Content, Source};

/// The dump.
pub(super) const DUMP: &str = "postgres.sql";
/// The snapshot.
pub(super) const SNAPSHOT: &str = "qdrant_snapshot";

/// An entry, and where it would stand in an archive of ours.
pub(super) struct Named {
    /// Its name there.
    pub(super) name: String,
    /// Its name here.
    pub(super) shown: String,
    pub(super) component: Component,
    pub(super) content: Content,
}

/// Every file of the archive, each of which was checked. What is none of the script's is left out.
pub(super) fn list(zip: &ZipArchive<Source>, assumed: &Assumed<'_>) -> anyhow::Result<Vec<Named>> {
    let mut listed = Vec::new();
    let mut taken = BTreeSet::new();
    for index in 0..zip.len() {
        let entry = zip.by_index_data(index)?;
        let raw = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let name = entry.name().map_err(|error| anyhow!("the name of an entry cannot be read: {error}"))?;
        let shown = name.replace('\\', "/");
        if let Some(folder) = shown.strip_suffix('/') {
            check_entry_name(folder)?;
            continue;
        }
        check_entry_name(&shown)?;
        // Compress-Archive notes no kind; what other programs note must be a file.
        let kind = entry.unix_mode().unwrap_or_default() & 0o170_000;
        ensure!(kind == 0 || kind == 0o100_000, "the entry {raw} is a link, a folder or a device");
        ensure!(!entry.encrypted(), "the entry {raw} is encrypted");
        ensure!(taken.insert(shown.to_lowercase()), "two entries have the name {shown}");
        let packing = Packing::of_method(entry.compression())
            .with_context(|| format!("the entry {raw} is compressed with {}", entry.compression()))?;
        let content =
            Content { index, packing, size: entry.size(), packed: entry.compressed_size(), crc32: entry.crc32() };
        if let Some((component, name)) = place(&shown, assumed) {
            listed.push(Named { name, shown, component, content });
        }
    }
    for named in &listed {
        let mut folder = named.name.as_str();
        while let Some((above, _)) = folder.rsplit_once('/') {
            ensure!(listed.iter().all(|other| other.name != above), "{above} is a file and a folder in it");
            folder = above;
        }
    }
    Ok(listed)
}

/// Where a file of the script's would stand in an archive of ours.
fn place(name: &str, assumed: &Assumed<'_>) -> Option<(Component, String)> {
    Some(match name.split_once('/') {
        None if name == DUMP => (Component::Postgres, format!("postgres/{}.sql", encoded(assumed.database))),
        None if name == SNAPSHOT => (Component::Qdrant, format!("qdrant/{}.snapshot", encoded(assumed.collection))),
        None if name.ends_with(".yaml") || name.ends_with(".yml") => (Component::Config, format!("config/{name}")),
        Some(("scripts", _)) => (Component::Scripts, name.to_owned()),
        Some(("plans", _)) => (Component::Plans, name.to_owned()),
        _ => return None,
    })
}
