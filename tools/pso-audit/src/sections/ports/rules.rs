//! What is wrong with a port: pure functions over what was seen.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;

use super::probe::Spoken;
use super::settings::Expected;
use super::sockets::{Exposure, Owners, Socket};
use super::target::Target;
use crate::finding::Finding;

/// An open port, and what is known of it.
pub(super) struct Open<'a> {
    pub(super) target: &'a Target,
    /// How it answered; none when it did not, though somebody listens.
    pub(super) spoken: Option<&'a Spoken>,
    /// The sockets of this port, where they can be seen.
    pub(super) sockets: &'a [Socket],
    /// Whether the host is this machine.
    pub(super) here: bool,
    pub(super) owners: &'a Owners,
}

/// Each open port, with to whom it is open. Loopback only is as it should be.
pub(super) fn open(open: &Open<'_>) -> Vec<Finding> {
    let exposure = Exposure::of(open.sockets);
    let place = open.target.place.to_string();
    let to_whom = match &exposure {
        Some(exposure) => exposure.shown(),
        None if open.here => {
            "somebody who is not seen here: no socket of this network namespace listens, so it is a container's, or forwarded".to_owned()
        }
        None => "this machine at least; who else reaches it is seen there only".to_owned(),
    };
    let outside = exposure.as_ref().is_none_or(Exposure::is_outside);
    let severity = if outside { Severity::Info } else { Severity::Ok };
    let message = format!("{} is open, to {to_whom}", open.target.what);
    let finding = Finding::new(severity, "port_open", &place, message);
    let mut finding = with_sockets(finding, open.sockets, open.owners);
    if let Some(spoken) = open.spoken {
        finding = finding.with("tls", spoken.shown());
        if let Spoken::Tls { fault: Some(fault), .. } = spoken {
            finding = finding.with("tls_fault", fault);
        }
    }
    if outside {
        finding = finding.fix("let it listen on loopback only, or let the firewall through only those who need it");
    }
    let mut findings = vec![finding];
    findings.extend(plain_http(open, exposure.as_ref(), &place));
    findings
}

/// Plain HTTP beyond this machine: with every request a token or key goes by in clear.
fn plain_http(open: &Open<'_>, exposure: Option<&Exposure>, place: &str) -> Option<Finding> {
    let plain = open.spoken == Some(&Spoken::PlainHttp);
    let outside = exposure.map_or(!open.here, Exposure::is_outside);
    (plain && outside).then(|| {
        let message = format!(
            "{} speaks plain HTTP and is reached from other machines: tokens, keys and plans can be read and changed on the way",
            open.target.what
        );
        let fix = "put TLS in front of it (its own, or a proxy's), or let it listen on loopback only";
        with_sockets(Finding::new(Severity::Warning, "port_without_tls", place, message), open.sockets, open.owners).fix(fix)
    })
}

/// Listening sockets that nobody has named, one finding a port.
pub(super) fn unexpected(sockets: &[Socket], expected: &[Expected], owners: &Owners) -> Vec<Finding> {
    let mut by_port: BTreeMap<u16, Vec<Socket>> = BTreeMap::new();
    for socket in sockets.iter().filter(|socket| !expected.iter().any(|one| one.covers(socket.address))) {
        by_port.entry(socket.address.port()).or_default().push(*socket);
    }
    let finding = |(port, sockets): (u16, Vec<Socket>)| {
        let exposure = Exposure::of(&sockets)?;
        let severity = if exposure.is_outside() { Severity::Warning } else { Severity::Info };
        let message =
            format!("{}, which nobody has named, listens: open to {}", process(&sockets, owners), exposure.shown());
        let finding = Finding::new(severity, "unexpected_listener", port.to_string(), message);
        let fix = format!(
            "ss -ltnp 'sport = :{port}' # stop what it is, or accept it: add {} to maintenance.audit.ports.expected",
            accepting(&sockets, port)
        );
        Some(with_sockets(finding, &sockets, owners).fix(fix))
    };
    by_port.into_iter().filter_map(finding).collect()
}

/// What expects these sockets and no more, as long as that is one word of the configuration.
fn accepting(sockets: &[Socket], port: u16) -> String {
    match sockets {
        [one] if !one.address.ip().is_unspecified() => Expected { address: Some(one.address.ip()), port }.show(),
        _ => port.to_string(),
    }
}

