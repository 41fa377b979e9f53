//! UTF-16 (Windows PowerShell's `>`) as UTF-8.

use std::io::{self, Read};

/// Which byte of a unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

/// Decodes UTF-16 piece by piece. What is no UTF-16 becomes U+FFFD.
#[derive(Debug)]
pub(crate) struct Decoder {
    order: ByteOrder,
    /// Bytes that wait for their other half: an odd one, or the first half of a pair.
    raw: Vec<u8>,
}

impl Decoder {
    pub(crate) const fn new(order: ByteOrder) -> Self {
        Self { order, raw: Vec::new() }
    }

    /// The text of `bytes` as UTF-8. If they are the last ones (`is_end`), nothing is waited for any more.
    pub(crate) fn decode(&mut self, bytes: &[u8], is_end: bool) -> Vec<u8> {
        self.raw.extend_from_slice(bytes);
        let unit = |&pair: &[u8; 2]| match self.order {
            ByteOrder::Little => u16::from_le_bytes(pair),
            ByteOrder::Big => u16::from_be_bytes(pair),
        };
        let mut units: Vec<u16> = self.raw.as_chunks::<2>().0.iter().map(unit).collect();
        if !is_end && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
            units.pop();
        }
        self.raw.drain(..units.len() * 2);
        let mut text = Vec::with_capacity(units.len() * 3);
        for character in char::decode_utf16(units) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if is_end && !self.raw.is_empty() {
            self.raw.clear();
            text.extend_from_slice("\u{fffd}".as_bytes());
        }
        text
    }
}

/// Decodes UTF-16 while it is read.
pub(crate) struct Utf16<R> {
    input: R,
    decoder: Decoder,
    text: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Utf16<R> {
    /// Decodes `input`, whose byte order mark has been taken off.
    pub(crate) const fn new(input: R, order: ByteOrder) -> Self {
        Self { input, decoder: Decoder::new(order), text: Vec::new(), given: 0, ended: false }
    }

    /// Reads more, and decodes all units of it that are whole.
    fn refill(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 << 10];
        let read = self.input.read(&mut piece)?;
        self.ended = read == 0;
        (self.text, self.given) = (self.decoder.decode(&piece[..read], self.ended), 0);
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
