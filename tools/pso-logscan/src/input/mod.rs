//! What is read: which files, and how their bytes become chunks of whole lines.

pub(crate) mod chunks;
pub(crate) mod files;
pub(crate) mod open;
pub(crate) mod rotation;
mod utf16;
