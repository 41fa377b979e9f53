//! UTF-16 (Windows PowerShell's `>`) as UTF-8.

use std::io::{self, Read};

/// Which byte of a unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

/// Decodes UTF-16 while it is read. What is no UTF-16 becomes U+FFFD.
pub(crate) struct Utf16<R> {
    input: R,
    order: ByteOrder,
    /// Bytes that were read; an odd one and the first half of a pair stay until their other half comes.
    raw: Vec<u8>,
    text: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Utf16<R> {
    /// Decodes `input`, whose byte order mark has been taken off.
    pub(crate) fn new(input: R, order: ByteOrder) -> Self {
        Self { input, order, raw: Vec::new(), text: Vec::new(), given: 0, ended: false }
    }

    /// Reads more, and decodes all units of it that are whole.
    fn refill(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 << 10];
        let read = self.input.read(&mut piece)?;
        self.raw.extend_from_slice(&piece[..read]);
        self.ended = read == 0;
        let mut units: Vec<u16> = self
            .raw
            .as_chunks::<2>()
            .0
            .iter()
            .map(
                |&pair| {
                    if self.order == ByteOrder::Little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
                },
            )
            .collect();
        if !self.ended && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
            units.pop();
        }
        self.raw.drain(..units.len() * 2);
        (self.text, self.given) = (Vec::with_capacity(units.len() * 3), 0);
        for character in char::decode_utf16(units) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if self.ended && !self.raw.is_empty() {
            self.raw.clear();
            self.text.extend_from_slice("\u{fffd}".as_bytes());
        }
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.ended {
            self.refill()?;
        }
        let count = buffer.len().min(self.text.len() - self.given);
        buffer[..count].copy_from_slice(&self.text[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out one byte at a time.
    struct Trickle(Vec<u8>);

    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            buffer[0] = self.0.remove(0);
            Ok(1)
        }
    }

    fn decoded(bytes: Vec<u8>, order: ByteOrder) -> String {
        let mut text = String::new();
        Utf16::new(Trickle(bytes.clone()), order).read_to_string(&mut text).expect("UTF-8");
        let mut again = String::new();
        Utf16::new(bytes.as_slice(), order).read_to_string(&mut again).expect("UTF-8");
        assert_eq!(text, again);
        text
    }

    #[test]
    fn decodes_both_orders() {
        let text = "2025-06-12 ERROR Échec 🚀\r\n\u{0a0d}\n";
        let little = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decoded(little, ByteOrder::Little), text);
        assert_eq!(decoded(big, ByteOrder::Big), text);
    }

    #[test]
    fn what_is_broken_is_marked() {
        assert_eq!(decoded(vec![b'a', 0, 0x00, 0xd8, b'b', 0, 7], ByteOrder::Little), "a\u{fffd}b\u{fffd}");
        assert_eq!(decoded(vec![0x00, 0xd8], ByteOrder::Little), "\u{fffd}");
        assert_eq!(decoded(Vec::new(), ByteOrder::Big), "");
    }
}
