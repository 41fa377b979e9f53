//! Qdrant: whether it asks for a key.

use pso_common::net::Address;
use pso_common::qdrant::{QdrantClient, QdrantError, QdrantSettings};
use pso_common::{Secret, Severity};

use super::ports::{Exposure, at_port, is_this_machine, listening, sent_in_clear};
use super::{Context, Section};
use crate::finding::{Finding, Found};

/// A key that no server has.
const WRONG: &str = "pso-audit-asks-whether-any-key-will-do";

pub(crate) struct Qdrant;

impl Section for Qdrant {
    fn name(&self) -> &'static str {
        "qdrant"
    }

    fn about(&self) -> &'static str {
        "whether Qdrant answers without its API key, or with a wrong one, and whether the key is sent in clear"
    }

    fn look(&self, context: &Context, found: &mut Found) -> anyhow::Result<()> {
        let settings = &context.settings.qdrant;
        let timeout = settings.timeout.min(context.left() / 3);
        let settings =
            QdrantSettings { timeout, connect_timeout: settings.connect_timeout.min(timeout), ..settings.clone() };
        let without = ask(&settings, None)?;
        // A key that is not asked for need not be tried.
        let wrong = if without == Door::Open { Door::Open } else { ask(&settings, Some(WRONG))? };
        found.examined += 1;
        let client = QdrantClient::new(&settings);
        let exposure = exposure(&settings.url, timeout);
        found.findings.extend(judge(&client.shown_url(), without, wrong, &exposure));
        found.findings.extend(key_in_clear(&client.shown_url(), &settings));
        Ok(())
    }
}

/// How Qdrant answers a question that a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Open,
    Closed,
}

fn ask(settings: &QdrantSettings, key: Option<&str>) -> anyhow::Result<Door> {
    let client = QdrantClient::new(&QdrantSettings { api_key: key.map(Secret::new), ..settings.clone() });
    match client.all_collections() {
        Ok(_) => Ok(Door::Open),
        Err(QdrantError::Status(401 | 403, _)) => Ok(Door::Closed),
        Err(error) => Err(anyhow::anyhow!("ask Qdrant at {} for its collections: {error}", client.shown_url())),
    }
}

/// From where it can be reached, as far as that is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
enum OpenTo {
    /// By others than this machine.
    Outside(String),
    /// By this machine; by nobody else, or by somebody who is not seen.
    Here(String),
}

fn exposure(url: &str, timeout: std::time::Duration) -> OpenTo {
    let Some(place) = Address::of_url(url) else { return OpenTo::Here("not seen".to_owned()) };
    if !is_this_machine(&place.host, timeout) {
        return OpenTo::Outside("another machine".to_owned());
    }
    let sockets = listening().ok().flatten().unwrap_or_default();
    match Exposure::of(&at_port(&sockets, place.port)) {
        Some(exposure) if exposure.is_outside() => OpenTo::Outside(exposure.shown()),
        Some(exposure) => OpenTo::Here(exposure.shown()),
        None => OpenTo::Here("not seen: a container's, or forwarded".to_owned()),
    }
}

fn judge(url: &str, without: Door, wrong: Door, from: &OpenTo) -> Option<Finding> {
    let (rule, how) = match (without, wrong) {
        (Door::Open, _) => ("qdrant_without_key", "without a key"),
        (_, Door::Open) => ("qdrant_with_any_key", "with a wrong key"),
        _ => return None,
    };
    let (severity, to_whom, whom) = match from {
        OpenTo::Outside(to_whom) => (Severity::Critical, to_whom, "whoever reaches it from another machine"),
        OpenTo::Here(to_whom) => (Severity::High, to_whom, "every program of this machine"),
    };
    let message = format!("Qdrant answers {how}: {whom} reads, changes and deletes every collection");
    let fix = "set QDRANT__SERVICE__API_KEY for Qdrant (service.api_key in its configuration) and restart it; give the tools the \
               same key in PSO_QDRANT_API_KEY_FILE or maintenance.qdrant.api_key_file";
    Some(Finding::new(severity, rule, url, message).with("open_to", to_whom).fix(fix))
}

fn key_in_clear(url: &str, settings: &QdrantSettings) -> Option<Finding> {
    (settings.api_key.is_some() && sent_in_clear(&settings.url)).then(|| {
        let message = "the key is sent to Qdrant without TLS: whoever is on the way can read it";
        let fix = "reach Qdrant through TLS, and name it in maintenance.qdrant.url as https://";
        Finding::new(Severity::High, "qdrant_key_in_clear", url, message).fix(fix)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_open_door_is_worse_the_more_reach_it() {
        let here = OpenTo::Here("loopback only".to_owned());
        let outside = OpenTo::Outside("all addresses".to_owned());
        let judged = |without, wrong, from: &OpenTo| {
            judge("u", without, wrong, from).map(|finding| (finding.severity, finding.record.rule))
        };
        let told = |severity, rule: &str| Some((severity, rule.to_owned()));
        assert_eq!(judged(Door::Open, Door::Open, &here), told(Severity::High, "qdrant_without_key"));
        assert_eq!(judged(Door::Open, Door::Open, &outside), told(Severity::Critical, "qdrant_without_key"));
        assert_eq!(judged(Door::Closed, Door::Open, &here), told(Severity::High, "qdrant_with_any_key"));
        assert_eq!(judged(Door::Closed, Door::Closed, &outside), None);
    }

    #[test]
    fn a_key_may_go_over_loopback_or_tls() {
        let settings = |url: &str, key: bool| QdrantSettings {
            url: url.to_owned(),
            api_key: key.then(|| Secret::new("k")),
            ca_file: None,
            roots: pso_common::http::HttpRoots::default(),
            collections: Vec::new(),
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            snapshot_timeout: Duration::from_secs(1),
        };
        let told = |url: &str, key| key_in_clear(url, &settings(url, key)).is_some();
        assert!(told("http://qdrant:6333", true) && told("http://10.0.0.5:6333", true));
        assert!(!told("https://qdrant:6333", true) && !told("http://qdrant:6333", false));
        assert!(!told("http://localhost:6333", true) && !told("http://[::1]:6333", true));
    }
}
