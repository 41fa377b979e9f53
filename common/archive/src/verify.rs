//! Whether an archive is what it says: the whole file, its structure, and every entry against the manifest.

mod sample;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, anyhow, ensure};
use pso_common::io::{Cancel, elapsed_ms};
use pso_common::record::Component;

use crate::container::Container;
use crate::hash::{copy_hashed, hash_file};
use crate::manifest::{Entry, PackedEntry};
use crate::packing::Packing;
use crate::publish::{noted_hash, sidecar_path};
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
/// How the entry of a dump ends; globals are SQL.
const DUMP_SUFFIX: &str = ".dump";

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
    /// Only a sample of the file was read.
    NotLooked,
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
    /// Bytes that were read of them, as they lie in the archive.
    pub read_bytes: u64,
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
    /// Bytes that were read of it: all, or a sample.
    pub read_bytes: u64,
    /// Its SHA-256, hex; `None` where only a sample was read.
    pub sha256: Option<String>,
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

/// How much of an archive is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Every byte of the file, as it lies there: the hash of the whole and of each entry as it was packed. It was
    /// unpacked and compared when it was made, so that content is what it was if these bytes are.
    Packed,
    /// Everything is also unpacked and compared with what was captured.
    Content,
    /// So many percent of each large entry's blocks, compared with their checksums, and of the other entries of each
    /// component, chosen at random; not the whole file.
    Sample(u8),
}

/// Reads an archive: as a file, and entry by entry.
///
/// # Errors
/// When the file cannot be read, or the run is to stop. Damage is no error: it is in the report.
pub fn verify(archive: &mut Archive, depth: Depth, cancel: &Cancel) -> anyhow::Result<Report> {
    let whole = match depth {
        Depth::Sample(_) => None,
        Depth::Packed | Depth::Content => Some(archive.container().clone()),
    };
    std::thread::scope(|scope| {
        // One core reads the file, the others its entries.
        let whole = whole.map(|container| scope.spawn(move || hash_container(&container, cancel)));
        let mut damages = Vec::new();
        if let Err(reason) = archive.headers_agree() {
            let reason = format!("the headers of the entries differ from the table of contents: {reason}");
            damages.push(Damage { entry: None, reason });
        }
        damages.extend(listing_damages(archive));
        let mut components = Vec::new();
        for component in archive.manifest().components.clone() {
            components.push(verify_component(archive, component, depth, cancel)?);
        }
        let mut report = Report {
            size_bytes: archive.size(),
            read_bytes: components.iter().map(|component| component.read_bytes).sum(),
            sha256: None,
            sidecar: Sidecar::NotLooked,
            damages,
            components,
        };
        if let Some(whole) = whole {
            let hashed = whole.join().map_err(|_| anyhow!("the thread that hashes the file has died"))?;
            let (size, sha256) = hashed.with_context(|| format!("read the archive {}", archive.path().display()))?;
            report.sidecar = compare_sidecar(archive.path(), &sha256);
            if let Sidecar::Differs(reason) = &report.sidecar {
                report.damages.insert(0, Damage { entry: None, reason: reason.clone() });
            }
            (report.size_bytes, report.read_bytes, report.sha256) = (size, size, Some(sha256));
        }
        Ok(report)
    })
}

/// Compares a file with its `.sha256` and nothing else: what can be done without the key to an encrypted archive.
///
/// # Errors
/// When it cannot be read, or the run is to stop.
pub fn verify_file(path: &Path, cancel: &Cancel) -> anyhow::Result<(u64, String, Sidecar)> {
    let (size, sha256) = hash_file(path, cancel).with_context(|| format!("read the archive {}", path.display()))?;
    let sidecar = compare_sidecar(path, &sha256);
    Ok((size, sha256, sidecar))
}

fn hash_container(container: &Container, cancel: &Cancel) -> std::io::Result<(u64, String)> {
    copy_hashed(&mut container.raw(), &mut std::io::sink(), cancel)
}

