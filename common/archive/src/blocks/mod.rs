//! Large entries in blocks, so that all cores pack and unpack them and a reader can begin anywhere.
//!
//! A block holds [`BLOCK_BYTES`] of the content (the last one less) and is packed without regard to the others. To an
//! unzip program the entry is one ordinary stream; the manifest says how long each packed block is.

mod ordered;
mod pack;
mod unpack;

pub(crate) use pack::BlockWriter;
pub(crate) use pack::Packers;
pub use unpack::RangeReader;
pub(crate) use unpack::{BlockSource, ParallelReader};

/// Bytes of content in a block. Larger ones compress no better, and memory is a handful of them a core.
pub(crate) const BLOCK_BYTES: usize = 1 << 20;

/// How many threads pack and unpack.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(16)
}
