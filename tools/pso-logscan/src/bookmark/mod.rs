//! How far the logs were read: what `--bookmark` keeps from run to run.
//!
//! A file is known again by its content, not by its name: by its first bytes and those before the place up to which it
//! was read. So it may be renamed, packed or copied meanwhile. Inode, size and time are only hints as to where to look.
//! What was read of one file is passed over in one file only; so nothing is lost when contents resemble each other.

pub(crate) mod entry;
mod lock;
pub(crate) mod plan;
pub(crate) mod store;
pub(crate) mod watch;
