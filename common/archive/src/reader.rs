//! Reading an archive that may be broken, or made to do harm.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufReader, Read};
use std::path::Path;

use anyhow::{Context as _, anyhow, ensure};
use pso_common::io::Cancel;
use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use crate::blocks::{BlockSource, ParallelReader, RangeReader};
use crate::container::{Container, Handle};
use crate::encryption::Identities;
use crate::hash::{CHUNK, Digest, copy};
use crate::manifest::{Entry, MANIFEST_NAME, MAX_MANIFEST_BYTES, Manifest};
use crate::names::check_entry_name;
use crate::obstacle::{Blocked, Obstacle, is_of_the_system};
use crate::packing::Packing;

/// What stands at the end of every message about an archive that cannot be used.
const WAY_OUT: &str = "take another archive (`pso-backup list` shows them)";

pub(crate) type Source = BufReader<Box<dyn Handle>>;

/// An open archive: its table of contents was checked, its manifest was read. Its content is not believed yet.
pub struct Archive {
    container: Container,
    zip: ZipArchive<Source>,
    manifest: Manifest,
    /// Index and both sizes of each entry but the manifest, by name.
    contents: BTreeMap<String, Content>,
    /// Where the manifest lists each entry: there may be a hundred thousand.
    listed: HashMap<String, usize>,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("path", &self.path()).field("entries", &self.contents.len()).finish()
    }
}

/// An entry as the table of contents has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content {
    pub(crate) index: usize,
    pub(crate) packing: Packing,
    pub(crate) size: u64,
    pub(crate) packed: u64,
    pub(crate) crc32: u32,
}

