//! `tcp.NAME`: a port that must take connections, with TLS where asked.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use pso_common::Severity;
use pso_common::io::elapsed_ms;
use pso_common::net;
use pso_common::record::{HealthCheckRecord, Labels, Layer};
use pso_common::tls::{StartTls, Trust, peer};

use super::spec::Common;
use crate::check::{Check, Context};
use crate::finding::{Finding, Findings};
use pso_common::net::Address;

pub(super) struct TcpTarget {
    pub(super) common: Common,
    pub(super) address: Address,
    /// Whom to trust; without it no TLS is spoken.
    pub(super) tls: Option<Trust>,
    pub(super) max: Option<Duration>,
}

impl Check for TcpTarget {
    fn name(&self) -> &str {
        &self.common.check
    }

    fn about(&self) -> Cow<'_, str> {
        let with = if self.tls.is_some() { ", and speaks TLS with a trusted certificate" } else { "" };
        format!("whether {} takes connections{with}", self.address).into()
    }

    fn timeout(&self) -> Option<Duration> {
        self.common.timeout
    }

    fn retries(&self) -> Option<u32> {
        self.common.retries
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let timeout = self.common.timeout.unwrap_or(context.settings.timeout);
        let Address { host, port } = &self.address;
        let started = Instant::now();
        let result = net::connect(host, *port, timeout)
            .map_err(|error| {
                let layer = if error.is_resolve() { Layer::Resolve } else { Layer::Connect };
                (layer, error.to_string())
            })
            .and_then(|stream| {
                let Some(trust) = &self.tls else { return Ok("takes connections".to_owned()) };
                let left = timeout.saturating_sub(started.elapsed());
                let peer = peer(&stream, host, StartTls::None, trust, left);
                let peer = peer.and_then(|peer| peer.verdict.map(|()| peer.version));
                let version = peer.map_err(|fault| (Layer::Tls, format!("TLS failed: {fault}")))?;
                Ok(format!("takes connections and speaks {}", version.unwrap_or("TLS")))
            });
        let took = started.elapsed();
        let mut record = HealthCheckRecord {
            elapsed_ms: elapsed_ms(started),
            labels: Labels::from([("host".to_owned(), host.clone()), ("port".to_owned(), port.to_string())]),
            ..HealthCheckRecord::default()
        };
        let address = &self.address;
        findings.push(match result {
            Ok(what) => {
                record.value = Some(took.as_secs_f64() * 1000.0);
                record.unit = Some("ms".to_owned());
                record.status = Some("open".to_owned());
                let (severity, note) = super::too_slow(took, self.max);
                Finding::check(severity, self.name(), format!("{address} {what}{note}"), record)
            }
            Err((layer, reason)) => {
                record.layer = Some(layer);
                Finding::check(Severity::Critical, self.name(), format!("{address}: {reason}"), record)
            }
        });
    }
}
