//! Which sockets of this machine listen, as `/proc/net/tcp` and `tcp6` tell it (proc(5)).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use crate::shell::shown;

/// The state of a socket that listens (`TCP_LISTEN` of the kernel's `tcp_states.h`).
const LISTEN: &str = "0A";

/// A socket that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Socket {
    /// Its own address; one of IPv4 that is written as IPv6 (`::ffff:…`) is one of IPv4.
    pub(crate) address: SocketAddr,
    /// By which its process is found.
    pub(crate) inode: u64,
}

/// To whom a port is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// To programs of this machine.
    Loopback,
    /// To whoever reaches these addresses of this machine.
    Addresses(Vec<IpAddr>),
    /// To whoever reaches any address of this machine.
    All,
}

impl Exposure {
    /// Of all sockets of one port; none when there are none.
    pub(crate) fn of(sockets: &[Socket]) -> Option<Self> {
        let addresses: BTreeSet<IpAddr> = sockets.iter().map(|socket| socket.address.ip()).collect();
        if addresses.is_empty() {
            return None;
        }
        if addresses.iter().any(IpAddr::is_unspecified) {
            return Some(Self::All);
        }
        let outer: Vec<IpAddr> = addresses.into_iter().filter(|address| !address.is_loopback()).collect();
        Some(if outer.is_empty() { Self::Loopback } else { Self::Addresses(outer) })
    }

    pub(crate) const fn is_outside(&self) -> bool {
        !matches!(self, Self::Loopback)
    }

    /// In a sentence: "open to …".
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Loopback => "loopback only".to_owned(),
            Self::Addresses(addresses) => {
                let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                format!("whoever reaches {}", addresses.join(", "))
            }
            Self::All => "all addresses of this machine".to_owned(),
        }
    }
}

