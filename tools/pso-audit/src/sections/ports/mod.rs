//! Ports: which are open, to whom, with TLS or not, and who listens though nobody has named him.

mod probe;
mod rules;
mod service;
mod settings;
mod sockets;
mod target;

use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use pso_common::tls::{Roots, Trust};

use self::probe::Answer;
use self::rules::Open;
use self::settings::Expected;
pub(crate) use self::settings::{PortsSection, PortsSettings};
pub(crate) use self::sockets::{Exposure, Socket, listening};
use self::target::Target;
pub(crate) use self::target::{is_this_machine, sent_in_clear};
use super::{Context, Section};
use crate::finding::Found;

/// How long connecting to a port may take, and how long the TLS handshake with it.
const PATIENCE: Duration = Duration::from_secs(3);
/// So many ports are asked at the same time.
const AT_ONCE: usize = 16;

pub(crate) struct Ports;

impl Section for Ports {
    fn name(&self) -> &'static str {
        "ports"
    }

    fn about(&self) -> &'static str {
        "open ports of the deployment, to whom, with TLS or not, and listeners that nobody has named"
    }

    fn look(&self, context: &Context, found: &mut Found) -> anyhow::Result<()> {
        let settings = &context.settings;
        let targets = target::all(settings);
        let sockets = listening().context("read which sockets listen (/proc/self/net/tcp)")?;
        if sockets.is_none() {
            found.note("which sockets listen is not told by this system: ports are only connected to");
        }
        let sockets = sockets.unwrap_or_default();
        let owners = sockets::owners(&sockets);
        let seen = ask_all(&targets, context)?;
        for (target, (here, answer)) in targets.iter().zip(&seen) {
            found.examined += 1;
            let of_port: Vec<Socket> = if *here { at_port(&sockets, target.place.port) } else { Vec::new() };
            let spoken = match answer {
                Answer::Open(spoken) => Some(spoken),
                // Nobody answers at the configured address; at another one of this machine he does.
                Answer::Closed if !of_port.is_empty() => None,
                Answer::Closed => continue,
                Answer::Unknown(reason) => {
                    found.unknown(format!("{} at {}: {reason}", target.what, target.place));
                    continue;
                }
            };
            let open = Open { target, spoken, sockets: &of_port, here: *here, owners: &owners };
            found.findings.extend(rules::open(&open));
        }
        let own = targets.iter().zip(&seen).filter(|(_, (here, _))| *here);
        let own = own.map(|(target, _)| Expected { address: None, port: target.place.port });
        let expected: Vec<Expected> = settings.audit_ports.expected.iter().copied().chain(own).collect();
        found.examined += sockets.len() as u64;
        found.findings.extend(rules::unexpected(&sockets, &expected, &owners));
        let nameless = sockets.iter().filter(|socket| !owners.of.contains_key(&socket.inode)).count();
        if owners.some_hidden && nameless > 0 {
            found.note(format!(
                "of {nameless} listening sockets the process is another user's; run pso-audit as root to see it"
            ));
        }
        let is_open = |(target, (_, answer)): (&Target, &(bool, Answer))| {
            target.what == target::SERVICE && matches!(answer, Answer::Open(_))
        };
        if targets.iter().zip(&seen).any(is_open) {
            service::look(&settings.service, settings.service.timeout.min(context.left()), found)?;
        }
        Ok(())
    }
}

/// The sockets that listen at a port.
pub(crate) fn at_port(sockets: &[Socket], port: u16) -> Vec<Socket> {
    sockets.iter().filter(|socket| socket.address.port() == port).copied().collect()
}

/// A machine may have no root certificates of its own.
fn trust(roots: &Roots) -> anyhow::Result<Trust> {
    match Trust::load(roots) {
        Err(_) if *roots == Roots::System => Trust::load(&Roots::Mozilla),
        loaded => loaded,
    }
}

/// Each target in a thread of its own, so many at a time: whether it is on this machine, and how it answers.
fn ask_all(targets: &[Target], context: &Context) -> anyhow::Result<Vec<(bool, Answer)>> {
    let mut answers = Vec::with_capacity(targets.len());
    for some in targets.chunks(AT_ONCE) {
        context.cancel.check()?;
        // Looking the name up, connecting, and two questions.
        let timeout = PATIENCE.min(context.left() / 5);
        if timeout.is_zero() {
            let late = || (false, Answer::Unknown("the time is up, see --timeout".to_owned()));
            answers.resize_with(targets.len(), late);
            break;
        }
        let ask = |target: &Target| {
            let answer = match trust(&target.roots) {
                Ok(trust) => probe::ask(target, &trust, timeout),
                Err(error) => Answer::Unknown(format!("{error:#}")),
            };
            (is_this_machine(&target.place.host, timeout), answer)
        };
        answers.extend(thread::scope(|scope| {
            let asked: Vec<_> = some.iter().map(|target| scope.spawn(|| ask(target))).collect();
            let failed = |_| anyhow::anyhow!("a thread that looks at a port failed; this is a mistake in pso-audit");
            asked.into_iter().map(|thread| thread.join().map_err(failed)).collect::<anyhow::Result<Vec<_>>>()
        })?);
    }
    Ok(answers)
}
