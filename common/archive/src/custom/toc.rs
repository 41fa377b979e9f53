//! The header and the table of contents.

use std::io::{self, Read};

use anyhow::{Context as _, bail, ensure};

use super::bytes::{Widths, byte, int, string};

const MAGIC: &[u8] = b"PGDMP";
/// `archCustom`.
const CUSTOM: u8 = 1;
/// The oldest and the newest minor version of 1 that is understood.
const VERSIONS: std::ops::RangeInclusive<u8> = 12..=16;
/// A table of contents longer than this is left to `pg_restore` (bytes).
const MAX_BYTES: u64 = 64 << 20;
/// `K_OFFSET_POS_SET`: the offset that follows is where the data stands.
const OFFSET_SET: u8 = 2;

/// How the pieces of the data blocks are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packed {
    Plain,
    /// zlib's format, a stream for each table.
    Zlib,
}

/// Header and table of contents of a dump.
#[derive(Clone, Debug)]
pub struct Toc {
    /// Its entries, in their order.
    pub entries: Vec<TocEntry>,
    /// The encoding that names and rows are in, as PostgreSQL calls it.
    pub encoding: String,
    /// Everything up to the first data block, byte by byte.
    bytes: Vec<u8>,
    pub(super) widths: Widths,
    pub(super) packed: Packed,
}

/// One entry: an object, or the data of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TocEntry {
    /// `dumpId`: its number, by which others and the data name it.
    pub id: u32,
    /// Whether a data block may belong to it.
    pub has_data: bool,
    /// The object's name, or for a table's trigger or constraint both names.
    pub tag: String,
    /// The kind of object: `TABLE`, `TABLE DATA`, `INDEX`, …
    pub desc: String,
    /// When it is restored.
    pub section: Section,
    /// The statement that makes it.
    pub definition: String,
    /// `COPY … FROM stdin;`, for the data of a table.
    pub copy: String,
    /// The schema that it is in; empty for what is in none.
    pub namespace: String,
    /// Its owner.
    pub owner: String,
    /// The access method of a table.
    pub access_method: String,
    /// Entries that have to be there first.
    pub dependencies: Vec<u32>,
    /// Where its offset stands in the bytes.
    pub(super) offset_at: usize,
}

/// `teSection`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Comments, privileges: whenever what they belong to is there.
    None,
    /// Definitions without which no data could be loaded.
    PreData,
    /// The data, and the values of sequences.
    Data,
    /// Indexes, constraints, triggers.
    PostData,
}

impl Toc {
    /// Reads up to the first data block, which comes next.
    ///
    /// # Errors
    /// When it is no dump in the custom format, of a version or a compression that is not known here, or cut off.
    /// `pg_restore` may understand it all the same.
    pub fn read(from: impl Read) -> anyhow::Result<Self> {
        let mut from = Recorder { from: from.take(MAX_BYTES), bytes: Vec::new() };
        let header = header(&mut from).context("read the header of the dump")?;
        let (widths, packed) = (header.widths, header.packed);
        let count = int(&mut from, widths).context("read the table of contents of the dump")?;
        let mut entries = Vec::new();
        for number in 1..=count {
            let entry =
                entry(&mut from, &header).with_context(|| format!("read entry {number} of {count} of the dump"))?;
            entries.push(entry);
        }
        let encoding = encoding(&entries)?;
        // Such a name could be another one in UTF-8.
        ensure!(
            encoding == "UTF8" || encoding == "SQL_ASCII" || entries.iter().all(|entry| entry.copy.is_ascii()),
            "tables of the dump have names in {encoding}"
        );
        Ok(Self { entries, encoding, bytes: from.bytes, widths, packed })
    }

    /// Header and table of contents as they were read: a file of them is a dump without data.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same with offsets by which `pg_restore --jobs` takes the largest tables first: `sizes` are bytes of data by
    /// id. There is nothing at these offsets.
    #[must_use]
    pub fn bytes_with_sizes(&self, sizes: &std::collections::BTreeMap<u32, u64>) -> (Vec<u8>, u64) {
        let mut offsets = std::collections::BTreeMap::new();
        let mut position = self.bytes.len() as u64;
        for entry in self.entries.iter().filter(|entry| entry.has_data) {
            let Some(size) = sizes.get(&entry.id).copied().filter(|size| *size > 0) else { continue };
            offsets.insert(entry.id, position);
            position += size;
        }
        (self.bytes_with_offsets(&offsets), position)
    }

    /// The same with the offsets at which the data of entries stand, by id; the others are as they were.
    fn bytes_with_offsets(&self, offsets: &std::collections::BTreeMap<u32, u64>) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for entry in self.entries.iter().filter(|entry| entry.has_data) {
            let Some(position) = offsets.get(&entry.id) else { continue };
            if let Some(place) = bytes.get_mut(entry.offset_at..=entry.offset_at + self.widths.offset)
                && let [flag, offset @ ..] = place
            {
                *flag = OFFSET_SET;
                for (digit, value) in offset.iter_mut().zip(position.to_le_bytes()) {
                    *digit = value;
                }
            }
        }
        bytes
    }

    /// The entry with this id.
    #[must_use]
    pub fn entry(&self, id: u32) -> Option<&TocEntry> {
        self.entries.iter().find(|entry| entry.id == id)
    }
}