/// With where it listens, and whose it is.
fn with_sockets(finding: Finding, sockets: &[Socket], owners: &Owners) -> Finding {
    if sockets.is_empty() {
        return finding;
    }
    let mut addresses: Vec<IpAddr> = sockets.iter().map(|socket| socket.address.ip()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    finding.with("listens_on", addresses.join(", ")).with("process", process(sockets, owners))
}

/// Whose the sockets are.
fn process(sockets: &[Socket], owners: &Owners) -> String {
    let mut processes: Vec<&str> = sockets
        .iter()
        .filter_map(|socket| owners.of.get(&socket.inode))
        .flat_map(|processes| processes.iter().map(String::as_str))
        .collect();
    processes.sort_unstable();
    processes.dedup();
    match (processes.is_empty(), owners.some_hidden) {
        (false, _) => processes.join(", "),
        (true, true) => "a program of another user".to_owned(),
        (true, false) => "a program that is not seen".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use pso_common::tls::Roots;

    use super::*;
    use crate::sections::ports::target::Speaks;
    use pso_common::net::Address;

    fn sockets(addresses: &[&str]) -> Vec<Socket> {
        let socket =
            |(at, text): (usize, &&str)| Socket { address: text.parse().expect("an address"), inode: at as u64 };
        addresses.iter().enumerate().map(socket).collect()
    }

    fn judged(here: bool, addresses: &[&str], spoken: &Spoken) -> Vec<(Severity, String)> {
        let place = Address { host: "h".to_owned(), port: 1 };
        let target = Target { what: "it", place, speaks: Speaks::Anything, roots: Roots::Mozilla };
        let sockets = sockets(addresses);
        let seen = Open { target: &target, spoken: Some(spoken), sockets: &sockets, here, owners: &Owners::default() };
        open(&seen).into_iter().map(|finding| (finding.severity, finding.name())).collect()
    }

    #[test]
    fn plain_http_is_told_where_others_reach_it() {
        let port = |severity| (severity, "port_open:h:1".to_owned());
        let plain = (Severity::Warning, "port_without_tls:h:1".to_owned());
        let tls = Spoken::Tls { version: "TLSv1.3", fault: None };
        let (loopback, all) = (["127.0.0.1:1"], ["127.0.0.1:1", "0.0.0.0:1"]);
        assert_eq!(judged(true, &loopback, &Spoken::PlainHttp), [port(Severity::Ok)]);
        assert_eq!(judged(true, &all, &Spoken::PlainHttp), [port(Severity::Info), plain.clone()]);
        assert_eq!(judged(true, &["10.0.0.5:1"], &Spoken::PlainHttp), [port(Severity::Info), plain.clone()]);
        assert_eq!(judged(true, &all, &tls), [port(Severity::Info)]);
        assert_eq!(judged(true, &all, &Spoken::Plain), [port(Severity::Info)]);
        // Another machine's, and a container's of this one.
        assert_eq!(judged(false, &[], &Spoken::PlainHttp), [port(Severity::Info), plain]);
        assert_eq!(judged(true, &[], &Spoken::PlainHttp), [port(Severity::Info)]);
    }

    #[test]
    fn the_fix_accepts_what_is_there_and_no_more() {
        let word = |addresses: &[&str]| {
            let sockets = sockets(addresses);
            let fix = unexpected(&sockets, &[], &Owners::default()).remove(0).record.fix;
            let word = fix.split(" add ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a word").to_owned();
            let expected = [Expected::parse(&word).expect("one of the configuration")];
            assert_eq!(unexpected(&sockets, &expected, &Owners::default()), []);
            word
        };
        assert_eq!(
            (word(&["127.0.0.1:631"]), word(&["[::1]:631"])),
            ("127.0.0.1:631".to_owned(), "[::1]:631".to_owned())
        );
        assert_eq!((word(&["0.0.0.0:22"]), word(&["127.0.0.1:9", "[::1]:9"])), ("22".to_owned(), "9".to_owned()));
    }

    #[test]
    fn who_is_not_named_is_told_by_port_and_by_how_far_it_listens() {
        let all = sockets(&["0.0.0.0:22", "[::]:22", "127.0.0.1:631", "10.0.0.5:9000", "127.0.0.1:9000"]);
        let owners = Owners { of: BTreeMap::from([(2, ["cupsd (7)".to_owned()].into())]), some_hidden: true };
        let told = |expected: &[Expected]| {
            let told = unexpected(&all, expected, &owners).into_iter();
            told.map(|finding| (finding.severity, finding.record.object.clone(), finding.evidence()["process"].clone()))
                .collect::<Vec<_>>()
        };
        let one = |severity, port: &str, process: &str| (severity, port.to_owned(), process.to_owned());
        assert_eq!(
            told(&[]),
            [
                one(Severity::Warning, "22", "a program of another user"),
                one(Severity::Info, "631", "cupsd (7)"),
                one(Severity::Warning, "9000", "a program of another user"),
            ]
        );
        let any = |port| Expected { address: None, port };
        assert_eq!(told(&[any(22), any(631), any(9000)]), []);
        // What is expected on loopback is not expected elsewhere, and the other way round.
        let own = Expected { address: Some("10.0.0.5".parse().expect("an address")), port: 9000 };
        assert_eq!(told(&[any(22), any(631), own]), [one(Severity::Info, "9000", "a program of another user")]);
    }
}
