//! The line splitter: chunks, segments and marks against the text itself.

use std::fs::File;
use std::io::{self, Read, Write as _};

use crate::fuzzing::choices::Choices;
use crate::input::chunks::{Chunk, FileChunks, Lines, Sizes};
use crate::scan::marks::{Lanes, Machine, Marks, STRETCH, WithLanes};

/// `lines`: cuts a text into chunks and segments of any size, and notes what is in it.
///
/// # Panics
/// When a byte is lost, comes twice or at a wrong offset, a chunk ends within a line without saying so, or when some
/// instructions find other line feeds or words than are there.
pub fn lines(data: &[u8]) {
    let mut choices = Choices::of(data);
    let (chunk, max_line, segment) = (choices.size(), choices.size(), choices.size() as u64);
    let (few, first, last, lost) = (choices.size(), choices.below(8), choices.below(8), choices.below(16));
    let text = choices.rest();
    let sizes = Sizes { chunk, max_line, segment };

    let mut walk = Walk { text, at: 0, sizes };
    walk.all(Lines::new(Trickle(text, few), 0, sizes));
    assert_eq!(walk.at, text.len(), "the stream");

    // A part of a file, from line to line; the file may be shorter than it was when somebody looked.
    let begin = line_start(text, text.len() * first / 16);
    let end = line_start(text, text.len() - text.len() * last / 16).max(begin);
    let there = if lost == 0 { (begin + end) / 2 } else { text.len() };
    let chunks = FileChunks::new(file(&text[..there]), begin as u64..end as u64, sizes);
    let mut walk = Walk { text: &text[..there.min(end)], at: begin, sizes };
    for number in 0..chunks.segments() {
        if let Some(lines) = chunks.segment(number).expect("readable") {
            assert_eq!(lines.offset(), walk.at as u64, "segment {number}");
            walk.all(lines);
        }
    }
    assert_eq!(walk.at, there.min(end).max(begin), "the segments");
    if there < end {
        assert_eq!(chunks.shrunk().map(|(there, _)| there), Some(there as u64));
    } else {
        assert_eq!(chunks.shrunk(), None);
    }
    marked(text);
}

/// Where the first line begins that begins at or after `from`.
fn line_start(text: &[u8], from: usize) -> usize {
    match from {
        0 => 0,
        from => memchr::memchr(b'\n', &text[from - 1..]).map_or(text.len(), |end| from + end),
    }
}

/// A file that has no name any more.
pub(super) fn file(text: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(text).expect("written");
    file
}

/// Hands out a few bytes at a time.
pub(super) struct Trickle<R>(pub(super) R, pub(super) usize);

impl<R: Read> Read for Trickle<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let few = buffer.len().min(self.1);
        self.0.read(&mut buffer[..few])
    }
}

/// How far the chunks have come.
struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    sizes: Sizes,
}

impl Walk<'_> {
    fn all<R: Read>(&mut self, mut lines: Lines<R>) {
        let mut buffer = Vec::new();
        while let Some(Chunk { offset, lines, cut }) = lines.next(&mut buffer).expect("readable") {
            // Nothing that a text holds makes a thread take more memory than that.
            assert!(buffer.len() <= 2 * (self.sizes.chunk + self.sizes.max_line + 1), "{} bytes", buffer.len());
            let found = &buffer[lines];
            assert_eq!(offset, self.at as u64);
            assert!(!found.is_empty());
            assert!(self.text[self.at..].starts_with(found), "other bytes than the text's at {offset}");
            self.at += found.len();
            if cut {
                let last = found.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
                assert!(last.len() >= self.sizes.max_line, "{} bytes are no long line", last.len());
                let rest = &self.text[self.at..];
                self.at += memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            } else {
                assert!(found.ends_with(b"\n") || self.at == self.text.len(), "within a line at {}", self.at);
            }
        }
    }
}

/// Line feeds, and places where a word may stand.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    feeds: Vec<usize>,
    suspects: Vec<usize>,
}

struct Note<'a>(&'a [u8], &'a mut Found);

impl WithLanes for Note<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let mut marks = Marks::default();
        for from in (0..self.0.len()).step_by(STRETCH) {
            marks.note(lanes, self.0, from);
            self.1.feeds.extend(marks.ends().iter().map(|&end| from + end as usize));
        }
        self.1.suspects = marks.suspects;
    }
}

/// Whatever this processor can do, and what every one can.
pub(super) fn machines() -> Vec<Machine> {
    let mut machines = vec![Machine::Portable, Machine::detect()];
    #[cfg(target_arch = "x86_64")]
    machines.extend(pulp::x86::V3::try_new().map(Machine::V3));
    machines
}

fn marked(text: &[u8]) {
    let feeds: Vec<usize> = memchr::memchr_iter(b'\n', text).collect();
    // Each word, and which of its letters is noted.
    const WORDS: [(&str, usize); 5] =
        [("error", 1), ("unresolved", 0), ("authentication", 1), ("authorization", 1), ("security", 3)];
    let lower = text.to_ascii_lowercase();
    let mut first: Option<Found> = None;
    for machine in machines() {
        let mut found = Found::default();
        machine.run(Note(text, &mut found));
        assert_eq!(found.feeds, feeds);
        assert!(found.suspects.is_sorted_by(|one, next| one < next));
        for (word, letter) in WORDS {
            for at in memchr::memmem::find_iter(&lower, word) {
                assert!(found.suspects.binary_search(&(at + letter)).is_ok(), "{word} at {at}");
            }
        }
        assert_eq!(
            first.get_or_insert_with(|| Found { feeds: feeds.clone(), suspects: found.suspects.clone() }),
            &found
        );
    }
}
