//! JSON lines in: from a pipe, a file, or Windows PowerShell's `>` (UTF-16 with a BOM).

use std::io::{self, BufRead, BufReader, Read};

use crate::record::{AnyRecord, MAX_LINE_BYTES};

/// One line of the input that was not blank.
#[derive(Debug)]
pub enum Line {
    /// A record.
    Record(AnyRecord),
    /// Something else; the rest of the input can still be read.
    Malformed(Malformed),
}

/// A line that is not a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Number of the line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {} of the input is not a record: {}", self.line, self.reason)
    }
}

/// Reads records line by line: a BOM and UTF-16 are understood, blank lines skipped, lines longer than
/// [`MAX_LINE_BYTES`] reported without being held in memory.
pub struct RecordReader<R> {
    input: BufReader<R>,
    /// Bytes that were read to find a BOM and are not one.
    pending: Vec<u8>,
    encoding: Option<Encoding>,
    line: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

impl<R: Read> RecordReader<R> {
    /// Reads from `input`.
    pub fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(64 << 10, input), pending: Vec::new(), encoding: None, line: 0 }
    }

    /// The number of the line that was read last, from 1; 0 before the first.
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// Whether the next line has been read already, so that asking for it does not wait.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.pending.contains(&b'\n') || memchr::memchr(b'\n', self.input.buffer()).is_some()
    }

    /// The next line that is not blank; `None` at the end.
    ///
    /// # Errors
    /// When the input cannot be read. A malformed line is no error.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let Some(text) = self.next_text()? else { return Ok(None) };
            let malformed = |reason: String| Some(Line::Malformed(Malformed { line: self.line, reason }));
            let text = match text {
                Ok(text) => text,
                Err(reason) => return Ok(malformed(reason)),
            };
            if text.trim().is_empty() {
                continue;
            }
            return Ok(match AnyRecord::parse(text) {
                Ok(record) => Some(Line::Record(record)),
                Err(error) => malformed(error.to_string()),
            });
        }
    }

    /// The next line as text without its line break, or why it is none.
    fn next_text(&mut self) -> io::Result<Option<Result<String, String>>> {
        let encoding = match self.encoding {
            Some(encoding) => encoding,
            None => self.detect()?,
        };
        let mut bytes = Vec::new();
        let (read, complete) = self.read_line(encoding, &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        if !complete {
            return Ok(Some(Err(format!("it is longer than {} MiB", MAX_LINE_BYTES >> 20))));
        }
        let mut text = match encoding {
            Encoding::Utf8 => match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => return Ok(Some(Err(format!("it is not UTF-8: {}", error.utf8_error())))),
            },
            Encoding::Utf16Le => utf16(&bytes, u16::from_le_bytes),
            Encoding::Utf16Be => utf16(&bytes, u16::from_be_bytes),
        };
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        Ok(Some(Ok(text)))
    }

    fn detect(&mut self) -> io::Result<Encoding> {
        // A pipe may hand over a single byte first, so the BOM is gathered before it is judged.
        let mut head = Vec::with_capacity(3);
        self.input.by_ref().take(3).read_to_end(&mut head)?;
        let (encoding, bom) = match head.as_slice() {
            [0xef, 0xbb, 0xbf] => (Encoding::Utf8, 3),
            [0xff, 0xfe, ..] => (Encoding::Utf16Le, 2),
            [0xfe, 0xff, ..] => (Encoding::Utf16Be, 2),
            _ => (Encoding::Utf8, 0),
        };
        self.pending = head.split_off(bom);
        self.encoding = Some(encoding);
        Ok(encoding)
    }

    /// Appends one line with its break to `bytes`, up to the cap; says how many bytes were read and whether all of
    /// them were kept.
    fn read_line(&mut self, encoding: Encoding, bytes: &mut Vec<u8>) -> io::Result<(usize, bool)> {
        let (mut read, mut last) = (0, 0);
        loop {
            let pending = !self.pending.is_empty();
            let available = if pending {
                self.pending.as_slice()
            } else {
                match self.input.fill_buf() {
                    Ok(available) => available,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                }
            };
            if available.is_empty() {
                return Ok((read, read <= MAX_LINE_BYTES));
            }
            let end = line_end(encoding, available, read, last);
            let taken = end.unwrap_or(available.len());
            let room = (MAX_LINE_BYTES + 1).saturating_sub(bytes.len());
            bytes.extend_from_slice(&available[..taken.min(room)]);
            read += taken;
            last = available[taken - 1];
            if pending {
                self.pending.drain(..taken);
            } else {
                self.input.consume(taken);
            }
            if end.is_some() {
                return Ok((read, read <= MAX_LINE_BYTES));
            }
        }
    }
}

