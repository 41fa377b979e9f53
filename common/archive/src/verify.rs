//! Whether an archive is what it says: the whole file, its structure, and every entry against the manifest.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use pso_common::io::{Cancel, elapsed_ms};
use pso_common::record::Component;

use crate::hash::hash_file;
use crate::manifest::Entry;
use crate::publish::sidecar_path;
use crate::reader::{Archive, Content};

/// An entry that is to be unpacked may be this large whatever its ratio; beyond it, it may not be [`MAX_RATIO`] times
/// larger than what it is packed in. Dumps and snapshots are never unpacked to a file.
const FREE_ENTRY_BYTES: u64 = 64 << 20;
/// The same for all of those entries together.
const FREE_TOTAL_BYTES: u64 = 1 << 30;
/// Deflate reaches 1032 : 1 on a file of one letter; text stays below 20 : 1.
const MAX_RATIO: u64 = 200;
/// How every `pg_dump --format=custom` begins.
const DUMP_MAGIC: &[u8] = b"PGDMP";

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The entry, where it is one.
    pub entry: Option<String>,
    /// What is wrong.
    pub reason: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.entry {
            Some(entry) if !self.reason.contains(entry.as_str()) => write!(f, "{entry}: {}", self.reason),
            _ => f.write_str(&self.reason),
        }
    }
}

/// What became of the comparison with `NAME.zip.sha256`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sidecar {
    /// There is none.
    Absent,
    /// The file has that hash.
    Matches,
    /// It has another, or the hash file is not one.
    Differs(String),
}

/// What was found in one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentReport {
    /// Which one.
    pub component: Component,
    /// Entries that the manifest lists.
    pub entries: u64,
    /// Their bytes according to the manifest.
    pub size_bytes: u64,
    /// Milliseconds that checking them took.
    pub elapsed_ms: u64,
    /// What is wrong with them.
    pub damages: Vec<Damage>,
}

/// What was found in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The file's size in bytes, as read.
    pub size_bytes: u64,
    /// Its SHA-256, hex.
    pub sha256: String,
    /// The comparison with the hash file.
    pub sidecar: Sidecar,
    /// What is wrong with the archive as a whole.
    pub damages: Vec<Damage>,
    /// Its components.
    pub components: Vec<ComponentReport>,
}

impl Report {
    /// Everything that is wrong.
    pub fn all_damages(&self) -> impl Iterator<Item = &Damage> {
        self.damages.iter().chain(self.components.iter().flat_map(|component| &component.damages))
    }

    /// The first damages in one sentence; `None` when there is none.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        summary(self.all_damages())
    }
}

/// The first three of some damages and the number of the rest, in one sentence; `None` when there is none.
#[must_use]
pub fn summary<'a>(damages: impl Iterator<Item = &'a Damage>) -> Option<String> {
    let all: Vec<String> = damages.map(ToString::to_string).collect();
    let rest = all.len().saturating_sub(3);
    let mut text = all.get(..all.len().min(3)).filter(|shown| !shown.is_empty())?.join("; ");
    if rest > 0 {
        text.push_str(&format!("; and {rest} more"));
    }
    Some(text)
}

/// Reads all of an archive, twice: as a file, and entry by entry.
///
/// # Errors
/// When the file cannot be read, or the run is to stop. Damage is no error: it is in the report.
pub fn verify(archive: &mut Archive, cancel: &Cancel) -> anyhow::Result<Report> {
    let path = archive.path().to_path_buf();
    let (size_bytes, sha256) =
        hash_file(&path, cancel).with_context(|| format!("read the archive {}", path.display()))?;
    let sidecar = compare_sidecar(&path, &sha256);
    let mut damages = Vec::new();
    let mut whole = |reason: String| damages.push(Damage { entry: None, reason });
    if let Sidecar::Differs(reason) = &sidecar {
        whole(reason.clone());
    }
    if let Err(reason) = archive.headers_agree() {
        whole(format!("the headers of the entries differ from the table of contents: {reason}"));
    }
    damages.extend(listing_damages(archive));
    let mut components = Vec::new();
    for component in archive.manifest().components.clone() {
        components.push(verify_component(archive, component, cancel)?);
    }
    Ok(Report { size_bytes, sha256, sidecar, damages, components })
}

fn compare_sidecar(archive: &Path, sha256: &str) -> Sidecar {
    let path = sidecar_path(archive);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Sidecar::Absent,
        Err(error) => return Sidecar::Differs(format!("{} cannot be read: {error}", path.display())),
    };
    match text.split_whitespace().next() {
        Some(noted) if noted.eq_ignore_ascii_case(sha256) => Sidecar::Matches,
        noted => Sidecar::Differs(format!(
            "the SHA-256 of the file is {sha256}, and {} says {}",
            path.display(),
            noted.unwrap_or("nothing")
        )),
    }
}

