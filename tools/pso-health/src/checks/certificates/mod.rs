//! `certificates`: how long the TLS certificates of everything that is used here still hold, and what is wrong with them.
//!
//! Whether a port can be connected to is the affair of the part's own check, unless nobody else looks at it.

mod ends;

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use pso_common::io::elapsed_ms;
use pso_common::net;
use pso_common::record::{HealthCheckRecord, Labels, Layer};
use pso_common::tls::{Certificate, Peer, Roots, TlsFault, Trust, peer};
use pso_common::{Severity, Timestamp};

pub(crate) use self::ends::{End, resolve};
use crate::check::{Check, Context};
use crate::finding::{Finding, Findings, shown};
use crate::limits;

const NAME: &str = "certificates";

/// So many ports are looked at side by side.
const AT_ONCE: usize = 32;

pub(crate) struct Certificates;

/// What looking at a port came to.
enum Seen {
    Peer(Box<Peer>),
    /// It has no TLS, and need not have.
    Plain,
    /// There is no certificate to see: at which layer, and why.
    None(Option<Layer>, String),
}

impl Check for Certificates {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> Cow<'_, str> {
        "the TLS certificates of planning-sync-server, PostgreSQL, Qdrant, targets and maintenance.health.certificates: \
         days left, and what is wrong with them"
            .into()
    }

    /// What could not be looked at may be well.
    fn silence(&self) -> Severity {
        Severity::Unknown
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let started = Instant::now();
        let ends = &context.settings.tls_ends;
        let deadline = started + context.settings.timeout;
        let queue = Mutex::new(ends.iter());
        let (sender, receiver) = mpsc::channel();
        let (mut plain, mut seen, mut unseen) = (0, 0, Vec::new());
        thread::scope(|scope| {
            for _ in 0..ends.len().min(AT_ONCE) {
                let (queue, sender) = (&queue, sender.clone());
                scope.spawn(move || {
                    let mut known = Known::default();
                    loop {
                        let Some(end) = queue.lock().unwrap_or_else(PoisonError::into_inner).next() else { return };
                        let begun = Instant::now();
                        let left = deadline.saturating_duration_since(begun);
                        let looked = look(end, &mut known, left);
                        // The scope's own thread receives until all are done.
                        let _ = sender.send((end, looked, elapsed_ms(begun)));
                    }
                });
            }
            drop(sender);
            for (end, looked, elapsed_ms) in receiver {
                match looked {
                    Seen::Plain => plain += 1,
                    Seen::Peer(peer) => {
                        seen += 1;
                        judge(end, &peer, context, elapsed_ms).into_iter().for_each(|finding| findings.push(finding));
                    }
                    Seen::None(layer, reason) if end.owner.is_none() => {
                        let record = HealthCheckRecord { layer, elapsed_ms, ..HealthCheckRecord::default() };
                        let severity = if layer.is_some() { Severity::Critical } else { Severity::Unknown };
                        findings.push(end.finding(severity, format!("{}: {reason}", end.address), record));
                        unseen.push(end.label());
                    }
                    Seen::None(None, reason) => {
                        let record = HealthCheckRecord { elapsed_ms, ..HealthCheckRecord::default() };
                        findings.push(end.finding(Severity::Unknown, format!("{}: {reason}", end.address), record));
                        unseen.push(end.label());
                    }
                    Seen::None(Some(_), _) => unseen.push(end.label()),
                }
            }
        });
        let message = match (seen, unseen.len()) {
            (0, 0) => "nothing here uses TLS".to_owned(),
            (seen, 0) => format!("certificates looked at: {seen}"),
            (seen, count) => {
                unseen.sort();
                unseen.truncate(5);
                let more = if count > unseen.len() { ", …" } else { "" };
                format!("certificates looked at: {seen} of {}; not {}{more}", seen + count, unseen.join(", "))
            }
        };
        let severity = if unseen.is_empty() { Severity::Ok } else { Severity::Info };
        let record = HealthCheckRecord { elapsed_ms: elapsed_ms(started), ..HealthCheckRecord::default() };
        findings.push(Finding::check(severity, NAME, message, record));
    }
}

/// Root certificates that were read, most recent last. The files may change between rounds.
#[derive(Default)]
struct Known(Vec<(Roots, Trust)>);

