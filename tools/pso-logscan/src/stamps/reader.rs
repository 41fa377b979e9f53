//! How the stamps of one input are read.

use super::{Stamp, StampFormat, parse};

/// What is known of an input's stamps before its first line is read.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// Seconds east of UTC for stamps that name no zone.
    pub(crate) zone: i32,
}

impl Reader {
    /// Reads the stamp of `line`, which most likely is written as the one before it was, `last`.
    pub(crate) fn read(&self, line: &[u8], _last: Option<StampFormat>) -> Option<Stamp> {
        parse(line, self.zone)
    }
}
