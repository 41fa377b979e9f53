//! Making an archive: entries are packed and hashed as they stream in, the manifest comes last.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, ensure};
use pso_common::Timestamp;
use pso_common::io::Cancel;
use pso_common::record::Component;
use rawzip::ZipArchiveWriter;
use rawzip::time::UtcDateTime;

use crate::blocks::{BlockWriter, Packers};
use crate::durable::private_file;
use crate::encryption::{Output, Recipients, SUFFIX};
use crate::hash::CHUNK;
use crate::manifest::{Blocks, Entry, MANIFEST_NAME, MAX_MANIFEST_BYTES, Manifest, PackedEntry};
use crate::names::check_entry_name;
use crate::packing::Packing;
use crate::publish::Partial;

type Zip = ZipArchiveWriter<Output<BufWriter<File>>>;

/// What is known of an entry before its content is.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Its name in the archive.
    pub name: String,
    /// The component that it belongs to.
    pub component: Component,
    /// The path, or the address without secrets, that it is read from.
    pub source: String,
    /// When it is read.
    pub captured_at: Timestamp,
    /// The file's time of last change.
    pub modified_at: Option<Timestamp>,
    /// The file's permission bits.
    pub mode: Option<u32>,
    /// How it is packed.
    pub packing: Packing,
}

/// An archive being written under a temporary name. Dropped before [`ArchiveWriter::finish`], it leaves nothing.
pub struct ArchiveWriter {
    zip: Zip,
    partial: Partial,
    packers: Packers,
    entries: Vec<Entry>,
    names: BTreeSet<String>,
    cancel: Cancel,
}

/// A complete archive on the disk, still under its temporary name. Dropped, it goes.
pub struct Written {
    pub(crate) partial: Partial,
}

impl Written {
    /// Where it lies for now: to be read back before it is published.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.partial.path()
    }
}

impl ArchiveWriter {
    /// Begins an archive in `folder`, which must be locked. Where there are recipients, only they can read it.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(folder: &Path, at: Timestamp, recipients: &Recipients, cancel: &Cancel) -> anyhow::Result<Self> {
        let suffix = if recipients.is_empty() { "" } else { SUFFIX };
        let path = Partial::path_in(folder, &format!("{}.zip{suffix}", at.compact()));
        let file = private_file(&path).with_context(|| format!("create {}", path.display()))?;
        let partial = Partial::new(path);
        let output = Output::new(BufWriter::with_capacity(CHUNK, file), recipients)?;
        Ok(Self {
            zip: ZipArchiveWriter::new(output),
            partial,
            packers: Packers::new(),
            entries: Vec::new(),
            names: BTreeSet::new(),
            cancel: cancel.clone(),
        })
    }

    /// Adds one entry; `fill` writes its content.
    ///
    /// # Errors
    /// When the name is refused or taken, `fill` fails, the disk does, or the run is to stop. The archive
    /// is then good for nothing.
    pub fn add<T>(
        &mut self,
        new: NewEntry,
        fill: impl FnOnce(&mut dyn Write) -> anyhow::Result<T>,
    ) -> anyhow::Result<(Entry, T)> {
        check_entry_name(&new.name).with_context(|| format!("store {}; rename it, then back up again", new.source))?;
        ensure!(self.names.insert(new.name.clone()), "two things would be stored as {}", new.name);
        let moment = new.modified_at.unwrap_or(new.captured_at);
        let (packed, result) = write_entry(
            &mut self.zip,
            (&new.name, new.packing, moment, new.mode.unwrap_or(0o600)),
            &mut self.packers,
            &self.cancel,
            |out| fill(out).with_context(|| format!("store {}", new.source)),
        )?;
        let (content, packed) = packed;
        let entry = Entry {
            name: new.name,
            component: new.component,
            size: content.0,
            sha256: content.1,
            packed: Some(packed),
            source: new.source,
            captured_at: new.captured_at,
            modified_at: new.modified_at,
            mode: new.mode,
        };
        self.entries.push(entry.clone());
        Ok((entry, result))
    }

    /// Writes the manifest, whose list of entries is filled in here, and puts all of it on the disk.
    ///
    /// # Errors
    /// When the disk fails, or there are more entries than a manifest may list.
    pub fn finish(mut self, mut manifest: Manifest) -> anyhow::Result<(Written, Manifest)> {
        manifest.entries = std::mem::take(&mut self.entries);
        let text = serde_json::to_vec_pretty(&manifest).context("write the manifest")?;
        ensure!(
            text.len() as u64 <= MAX_MANIFEST_BYTES,
            "the manifest of {} entries would be larger than {} MiB; keep what need not be backed up outside scripts/ and plans/",
            manifest.entries.len(),
            MAX_MANIFEST_BYTES >> 20
        );
        let what = (MANIFEST_NAME, Packing::Deflate, manifest.taken_at, 0o600);
        write_entry(&mut self.zip, what, &mut self.packers, &self.cancel, |out| {
            out.write_all(&text).context("write the manifest")
        })?;
        let output = self.zip.finish().context("write the archive's table of contents")?;
        let buffer = output.finish().context("write the end of the archive")?;
        let file =
            buffer.into_inner().map_err(io::IntoInnerError::into_error).context("write the end of the archive")?;
        file.sync_all().with_context(|| format!("put {} on the disk", self.partial.path().display()))?;
        Ok((Written { partial: self.partial }, manifest))
    }
}

type Sizes = ((u64, String), PackedEntry);

fn write_entry<T>(
    zip: &mut Zip,
    (name, packing, at, mode): (&str, Packing, Timestamp, u32),
    packers: &mut Packers,
    cancel: &Cancel,
    fill: impl FnOnce(&mut dyn Write) -> anyhow::Result<T>,
) -> anyhow::Result<(Sizes, T)> {
    let (entry, _) = zip
        .new_file(name)
        .compression_method(packing.method())
        .unix_permissions(0o100_000 | (mode & 0o777))
        .last_modified(UtcDateTime::from_unix(at.to_utc().unix_timestamp()))
        .start()
        .with_context(|| format!("begin the entry {name}"))?;
    let mut writer = BlockWriter::new(packing, packers, entry, cancel);
    let result = fill(&mut writer)?;
    let (packed, entry) = writer.finish().with_context(|| format!("store the entry {name}"))?;
    let end = rawzip::DataDescriptorOutput::new(packed.crc32, packed.content.0);
    entry.finish(end).with_context(|| format!("end the entry {name}"))?;
    let (size, sha256) = packed.packed;
    Ok(((packed.content, PackedEntry { size, sha256, crc32: packed.crc32, blocks: Blocks(packed.blocks) }), result))
}
