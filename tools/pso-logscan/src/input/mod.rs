//! What is read: which files, and how their bytes become chunks of whole lines.

pub(crate) mod bisect;
pub(crate) mod chunks;
pub(crate) mod decode;
pub(crate) mod files;
mod gzip;
mod ladder;
mod lead;
pub(crate) mod logfile;
pub(crate) mod open;
pub(crate) mod prints;
pub(crate) mod rotation;
pub(crate) mod twins;
pub(crate) mod utf16;
mod whole_lines;
