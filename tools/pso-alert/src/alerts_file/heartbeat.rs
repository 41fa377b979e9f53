//! `heartbeat:`, the dead man's switch.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use pso_common::Secret;
use pso_common::config::{Config, ConfigValue, Field};
use pso_common::http::HttpRoots;
use serde::Deserialize;

use super::faults::Faults;
use crate::heartbeat::{Heartbeat, OnFailure, Target};
use crate::text::is_http_url;

/// This section of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HeartbeatSection {
    enabled: Field,
    url: Field,
    url_file: Field,
    start: Field,
    on_failure: Field,
    method: Field,
    ca_file: Field,
}

impl ConfigValue for OnFailure {
    const EXPECTED: &'static str = "exit_status, fail or silence";

    fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "exit_status" => Some(Self::ExitStatus),
            "fail" => Some(Self::Fail),
            "silence" => Some(Self::Silence),
            _ => None,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::ExitStatus => "exit_status",
            Self::Fail => "fail",
            Self::Silence => "silence",
        }
        .to_owned()
    }
}

/// How a ping is made.
struct Method(&'static str);

impl ConfigValue for Method {
    const EXPECTED: &'static str = "POST, GET or HEAD";

    fn parse(text: &str) -> Option<Self> {
        ["POST", "GET", "HEAD"].into_iter().find(|known| *known == text.trim()).map(Self)
    }

    fn show(&self) -> String {
        self.0.to_owned()
    }
}

impl HeartbeatSection {
    /// What is to be pinged, if anything is. An address that cannot be had is no fault of the file: it spoils the heartbeat alone.
    pub(super) fn read(&self, root: &Path, faults: &mut Faults<'_>) -> Option<Heartbeat> {
        let start = faults.get("heartbeat.start", &self.start).unwrap_or(false);
        let on_failure = faults.get("heartbeat.on_failure", &self.on_failure).unwrap_or(OnFailure::ExitStatus);
        let method = faults.get("heartbeat.method", &self.method).unwrap_or(Method("POST")).0;
        let given = self.url.is_some() || self.url_file.is_some();
        if !faults.get("heartbeat.enabled", &self.enabled).unwrap_or(given) {
            return None;
        }
        let target = self.target(root, faults.config).map_err(|error| format!("{error:#}"));
        Some(Heartbeat { target, start, on_failure, method })
    }

    fn target(&self, root: &Path, config: &Config) -> anyhow::Result<Target> {
        let path = |key: &str, field: &Field| -> anyhow::Result<Option<PathBuf>> {
            config.pick(format!("heartbeat.{key}")).file(field).optional()
        };
        if self.url.is_some() && self.url_file.is_some() {
            bail!("heartbeat.url and heartbeat.url_file are both given; leave one of them out");
        }
        let file = path("url_file", &self.url_file)?.map(|file| root.join(file));
        let picked = config.pick::<Secret>("heartbeat.url").file(&self.url).secret_file(file.as_deref());
        let Some(url) = picked.optional()? else { bail!("heartbeat.url is missing; give it, or set enabled: false") };
        // The value is a secret and is not shown.
        if !is_http_url(url.expose()) {
            bail!("heartbeat.url: expected a URL that begins with https:// or http://");
        }
        let roots = path("ca_file", &self.ca_file)?
            .map(|file| if file == Path::new("system") { file } else { root.join(file) });
        Ok(Target::new(url, HttpRoots::named(roots.as_deref()).context("heartbeat.ca_file")?))
    }
}