/// The sockets that listen in this process's network namespace; none where the system does not tell.
///
/// # Errors
/// When it should tell and cannot be read.
pub(crate) fn listening() -> io::Result<Option<Vec<Socket>>> {
    let mut sockets = match std::fs::read_to_string("/proc/self/net/tcp") {
        Ok(text) => parse(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match std::fs::read_to_string("/proc/self/net/tcp6") {
        Ok(text) => sockets.extend(parse(&text)),
        // A kernel without IPv6.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    sockets.sort_unstable();
    Ok(Some(sockets))
}

/// The listening sockets of one of the two files.
fn parse(text: &str) -> Vec<Socket> {
    text.lines().skip(1).filter_map(line).collect()
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …`
fn line(line: &str) -> Option<Socket> {
    let mut words = line.split_ascii_whitespace();
    let local = words.nth(1)?;
    if words.nth(1)? != LISTEN {
        return None;
    }
    let inode = words.nth(5)?.parse().ok()?;
    let (address, port) = local.split_once(':')?;
    let address = SocketAddr::new(ip(address)?.to_canonical(), u16::from_str_radix(port, 16).ok()?);
    Some(Socket { address, inode })
}

/// Words of 32 bits, each printed as the number that this machine reads its four bytes as.
fn ip(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for (at, four) in bytes.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(at)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

/// The processes of sockets, and whether some processes may not be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owners {
    /// `name (pid)` by inode; a socket may have more than one process.
    pub(crate) of: BTreeMap<u64, BTreeSet<String>>,
    pub(crate) some_hidden: bool,
}

/// Who has the sockets, from `/proc/PID/fd`. Only the same user and root may read that.
pub(crate) fn owners(sockets: &[Socket]) -> Owners {
    let wanted: BTreeSet<u64> = sockets.iter().map(|socket| socket.inode).collect();
    let mut owners = Owners::default();
    let Ok(processes) = std::fs::read_dir("/proc") else { return owners };
    for process in processes.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) else { continue };
        let folder = process.path();
        let descriptors = match std::fs::read_dir(folder.join("fd")) {
            Ok(descriptors) => descriptors,
            Err(error) => {
                // Any other error is a process that has ended meanwhile.
                owners.some_hidden |= error.kind() == io::ErrorKind::PermissionDenied;
                continue;
            }
        };
        for link in descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok()) {
            let inode = link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            if let Some(inode) = inode.filter(|inode| wanted.contains(inode)) {
                let name = std::fs::read(folder.join("comm")).unwrap_or_default();
                owners.of.entry(inode).or_default().insert(format!("{} ({pid})", called(&name)));
            }
        }
    }
    owners
}

/// A process gives itself its name, and may put line breaks and what moves a terminal's cursor into it.
fn called(comm: &[u8]) -> String {
    let name = String::from_utf8_lossy(comm.strip_suffix(b"\n").unwrap_or(comm));
    shown(Path::new(name.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux on a little-endian machine prints them; written by hand from the addresses.
    #[cfg(target_endian = "little")]
    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
         0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   104        0 21413 1 0000000000000000 100 0 0 10 0\n   \
         1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 18001 1 0000000000000000 100 0 0 10 0\n   \
         2: 0500000A:1F90 0700000A:C001 01 00000000:00000000 00:00000000 00000000     0        0 30000 1 0000000000000000 20 4 30 10 -1\n   \
         3: 0500000A:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 30001 1 0000000000000000 100 0 0 10 0\n   \
         4: 0500000A:1F9";

    #[cfg(target_endian = "little")]
    const TCP6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
         0: 00000000000000000000000000000000:18BD 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 40001 1 0000000000000000 100 0 0 10 0\n   \
         1: 00000000000000000000000001000000:1538 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000   104        0 40002 1 0000000000000000 100 0 0 10 0\n   \
         2: 0000000000000000FFFF00000100007F:18BE 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 40003 1 0000000000000000 100 0 0 10 0\n   \
         3: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 40004 1 0000000000000000 100 0 0 10 0\n";

    fn sockets(text: &str) -> Vec<(String, u64)> {
        parse(text).into_iter().map(|socket| (socket.address.to_string(), socket.inode)).collect()
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn listening_sockets_are_read_from_both_files() {
        let expected = [("127.0.0.1:5432", 21413), ("0.0.0.0:22", 18001), ("10.0.0.5:8080", 30001)];
        assert_eq!(sockets(TCP), expected.map(|(address, inode)| (address.to_owned(), inode)));
        let expected =
            [("[::]:6333", 40001), ("[::1]:5432", 40002), ("127.0.0.1:6334", 40003), ("[2001:db8::1]:80", 40004)];
        assert_eq!(sockets(TCP6), expected.map(|(address, inode)| (address.to_owned(), inode)));
        assert_eq!(sockets(""), []);
        assert_eq!(sockets("head\n 0: zz:16 0:0 0A a b c d e 1\n\u{e9} 0: é:é x 0A a b c d e 1"), []);
    }

    fn exposure(addresses: &[&str]) -> Option<Exposure> {
        let socket = |text: &&str| Socket { address: text.parse().expect("an address"), inode: 1 };
        Exposure::of(&addresses.iter().map(socket).collect::<Vec<_>>())
    }

    #[test]
    fn to_whom_a_port_is_open() {
        assert_eq!(exposure(&[]), None);
        assert_eq!(exposure(&["127.0.0.1:1", "[::1]:1", "127.0.1.1:1"]), Some(Exposure::Loopback));
        assert_eq!(exposure(&["127.0.0.1:1", "0.0.0.0:1"]), Some(Exposure::All));
        assert_eq!(exposure(&["[::]:1"]), Some(Exposure::All));
        let outer = Exposure::Addresses(vec!["10.0.0.5".parse().expect("an address")]);
        assert_eq!(exposure(&["127.0.0.1:1", "10.0.0.5:1"]), Some(outer.clone()));
        assert!(outer.is_outside() && !Exposure::Loopback.is_outside());
    }

    #[test]
    fn the_name_that_a_process_gives_itself_is_one_line() {
        assert_eq!((called(b"sshd\n").as_str(), called(b"").as_str()), ("sshd", ""));
        assert_eq!(called(b"a\nb \x1b[2J\n"), r"a\x0Ab \x1B[2J");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_of_our_own_is_found_with_its_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let all = listening().expect("read").expect("there");
        let own: Vec<Socket> = all.into_iter().filter(|socket| socket.address == address).collect();
        assert_eq!(own.len(), 1);
        let owners = owners(&own);
        let pid = format!("({})", std::process::id());
        assert!(owners.of[&own[0].inode].iter().any(|owner| owner.ends_with(&pid)), "{owners:?}");
        drop(listener);
        let all = listening().expect("read").expect("there");
        assert!(!all.iter().any(|socket| socket.address == address));
    }
}