/// What the manifest and the table of contents disagree about, and what must not be unpacked.
fn listing_damages(archive: &Archive) -> Vec<Damage> {
    let manifest = archive.manifest();
    let mut damages = Vec::new();
    let mut damage = |entry: &str, reason: String| damages.push(Damage { entry: Some(entry.to_owned()), reason });
    let mut listed = BTreeSet::new();
    let (mut total, mut packed_total) = (0_u64, 0_u64);
    for entry in &manifest.entries {
        if !listed.insert(entry.name.as_str()) {
            damage(&entry.name, "the manifest lists it twice".to_owned());
        }
        if !is_in_place(entry) {
            damage(&entry.name, format!("it does not belong to {}", entry.component));
        }
        if !manifest.components.contains(&entry.component) {
            damage(&entry.name, format!("the manifest does not list its component {}", entry.component));
        }
        let Some(&Content { size, packed, .. }) = archive.contents().get(&entry.name) else {
            damage(&entry.name, "it is missing".to_owned());
            continue;
        };
        if size != entry.size {
            damage(&entry.name, format!("it has {size} bytes, and the manifest says {}", entry.size));
        }
        if is_unpacked(entry.component) {
            (total, packed_total) = (total.saturating_add(size), packed_total.saturating_add(packed));
            if is_bomb(size, packed) {
                damage(&entry.name, format!("{packed} bytes that unpack to {size} are refused as a bomb"));
            }
        }
    }
    for name in archive.contents().keys().filter(|name| !listed.contains(name.as_str())) {
        damage(name, "the manifest does not list it".to_owned());
    }
    let known = manifest.databases.iter().map(|database| &database.entry);
    for name in known.chain(manifest.collections.iter().map(|collection| &collection.entry)) {
        if !listed.contains(name.as_str()) {
            damage(name, "it is described, but not listed".to_owned());
        }
    }
    if total > FREE_TOTAL_BYTES && total / MAX_RATIO > packed_total {
        let reason = format!("files of {packed_total} bytes that unpack to {total} are refused as a bomb");
        damages.push(Damage { entry: None, reason });
    }
    damages
}

const fn is_bomb(size: u64, packed: u64) -> bool {
    size > FREE_ENTRY_BYTES && size / MAX_RATIO > packed
}

/// Whether entries of this component become files.
const fn is_unpacked(component: Component) -> bool {
    matches!(component, Component::Config | Component::Scripts | Component::Plans)
}

/// Whether the entry stands where its component's entries stand. `config/` has no folders in it.
fn is_in_place(entry: &Entry) -> bool {
    let Some(rest) = entry.name.strip_prefix(entry.component.as_str()).and_then(|rest| rest.strip_prefix('/')) else {
        return false;
    };
    is_unpacked(entry.component) && entry.component != Component::Config || !rest.contains('/')
}

fn verify_component(archive: &mut Archive, component: Component, cancel: &Cancel) -> anyhow::Result<ComponentReport> {
    let started = Instant::now();
    let entries: Vec<Entry> = archive.manifest().entries_of(component).cloned().collect();
    let mut damages = Vec::new();
    for entry in &entries {
        // What is missing, and what must not be unpacked, was told already.
        let is_read = archive
            .contents()
            .get(&entry.name)
            .is_some_and(|content| !is_unpacked(component) || !is_bomb(content.size, content.packed));
        if !is_read {
            continue;
        }
        if let Err(error) = verify_entry(archive, entry, cancel) {
            // A run that is to stop has not found damage.
            cancel.check()?;
            damages.push(Damage { entry: Some(entry.name.clone()), reason: format!("{error:#}") });
        }
    }
    Ok(ComponentReport {
        component,
        entries: entries.len() as u64,
        size_bytes: entries.iter().map(|entry| entry.size).sum(),
        elapsed_ms: elapsed_ms(started),
        damages,
    })
}

/// Reads one entry once: its hash, and whether it is of the kind that it should be.
fn verify_entry(archive: &mut Archive, entry: &Entry, cancel: &Cancel) -> anyhow::Result<()> {
    let mut reader = archive.entry(&entry.name)?;
    let form = match entry.component {
        Component::Postgres => is_dump(&mut reader),
        Component::Qdrant => is_snapshot(&mut reader, cancel),
        Component::Config | Component::Scripts | Component::Plans => Ok(()),
    };
    // The hash says more: content that is not what was stored need not be of any form.
    reader.finish(cancel)?;
    form
}

fn is_dump(reader: &mut dyn Read) -> anyhow::Result<()> {
    let mut head = [0; DUMP_MAGIC.len()];
    reader.read_exact(&mut head).context("read its beginning")?;
    anyhow::ensure!(head == *DUMP_MAGIC, "it is not a dump in pg_dump's custom format");
    Ok(())
}

/// Walks the tar that a snapshot is. It is sparse: the sizes it lists say nothing about its own.
fn is_snapshot(reader: &mut dyn Read, cancel: &Cancel) -> anyhow::Result<()> {
    let mut tar = tar::Archive::new(reader);
    let mut has_config = false;
    for member in tar.entries().context("it is not a tar")? {
        cancel.check()?;
        let member = member.context("its tar is broken")?;
        has_config |= member.path_bytes().strip_prefix(b"./").unwrap_or(&member.path_bytes()) == b"config.json";
    }
    anyhow::ensure!(has_config, "it is not a collection's snapshot: there is no config.json in it");
    Ok(())
}
