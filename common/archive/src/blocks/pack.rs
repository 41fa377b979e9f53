//! Packing an entry's content as it streams in.

use std::io::{self, Write};

use pso_common::io::Cancel;

use super::ordered::Ordered;
use super::{BLOCK_BYTES, threads};
use crate::hash::Digest;
use crate::manifest::Block;
use crate::packing::{BlockPacker, Packing};

/// The threads that pack, for all entries of an archive.
pub(crate) struct Packers {
    ordered: Ordered<(Packing, Vec<u8>), io::Result<PackedBlock>>,
    here: BlockPacker,
}

type PackedBlock = (u32, Vec<u8>);

fn pack(packer: &mut BlockPacker, packing: Packing, block: &[u8]) -> io::Result<PackedBlock> {
    let packed = packer.pack(packing, block)?;
    Ok((crc32fast::hash(&packed), packed))
}

impl Packers {
    pub(crate) fn new() -> Self {
        let make = || {
            let mut packer = BlockPacker::new();
            move |(packing, block): (Packing, Vec<u8>)| pack(&mut packer, packing, &block)
        };
        Self { ordered: Ordered::new(threads(), make), here: BlockPacker::new() }
    }
}

/// What became of an entry's content.
pub(crate) struct Packed {
    /// Of the content.
    pub(crate) content: (u64, String),
    /// Of the content as it was packed.
    pub(crate) packed: (u64, String),
    /// ZIP's own checksum of the content.
    pub(crate) crc32: u32,
    /// The blocks, in order.
    pub(crate) blocks: Vec<Block>,
}

/// Packs what is written to it, and hashes it before and after.
pub(crate) struct BlockWriter<'a, W> {
    packing: Packing,
    packers: &'a mut Packers,
    block: Vec<u8>,
    content: Digest,
    crc: crc32fast::Hasher,
    packed: Digest,
    blocks: Vec<Block>,
    to: W,
    cancel: &'a Cancel,
}

impl<'a, W: Write> BlockWriter<'a, W> {
    pub(crate) fn new(packing: Packing, packers: &'a mut Packers, to: W, cancel: &'a Cancel) -> Self {
        // What an entry that failed had handed over is nobody's.
        packers.ordered.forget();
        Self {
            packing,
            packers,
            block: Vec::new(),
            content: Digest::default(),
            crc: crc32fast::Hasher::new(),
            packed: Digest::default(),
            blocks: Vec::new(),
            to,
            cancel,
        }
    }

    /// Packs the rest.
    pub(crate) fn finish(mut self) -> io::Result<(Packed, W)> {
        if self.blocks.is_empty() && self.packers.ordered.pending() == 0 && !self.block.is_empty() {
            // A small file is packed sooner than it is handed over.
            let packed = pack(&mut self.packers.here, self.packing, &self.block)?;
            self.put(packed)?;
        } else if !self.block.is_empty() {
            self.packers.ordered.submit((self.packing, std::mem::take(&mut self.block)));
        }
        while self.packers.ordered.pending() > 0 {
            self.fetch()?;
        }
        self.write_out(self.packing.end())?;
        let packed = Packed {
            content: self.content.finish(),
            packed: self.packed.finish(),
            crc32: self.crc.finalize(),
            blocks: self.blocks,
        };
        Ok((packed, self.to))
    }

    fn fetch(&mut self) -> io::Result<()> {
        match self.packers.ordered.next() {
            Some(Ok(packed)) => self.put(packed?),
            Some(Err(died)) => Err(io::Error::other(died)),
            None => Ok(()),
        }
    }

    fn put(&mut self, (crc32, packed): PackedBlock) -> io::Result<()> {
        let length = u32::try_from(packed.len()).map_err(io::Error::other)?;
        self.blocks.push(Block { length, crc32 });
        self.write_out(&packed)
    }

    fn write_out(&mut self, packed: &[u8]) -> io::Result<()> {
        self.packed.update(packed);
        self.to.write_all(packed)
    }
}

impl<W: Write> Write for BlockWriter<'_, W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.cancel.check().map_err(io::Error::other)?;
        let piece = &piece[..piece.len().min(BLOCK_BYTES - self.block.len())];
        self.crc.update(piece);
        self.content.update(piece);
        if self.block.is_empty() && self.block.capacity() < piece.len() {
            self.block.reserve(if piece.len() < BLOCK_BYTES / 16 { piece.len() } else { BLOCK_BYTES });
        }
        self.block.extend_from_slice(piece);
        if self.block.len() == BLOCK_BYTES {
            if self.packers.ordered.is_full() {
                self.fetch()?;
            }
            let full = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK_BYTES));
            self.packers.ordered.submit((self.packing, full));
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // A block that is not full waits for more.
        Ok(())
    }
}
