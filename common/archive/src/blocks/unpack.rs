//! Reading an entry's content out of its blocks: all of it on all cores, or from anywhere.

use std::io::{self, Read, SeekFrom};
use std::sync::Arc;

use anyhow::{Context as _, ensure};

use super::ordered::Ordered;
use super::{BLOCK_BYTES, threads};
use crate::container::{Container, Handle};
use crate::manifest::Block;
use crate::packing::{BlockUnpacker, Packing};

/// Where the blocks of an entry lie in the archive.
#[derive(Clone, Debug)]
pub(crate) struct BlockSource {
    container: Container,
    packing: Packing,
    /// Each block, and where it begins in the ZIP file.
    starts: Arc<[(u64, Block)]>,
    /// Bytes of the content.
    size: u64,
}

impl BlockSource {
    /// `start` is where the packed content begins; `packed` is its length with all that belongs to it.
    ///
    /// # Errors
    /// When the blocks cannot be those of such an entry.
    pub(crate) fn new(
        container: &Container,
        packing: Packing,
        start: u64,
        packed: u64,
        blocks: &[Block],
        size: u64,
    ) -> anyhow::Result<Self> {
        let (mut at, mut starts) = (start, Vec::with_capacity(blocks.len()));
        for block in blocks {
            // No packing makes a block much longer than it was.
            ensure!(block.length as usize <= BLOCK_BYTES * 2, "a packed block of {} bytes is too large", block.length);
            starts.push((at, *block));
            at = at.checked_add(u64::from(block.length)).context("the blocks are too long")?;
        }
        let ends_at = at - start + packing.end().len() as u64;
        ensure!(ends_at == packed, "the blocks have {ends_at} bytes, and the entry has {packed}");
        ensure!(
            blocks.len() as u64 == size.div_ceil(BLOCK_BYTES as u64),
            "{} blocks cannot be {size} bytes of content",
            blocks.len()
        );
        Ok(Self { container: container.clone(), packing, starts: starts.into(), size })
    }

    pub(crate) fn count(&self) -> usize {
        self.starts.len()
    }

    fn size_of(&self, block: usize) -> usize {
        let start = block as u64 * BLOCK_BYTES as u64;
        usize::try_from(self.size.saturating_sub(start)).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES)
    }

    /// Reads one block as it was packed, and compares it with its checksum.
    pub(crate) fn packed(&self, block: usize, handle: &mut dyn Handle) -> anyhow::Result<Vec<u8>> {
        let (start, Block { length, crc32 }) = self.starts[block];
        let mut packed = vec![0; length as usize];
        handle.seek(SeekFrom::Start(start))?;
        handle.read_exact(&mut packed).context("the archive ends too early")?;
        ensure!(crc32fast::hash(&packed) == crc32, "block {block} was changed: its CRC-32 is not {crc32:08x}");
        Ok(packed)
    }

    fn read(&self, block: usize, handle: &mut dyn Handle, unpacker: &mut BlockUnpacker) -> anyhow::Result<Vec<u8>> {
        unpacker.unpack(self.packing, &self.packed(block, handle)?, self.size_of(block))
    }
}

type Unpacked = anyhow::Result<Vec<u8>>;

/// All of an entry's content, unpacked on all cores.
pub(crate) struct ParallelReader {
    blocks: std::ops::Range<usize>,
    ordered: Ordered<usize, Unpacked>,
    block: Vec<u8>,
    position: usize,
}

impl ParallelReader {
    pub(crate) fn new(source: &BlockSource) -> Self {
        let (source, blocks) = (source.clone(), 0..source.count());
        let threads = threads().min(blocks.len());
        let make = move || {
            let source = source.clone();
            let (mut handle, mut unpacker) = (None, BlockUnpacker::new());
            move |block: usize| {
                let handle = match &mut handle {
                    Some(handle) => handle,
                    None => handle.insert(source.container.open()?),
                };
                source.read(block, handle.as_mut(), &mut unpacker)
            }
        };
        Self { blocks, ordered: Ordered::new(threads, make), block: Vec::new(), position: 0 }
    }
}

impl Read for ParallelReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.position == self.block.len() {
            while !self.ordered.is_full()
                && let Some(block) = self.blocks.next()
            {
                self.ordered.submit(block);
            }
            match self.ordered.next() {
                None => return Ok(0),
                Some(Ok(block)) => (self.block, self.position) = (block.map_err(io::Error::other)?, 0),
                Some(Err(died)) => return Err(io::Error::other(died)),
            }
        }
        Ok(serve(&self.block, &mut self.position, buffer))
    }
}

/// An entry's content from some byte on, read by the calling thread only. It has a file handle of its own.
pub struct RangeReader {
    source: BlockSource,
    handle: Box<dyn Handle>,
    unpacker: BlockUnpacker,
    next: usize,
    skip: usize,
    block: Vec<u8>,
    position: usize,
}

impl RangeReader {
    pub(crate) fn new(source: &BlockSource, offset: u64) -> anyhow::Result<Self> {
        ensure!(offset <= source.size, "{offset} is behind the end of the entry, which has {} bytes", source.size);
        Ok(Self {
            handle: source.container.open()?,
            source: source.clone(),
            unpacker: BlockUnpacker::new(),
            next: usize::try_from(offset / BLOCK_BYTES as u64)?,
            skip: usize::try_from(offset % BLOCK_BYTES as u64)?,
            block: Vec::new(),
            position: 0,
        })
    }
}

impl Read for RangeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.position == self.block.len() {
            if self.next >= self.source.count() {
                return Ok(0);
            }
            self.block =
                self.source.read(self.next, self.handle.as_mut(), &mut self.unpacker).map_err(io::Error::other)?;
            self.next += 1;
            self.position = std::mem::take(&mut self.skip).min(self.block.len());
        }
        Ok(serve(&self.block, &mut self.position, buffer))
    }
}

fn serve(block: &[u8], position: &mut usize, buffer: &mut [u8]) -> usize {
    let length = buffer.len().min(block.len() - *position);
    buffer[..length].copy_from_slice(&block[*position..*position + length]);
    *position += length;
    length
}
