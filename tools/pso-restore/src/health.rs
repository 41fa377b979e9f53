//! Whether the service is well after all.

use std::time::{Duration, Instant};

use pso_common::Run;
use pso_common::Severity;
use pso_common::http::{HttpClient, HttpError, HttpRoots, HttpSettings};
use pso_common::secret::redact_url;
use serde::Deserialize;

use crate::settings::Settings;
use crate::steps::Step;

/// How often the service is asked while it finds its feet.
const STEP: Duration = Duration::from_millis(250);

/// `GET /health`, as far as it matters here.
#[derive(Deserialize)]
struct Health {
    status: String,
}

/// Asks the service until it is healthy or the time is over. What it says is worth a warning, no more: the restore is
/// done, and the service may have been stopped for it.
pub(crate) fn check(run: &mut Run<'_>, settings: &Settings) -> anyhow::Result<()> {
    let step = Step::new("health", None, "service");
    let roots = match HttpRoots::named(settings.service.ca_file.as_deref()) {
        Ok(roots) => roots,
        Err(error) => return step.failed(run, Severity::Warning, &format!("maintenance.service.ca_file: {error:#}")),
    };
    let client = HttpClient::new(&HttpSettings {
        timeout: settings.service.timeout.min(settings.health_timeout.max(Duration::from_secs(1))),
        roots,
        ..HttpSettings::default()
    });
    let url = format!("{}/health", settings.service.url);
    let shown = redact_url(&url);
    let started = Instant::now();
    loop {
        let problem = match ask(&client, &url) {
            Ok(status) if status == "healthy" => return step.done(run, started),
            Ok(status) => format!("{shown} says that the service is {status}"),
            // Nobody listens: it was stopped for the restore, and waiting does not start it.
            Err(HttpError::Refused) => {
                let message = format!("nothing answers at {shown}; start planning-sync-server");
                return step.failed(run, Severity::Warning, &message);
            }
            Err(error) => format!("{shown}: {error}"),
        };
        if started.elapsed() >= settings.health_timeout || run.cancel().is_cancelled() {
            return step.failed(run, Severity::Warning, &problem);
        }
        std::thread::sleep(STEP);
    }
}

fn ask(client: &HttpClient, url: &str) -> Result<String, HttpError> {
    let answer = client.request("GET", url).send()?;
    let health = answer.json::<Health>();
    Ok(health
        .map_or_else(|_| format!("unknown (HTTP {}, no JSON with a status)", answer.status), |health| health.status))
}