fn compare_sidecar(archive: &Path, sha256: &str) -> Sidecar {
    let path = sidecar_path(archive);
    match noted_hash(archive) {
        Ok(None) => Sidecar::Absent,
        Ok(Some(noted)) if noted.eq_ignore_ascii_case(sha256) => Sidecar::Matches,
        Ok(Some(noted)) => {
            let noted = if noted.is_empty() { "nothing" } else { &noted };
            Sidecar::Differs(format!("the SHA-256 of the file is {sha256}, and {} says {noted}", path.display()))
        }
        Err(error) => Sidecar::Differs(format!("{} cannot be read: {error}", path.display())),
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
        let Some(&Content { size, packed, crc32, .. }) = archive.contents().get(&entry.name) else {
            damage(&entry.name, "it is missing".to_owned());
            continue;
        };
        if size != entry.size {
            damage(&entry.name, format!("it has {size} bytes, and the manifest says {}", entry.size));
        }
        if let Some(noted) = &entry.packed {
            if noted.size != packed {
                damage(&entry.name, format!("it has {packed} packed bytes, and the manifest says {}", noted.size));
            }
            if noted.crc32 != crc32 {
                damage(&entry.name, format!("its CRC-32 is {crc32:08x}, and the manifest says {:08x}", noted.crc32));
            }
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
    let known = manifest.databases.iter().map(|database| &database.entry).chain(&manifest.globals);
    let mut described = BTreeSet::new();
    for name in known.chain(manifest.collections.iter().map(|collection| &collection.entry)) {
        if !listed.contains(name.as_str()) {
            damage(name, "it is described, but not listed".to_owned());
        }
        if !described.insert(name.as_str()) {
            damage(name, "it is described twice".to_owned());
        }
    }
    // What is not described is not restored, and nobody would miss it.
    let of_store = |entry: &&Entry| matches!(entry.component, Component::Postgres | Component::Qdrant);
    for entry in manifest.entries.iter().filter(of_store).filter(|entry| !described.contains(entry.name.as_str())) {
        damage(&entry.name, "it is listed, but the manifest does not say what it is of".to_owned());
    }
    // A cluster has databases; what a store has no collections of is another matter.
    if manifest.components.contains(&Component::Postgres) && manifest.databases.is_empty() {
        let reason = "it is said to be in the archive, but no database is".to_owned();
        damage(Component::Postgres.as_str(), reason);
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

fn verify_component(
    archive: &mut Archive,
    component: Component,
    depth: Depth,
    cancel: &Cancel,
) -> anyhow::Result<ComponentReport> {
    let started = Instant::now();
    let entries: Vec<Entry> = archive.manifest().entries_of(component).cloned().collect();
    let chosen = match depth {
        Depth::Sample(percent) => Some(sample::chosen(&entries, percent)),
        Depth::Packed | Depth::Content => None,
    };
    let (mut damages, mut read_bytes) = (Vec::new(), 0);
    for entry in entries.iter().filter(|entry| chosen.as_ref().is_none_or(|chosen| chosen.contains(&entry.name))) {
        // What is missing, and what must not be unpacked, was told already.
        let is_read = archive
            .contents()
            .get(&entry.name)
            .is_some_and(|content| !is_unpacked(component) || !is_bomb(content.size, content.packed));
        if !is_read {
            continue;
        }
        let verified = verify_to(archive, entry, depth, cancel);
        match verified {
            Ok(bytes) => read_bytes += bytes,
            Err(error) => {
                // A run that is to stop has not found damage.
                cancel.check()?;
                damages.push(Damage { entry: Some(entry.name.clone()), reason: format!("{error:#}") });
            }
        }
    }
    Ok(ComponentReport {
        component,
        entries: entries.len() as u64,
        size_bytes: entries.iter().map(|entry| entry.size).sum(),
        read_bytes,
        elapsed_ms: elapsed_ms(started),
        damages,
    })
}

/// Reads an entry as far as `depth` asks for; the bytes that it read.
fn verify_to(archive: &mut Archive, entry: &Entry, depth: Depth, cancel: &Cancel) -> anyhow::Result<u64> {
    let is_stored = archive.contents().get(&entry.name).is_some_and(|content| content.packing == Packing::Store);
    match (&entry.packed, depth) {
        (Some(packed), Depth::Sample(percent)) if packed.blocks.0.len() > 1 => {
            sample::verify(archive, entry, percent, cancel)
        }
        // What is stored as it is need not be unpacked: a snapshot's tar is walked in the same pass.
        (Some(packed), Depth::Packed | Depth::Sample(_)) if !is_stored => {
            verify_packed(archive, entry, packed, cancel).map(|()| packed.size)
        }
        _ => verify_entry(archive, entry, cancel).map(|()| entry.size),
    }
}

/// Reads one entry as it lies there, and the beginning of its content.
fn verify_packed(archive: &mut Archive, entry: &Entry, packed: &PackedEntry, cancel: &Cancel) -> anyhow::Result<()> {
    let mut bytes = archive.packed(&entry.name)?;
    let (size, sha256) = copy_hashed(&mut bytes, &mut std::io::sink(), cancel)?;
    ensure!(size == packed.size, "it has {size} packed bytes and should have {}", packed.size);
    ensure!(sha256 == packed.sha256, "the SHA-256 of its packed bytes is {sha256} and should be {}", packed.sha256);
    if entry.component == Component::Postgres && entry.name.ends_with(DUMP_SUFFIX) {
        is_dump(&mut archive.range(&entry.name, 0)?)?;
    }
    Ok(())
}

/// Reads one entry once: its hash, and whether it is of the kind that it should be.
fn verify_entry(archive: &mut Archive, entry: &Entry, cancel: &Cancel) -> anyhow::Result<()> {
    let mut reader = archive.entry(&entry.name)?;
    let form = match entry.component {
        Component::Postgres if entry.name.ends_with(DUMP_SUFFIX) => is_dump(&mut reader),
        Component::Postgres => Ok(()),
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
    ensure!(head == *DUMP_MAGIC, "it is not a dump in pg_dump's custom format");
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
    ensure!(has_config, "it is not a collection's snapshot: there is no config.json in it");
    Ok(())
}
