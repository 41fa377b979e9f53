//! SHA-256 of what passes by.

use std::io::{self, Read, Write};
use std::path::Path;

use pso_common::io::Cancel;
use sha2::{Digest as _, Sha256};

use crate::durable::open_file;

/// The size of one piece of a copy, in bytes.
pub(crate) const CHUNK: usize = 256 << 10;

/// Length and SHA-256 of bytes that are handed over piece by piece.
#[derive(Clone, Default)]
pub struct Digest {
    sha: Sha256,
    length: u64,
}

impl Digest {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.sha.update(piece);
        self.length += piece.len() as u64;
    }

    /// The number of bytes so far.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The length and the hash in hex.
    #[must_use]
    pub fn finish(self) -> (u64, String) {
        (self.length, self.sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Copies all of `from` to `to` and gives its length and SHA-256.
///
/// # Errors
/// When one of them fails, or the run is to stop.
pub fn copy_hashed(from: &mut dyn Read, to: &mut dyn Write, cancel: &Cancel) -> io::Result<(u64, String)> {
    let mut digest = Digest::default();
    pass(from, cancel, |piece| {
        digest.update(piece);
        to.write_all(piece)
    })?;
    Ok(digest.finish())
}

/// Copies all of `from` to `to`.
///
/// # Errors
/// When one of them fails, or the run is to stop.
pub(crate) fn copy(from: &mut dyn Read, to: &mut dyn Write, cancel: &Cancel) -> io::Result<()> {
    pass(from, cancel, |piece| to.write_all(piece))
}

/// Hands all of `from` over, piece by piece.
fn pass(from: &mut dyn Read, cancel: &Cancel, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        cancel.check().map_err(io::Error::other)?;
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(read) => take(&chunk[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Length and SHA-256 of a file.
///
/// # Errors
/// When it cannot be read, or the run is to stop.
pub fn hash_file(path: &Path, cancel: &Cancel) -> io::Result<(u64, String)> {
    copy_hashed(&mut open_file(path)?, &mut io::sink(), cancel)
}
