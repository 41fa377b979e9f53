//! Takes one file out of a multipart form while it arrives, without holding it in memory.

use std::io::{self, Read, Write};

use memchr::memmem;

/// More than any form part needs in front of its content.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// A form that could not be read.
#[derive(Debug)]
pub(crate) enum Broken {
    /// It ended in the middle, or is no form.
    Incomplete,
    /// Reading it, or writing the file, failed.
    Io(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The `boundary` of a `multipart/form-data` content type.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(parameters, "boundary").filter(|boundary| !boundary.is_empty())
}

/// Copies the content of the part named `field` to `sink`, and gives back the file name that came with it (empty if
/// none did), or `None` if there is no such part.
pub(crate) fn receive(
    body: impl Read,
    boundary: &str,
    field: &str,
    mut sink: impl Write,
) -> Result<Option<String>, Broken> {
    let delimiter = format!("\r\n--{boundary}");
    // With this in front, the first boundary is like all others.
    let mut form = Form { body, buffer: b"\r\n".to_vec() };
    let mut found = None;
    form.copy_until(delimiter.as_bytes(), usize::MAX, io::sink())?;
    loop {
        if form.fill_to(2)?.starts_with(b"--") {
            return Ok(found);
        }
        let mut head = Vec::new();
        form.copy_until(b"\r\n\r\n", MAX_HEAD_BYTES, &mut head)?;
        let head = String::from_utf8_lossy(&head);
        let disposition = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
        });
        if found.is_none() && disposition.and_then(|value| parameter(value, "name")) == Some(field) {
            found = Some(disposition.and_then(|value| parameter(value, "filename")).unwrap_or_default().to_owned());
            form.copy_until(delimiter.as_bytes(), usize::MAX, &mut sink)?;
        } else {
            form.copy_until(delimiter.as_bytes(), usize::MAX, io::sink())?;
        }
    }
}

/// The value of `name=value` or `name="value"` among parameters that semicolons divide.
fn parameter<'t>(parameters: &'t str, name: &str) -> Option<&'t str> {
    parameters.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

struct Form<R> {
    body: R,
    /// Read and not yet used.
    buffer: Vec<u8>,
}

impl<R: Read> Form<R> {
    /// Copies what comes before `end` and drops `end` itself.
    fn copy_until(&mut self, end: &[u8], limit: usize, mut sink: impl Write) -> Result<(), Broken> {
        let finder = memmem::Finder::new(end);
        let mut copied = 0;
        loop {
            let found = finder.find(&self.buffer);
            // An end that is cut by the end of the buffer must stay in it.
            let ready = found.unwrap_or_else(|| self.buffer.len().saturating_sub(end.len() - 1));
            copied += ready;
            if copied > limit {
                return Err(Broken::Incomplete);
            }
            sink.write_all(&self.buffer[..ready])?;
            let used = if found.is_some() { ready + end.len() } else { ready };
            self.buffer.drain(..used);
            if found.is_some() {
                return Ok(());
            }
            self.read_more()?;
        }
    }

    /// At least this many of the next bytes, without using them up.
    fn fill_to(&mut self, length: usize) -> Result<&[u8], Broken> {
        while self.buffer.len() < length {
            self.read_more()?;
        }
        Ok(&self.buffer)
    }

    fn read_more(&mut self) -> Result<(), Broken> {
        let start = self.buffer.len();
        self.buffer.resize(start + (64 << 10), 0);
        let read = self.body.read(&mut self.buffer[start..]);
        self.buffer.truncate(start + read.as_ref().map_or(0, |n| *n));
        match read? {
            0 => Err(Broken::Incomplete),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, so that every boundary is cut.
    struct Trickle<'b>(&'b [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(&mut buffer[..1])
        }
    }

    const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--b\r\n\
        content-disposition: form-data; name=\"snapshot\"; filename=\"a.snapshot\"\r\nContent-Type: x/y\r\n\r\n\
        one\r\n--\r\ntwo\r\n--b--\r\n";

    #[test]
    fn the_named_part_is_found_however_the_bytes_arrive() {
        for trickle in [false, true] {
            let body: Box<dyn Read> =
                if trickle { Box::new(Trickle(FORM.as_bytes())) } else { Box::new(FORM.as_bytes()) };
            let mut sink = Vec::new();
            let name = receive(body, "b", "snapshot", &mut sink).unwrap();
            assert_eq!(name.as_deref(), Some("a.snapshot"));
            assert_eq!(sink, b"one\r\n--\r\ntwo");
        }
    }

    #[test]
    fn a_missing_part_is_none_and_a_cut_form_is_incomplete() {
        assert_eq!(receive(FORM.as_bytes(), "b", "absent", io::sink()).unwrap(), None);
        let cut = &FORM.as_bytes()[..FORM.len() - 12];
        assert!(matches!(receive(cut, "b", "snapshot", io::sink()), Err(Broken::Incomplete)));
    }

    #[test]
    fn a_boundary_may_be_quoted() {
        assert_eq!(boundary("multipart/form-data; boundary=\"x y\""), Some("x y"));
        assert_eq!(boundary("application/json"), None);
    }
}
