//! `NAME.zip.json`: what is known of an archive besides what it says itself.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use pso_common::Timestamp;
use pso_common::record::Component;
use serde::{Deserialize, Serialize};

use crate::durable::{private_file, read_small, sync_folder};
use crate::manifest::Manifest;
use crate::publish::{Partial, noted_hash};

/// A status larger than this is none (bytes).
const MAX_BYTES: u64 = 1 << 20;

/// What is known of one file. It is published with the archive, so that an encrypted one can be listed without its key,
/// and renewed by whoever verifies or rehearses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Size of the file in bytes.
    pub size: u64,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// The manifest's.
    pub taken_at: Timestamp,
    /// The manifest's: `daily` or `weekly`.
    pub kind: String,
    /// The components in it.
    pub components: Vec<Component>,
    /// The components that failed, where the configuration calls them optional.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Component>,
    /// The clusters that its databases come from, where they could be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub system_identifiers: Vec<String>,
    /// When all of it was last compared with its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
    /// When it was last restored somewhere harmless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsed_at: Option<Timestamp>,
}

/// `NAME.zip.json`.
#[must_use]
pub fn status_path(archive: &Path) -> PathBuf {
    let mut path = archive.as_os_str().to_owned();
    path.push(".json");
    path.into()
}

impl Status {
    /// What a manifest and a file of that size and hash say.
    #[must_use]
    pub fn new(manifest: &Manifest, size: u64, sha256: &str) -> Self {
        let mut system_identifiers: Vec<String> =
            manifest.databases.iter().filter_map(|database| database.system_identifier.clone()).collect();
        system_identifiers.sort();
        system_identifiers.dedup();
        Self {
            size,
            sha256: sha256.to_owned(),
            taken_at: manifest.taken_at,
            kind: manifest.kind.clone(),
            components: manifest.components.clone(),
            missing: manifest.missing.iter().map(|missing| missing.component).collect(),
            system_identifiers,
            verified_at: None,
            rehearsed_at: None,
        }
    }

    /// What is known of an archive; `None` where nothing is, or where it was noted of another file: one of another size
    /// or hash.
    #[must_use]
    pub fn read(archive: &Path) -> Option<Self> {
        let size = fs::metadata(archive).ok()?.len();
        let status: Self = serde_json::from_slice(&read_small(&status_path(archive), MAX_BYTES).ok()?).ok()?;
        let is_its_hash = match noted_hash(archive) {
            Ok(Some(noted)) => noted.eq_ignore_ascii_case(&status.sha256),
            // What cannot be read is for `verify` to tell.
            Ok(None) | Err(_) => true,
        };
        (status.size == size && is_its_hash).then_some(status)
    }

    /// Whether a manifest says the same of the archive.
    #[must_use]
    pub fn agrees_with(&self, manifest: &Manifest) -> bool {
        let its = Self::new(manifest, self.size, &self.sha256);
        let noted = Self { verified_at: None, rehearsed_at: None, ..self.clone() };
        its == noted
    }

    /// Writes it beside the archive, whole or not at all.
    ///
    /// # Errors
    /// When the folder or the disk does not let us.
    pub fn write(&self, archive: &Path) -> anyhow::Result<()> {
        let path = status_path(archive);
        let context = || format!("write {}", path.display());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().and_then(|name| name.to_str()).with_context(context)?;
        ensure!(archive.exists(), "there is no {} to say anything of", archive.display());
        let temporary = Partial::new(Partial::path_in(folder, name));
        // One of a killed process that had our id.
        let _ = fs::remove_file(temporary.path());
        let text = serde_json::to_vec_pretty(self).with_context(context)?;
        let mut file = private_file(temporary.path()).with_context(context)?;
        file.write_all(&text)
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.sync_all())
            .with_context(context)?;
        drop(file);
        temporary.rename(&path).and_then(|()| sync_folder(folder)).with_context(context)
    }
}
