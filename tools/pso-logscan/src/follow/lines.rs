//! Bytes as they come, as whole lines.

/// Whole lines that have come, or the beginning of one that is too long.
pub(super) struct Lines<'a> {
    pub(super) text: &'a [u8],
    /// Where they begin in the input.
    pub(super) offset: u64,
    /// Whether the last line is longer than may be; the rest of it is passed over.
    pub(super) cut: bool,
}

/// What has come of a line that is not finished.
#[derive(Debug)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    /// Where these begin in the input.
    offset: u64,
    /// Whether the rest of a line that was too long is being passed over.
    skipping: bool,
    max_line: usize,
}

impl Pending {
    /// Nothing yet of an input that begins, or goes on, at `offset`.
    pub(super) const fn new(offset: u64, max_line: usize) -> Self {
        Self { bytes: Vec::new(), offset, skipping: false, max_line }
    }

    /// Where the last line ends that was handed on.
    pub(super) const fn end(&self) -> u64 {
        self.offset
    }

    /// Bytes of the line that is not finished.
    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes `bytes`, and hands on what is finished with them.
    pub(super) fn push<E>(&mut self, bytes: &[u8], mut each: impl FnMut(Lines<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut bytes = bytes;
        if self.skipping {
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                self.offset += bytes.len() as u64;
                return Ok(());
            };
            self.offset += end as u64 + 1;
            (self.skipping, bytes) = (false, &bytes[end + 1..]);
        }
        let old = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        if let Some(end) = memchr::memrchr(b'\n', bytes) {
            let whole = old + end + 1;
            each(Lines { text: &self.bytes[..whole], offset: self.offset, cut: false })?;
            self.bytes.drain(..whole);
            self.offset += whole as u64;
        }
        if self.bytes.len() >= self.max_line {
            each(Lines { text: &self.bytes, offset: self.offset, cut: true })?;
            self.offset += self.bytes.len() as u64;
            (self.skipping, self.bytes) = (true, Vec::new());
        }
        Ok(())
    }

    /// Hands on the line that is not finished, because nothing will come any more.
    pub(super) fn finish<E>(&mut self, mut each: impl FnMut(Lines<'_>) -> Result<(), E>) -> Result<(), E> {
        if !self.bytes.is_empty() {
            each(Lines { text: &self.bytes, offset: self.offset, cut: false })?;
            self.offset += self.bytes.len() as u64;
            self.bytes.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_the_bytes_come() {
        let text = format!("one\n\ntwo\n{}\nthree\nfour", "x".repeat(50));
        for piece in 1..text.len() + 1 {
            let (mut lines, mut pending) = (Vec::new(), Pending::new(7, 20));
            let mut each = |new: Lines<'_>| -> Result<(), ()> {
                assert_eq!(&text.as_bytes()[new.offset as usize - 7..][..new.text.len()], new.text);
                lines.extend(String::from_utf8_lossy(new.text).lines().map(str::to_owned));
                Ok(())
            };
            for piece in text.as_bytes().chunks(piece) {
                pending.push(piece, &mut each).expect("no error");
            }
            let end = pending.end();
            assert_eq!((end + pending.len() as u64, pending.len()), (7 + text.len() as u64, 4));
            pending.finish(&mut each).expect("no error");
            assert_eq!((pending.end(), pending.len()), (7 + text.len() as u64, 0));
            assert_eq!(lines.len(), 6, "{piece}");
            assert!(lines[3].starts_with(&"x".repeat(20)));
            assert_eq!([&lines[0], &lines[1], &lines[2], &lines[4], &lines[5]], ["one", "", "two", "three", "four"]);
        }
    }
}