/// Where the line ends within `chunk` (one past its line feed); `offset` bytes of the line came before the chunk, the
/// last of them `last`.
fn line_end(encoding: Encoding, chunk: &[u8], offset: usize, last: u8) -> Option<usize> {
    // In UTF-16 a line feed is two bytes, of which the second stands at an odd offset; the chunk may begin with it.
    let line_feed = match encoding {
        Encoding::Utf8 => return chunk.iter().position(|&byte| byte == b'\n').map(|at| at + 1),
        Encoding::Utf16Le => [b'\n', 0],
        Encoding::Utf16Be => [0, b'\n'],
    };
    (0..chunk.len())
        .filter(|at| (offset + at) % 2 == 1)
        .find(|&at| [at.checked_sub(1).map_or(last, |before| chunk[before]), chunk[at]] == line_feed)
        .map(|at| at + 1)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"schema":1,"kind":"x.y","at":"2026-11-22T09:00:00Z","tool":"t","host":"h","severity":"ok","name":"né","message":"m","later":1}"#;

    /// Hands out one byte at a time, as a slow pipe does.
    struct Trickle(Vec<u8>);

    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() || buffer.is_empty() {
                return Ok(0);
            }
            buffer[0] = self.0.remove(0);
            Ok(1)
        }
    }

    fn read(bytes: impl Into<Vec<u8>>) -> Vec<String> {
        let mut reader = RecordReader::new(Trickle(bytes.into()));
        let mut seen = Vec::new();
        while let Some(line) = reader.next_line().expect("readable") {
            seen.push(match line {
                Line::Record(record) => record.line,
                Line::Malformed(malformed) => format!("{}", malformed.line),
            });
        }
        seen
    }

    #[test]
    fn passes_records_and_numbers_what_is_none() {
        let input = format!("\n{RECORD}\r\n  \nnot json\n[1]\n{RECORD}");
        assert_eq!(read(input), [RECORD, "4", "5", RECORD]);
        assert!(read("").is_empty());
    }

    #[test]
    fn understands_what_powershell_writes() {
        let mut le = vec![0xff, 0xfe];
        let mut be = vec![0xfe, 0xff];
        for unit in format!("{RECORD}\r\n{RECORD}\r\n").encode_utf16() {
            le.extend(unit.to_le_bytes());
            be.extend(unit.to_be_bytes());
        }
        assert_eq!(read(le), [RECORD, RECORD]);
        assert_eq!(read(be), [RECORD, RECORD]);
        assert_eq!(read(format!("\u{feff}{RECORD}\n")), [RECORD]);
    }

    #[test]
    fn a_utf16_character_with_a_line_feed_byte_is_no_line_break() {
        // U+0A0D and U+0D0A hold the byte 0x0A in either half.
        let text = RECORD.replace('m', "\u{0a0d}\u{0d0a}");
        let mut le = vec![0xff, 0xfe];
        le.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(read(le).len(), 1);
    }

    #[test]
    fn a_line_beyond_the_cap_is_reported_and_the_next_is_read() {
        let mut input = vec![b'x'; MAX_LINE_BYTES + 10];
        input.extend(format!("\n{RECORD}\n").bytes());
        let mut reader = RecordReader::new(io::Cursor::new(input));
        assert!(matches!(reader.next_line().expect("readable"), Some(Line::Malformed(m)) if m.line == 1));
        assert!(matches!(reader.next_line().expect("readable"), Some(Line::Record(_))));
    }

    #[test]
    fn bytes_that_are_not_utf8_spoil_their_line_only() {
        let mut input = b"{\"a\":\"\xe9\"}\n".to_vec();
        input.extend(RECORD.bytes());
        assert_eq!(read(input), ["1", RECORD]);
    }
}
