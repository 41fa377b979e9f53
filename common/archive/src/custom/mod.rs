//! `pg_dump --format=custom`, read from its beginning to its end: header, table of contents, then the data blocks.
//!
//! What is here follows `ReadHead` and `ReadToc` of PostgreSQL's `pg_backup_archiver.c` and the block format of
//! `pg_backup_custom.c`, versions 1.12 (PostgreSQL 9.3) to 1.16 (17 and 18). A dump that went through a pipe has no
//! offsets in its table of contents; its blocks stand one after the other, in no promised order:
//!
//! | block | form |
//! |---|---|
//! | table data | byte 1, id of the entry, pieces |
//! | large objects | byte 3, id of the entry, then for each its OID and pieces, then OID 0 |
//! | pieces | length and bytes, again and again, then length 0 |
//!
//! Integers are a sign byte and as many bytes as the header says, lowest first.

mod blocks;
mod bytes;
mod toc;

#[cfg(test)]
mod tests;

pub use blocks::{Block, Blocks, Content};
pub use toc::{Section, Toc, TocEntry};
