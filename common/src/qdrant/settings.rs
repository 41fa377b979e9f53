//! Where Qdrant answers, and with which key.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use crate::Secret;
use crate::config::{Config, FileConfig, Paths, Url};
use crate::http::HttpRoots;

/// The Qdrant server.
#[derive(Clone, Debug)]
pub struct QdrantSettings {
    /// Base URL without a trailing slash.
    pub url: String,
    /// The API key, if the server wants one.
    pub api_key: Option<Secret>,
    /// The file with the root certificates to trust where the URL is `https`; none is Mozilla's, `system` is the operating
    /// system's.
    pub ca_file: Option<PathBuf>,
    /// What it holds.
    pub roots: HttpRoots,
    /// The collections to look at; empty means all.
    pub collections: Vec<String>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long one request may take.
    pub timeout: Duration,
    /// How long creating or restoring one snapshot may take.
    pub snapshot_timeout: Duration,
}

impl QdrantSettings {
    /// Resolves the server's address and key; `url` is the flag.
    ///
    /// # Errors
    /// When a layer holds a bad value or a named key file cannot be read.
    pub fn resolve(config: &Config, paths: &Paths, url: Option<String>) -> anyhow::Result<Self> {
        let file = config.read::<FileConfig>()?;
        let server = file.database.and_then(|database| database.qdrant).unwrap_or_default();
        let section = file.maintenance.and_then(|maintenance| maintenance.qdrant).unwrap_or_default();
        let host: String = config.pick("database.qdrant.host").file(&server.host).or("localhost".to_owned())?;
        let port: u16 = config.pick("database.qdrant.port").file(&server.port).or(6333)?;
        let url: Url = config
            .pick("maintenance.qdrant.url")
            .flag_text(url.as_deref())
            .env("PSO_QDRANT_URL")
            .file(&section.url)
            .other("database.qdrant.host and database.qdrant.port", Some(Url(format!("http://{host}:{port}"))))
            .optional()?
            .context("a URL with a last source is always found")?;
        let key_file: Option<PathBuf> = config
            .pick("maintenance.qdrant.api_key_file")
            .env("PSO_QDRANT_API_KEY_FILE")
            .file(&section.api_key_file)
            .optional()?;
        let key_file = key_file.map(|path| paths.join(&path));
        let ca_file =
            paths.ca_file(config, "maintenance.qdrant.ca_file", Some("PSO_QDRANT_CA_FILE"), &section.ca_file)?;
        Ok(Self {
            url: url.0,
            roots: HttpRoots::named(ca_file.as_deref()).context("maintenance.qdrant.ca_file")?,
            ca_file,
            api_key: config
                .pick("maintenance.qdrant.api_key")
                .env("PSO_QDRANT_API_KEY")
                .secret_file(key_file.as_deref())
                .file(&section.api_key)
                .optional()?,
            collections: config
                .pick("maintenance.qdrant.collections")
                .env("PSO_QDRANT_COLLECTIONS")
                .file_list(&section.collections)
                .or(Vec::new())?,
            connect_timeout: config
                .pick("maintenance.qdrant.connect_timeout")
                .file(&section.connect_timeout)
                .or(Duration::from_secs(3))?,
            timeout: config
                .pick("maintenance.qdrant.timeout")
                .env("PSO_QDRANT_TIMEOUT")
                .file(&section.timeout)
                .or(Duration::from_secs(10))?,
            snapshot_timeout: config
                .pick("maintenance.qdrant.snapshot_timeout")
                .env("PSO_QDRANT_SNAPSHOT_TIMEOUT")
                .file(&section.snapshot_timeout)
                .or(Duration::from_secs(3600))?,
        })
    }
}