impl Archive {
    /// Opens an archive that is not encrypted; as [`Archive::open_with`].
    ///
    /// # Errors
    /// As there.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        Self::open_with(path, &Identities::default())
    }

    /// Opens an archive and checks its table of contents: names that stay inside, no links, no duplicates, nothing
    /// that only others can unpack. Reads the manifest.
    ///
    /// # Errors
    /// When it is missing, encrypted for somebody else, no whole ZIP file, refused, or has no manifest; the message
    /// names the way out.
    pub fn open_with(path: &Path, identities: &Identities) -> anyhow::Result<Self> {
        let result = Self::open_file(path, identities).with_context(|| format!("read the archive {}", path.display()));
        result.map_err(|error| Blocked::error(Obstacle::of(&error), format!("{error:#}; {WAY_OUT}")))
    }

    fn open_file(path: &Path, identities: &Identities) -> anyhow::Result<Self> {
        let container = Container::new(path, identities)?;
        let mut zip = ZipArchive::new(BufReader::with_capacity(CHUNK, container.open()?)).map_err(not_whole)?;
        ensure!(zip.offset() == 0, "there are {} bytes before the ZIP file", zip.offset());
        ensure!(!zip.has_duplicate_names(), "it has two entries of one name");
        let mut contents = contents(&zip)?;
        let Some(manifest) = contents.remove(MANIFEST_NAME) else {
            let text = "it has no manifest.json: it was not made by pso-backup, and nothing in it can be checked";
            return Err(Blocked::error(Obstacle::NoManifest, text));
        };
        let manifest = read_manifest(&mut zip, manifest)?;
        Ok(Self::assembled(container, zip, manifest, contents))
    }

    /// Another handle on the same open file, whoever has its name by now: with a position of its own.
    ///
    /// # Errors
    /// When it can no longer be read.
    pub fn again(&self) -> anyhow::Result<Self> {
        let context = || format!("read the archive {}", self.path().display());
        let source = BufReader::with_capacity(CHUNK, self.container.open().with_context(context)?);
        let zip = ZipArchive::new(source).map_err(not_whole).with_context(context)?;
        let (manifest, contents, listed) = (self.manifest.clone(), self.contents.clone(), self.listed.clone());
        Ok(Self { container: self.container.clone(), zip, manifest, contents, listed })
    }

    /// The file that is open: its name may be another's by now.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn metadata(&self) -> io::Result<std::fs::Metadata> {
        self.container.metadata()
    }

    /// An archive whose manifest was made of what was seen in it: [`crate::legacy`].
    pub(crate) fn assembled(
        container: Container,
        zip: ZipArchive<Source>,
        manifest: Manifest,
        contents: BTreeMap<String, Content>,
    ) -> Self {
        let mut listed = HashMap::with_capacity(manifest.entries.len());
        for (at, entry) in manifest.entries.iter().enumerate() {
            // Of two of one name the first counts, as everywhere; that there are two is damage.
            listed.entry(entry.name.clone()).or_insert(at);
        }
        Self { container, zip, manifest, contents, listed }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.container.path()
    }

    /// The file's size in bytes, when it was opened.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.container.size()
    }

    pub(crate) const fn container(&self) -> &Container {
        &self.container
    }

    /// What it says about itself.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(crate) const fn contents(&self) -> &BTreeMap<String, Content> {
        &self.contents
    }

    /// Compares the table of contents with the header that stands before each entry.
    pub(crate) fn headers_agree(&mut self) -> Result<(), String> {
        self.zip.validate_header_consistency().map_err(|error| error.to_string())
    }

    /// Opens one entry. What is read of it can be believed once [`EntryReader::finish`] says so.
    ///
    /// # Errors
    /// When there is no such entry, or its header is damaged.
    pub fn entry(&mut self, name: &str) -> anyhow::Result<EntryReader<'_>> {
        let expected = self.listed(name)?;
        let (size, sha256) = (expected.size, expected.sha256.clone());
        let source = self.blocks(name).with_context(|| format!("open the entry {name}"))?;
        let content = match source {
            // A hundred thousand small files need no hundred thousand threads.
            Some(source) if source.count() <= 1 => Unpacking::Block(RangeReader::new(&source, 0)?),
            Some(source) => Unpacking::Blocks(ParallelReader::new(&source)),
            None => {
                let index = self.content(name)?.index;
                let file = self.zip.by_index(index).with_context(|| format!("open the entry {name}"))?;
                Unpacking::Stream(file)
            }
        };
        Ok(EntryReader { name: name.to_owned(), content, digest: Digest::default(), size, sha256 })
    }

    /// A reader of one entry's content from the byte `offset` on, with a position of its own, so that any number can
    /// read side by side. Each block is compared with its CRC-32 and nothing with a hash: verify the archive first.
    ///
    /// # Errors
    /// When there is no such entry, it is damaged, shorter, or not in blocks, as in archives of pso-tools 0.1.
    pub fn range(&mut self, name: &str, offset: u64) -> anyhow::Result<RangeReader> {
        let context = || format!("open the entry {name}");
        let source = self.blocks(name).with_context(context)?;
        let source = source.with_context(|| format!("the entry {name} can be read from its beginning only"))?;
        RangeReader::new(&source, offset).with_context(context)
    }

    /// The packed bytes of an entry, and how many there are.
    pub(crate) fn packed(&mut self, name: &str) -> anyhow::Result<io::Take<Box<dyn Handle>>> {
        let content = self.content(name)?;
        let mut handle = self.container.open()?;
        handle.seek(io::SeekFrom::Start(self.start(content)?))?;
        Ok(handle.take(content.packed))
    }

    fn content(&self, name: &str) -> anyhow::Result<Content> {
        self.contents.get(name).copied().with_context(|| format!("the archive has no entry {name}"))
    }

    fn listed(&self, name: &str) -> anyhow::Result<&Entry> {
        let entry = self.listed.get(name).and_then(|&at| self.manifest.entries.get(at));
        entry.with_context(|| format!("the manifest does not list {name}"))
    }

    /// Where the packed bytes begin, behind a header of its own.
    fn start(&mut self, content: Content) -> anyhow::Result<u64> {
        self.zip.by_index_raw(content.index)?.data_start().context("its header is damaged")
    }

    /// The blocks of an entry; `None` where it has none.
    pub(crate) fn blocks(&mut self, name: &str) -> anyhow::Result<Option<BlockSource>> {
        let content = self.content(name)?;
        let start = self.start(content)?;
        let entry = self.listed(name)?;
        let Some(packed) = &entry.packed else { return Ok(None) };
        BlockSource::new(&self.container, content.packing, start, content.packed, &packed.blocks.0, content.size)
            .map(Some)
    }

    /// Copies one entry to `to` and compares it with the manifest.
    ///
    /// # Errors
    /// When it differs (`to` has it all the same), one of them fails, or the run is to stop.
    pub fn copy(&mut self, entry: &Entry, to: &mut dyn io::Write, cancel: &Cancel) -> anyhow::Result<()> {
        let mut reader = self.entry(&entry.name)?;
        copy(&mut reader, to, cancel).with_context(|| format!("copy the entry {}", entry.name))?;
        reader.finish(cancel)
    }
}

