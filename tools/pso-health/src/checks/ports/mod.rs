//! `ports`: whether the deployment's own ports take connections, and how fast.

mod endpoint;

use std::borrow::Cow;
use std::thread;
use std::time::{Duration, Instant};

use pso_common::Severity;
use pso_common::io::elapsed_ms;
use pso_common::record::{HealthCheckRecord, Labels};

use self::endpoint::{Closed, Endpoint};
use crate::check::{Check, Context};
use crate::finding::{Finding, Findings};
use crate::limits;
use crate::settings::Settings;
use pso_common::net::Address;

/// Qdrant's REST port where nobody has chosen another, and its gRPC port beside it, which may be switched off.
const QDRANT_REST: u16 = 6333;
const QDRANT_GRPC: u16 = 6334;

/// A port that need not be open is not waited for longer: firewalls are silent.
const OPTIONAL_TIMEOUT: Duration = Duration::from_secs(1);

/// As long as the other probes of planning-sync-server.
const SERVICE_TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) struct Ports;

/// One port to try.
struct Port {
    /// Its check is `ports.PART`.
    part: &'static str,
    endpoint: Option<Endpoint>,
    timeout: Duration,
    /// Whether it has to be open.
    needed: bool,
}

impl Check for Ports {
    fn name(&self) -> &str {
        "ports"
    }

    fn about(&self) -> Cow<'_, str> {
        "whether the ports of planning-sync-server, PostgreSQL (or its socket) and Qdrant take connections, and how fast".into()
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let ports = ports(&context.settings);
        thread::scope(|scope| {
            let threads: Vec<_> = ports.iter().map(|port| (port, scope.spawn(|| port.look(context)))).collect();
            let looked = threads
                .into_iter()
                .map(|(port, thread)| thread.join().unwrap_or_else(|_| Some((port.failed_itself(), None))));
            // The latencies together, as people read them.
            let mut latencies = Vec::new();
            for (check, latency) in looked.flatten() {
                findings.push(check);
                latencies.extend(latency);
            }
            latencies.into_iter().for_each(|latency| findings.push(latency));
        });
    }
}

/// The ports of a deployment.
fn ports(settings: &Settings) -> Vec<Port> {
    let service = Address::of_url(&settings.service.url).map(Endpoint::Tcp);
    let qdrant = Address::of_url(&settings.qdrant.url);
    let grpc = qdrant.clone().filter(|address| address.port == QDRANT_REST);
    let grpc = grpc.map(|address| Endpoint::Tcp(Address { port: QDRANT_GRPC, ..address }));
    let qdrant = qdrant.map(Endpoint::Tcp);
    let postgres = Endpoint::of_postgres(&settings.postgres.host, settings.postgres.port);
    let qdrant_timeout = settings.qdrant.connect_timeout;
    let service_timeout = settings.timeout.min(SERVICE_TIMEOUT);
    let mut all = vec![
        Port { part: "service", endpoint: service, timeout: service_timeout, needed: true },
        Port { part: "postgres", endpoint: Some(postgres), timeout: settings.postgres.connect_timeout, needed: true },
        Port { part: "qdrant", endpoint: qdrant, timeout: qdrant_timeout, needed: true },
    ];
    if grpc.is_some() {
        let timeout = qdrant_timeout.min(OPTIONAL_TIMEOUT);
        all.push(Port { part: "qdrant_grpc", endpoint: grpc, timeout, needed: false });
    }
    all
}

impl Port {
    /// Whether it takes connections, and how fast; `None` for one that need not be open and is not.
    fn look(&self, context: &Context) -> Option<(Finding, Option<Finding>)> {
        let Some(endpoint) = &self.endpoint else {
            let message = "its URL names no host and port".to_owned();
            return Some((self.check(Severity::Unknown, message, HealthCheckRecord::default()), None));
        };
        let started = Instant::now();
        let result = endpoint.connect(self.timeout);
        let (latency_ms, elapsed_ms) = (started.elapsed().as_secs_f64() * 1000.0, elapsed_ms(started));
        let labels = endpoint.labels();
        match result {
            Ok(()) => {
                let record = HealthCheckRecord {
                    value: Some(latency_ms),
                    unit: Some("ms".to_owned()),
                    status: Some("open".to_owned()),
                    elapsed_ms,
                    labels: labels.clone(),
                    ..HealthCheckRecord::default()
                };
                let mut own = labels;
                own.insert("part".to_owned(), self.part.to_owned());
                let detail = format!("to connect to {endpoint}");
                let limits = &context.settings.limits;
                let check = self.check(Severity::Ok, format!("{endpoint} takes connections"), record);
                Some((check, Some(limits.judge(&limits::CONNECT_TIME, latency_ms, &detail, elapsed_ms, own))))
            }
            Err(_) if !self.needed => None,
            Err(Closed { layer, message }) => {
                let record = HealthCheckRecord { layer, elapsed_ms, labels, ..HealthCheckRecord::default() };
                Some((self.check(Severity::Critical, format!("{endpoint}: {message}"), record), None))
            }
        }
    }

    fn failed_itself(&self) -> Finding {
        let message = "the probe itself failed; this is a mistake in pso-health".to_owned();
        self.check(Severity::Unknown, message, HealthCheckRecord::default())
    }

    fn check(&self, severity: Severity, message: String, record: HealthCheckRecord) -> Finding {
        Finding::check(severity, format!("ports.{}", self.part), message, record)
    }
}

impl Endpoint {
    fn labels(&self) -> Labels {
        let pairs = match self {
            Self::Tcp(Address { host, port }) => vec![("host", host.clone()), ("port", port.to_string())],
            Self::Socket(path) => vec![("path", path.display().to_string())],
        };
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
