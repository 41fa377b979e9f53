//! What the first bytes of an input say of the rest.

use std::io::{self, Read};

use crate::input::utf16::ByteOrder;

/// How an input is packed or encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    Gzip,
    Zstd,
    /// Compressed or packed in a way that is not read.
    Foreign(&'static str),
    Utf16(ByteOrder),
    /// UTF-8, or bytes, after a byte order mark of so many bytes.
    Plain(u64),
}

/// Enough bytes to tell.
const LEAD_BYTES: usize = 6;

impl Lead {
    /// Tells by the first bytes, as [`head`] gives them.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // The second is a frame to be skipped, which some writers put first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0] => Self::Foreign("xz"),
            [b'B', b'Z', b'h', b'0'..=b'9', 0x31 | 0x17, ..] => Self::Foreign("bzip2"),
            [b'P', b'K', 3, 4, ..] => Self::Foreign("zip"),
            [0xff, 0xfe, ..] => Self::Utf16(ByteOrder::Little),
            [0xfe, 0xff, ..] => Self::Utf16(ByteOrder::Big),
            [0xef, 0xbb, 0xbf, ..] => Self::Plain(3),
            _ => Self::Plain(0),
        }
    }
}

/// The first bytes of an input, as many of those that tell as there are.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn head(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(LEAD_BYTES);
    input.by_ref().take(LEAD_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
