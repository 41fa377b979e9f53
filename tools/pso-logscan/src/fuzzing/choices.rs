//! What a target does besides reading its text: the first bytes of its data say it.

/// The bytes that have not been used yet.
pub(super) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(super) const fn of(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// One of `most` numbers from 0 on; 0 where the data are at their end.
    pub(super) fn below(&mut self, most: usize) -> usize {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(first) % most
    }

    /// Half a dozen small numbers, and some large ones: what a size is by.
    pub(super) fn size(&mut self) -> usize {
        match self.below(64) {
            small @ 0..48 => small + 1,
            large => (large - 47) * 97,
        }
    }

    /// What is left: the text.
    pub(super) const fn rest(self) -> &'a [u8] {
        self.0
    }
}
