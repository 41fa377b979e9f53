//! Where in a chunk the lines of added classes may be.

use std::borrow::Cow;

use crate::search::class::{Added, Class};

/// The next place of each added class in one chunk.
#[derive(Clone, Debug)]
pub(crate) struct Places<'a> {
    added: &'a [Added],
    /// `usize::MAX` where no more comes.
    next: Vec<usize>,
    first: usize,
}

impl<'a> Places<'a> {
    /// The first place of each class in `text`.
    pub(crate) fn new(added: &'a [Added], text: &[u8]) -> Self {
        let mut places = Self { added, next: vec![0; added.len()], first: usize::MAX };
        places.go_on(text, 0, 0);
        places
    }

    /// Whether some class may have the line that ends at `end`; the lines before it have been asked for.
    #[inline(always)]
    pub(crate) const fn are_in(&self, end: usize) -> bool {
        // A place may be the line's end itself, as of `^$`.
        self.first <= end
    }

    /// Says each added class that `line` is, which ends at `end` of `text`, with its type, and goes on behind it.
    pub(crate) fn judge<'l>(
        &mut self,
        text: &[u8],
        line: &'l [u8],
        end: usize,
        mut is: impl FnMut(Class, Option<Cow<'l, str>>),
    ) {
        for (number, (&next, added)) in (0..).zip(self.next.iter().zip(self.added)) {
            if next <= end
                && let Some(word) = added.pattern.matches(line)
            {
                is(Class::Added(number), word);
            }
        }
        self.pass(text, end);
    }

    /// Goes on behind the line that ends at `end`, without a look at it.
    pub(crate) fn pass(&mut self, text: &[u8], end: usize) {
        if self.first <= end {
            self.go_on(text, end, end + 1);
        }
    }

    /// Looks from `from` on for what was found up to `end`.
    fn go_on(&mut self, text: &[u8], end: usize, from: usize) {
        self.first = usize::MAX;
        for (next, added) in self.next.iter_mut().zip(self.added) {
            if *next <= end {
                let found = if from <= text.len() { added.pattern.next(text, from) } else { None };
                *next = found.unwrap_or(usize::MAX);
            }
            self.first = self.first.min(*next);
        }
    }
}
