//! What PostgreSQL says (`pso-pgstats`): one file a noun.
//!
//! A record of a section is a row of its query: the query names its columns as the fields are named here. Fields are never
//! called as those of the header (`name`, `kind`, `at`, …), which stand beside them.

mod activity;
mod advice;
mod archiver;
mod bloat;
mod blocking;
mod change;
mod checkpoints;
mod checksums;
mod connection;
mod database;
mod extension;
mod foreign_key;
mod index;
mod integer_key;
mod io;
mod lock;
mod prepared;
mod progress;
mod query_text;
mod replication;
mod section;
mod sequence;
mod server;
mod setting;
mod size;
mod slot;
mod statement;
mod statement_stats;
mod table;
mod vacuum;
mod wal;
mod wraparound;

pub use activity::PgActivityRecord;
pub use advice::{Confidence, PgAdviceRecord};
pub use archiver::PgArchiverRecord;
pub use bloat::PgBloatRecord;
pub use blocking::PgBlockingRecord;
pub use change::PgChangeRecord;
pub use checkpoints::PgCheckpointsRecord;
pub use checksums::PgChecksumsRecord;
pub use connection::PgConnectionRecord;
pub use database::PgDatabaseRecord;
pub use extension::PgExtensionRecord;
pub use foreign_key::PgForeignKeyRecord;
pub use index::PgIndexRecord;
pub use integer_key::PgIntegerKeyRecord;
pub use io::PgIoRecord;
pub use lock::PgLockRecord;
pub use prepared::PgPreparedRecord;
pub use progress::PgProgressRecord;
pub use query_text::QueryText;
pub use replication::PgReplicationRecord;
pub use section::PgSectionRecord;
pub use sequence::PgSequenceRecord;
pub use server::PgServerRecord;
pub use setting::PgSettingRecord;
pub use size::PgSizeRecord;
pub use slot::PgSlotRecord;
pub use statement::PgStatementRecord;
pub use statement_stats::PgStatementStatsRecord;
pub use table::PgTableRecord;
pub use vacuum::PgVacuumRecord;
pub use wal::PgWalRecord;
pub use wraparound::PgWraparoundRecord;

use super::schema::KindInfo;

/// Gives a macro the kinds of records that the sections of `pso-pgstats` are made of, as `plural: Struct,`, in the order in
/// which one section writes them. The one list of them: the schema, the tool's kinds and its snapshot follow it.
#[macro_export]
macro_rules! pg_records {
    ($callback:ident) => {
        $callback! {
            activity: PgActivityRecord,
            connections: PgConnectionRecord,
            databases: PgDatabaseRecord,
            blocking: PgBlockingRecord,
            locks: PgLockRecord,
            progress: PgProgressRecord,
            tables: PgTableRecord,
            sizes: PgSizeRecord,
            indexes: PgIndexRecord,
            bloat: PgBloatRecord,
            foreign_keys: PgForeignKeyRecord,
            sequences: PgSequenceRecord,
            integer_keys: PgIntegerKeyRecord,
            vacuum: PgVacuumRecord,
            statements: PgStatementRecord,
            statement_stats: PgStatementStatsRecord,
            wraparound: PgWraparoundRecord,
            replication: PgReplicationRecord,
            checkpoints: PgCheckpointsRecord,
            wal: PgWalRecord,
            io: PgIoRecord,
            archiver: PgArchiverRecord,
            prepared: PgPreparedRecord,
            slots: PgSlotRecord,
            settings: PgSettingRecord,
            extensions: PgExtensionRecord,
            checksums: PgChecksumsRecord,
        }
    };
}

macro_rules! infos {
    ($($plural:ident: $record:ident,)*) => {
        &[
            KindInfo::of::<PgServerRecord>(),
            KindInfo::of::<PgSectionRecord>(),
            $(KindInfo::of::<$record>(),)*
            KindInfo::of::<PgChangeRecord>(),
            KindInfo::of::<PgAdviceRecord>(),
        ]
    };
}

/// Every kind of `pso-pgstats`.
pub(super) const KINDS: &[KindInfo] = crate::pg_records!(infos);