/// An entry being read and hashed.
pub struct EntryReader<'a> {
    name: String,
    content: Unpacking<'a>,
    digest: Digest,
    size: u64,
    sha256: String,
}

enum Unpacking<'a> {
    Block(RangeReader),
    Blocks(ParallelReader),
    Stream(ZipFile<'a, Source>),
}

impl EntryReader<'_> {
    /// Reads what is left and compares the whole with the manifest.
    ///
    /// # Errors
    /// When it differs, cannot be read, or the run is to stop.
    pub fn finish(mut self, cancel: &Cancel) -> anyhow::Result<()> {
        copy(&mut self, &mut io::sink(), cancel)?;
        let (size, sha256) = self.digest.finish();
        ensure!(size == self.size, "{} has {size} bytes and should have {}", self.name, self.size);
        ensure!(sha256 == self.sha256, "the SHA-256 of {} is {sha256} and should be {}", self.name, self.sha256);
        Ok(())
    }
}

impl Read for EntryReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.content {
            Unpacking::Block(content) => content.read(buffer)?,
            Unpacking::Blocks(content) => content.read(buffer)?,
            Unpacking::Stream(content) => content.read(buffer)?,
        };
        self.digest.update(&buffer[..read]);
        // A bomb claims to be small.
        if self.digest.length() > self.size {
            return Err(io::Error::other(format!("{} is longer than its {} bytes", self.name, self.size)));
        }
        Ok(read)
    }
}

fn not_whole(error: ZipError) -> anyhow::Error {
    let text = format!("it is not a whole ZIP file, but cut off or damaged ({error})");
    let is_read = !matches!(&error, ZipError::Io(error) if is_of_the_system(error));
    if is_read { anyhow!(text) } else { Blocked::error(Obstacle::Unreachable, format!("it cannot be read: {error}")) }
}

/// The table of contents, each entry of which was checked.
fn contents(zip: &ZipArchive<Source>) -> anyhow::Result<BTreeMap<String, Content>> {
    let mut contents = BTreeMap::new();
    for index in 0..zip.len() {
        let entry = zip.by_index_data(index)?;
        let shown = String::from_utf8_lossy(entry.name_raw()).into_owned();
        // A name field that is overruled by an extra one, or in another encoding, is read differently by others.
        let name = entry.name().map_err(|error| anyhow!("the name of an entry cannot be read: {error}"))?;
        ensure!(name.as_bytes() == entry.name_raw(), "the entry {shown:?} has two names, or one that is not UTF-8");
        check_entry_name(&name)?;
        ensure!(entry.enclosed_name().is_some(), "the name {shown:?} is refused: it leads outside");
        let kind = entry.unix_mode().unwrap_or_default() & 0o170_000;
        ensure!(kind == 0 || kind == 0o100_000, "the entry {shown} is a link, a folder or a device");
        ensure!(!entry.encrypted(), "the entry {shown} is encrypted");
        let packing = Packing::of_method(entry.compression())
            .with_context(|| format!("the entry {shown} is compressed with {}", entry.compression()))?;
        let content =
            Content { index, packing, size: entry.size(), packed: entry.compressed_size(), crc32: entry.crc32() };
        contents.insert(name.into_owned(), content);
    }
    // `a` and `a/b` cannot both be files.
    for name in contents.keys() {
        let mut folder = name.as_str();
        while let Some((above, _)) = folder.rsplit_once('/') {
            ensure!(!contents.contains_key(above), "{above} is a file and a folder in it");
            folder = above;
        }
    }
    Ok(contents)
}

fn read_manifest(zip: &mut ZipArchive<Source>, content: Content) -> anyhow::Result<Manifest> {
    ensure!(content.size <= MAX_MANIFEST_BYTES, "its manifest is larger than {} MiB", MAX_MANIFEST_BYTES >> 20);
    let mut text = Vec::new();
    let file = zip.by_index(content.index).context("read its manifest")?;
    file.take(MAX_MANIFEST_BYTES + 1).read_to_end(&mut text).context("read its manifest")?;
    ensure!(text.len() as u64 <= MAX_MANIFEST_BYTES, "its manifest is larger than {} MiB", MAX_MANIFEST_BYTES >> 20);
    Manifest::parse(&text).context("read its manifest")
}
