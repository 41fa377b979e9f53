//! What planning-sync-server tells whoever asks. `/health` and `/metrics` are open by design.

use std::time::Duration;

use anyhow::Context as _;
use pso_common::Severity;
use pso_common::config::ServiceSettings;
use pso_common::http::{HttpClient, HttpRoots, HttpSettings};
use pso_common::secret::redact_url;
use serde::de::IgnoredAny;

use crate::finding::{Finding, Found};

/// Paths of plans stand in it.
const CONFLICTS: &str = "/api/v1/conflicts/active";

/// Asks for what needs a token, without one.
pub(super) fn look(service: &ServiceSettings, timeout: Duration, found: &mut Found) -> anyhow::Result<()> {
    let url = &service.url;
    let settings = HttpSettings {
        timeout,
        connect_timeout: timeout.min(Duration::from_secs(3)),
        max_body_bytes: 1 << 20,
        roots: HttpRoots::named(service.ca_file.as_deref()).context("maintenance.service.ca_file")?,
        ..HttpSettings::default()
    };
    let shown = format!("{}{CONFLICTS}", redact_url(url));
    match HttpClient::new(&settings).request("GET", format!("{url}{CONFLICTS}")).send() {
        Ok(answer) => {
            found.examined += 1;
            found.findings.extend(judge(&shown, answer.status, answer.json::<IgnoredAny>().is_ok()));
        }
        Err(error) => found.unknown(format!("ask {shown} without a token: {error}")),
    }
    Ok(())
}

/// A page of HTML with 200 is a log-in page, not data.
fn judge(shown: &str, status: u16, is_json: bool) -> Option<Finding> {
    (status / 100 == 2 && is_json).then(|| {
        let message = "the service answers without a token what only those with one should know";
        let finding = Finding::new(Severity::Warning, "service_without_token", shown, message);
        finding.with("status", status).fix("let planning-sync-server ask for the token on every path below /api/v1")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_data_is_data() {
        assert!(judge("u", 200, true).is_some());
        for (status, is_json) in [(200, false), (401, true), (302, true), (404, true)] {
            assert_eq!(judge("u", status, is_json), None, "{status} {is_json}");
        }
    }
}
