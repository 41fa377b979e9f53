//! Where the server keeps its data, and which databases restores have kept there.

use std::path::PathBuf;

use anyhow::Context as _;
use pso_common::postgres::{Client, PgSettings};

use super::target::{admin, connect, ident};
use super::{MAX_NAME_BYTES, shortened};

/// The server's data folder, where the server is on this machine and the role may know it.
pub(crate) fn local_data_folder(settings: &PgSettings) -> Option<PathBuf> {
    let host = settings.host.as_str();
    if !(host.starts_with('/') || matches!(host, "" | "localhost" | "127.0.0.1" | "::1")) {
        return None;
    }
    let mut session = any(settings).ok()?;
    let row = session.query_one("SHOW data_directory", &[]).ok()?;
    // A container's own folder is not to be seen here, or is another one of that name.
    Some(PathBuf::from(row.get::<_, String>(0))).filter(|folder| folder.is_dir())
}

/// What tells the server from every other, where the role may know it.
pub(crate) fn system_identifier(settings: &PgSettings) -> Option<String> {
    let row = any(settings).ok()?.query_one(include_str!("../../queries/system_identifier.sql"), &[]).ok()?;
    Some(row.get(0))
}

/// A session in whatever database lets us in: these questions have one answer for all of them.
fn any(settings: &PgSettings) -> anyhow::Result<Client> {
    admin(settings).or_else(|_| connect(settings))
}

/// A database that a restore has kept.
pub(crate) struct Kept {
    pub(crate) name: String,
    /// Bytes, where the role may see them.
    pub(crate) size: Option<u64>,
}

/// The databases that restores of the configured one have kept, and those of `noted` that are there.
pub(crate) fn kept(settings: &PgSettings, noted: &[String]) -> anyhow::Result<Vec<Kept>> {
    let base = shortened(&settings.dbname, MAX_NAME_BYTES - "_before_YYYYMMDD_HHMMSS".len());
    let mut session = any(settings)?;
    let rows =
        session.query(include_str!("../../queries/kept.sql"), &[&base, &noted]).context("look for what is kept")?;
    let kept = rows.iter().map(|row| {
        let size: Option<i64> = row.get("size_bytes");
        Kept { name: row.get("name"), size: size.and_then(|size| u64::try_from(size).ok()) }
    });
    Ok(kept.collect())
}

/// Drops one of them. One that somebody is connected to stays.
pub(crate) fn drop_kept(settings: &PgSettings, name: &str) -> anyhow::Result<()> {
    let sql = format!("DROP DATABASE IF EXISTS {}", ident(name));
    any(settings)?.batch_execute(&sql).with_context(|| format!("drop the database {name}"))
}
