//! Where planning-sync-server answers.

use std::path::PathBuf;
use std::time::Duration;

use super::file::FileConfig;
use super::{Config, Paths, Url};

/// The HTTP service that is maintained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Base URL without a trailing slash.
    pub url: String,
    /// The file with the API token.
    pub token_file: PathBuf,
    /// The file with the root certificates to trust where the URL is `https`; none is Mozilla's, `system` is the operating
    /// system's.
    pub ca_file: Option<PathBuf>,
    /// How long one request may take in all.
    pub timeout: Duration,
}

impl ServiceSettings {
    /// Resolves the service's address; `url` and `timeout` are the flags.
    ///
    /// # Errors
    /// When a layer holds a bad value.
    pub fn resolve(
        config: &Config,
        paths: &Paths,
        url: Option<String>,
        timeout: Option<Duration>,
    ) -> anyhow::Result<Self> {
        let file = config.read::<FileConfig>()?;
        let section = file.maintenance.and_then(|maintenance| maintenance.service).unwrap_or_default();
        let port = file.monitoring.and_then(|monitoring| monitoring.port);
        let port: u16 = config.pick("maintenance.service.port").file_at("monitoring.port", &port).or(8080)?;
        let url: Url = config
            .pick("maintenance.service.url")
            .flag_text(url.as_deref())
            .env("PSO_SERVICE_URL")
            .file(&section.url)
            .or(Url(format!("http://localhost:{port}")))?;
        let token_file: PathBuf = config
            .pick("maintenance.service.token_file")
            .env("PSO_TOKEN_FILE")
            .file(&section.token_file)
            .or("config/api-token.txt".into())?;
        Ok(Self {
            url: url.0,
            token_file: paths.join(&token_file),
            ca_file: paths.ca_file(
                config,
                "maintenance.service.ca_file",
                Some("PSO_SERVICE_CA_FILE"),
                &section.ca_file,
            )?,
            timeout: config
                .pick("maintenance.service.timeout")
                .flag(timeout)
                .env("PSO_SERVICE_TIMEOUT")
                .file(&section.timeout)
                .or(Duration::from_secs(10))?,
        })
    }
}
