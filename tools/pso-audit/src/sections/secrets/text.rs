//! The text of a file, in pieces that end with a line: packed files unpacked, UTF-16 turned into UTF-8.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

/// A piece is at most this long; a line that is longer comes in several.
const PIECE_BYTES: usize = 1 << 20;

/// So much of a line that is too long is seen twice: a secret may stand where it is cut.
const OVERLAP_BYTES: usize = 512;

/// What is looked at to tell text from other data.
const HEAD_BYTES: usize = 8 << 10;

/// What a file is.
pub(super) enum Content {
    Text(Box<dyn Read>),
    /// No text: it is not read.
    Binary,
    /// A folder, a pipe, a device.
    NoFile,
}

/// Opens a file, of whatever kind; a pipe is not waited for.
pub(super) fn open(path: &Path) -> io::Result<Content> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default());
    }
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(Content::NoFile);
    }
    text_of(Box::new(file), true)
}

fn text_of(mut source: Box<dyn Read>, may_be_packed: bool) -> io::Result<Content> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    source.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    let begins = |magic: &[u8]| head.starts_with(magic);
    let (is_gzip, is_zstd) = (begins(&[0x1f, 0x8b]), begins(&[0x28, 0xb5, 0x2f, 0xfd]));
    let (little, big) = (begins(&[0xff, 0xfe]), begins(&[0xfe, 0xff]));
    let is_binary = head.contains(&0);
    let whole = Cursor::new(head).chain(source);
    Ok(match () {
        () if is_gzip && may_be_packed => return text_of(Box::new(flate2::read::MultiGzDecoder::new(whole)), false),
        () if is_zstd && may_be_packed => {
            return text_of(Box::new(zstd::stream::read::Decoder::new(whole)?), false);
        }
        () if little || big => {
            Content::Text(Box::new(Utf16 { source: whole, big, odd: None, high: None, ready: Vec::new() }))
        }
        () if is_binary || is_gzip || is_zstd => Content::Binary,
        () => Content::Text(Box::new(whole)),
    })
}

/// Calls, with `buffer` to work in, with each piece and the number of its first line, until that says stop; gives the bytes read.
pub(super) fn each_piece(
    mut source: impl Read,
    buffer: &mut Vec<u8>,
    mut call: impl FnMut(&[u8], u64) -> bool,
) -> io::Result<u64> {
    buffer.resize(PIECE_BYTES, 0);
    let (mut filled, mut line, mut read) = (0, 1, 0);
    loop {
        let count = match source.read(&mut buffer[filled..]) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        read += count as u64;
        let fresh = filled;
        filled += count;
        let ends = count == 0;
        if !ends && filled < buffer.len() {
            continue;
        }
        let (piece, keep) = match memchr::memrchr(b'\n', &buffer[..filled]) {
            Some(at) if !ends => (at + 1, at + 1),
            // One line fills the whole piece.
            None if !ends => (filled, filled - OVERLAP_BYTES.min(filled - fresh)),
            _ => (filled, filled),
        };
        if piece > 0 && !call(&buffer[..piece], line) || ends {
            return Ok(read);
        }
        line += memchr::memchr_iter(b'\n', &buffer[..piece]).count() as u64;
        buffer.copy_within(keep..filled, 0);
        filled -= keep;
    }
}

/// UTF-16 as UTF-8; what is no character becomes the replacement character.
struct Utf16<R> {
    source: R,
    big: bool,
    odd: Option<u8>,
    high: Option<u16>,
    ready: Vec<u8>,
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() {
            let mut bytes = [0; 16 << 10];
            let count = self.source.read(&mut bytes)?;
            if count == 0 {
                return Ok(0);
            }
            let bytes: Vec<u8> = self.odd.take().into_iter().chain(bytes[..count].iter().copied()).collect();
            if bytes.len() % 2 == 1 {
                self.odd = bytes.last().copied();
            }
            let unit = |pair: &[u8]| {
                let pair = [pair[0], pair[1]];
                if self.big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
            };
            let mut units: Vec<u16> = self.high.take().into_iter().chain(bytes.chunks_exact(2).map(unit)).collect();
            if units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
                self.high = units.pop();
            }
            let text: String =
                char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
            self.ready = text.into_bytes();
        }
        let count = buffer.len().min(self.ready.len());
        buffer[..count].copy_from_slice(&self.ready[..count]);
        self.ready.drain(..count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    fn read(bytes: &[u8]) -> Option<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f");
        fs::write(&path, bytes).expect("written");
        let Content::Text(mut text) = open(&path).expect("opened") else { return None };
        let mut all = String::new();
        text.read_to_string(&mut all).expect("read");
        Some(all)
    }

    #[test]
    fn packed_and_wide_text_is_text() {
        let text = "mot de passe 🎉\nligne 2\n".repeat(5_000);
        assert_eq!(read(text.as_bytes()).as_deref(), Some(text.as_str()));
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(text.as_bytes()).expect("packed");
        assert_eq!(read(&gz.finish().expect("packed")).as_deref(), Some(text.as_str()));
        assert_eq!(read(&zstd::encode_all(text.as_bytes(), 1).expect("packed")).as_deref(), Some(text.as_str()));
        for (mark, bytes) in [(b"\xff\xfe", u16::to_le_bytes as fn(u16) -> [u8; 2]), (b"\xfe\xff", u16::to_be_bytes)] {
            let wide: Vec<u8> = mark.iter().copied().chain(text.encode_utf16().flat_map(bytes)).collect();
            assert_eq!(read(&wide).map(|text| text.replace('\u{feff}', "")).as_deref(), Some(text.as_str()));
        }
        assert_eq!(read(b"PK\x03\x04\x00\x00"), None);
        assert!(matches!(open(&std::env::temp_dir()), Ok(Content::NoFile) | Err(_)));
    }

    #[test]
    fn pieces_end_with_lines_and_know_their_numbers() {
        let mut text = Vec::new();
        for number in 1..=60_000 {
            text.extend(format!("line {number} {}\n", "x".repeat(number % 50)).bytes());
        }
        let mut next = 1;
        let read = each_piece(text.as_slice(), &mut Vec::new(), |piece, line| {
            assert_eq!(line, next);
            assert!(piece.starts_with(format!("line {line} ").as_bytes()) && piece.ends_with(b"\n"));
            next += memchr::memchr_iter(b'\n', piece).count() as u64;
            true
        });
        assert_eq!((read.expect("read"), next), (text.len() as u64, 60_001));
    }

    #[test]
    fn a_line_without_end_is_read_in_pieces_that_overlap() {
        let mut text = vec![b'x'; 3 * PIECE_BYTES];
        let secret = b"THE-SECRET";
        text[PIECE_BYTES - 4..PIECE_BYTES + 6].copy_from_slice(secret);
        text.extend(b"\nsecond\n");
        let (mut seen, mut last) = (0, 0);
        each_piece(text.as_slice(), &mut Vec::new(), |piece, line| {
            seen += usize::from(memchr::memmem::find(piece, secret).is_some());
            last = line;
            true
        })
        .expect("read");
        assert_eq!(seen, 1);
        assert_eq!(last, 1);
    }
}
