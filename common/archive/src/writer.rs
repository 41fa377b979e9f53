//! Making an archive: entries are hashed as they stream in, the manifest comes last.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, ensure};
use pso_common::Timestamp;
use pso_common::io::Cancel;
use pso_common::record::Component;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::durable::private_file;
use crate::hash::{CHUNK, Digest};
use crate::manifest::{Entry, MANIFEST_NAME, MAX_MANIFEST_BYTES, Manifest};
use crate::names::check_entry_name;
use crate::publish::Partial;

/// How an entry lies in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// As it is: for what is compressed already.
    Store,
    /// Deflated, so that every unzip opens it.
    Deflate,
}

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
    zip: Option<ZipWriter<Sink>>,
    partial: Partial,
    abandoned: Arc<AtomicBool>,
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
    /// Begins an archive in `folder`, which must be locked.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(folder: &Path, at: Timestamp, cancel: &Cancel) -> anyhow::Result<Self> {
        let path = Partial::path_in(folder, &format!("{}.zip", at.compact()));
        let file = private_file(&path).with_context(|| format!("create {}", path.display()))?;
        let abandoned = Arc::new(AtomicBool::new(false));
        let file = BufWriter::with_capacity(CHUNK, file);
        let sink = Sink { file, position: 0, end: 0, abandoned: Arc::clone(&abandoned) };
        Ok(Self {
            zip: Some(ZipWriter::new(sink)),
            partial: Partial::new(path),
            abandoned,
            entries: Vec::new(),
            names: BTreeSet::new(),
            cancel: cancel.clone(),
        })
    }

    /// Adds one entry; `fill` writes its content.
    ///
    /// # Errors
    /// When the name is refused or taken, `fill` fails, the disk does, or the run is to stop. The archive is then good
    /// for nothing.
    pub fn add<T>(
        &mut self,
        new: NewEntry,
        fill: impl FnOnce(&mut dyn Write) -> anyhow::Result<T>,
    ) -> anyhow::Result<(Entry, T)> {
        check_entry_name(&new.name).with_context(|| format!("store {}; rename it, then back up again", new.source))?;
        ensure!(self.names.insert(new.name.clone()), "two things would be stored as {}", new.name);
        let moment = new.modified_at.unwrap_or(new.captured_at);
        let options = options(new.packing, moment, new.mode.unwrap_or(0o600));
        let zip = self.zip.as_mut().context("the archive is finished")?;
        zip.start_file(&new.name, options).with_context(|| format!("begin the entry {}", new.name))?;
        let mut writer = EntryWriter { zip, digest: Digest::default(), cancel: &self.cancel };
        let result = fill(&mut writer).with_context(|| format!("store {}", new.source))?;
        let (size, sha256) = writer.digest.finish();
        let entry = Entry {
            name: new.name,
            component: new.component,
            size,
            sha256,
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
        let mut zip = self.zip.take().context("the archive is finished")?;
        zip.start_file(MANIFEST_NAME, options(Packing::Deflate, manifest.taken_at, 0o600))
            .context("begin the manifest")?;
        zip.write_all(&text).context("write the manifest")?;
        let sink = zip.finish().context("write the archive's table of contents")?;
        let file =
            sink.file.into_inner().map_err(io::IntoInnerError::into_error).context("write the end of the archive")?;
        file.sync_all().with_context(|| format!("put {} on the disk", self.partial.path().display()))?;
        let partial = std::mem::replace(&mut self.partial, Partial::none());
        Ok((Written { partial }, manifest))
    }
}

impl Drop for ArchiveWriter {
    fn drop(&mut self) {
        // A ZIP writer that is dropped still writes a table of contents, and complains on stderr where it cannot.
        self.abandoned.store(true, Ordering::Relaxed);
        drop(self.zip.take());
    }
}

fn options(packing: Packing, at: Timestamp, mode: u32) -> SimpleFileOptions {
    let method = match packing {
        Packing::Store => CompressionMethod::Stored,
        Packing::Deflate => CompressionMethod::Deflated,
    };
    let at = at.to_utc();
    let year = u16::try_from(at.year()).unwrap_or_default();
    let moment =
        DateTime::from_date_and_time(year, at.month().into(), at.day(), at.hour(), at.minute(), at.second() & !1);
    SimpleFileOptions::default()
        .compression_method(method)
        // Lengths are known only afterwards, so there is always room for large ones.
        .large_file(true)
        .unix_permissions(mode)
        .last_modified_time(moment.unwrap_or_default())
}

/// What an entry's content is written to.
struct EntryWriter<'a> {
    zip: &'a mut ZipWriter<Sink>,
    digest: Digest,
    cancel: &'a Cancel,
}

impl Write for EntryWriter<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.cancel.check().map_err(io::Error::other)?;
        let written = self.zip.write(piece)?;
        self.digest.update(&piece[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.zip.flush()
    }
}

/// The file below the ZIP writer. Once abandoned, it only pretends.
struct Sink {
    file: BufWriter<File>,
    position: u64,
    end: u64,
    abandoned: Arc<AtomicBool>,
}

impl Sink {
    fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }
}

impl Write for Sink {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let written = if self.is_abandoned() { piece.len() } else { self.file.write(piece)? };
        self.position += written as u64;
        self.end = self.end.max(self.position);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_abandoned() { Ok(()) } else { self.file.flush() }
    }
}

impl Seek for Sink {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = if self.is_abandoned() {
            match to {
                SeekFrom::Start(at) => at,
                SeekFrom::Current(by) => self.position.saturating_add_signed(by),
                SeekFrom::End(by) => self.end.saturating_add_signed(by),
            }
        } else if to == SeekFrom::Current(0) {
            // BufWriter would flush for a question.
            self.position
        } else {
            self.file.seek(to)?
        };
        Ok(self.position)
    }
}
