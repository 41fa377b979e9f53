//! The data blocks.

use std::io::{self, Read};

use anyhow::{Context as _, bail, ensure};
use flate2::read::ZlibDecoder;

use super::bytes::{Widths, byte, int};
use super::toc::{Packed, Toc};

/// `BLK_DATA`.
const DATA: u8 = 1;
/// `BLK_BLOBS`.
const LARGE_OBJECTS: u8 = 3;

/// The blocks of a dump, one after the other. `R` should be buffered: what is read is small.
pub struct Blocks<R> {
    from: R,
    widths: Widths,
    packed: Packed,
}

/// What comes next. Its content has to be read to its end before the next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// The data of a table, by the id of its entry: one [`Blocks::content`].
    Table(u32),
    /// Large objects: for each [`Blocks::large_object`] one [`Blocks::content`].
    LargeObjects(u32),
}

impl<R: Read> Blocks<R> {
    /// What follows `toc` in `from`.
    pub const fn new(from: R, toc: &Toc) -> Self {
        Self { from, widths: toc.widths, packed: toc.packed }
    }

    /// The next block; `None` at the end of the dump.
    ///
    /// # Errors
    /// When the dump cannot be read, or is cut off.
    pub fn next_block(&mut self) -> anyhow::Result<Option<Block>> {
        let kind = match byte(&mut self.from) {
            Ok(kind) => kind,
            Err(error) if is_end(&error) => return Ok(None),
            Err(error) => return Err(error).context("read the dump"),
        };
        let id = u32::try_from(int(&mut self.from, self.widths).context("read the dump")?)
            .context("read the dump: a block has no number")?;
        Ok(Some(match kind {
            DATA => Block::Table(id),
            LARGE_OBJECTS => Block::LargeObjects(id),
            other => bail!("read the dump: there is a block of the kind {other}"),
        }))
    }

    /// The OID of the next large object of the block; `None` after the last.
    ///
    /// # Errors
    /// When the dump cannot be read.
    pub fn large_object(&mut self) -> anyhow::Result<Option<u32>> {
        let oid = int(&mut self.from, self.widths).context("read a large object of the dump")?;
        // Half of all OIDs are negative in the integers of C.
        let oid = u32::try_from(oid).ok().or_else(|| i32::try_from(oid).ok().map(i32::cast_unsigned));
        Ok(Some(oid.context("read a large object of the dump: it has no OID")?).filter(|oid| *oid != 0))
    }

    /// What the block, or the large object, holds.
    pub fn content(&mut self) -> Content<'_, R> {
        let pieces = Pieces { from: &mut self.from, widths: self.widths, left: 0, ended: false };
        match self.packed {
            Packed::Plain => Content::Plain(pieces),
            Packed::Zlib => Content::Zlib(Box::new(ZlibDecoder::new(pieces))),
        }
    }

    /// Where everything is read from.
    pub fn into_inner(self) -> R {
        self.from
    }
}

fn is_end(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
}

/// The content of a table or of a large object, unpacked.
pub enum Content<'a, R> {
    /// As it is.
    Plain(Pieces<'a, R>),
    /// To be inflated.
    Zlib(Box<ZlibDecoder<Pieces<'a, R>>>),
}

impl<R: Read> Content<'_, R> {
    /// Reads until `into` has `most` bytes; whether there may be more.
    ///
    /// # Errors
    /// When the dump cannot be read.
    pub fn fill(&mut self, into: &mut Vec<u8>, most: usize) -> anyhow::Result<bool> {
        let missing = most.saturating_sub(into.len()) as u64;
        self.by_ref().take(missing).read_to_end(into).context("read the data of the dump")?;
        Ok(into.len() >= most)
    }

    /// Reads what is left and forgets it.
    ///
    /// # Errors
    /// When the dump cannot be read.
    pub fn skip(mut self) -> anyhow::Result<()> {
        // What is packed need not be unpacked for that.
        let pieces = match &mut self {
            Self::Plain(pieces) => pieces,
            Self::Zlib(decoder) => decoder.get_mut(),
        };
        io::copy(pieces, &mut io::sink()).context("read the data of the dump")?;
        Ok(())
    }
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(pieces) => pieces.read(buffer),
            Self::Zlib(decoder) => match decoder.read(buffer)? {
                0 if !buffer.is_empty() => {
                    // The mark after the last piece is not zlib's.
                    io::copy(decoder.get_mut(), &mut io::sink())?;
                    Ok(0)
                }
                read => Ok(read),
            },
        }
    }
}

/// Length and bytes, again and again, until a length of 0.
pub struct Pieces<'a, R> {
    from: &'a mut R,
    widths: Widths,
    left: u64,
    ended: bool,
}

impl<R: Read> Pieces<'_, R> {
    fn begin(&mut self) -> anyhow::Result<()> {
        let length = int(self.from, self.widths).context("read the length of a piece")?;
        ensure!(length >= 0, "a piece has the length {length}");
        self.left = length.unsigned_abs();
        self.ended = length == 0;
        Ok(())
    }
}

impl<R: Read> Read for Pieces<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        // A piece is often one row.
        while written < buffer.len() {
            if self.left == 0 {
                if self.ended {
                    break;
                }
                self.begin().map_err(io::Error::other)?;
                continue;
            }
            let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len() - written);
            let read = self.from.read(&mut buffer[written..written + most])?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.left -= read as u64;
            written += read;
        }
        Ok(written)
    }
}
