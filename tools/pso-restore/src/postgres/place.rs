//! Where the server keeps its data, and which databases restores have kept there.

use std::path::PathBuf;

use anyhow::Context as _;
use pso_common::postgres::{PgSettings, Purpose, connect};

use super::target::{APPLICATION, admin, ident};
use super::{MAX_NAME_BYTES, shortened};

/// The server's data folder, where the server is on this machine and the role may know it.
pub(crate) fn local_data_folder(settings: &PgSettings) -> Option<PathBuf> {
    let host = settings.host.as_str();
    if !(host.starts_with('/') || matches!(host, "" | "localhost" | "127.0.0.1" | "::1")) {
        return None;
    }
    let mut session = admin(settings).or_else(|_| connect(settings, APPLICATION, Purpose::Work)).ok()?;
    let row = session.query_one("SHOW data_directory", &[]).ok()?;
    // A container's own folder is not to be seen here, or is another one of that name.
    Some(PathBuf::from(row.get::<_, String>(0))).filter(|folder| folder.is_dir())
}

/// A database that a restore has kept.
pub(crate) struct Kept {
    pub(crate) name: String,
    /// Bytes, where the role may see them.
    pub(crate) size: Option<u64>,
}

/// The databases that restores of this one have kept.
pub(crate) fn kept(settings: &PgSettings) -> anyhow::Result<Vec<Kept>> {
    let base = shortened(&settings.dbname, MAX_NAME_BYTES - "_before_YYYYMMDD_HHMMSS".len());
    let mut session = admin(settings)?;
    let rows = session.query(include_str!("../../queries/kept.sql"), &[&base]).context("look for what is kept")?;
    let kept = rows.iter().map(|row| {
        let size: Option<i64> = row.get("size_bytes");
        Kept { name: row.get("name"), size: size.and_then(|size| u64::try_from(size).ok()) }
    });
    Ok(kept.collect())
}

/// Drops one of them. One that somebody is connected to stays.
pub(crate) fn drop_kept(settings: &PgSettings, name: &str) -> anyhow::Result<()> {
    let sql = format!("DROP DATABASE IF EXISTS {}", ident(name));
    admin(settings)?.batch_execute(&sql).with_context(|| format!("drop the database {name}"))
}
