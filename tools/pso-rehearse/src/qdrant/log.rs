//! The log (WAL) of a shard, as it lies in a snapshot.
//!
//! A server puts its log into a snapshot and applies at its next start what is behind `first-index` in it (`load_from_wal`
//! of Qdrant's `collection` crate); the engine as a library opens the log and applies nothing. What is in it is told here
//! from the files alone, whose form is described in the engine's `wal/segment.rs`: a header of 8 bytes with a seed, then
//! entries of a length (u64), the content, zeros, and a CRC-32C that goes on from the one before.

use std::fs::{self, File};
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use qdrant_edge::UpdateOperation;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The header of a file, and of an entry.
const HEADER: u64 = 8;
const CRC: u64 = 4;
/// An entry that is longer cannot have been sent to a server (bytes): 32 MiB is its limit unless it was raised.
const LONGEST: u64 = 1 << 30;

/// Where the entries are.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    entries: Vec<Entry>,
    is_torn: bool,
}

#[derive(Clone, Debug)]
struct Entry {
    file: PathBuf,
    start: u64,
    length: u64,
}

/// `first-index`: what is before it is in the segments.
#[derive(Deserialize)]
struct FirstIndex {
    ack_index: u64,
}

/// An entry as a server writes it: `OperationWithClockTag`, which has more than the operation. The engine as a library
/// writes the operation alone.
#[derive(Deserialize)]
struct Logged {
    #[serde(flatten)]
    operation: UpdateOperation,
    #[serde(default, rename = "clock_tag")]
    _clock_tag: Option<IgnoredAny>,
}

/// Reads one entry.
///
/// # Errors
/// When it is not an operation that this version of Qdrant knows.
pub(super) fn operation(entry: &[u8]) -> anyhow::Result<UpdateOperation> {
    let logged: Result<Logged, _> = serde_cbor::from_slice(entry);
    Ok(logged.context("it is not an operation that this version of Qdrant knows")?.operation)
}

impl Log {
    /// Finds the entries that a server would apply.
    ///
    /// # Errors
    /// When the files cannot be read. What is in them may be anything: the log ends where it does not hold.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        if !folder.is_dir() {
            return Ok(Self::default());
        }
        let (mut closed, mut open) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(folder).context("read the folder of a log")? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match name.split_once('-') {
                Some(("closed", number)) => closed.extend(number.parse::<u64>().ok().map(|number| (number, path))),
                Some(("open", number)) => open.extend(number.parse::<u64>().ok().map(|number| (number, path))),
                _ => {}
            }
        }
        closed.sort();
        open.sort();
        let mut index = closed.first().map_or(0, |(start, _)| *start);
        let first = fs::read(folder.join("first-index")).ok();
        let first = first.and_then(|text| serde_json::from_slice::<FirstIndex>(&text).ok());
        let first = first.map_or(0, |first| first.ack_index);
        let mut log = Self::default();
        for (_, path) in closed.into_iter().chain(open) {
            let (found, is_torn) = entries_of(&path)?;
            log.is_torn |= is_torn;
            for (start, length) in found {
                if index >= first {
                    log.entries.push(Entry { file: path.clone(), start, length });
                }
                index += 1;
            }
        }
        Ok(log)
    }

    /// How many there are.
    pub(super) fn entries(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Whether something is behind the last entry that holds: a server does not see it.
    pub(super) const fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// Their contents, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = anyhow::Result<Vec<u8>>> {
        self.entries.iter().map(|entry| {
            let mut content = vec![0; usize::try_from(entry.length)?];
            let mut file = File::open(&entry.file)?;
            file.seek(SeekFrom::Start(entry.start))?;
            file.read_exact(&mut content)?;
            Ok(content)
        })
    }
}

/// Start and length of each entry of one file, up to the first that does not hold, and whether there is one.
fn entries_of(path: &Path) -> anyhow::Result<(Vec<(u64, u64)>, bool)> {
    let context = || format!("read {}", path.display());
    let file = File::open(path).with_context(context)?;
    let end = file.metadata()?.len();
    let mut file = BufReader::new(file);
    let mut found = Vec::new();
    let mut header = [0; HEADER as usize];
    if end < HEADER || file.read_exact(&mut header).is_err() || header[..4] != *b"wal\0" {
        return Ok((found, end > 0));
    }
    let mut crc = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
    let mut offset = HEADER;
    let mut content = Vec::new();
    while offset + HEADER + CRC < end {
        file.read_exact(&mut header).with_context(context)?;
        let length = u64::from_le_bytes(header);
        if length > LONGEST {
            return Ok((found, true));
        }
        let padded = length + padding(length);
        if offset + HEADER + padded + CRC > end {
            return Ok((found, true));
        }
        content.resize(usize::try_from(padded)?, 0);
        file.read_exact(&mut content).with_context(context)?;
        let mut stored = [0; CRC as usize];
        file.read_exact(&mut stored).with_context(context)?;
        let computed = crc32c::crc32c_append(crc32c::crc32c_append(!crc.reverse_bits(), &header), &content);
        if computed != u32::from_le_bytes(stored) {
            // Behind the last entry all is zero.
            return Ok((found, length != 0 || stored != [0; CRC as usize]));
        }
        crc = computed;
        found.push((offset + HEADER, length));
        offset += HEADER + padded + CRC;
    }
    Ok((found, false))
}

/// Zeros behind the content, so that length, content, zeros and CRC together are a multiple of 8.
const fn padding(length: u64) -> u64 {
    4_u64.wrapping_sub(length) & 7
}
