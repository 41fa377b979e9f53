//! How the content of an entry is packed, one block at a time.

use std::io;

use anyhow::{Context as _, ensure};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use serde::{Deserialize, Serialize};
use zip::CompressionMethod;

use crate::blocks::BLOCK_BYTES;

/// How an entry lies in the archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Packing {
    /// As it is: for what is compressed already.
    Store,
    /// Deflated, so that every unzip opens it.
    #[default]
    Deflate,
    /// Compressed with Zstandard: faster and smaller, and opened by few but these tools, 7-Zip and `bsdtar`.
    Zstd,
}

/// zlib's levels 3 to 6 are of one family in zlib-rs; this one is a quarter faster than 6 for one hundredth in size.
const DEFLATE_LEVEL: u32 = 5;
/// Zstandard's own default.
const ZSTD_LEVEL: i32 = 3;

/// What ends a deflate stream whose blocks all say that another one follows: a last block without content.
const DEFLATE_END: [u8; 2] = [0x03, 0x00];

impl Packing {
    /// The word as it stands in flags and configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Deflate => "deflate",
            Self::Zstd => "zstd",
        }
    }

    /// ZIP's number of the method (APPNOTE 4.4.5).
    pub(crate) fn method(self) -> rawzip::CompressionMethod {
        match self {
            Self::Store => rawzip::CompressionMethod::STORE,
            Self::Deflate => rawzip::CompressionMethod::DEFLATE,
            Self::Zstd => rawzip::CompressionMethod::ZSTD,
        }
    }

    /// The packing of an entry that was read, if it is one of these.
    pub(crate) fn of_method(method: CompressionMethod) -> Option<Self> {
        match method {
            CompressionMethod::Stored => Some(Self::Store),
            CompressionMethod::Deflated => Some(Self::Deflate),
            CompressionMethod::ZSTD => Some(Self::Zstd),
            _ => None,
        }
    }

    /// What follows the last block.
    pub(crate) const fn end(self) -> &'static [u8] {
        match self {
            Self::Deflate => &DEFLATE_END,
            Self::Store | Self::Zstd => &[],
        }
    }
}

impl std::str::FromStr for Packing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Store, Self::Deflate, Self::Zstd]
            .into_iter()
            .find(|packing| packing.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a compression: deflate, zstd or store"))
    }
}

/// Packs blocks. Each can be unpacked without the others, and one after the other they are one stream.
pub(crate) struct BlockPacker {
    deflate: Compress,
}

impl BlockPacker {
    pub(crate) fn new() -> Self {
        Self { deflate: Compress::new(Compression::new(DEFLATE_LEVEL), false) }
    }

    pub(crate) fn pack(&mut self, packing: Packing, block: &[u8]) -> io::Result<Vec<u8>> {
        match packing {
            Packing::Store => Ok(block.to_vec()),
            Packing::Zstd => zstd::bulk::compress(block, ZSTD_LEVEL),
            Packing::Deflate => self.deflate(block),
        }
    }

    fn deflate(&mut self, block: &[u8]) -> io::Result<Vec<u8>> {
        self.deflate.reset();
        // Deflate adds 5 bytes for each 16 KiB that cannot be compressed, and a flush 5 more.
        let mut packed = Vec::with_capacity(block.len() + block.len() / 1024 + 64);
        // A full flush ends on a byte, and what follows does not look back.
        self.deflate.compress_vec(block, &mut packed, FlushCompress::Full).map_err(io::Error::other)?;
        if self.deflate.total_in() != block.len() as u64 || packed.len() == packed.capacity() {
            return Err(io::Error::other("a block was not compressed to its end"));
        }
        Ok(packed)
    }
}

/// Unpacks blocks.
pub(crate) struct BlockUnpacker {
    inflate: Decompress,
}

impl BlockUnpacker {
    pub(crate) fn new() -> Self {
        Self { inflate: Decompress::new(false) }
    }

    /// Unpacks a block that is to have `size` bytes.
    pub(crate) fn unpack(&mut self, packing: Packing, packed: &[u8], size: usize) -> anyhow::Result<Vec<u8>> {
        ensure!(size <= BLOCK_BYTES, "a block of {size} bytes is too large");
        // One byte more shows a block that goes on.
        let mut block = Vec::with_capacity(size + 1);
        match packing {
            Packing::Store => block.extend_from_slice(packed),
            Packing::Zstd => {
                block = zstd::bulk::decompress(packed, size).context("a block cannot be unpacked")?;
            }
            Packing::Deflate => {
                self.inflate.reset(false);
                self.inflate
                    .decompress_vec(packed, &mut block, FlushDecompress::None)
                    .context("a block cannot be unpacked")?;
                ensure!(self.inflate.total_in() == packed.len() as u64, "a block ends too early");
            }
        }
        ensure!(block.len() == size, "a block has {} bytes and should have {size}", block.len());
        Ok(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_back() {
        let text = "planning ecosystem sync ".repeat(1000).into_bytes();
        let noise: Vec<u8> = (0..70_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for packing in [Packing::Store, Packing::Deflate, Packing::Zstd] {
            for block in [&text[..], &noise[..], &b"x"[..], &[]] {
                let packed = BlockPacker::new().pack(packing, block).expect("packed");
                let back = BlockUnpacker::new().unpack(packing, &packed, block.len()).expect("unpacked");
                assert_eq!(back, block, "{packing:?}");
                assert!(BlockUnpacker::new().unpack(packing, &packed, block.len() + 1).is_err());
                if !block.is_empty() {
                    assert!(BlockUnpacker::new().unpack(packing, &packed, block.len() - 1).is_err());
                    assert!(
                        BlockUnpacker::new().unpack(packing, &packed[..packed.len() - 1], block.len()).is_err()
                            || packing == Packing::Deflate
                    );
                }
            }
            assert_eq!(packing.as_str().parse(), Ok(packing));
        }
        assert!("gzip".parse::<Packing>().is_err());
    }
}
