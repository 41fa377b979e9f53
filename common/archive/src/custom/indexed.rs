//! Writing a dump to a file in which `pg_restore --jobs` finds everything at once.
//!
//! A dump that went through a pipe says nowhere where its data stand, so that each job of `pg_restore` would read through
//! all of the file. Read once from its beginning to its end, it can be told.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use anyhow::Context as _;

use super::blocks::{Block, Blocks};
use super::toc::Toc;

/// A dump that was copied, and what was seen of it.
#[derive(Clone, Debug)]
pub struct Indexed {
    /// Its table of contents.
    pub toc: Toc,
    /// Where the data of an entry begin, by the entry's id: bytes from the beginning of the file.
    pub offsets: BTreeMap<u32, u64>,
    /// How many large objects have content in it.
    pub large_objects: u64,
    /// Why it could not be read to its end. What came before is in `offsets`, and all of it was copied.
    pub broken: Option<String>,
}

impl Indexed {
    /// Copies a dump to `to`, byte by byte, and finds where its data stand. `from` should be buffered.
    ///
    /// # Errors
    /// When it cannot be read or written, or its table of contents is not understood; `from` has been read in part then.
    pub fn copy(from: impl Read, to: &mut dyn Write) -> anyhow::Result<Self> {
        let mut from = Tee { from, to, position: 0, failed: None };
        let toc = Toc::read(&mut from)?;
        let mut found = Self { toc, offsets: BTreeMap::new(), large_objects: 0, broken: None };
        let mut blocks = Blocks::new(&mut from, &found.toc);
        let result = look(&mut blocks, &mut found.offsets, &mut found.large_objects);
        if let Some(error) = from.failed.take() {
            return Err(error).context("copy the dump");
        }
        // Whoever restores it shall see all of it.
        io::copy(&mut from, &mut io::sink()).context("copy the dump")?;
        found.broken = result.err().map(|error| format!("{error:#}"));
        Ok(found)
    }

    /// Header and table of contents with the true offsets: to be written over the beginning of the copy.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        self.toc.bytes_with_offsets(&self.offsets)
    }

    /// The tables whose data are not in the dump, though it says that they are: not even none.
    #[must_use]
    pub fn without_data(&self) -> Vec<String> {
        let lost = |desc: &str| desc == "TABLE DATA" || desc == "BLOBS";
        let entries = self.toc.entries.iter().filter(|entry| entry.has_data && lost(&entry.desc));
        let entries = entries.filter(|entry| !self.offsets.contains_key(&entry.id));
        entries
            .map(|entry| match entry.namespace.as_str() {
                "" => entry.tag.clone(),
                schema => format!("{schema}.{}", entry.tag),
            })
            .collect()
    }
}

fn look<R: Read>(
    blocks: &mut Blocks<&mut Tee<'_, R>>,
    offsets: &mut BTreeMap<u32, u64>,
    large_objects: &mut u64,
) -> anyhow::Result<()> {
    loop {
        let begins = blocks.source().position;
        let id = match blocks.next_block()? {
            None => return Ok(()),
            Some(Block::Table(id)) => {
                blocks.content().skip()?;
                id
            }
            Some(Block::LargeObjects(id)) => {
                while blocks.large_object()?.is_some() {
                    blocks.content().skip()?;
                    *large_objects += 1;
                }
                id
            }
        };
        // Only what is whole.
        offsets.insert(id, begins);
    }
}

/// Writes what is read, and counts it.
struct Tee<'a, R> {
    from: R,
    to: &'a mut dyn Write,
    position: u64,
    /// Reading or writing failed, which is no fault of the dump's.
    failed: Option<io::Error>,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let passed = self.from.read(buffer).and_then(|read| {
            self.to.write_all(&buffer[..read])?;
            Ok(read)
        });
        match passed {
            Ok(read) => {
                self.position += read as u64;
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let told = io::Error::new(error.kind(), error.to_string());
                self.failed = Some(error);
                Err(told)
            }
        }
    }
}