/// Keeps what passes.
struct Recorder<R> {
    from: io::Take<R>,
    bytes: Vec<u8>,
}

impl<R: Read> Read for Recorder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.bytes.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}

/// What stands before the table of contents.
struct Header {
    minor: u8,
    widths: Widths,
    packed: Packed,
}

fn header(from: &mut impl Read) -> anyhow::Result<Header> {
    let mut magic = [0; MAGIC.len()];
    from.read_exact(&mut magic)?;
    ensure!(magic == *MAGIC, "it is not a dump in pg_dump's custom format");
    let (major, minor, _revision) = (byte(from)?, byte(from)?, byte(from)?);
    ensure!(major == 1 && VERSIONS.contains(&minor), "its format has the version {major}.{minor}");
    let widths = Widths { int: usize::from(byte(from)?), offset: usize::from(byte(from)?) };
    ensure!((4..=8).contains(&widths.int) && widths.offset <= 8, "it has integers of {} bytes", widths.int);
    let format = byte(from)?;
    ensure!(format == CUSTOM, "it has the format {format}, and custom is {CUSTOM}");
    // Since 1.15 the method is named; before it was zlib's level, 0 for none and -1 for the usual one.
    let packed = match if minor >= 15 { i64::from(byte(from)?) } else { i64::from(int(from, widths)? != 0) } {
        0 => Packed::Plain,
        1 => Packed::Zlib,
        other => bail!("its data is compressed by the method {other}"),
    };
    // Second, minute, hour, day, month, year, daylight saving.
    for _ in 0..7 {
        int(from, widths)?;
    }
    // The database, the server's version, and pg_dump's.
    for _ in 0..3 {
        string(from, widths, MAX_BYTES)?;
    }
    Ok(Header { minor, widths, packed })
}

fn entry(from: &mut Recorder<impl Read>, header: &Header) -> anyhow::Result<TocEntry> {
    let widths = header.widths;
    let id = u32::try_from(int(from, widths)?).context("its number is out of range")?;
    let has_data = int(from, widths)? != 0;
    let mut text = || -> anyhow::Result<Vec<u8>> { Ok(string(from, widths, MAX_BYTES)?.unwrap_or_default()) };
    // The object's catalogue and OID.
    text()?;
    text()?;
    let (tag, desc) = (text()?, text()?);
    let section = section(int(from, widths)?)?;
    let mut text = || -> anyhow::Result<Vec<u8>> { Ok(string(from, widths, MAX_BYTES)?.unwrap_or_default()) };
    let (definition, _drop, copy, namespace, _tablespace) = (text()?, text()?, text()?, text()?, text()?);
    let access_method = if header.minor >= 14 { text()? } else { Vec::new() };
    if header.minor >= 16 {
        // The kind of relation.
        int(from, widths)?;
    }
    let owner = string(from, widths, MAX_BYTES)?.unwrap_or_default();
    // WITH OIDS, which is of the past.
    string(from, widths, MAX_BYTES)?;
    let mut dependencies = Vec::new();
    while let Some(number) = string(from, widths, MAX_BYTES)? {
        dependencies.push(String::from_utf8_lossy(&number).parse().context("read its dependencies")?);
    }
    let offset_at = from.bytes.len();
    io::copy(&mut from.by_ref().take(1 + widths.offset as u64), &mut io::sink())?;
    ensure!(from.bytes.len() == offset_at + 1 + widths.offset, "it is cut off");
    // What is shown may be approximate where the encoding is not UTF-8; what is executed may not.
    let lossy = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(TocEntry {
        id,
        has_data,
        tag: lossy(tag),
        desc: lossy(desc),
        section,
        definition: lossy(definition),
        copy: String::from_utf8(copy).context("its name is not UTF-8")?,
        namespace: lossy(namespace),
        owner: lossy(owner),
        access_method: lossy(access_method),
        dependencies,
        offset_at,
    })
}

fn section(number: i64) -> anyhow::Result<Section> {
    Ok(match number {
        1 => Section::None,
        2 => Section::PreData,
        3 => Section::Data,
        4 => Section::PostData,
        other => bail!("its section is {other}"),
    })
}

/// What the entry ENCODING says: `SET client_encoding = 'UTF8';`.
fn encoding(entries: &[TocEntry]) -> anyhow::Result<String> {
    let entry = entries.iter().find(|entry| entry.desc == "ENCODING").context("the dump does not say its encoding")?;
    let name = entry.definition.split('\'').nth(1).context("the dump does not say its encoding")?;
    ensure!(
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')),
        "the dump has the encoding {name:?}"
    );
    Ok(name.to_owned())
}
