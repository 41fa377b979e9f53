//! The archive: one ZIP file with everything that belongs to a backup, and what may be believed about it.
//!
//! `pso-backup` makes archives, `pso-restore` and `pso-rehearse` read them; what an archive is stands here once.
//!
//! | entry | content |
//! |---|---|
//! | `postgres/<database>.dump` | `pg_dump --format=custom --compress=0` |
//! | `postgres/globals.sql` | `pg_dumpall --globals-only --no-role-passwords`, where the role may |
//! | `qdrant/<collection>.snapshot` | the snapshot as Qdrant made it (a sparse tar) |
//! | `config/`, `scripts/`, `plans/` | files, with their relative paths |
//! | `manifest.json` | written last: what the other entries are, with size and SHA-256 of each |
//!
//! Entries are packed in blocks of 1 MiB that can be unpacked alone, so that all cores work on one large table; to others
//! each is an ordinary stream ([`Packing`]). Encrypted, the whole file is one of age, `NAME.zip.age`.
//!
//! Beside `NAME.zip` lies `NAME.zip.sha256` in the form of `sha256sum`, published just before it, and `NAME.zip.json`
//! with what has become known since ([`Status`]). An archive appears
//! whole or not at all ([`ArchiveWriter`]), is believed only as far as it was checked ([`verify`]), and is found by the
//! time that its manifest names ([`catalog`]).
//!
//! - Reads and writes: archives, their `.sha256` and `.json`, and lock files; runs `pg_dump`, `pg_restore` and `psql`.
//! - Nothing is held in memory but the table of contents, the manifest, and a few blocks for each core.

mod blocks;
pub mod catalog;
mod container;
pub mod custom;
mod dump;
mod durable;
mod encryption;
mod hash;
mod jobs;
pub mod legacy;
pub mod load;
mod lock;
mod manifest;
mod names;
mod obstacle;
mod packing;
mod pending;
mod process;
mod publish;
mod reader;
mod rows;
pub mod scratch;
mod status;
mod unfinished;
pub mod verify;
pub mod wanted;
mod writer;

pub use blocks::RangeReader;
pub use dump::dump_list;
pub use durable::{private_file, private_folder, sync_folder};
pub use encryption::{Identities, Recipients, is_encrypted};
pub use hash::{Digest, copy_hashed, hash_file};
pub use jobs::jobs;
pub use lock::{BACKUP_LOCK, Lock, PRUNE_LOCK, RESTORE_LOCK};
pub use manifest::{
    Block, Blocks, Collection, Database, Entry, MANIFEST_NAME, Manifest, Missing, PackedEntry, SCHEMA, Skipped,
    SnapshotSource, ToolVersion, Versions,
};
pub use names::{NamedArchive, check_entry_name, encoded};
pub use obstacle::Obstacle;
pub use packing::Packing;
pub use pending::Notes;
pub use process::{Ended, Running, command, end_all};
pub use publish::{Partial, Published, leftovers, remove_leftovers, sidecar_path};
pub use reader::{Archive, EntryReader};
pub use rows::{count_query, count_rows, row_differences, user_tables};
pub use status::{Status, status_path};
pub use unfinished::{RESTORE_JOURNAL, Unfinished, unfinished_restore};
pub use writer::{ArchiveWriter, NewEntry, Written};
