//! gzip as `gzip -d` reads it: members one behind another, zeros behind the last one, and what is no gzip after that.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::GzDecoder;

/// Packed bytes that are read at a time.
const PIECE: usize = 64 << 10;

/// Unpacks gzip while it is read.
pub(crate) struct Gzip<R> {
    /// The member that is being unpacked; taken only between two of them.
    member: Option<GzDecoder<BufReader<R>>>,
    /// Whether a member came to its end: what does not begin like another one is then no damage.
    whole: bool,
    /// Bytes behind the last member that are neither a member nor zeros.
    garbage: Arc<AtomicU64>,
}

impl<R: Read> Gzip<R> {
    /// Unpacks `input`; bytes that are no gzip behind the end of it are counted in `garbage`, as they come.
    pub(crate) fn new(input: R, garbage: Arc<AtomicU64>) -> Self {
        let member = Some(GzDecoder::new(BufReader::with_capacity(PIECE, input)));
        Self { member, whole: false, garbage }
    }

    /// Goes to the next member; `false` when there is none.
    fn next_member(&mut self) -> io::Result<bool> {
        let Some(member) = self.member.take() else { return Ok(false) };
        let mut input = member.into_inner();
        self.whole = true;
        if fill(&mut input)?.first() != Some(&0x1f) {
            self.pass_over(input, 0)?;
            return Ok(false);
        }
        self.member = Some(GzDecoder::new(input));
        Ok(true)
    }

    /// Reads what is behind the last member, of which `before` bytes are known to be garbage.
    fn pass_over(&self, mut input: impl BufRead, before: u64) -> io::Result<()> {
        let mut count = before;
        loop {
            let bytes = fill(&mut input)?;
            if bytes.is_empty() {
                self.garbage.store(count, Ordering::Relaxed);
                return Ok(());
            }
            // Tapes and some file systems pad with zeros.
            if count > 0 || bytes.iter().any(|&byte| byte != 0) {
                count += bytes.len() as u64;
            }
            let length = bytes.len();
            input.consume(length);
        }
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else { return Ok(0) };
            let starts = self.whole && member.header().is_none();
            match member.read(buffer) {
                Ok(0) if !buffer.is_empty() => {
                    if !self.next_member()? {
                        return Ok(0);
                    }
                }
                // It only looked like another member.
                Err(error) if starts && error.kind() == io::ErrorKind::InvalidInput => {
                    if let Some(member) = self.member.take() {
                        self.pass_over(member.into_inner(), 1)?;
                    }
                    return Ok(0);
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(io::Error::new(error.kind(), "the gzip data ends before its end"));
                }
                result => return result,
            }
        }
    }
}

/// What is buffered, or read if nothing is.
fn fill(input: &mut impl BufRead) -> io::Result<&[u8]> {
    loop {
        match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            // Asked again, because the borrow would not end otherwise; there is no second read.
            Ok(_) => return input.fill_buf(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("in memory");
        encoder.finish().expect("in memory")
    }

    /// Hands out a few bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let few = self.1.min(self.0.len());
            self.0.read(&mut buffer[..few])
        }
    }

    fn unpacked(bytes: &[u8], few: usize) -> (String, u64, Option<io::ErrorKind>) {
        let garbage = Arc::default();
        let mut gzip = Gzip::new(Trickle(bytes, few), Arc::clone(&garbage));
        let mut text = Vec::new();
        let error = gzip.read_to_end(&mut text).err().map(|error| error.kind());
        (String::from_utf8(text).expect("UTF-8"), garbage.load(Ordering::Relaxed), error)
    }

    #[test]
    fn reads_members_padding_and_garbage_as_gzip_does() {
        let (one, two) = (gz(b"one\n"), gz(b"two\n"));
        for few in [1, 2, 3, 7, 1000] {
            for (parts, text, garbage) in [
                (vec![&one[..]], "one\n", false),
                (vec![&one, &two], "one\ntwo\n", false),
                (vec![&one, &[0; 700]], "one\n", false),
                (vec![&one, &two, b"# signature"], "one\ntwo\n", true),
                (vec![&one, &[0x1f, b'x', b'y', b'z', 0, 0, 0, 0, 0, 0, 0, 0]], "one\n", true),
            ] {
                let (found, count, error) = unpacked(&parts.concat(), few);
                assert_eq!((found.as_str(), count > 0, error), (text, garbage, None), "{few} at a time");
            }
            let cut = [&one[..], &two[..two.len() - 9]].concat();
            let (text, _, error) = unpacked(&cut, few);
            assert_eq!((text.starts_with("one\n"), error), (true, Some(io::ErrorKind::UnexpectedEof)));
        }
    }
}