impl Known {
    fn trust(&mut self, roots: &Roots) -> anyhow::Result<Trust> {
        if let Some((_, trust)) = self.0.iter().find(|(known, _)| known == roots) {
            return Ok(trust.clone());
        }
        let trust = Trust::load(roots)?;
        self.0.push((roots.clone(), trust.clone()));
        Ok(trust)
    }
}

fn look(end: &End, known: &mut Known, timeout: Duration) -> Seen {
    let started = Instant::now();
    let trust = match known.trust(&end.roots) {
        Ok(trust) => trust,
        Err(error) => return Seen::None(None, format!("{error:#}")),
    };
    if timeout.is_zero() {
        return Seen::None(None, "its turn did not come within the time-out".to_owned());
    }
    let stream = match net::connect(&end.address.host, end.address.port, timeout) {
        Ok(stream) => stream,
        Err(error) => {
            let layer = if error.is_resolve() { Layer::Resolve } else { Layer::Connect };
            return Seen::None(Some(layer), error.to_string());
        }
    };
    let left = timeout.saturating_sub(started.elapsed());
    match peer(&stream, &end.address.host, end.starttls, &trust, left) {
        Ok(peer) => Seen::Peer(Box::new(peer)),
        Err(TlsFault::NotOffered) => Seen::Plain,
        Err(fault) => Seen::None(Some(Layer::Tls), format!("TLS failed: {fault}")),
    }
}

/// What is wrong with a certificate, and how long it still holds.
fn judge(end: &End, peer: &Peer, context: &Context, elapsed_ms: u64) -> Vec<Finding> {
    let refused = peer.verdict.as_ref().err().filter(|fault| end.demands.refuse(fault));
    let excused = peer.verdict.as_ref().err().filter(|fault| !end.demands.refuse(fault));
    let certificate = &peer.certificate;
    let who = format!("{}, issued by {}", shown(&certificate.subject), shown(&certificate.issuer));
    let (severity, layer, mut message) = match refused {
        Some(fault) => (Severity::Critical, Some(Layer::Tls), format!("{}: {fault}", end.address)),
        None => (Severity::Ok, None, format!("{}, {}", end.address, peer.version.unwrap_or("TLS"))),
    };
    if let Some(fault) = excused {
        message = format!("{message}, not checked by the connection: {fault}");
    }
    let record = HealthCheckRecord { layer, elapsed_ms, ..HealthCheckRecord::default() };
    let check = end.finding(severity, format!("{message} ({who})"), record);
    let (until, whose) = earliest(certificate, &peer.intermediates);
    let detail = format!("{whose} of {} ends on {}", end.address, until.to_utc().date());
    let left = left(context.now, until);
    let limits = &context.settings.limits;
    let metric = limits.judge(&limits::CERTIFICATE_TIME_LEFT, left, &detail, elapsed_ms, end.labels());
    vec![check, metric]
}

/// A chain holds as long as its shortest part.
fn earliest(certificate: &Certificate, intermediates: &[Certificate]) -> (Timestamp, &'static str) {
    let shortest = intermediates.iter().map(|intermediate| intermediate.not_after).min();
    match shortest.filter(|until| *until < certificate.not_after) {
        Some(until) => (until, "an intermediate certificate"),
        None => (certificate.not_after, "the certificate"),
    }
}

/// Seconds until then; negative when it is past.
fn left(now: Timestamp, until: Timestamp) -> f64 {
    if until >= now { now.until(until).as_secs_f64() } else { -until.until(now).as_secs_f64() }
}

impl End {
    fn finding(&self, severity: Severity, message: String, record: HealthCheckRecord) -> Finding {
        let record = HealthCheckRecord { labels: self.labels(), ..record };
        Finding::check(severity, format!("{NAME}.{}", self.label()), message, record)
    }

    fn labels(&self) -> Labels {
        let mut labels = Labels::from([
            ("host".to_owned(), self.address.host.clone()),
            ("port".to_owned(), self.address.port.to_string()),
        ]);
        if let Some(owner) = &self.owner {
            labels.insert("part".to_owned(), owner.clone());
        }
        labels
    }
}

#[cfg(test)]
mod tests;
