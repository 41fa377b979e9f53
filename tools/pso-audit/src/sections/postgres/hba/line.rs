//! A line of `pg_hba.conf`: whom it is about, and which later lines it keeps from being reached.

use std::net::IpAddr;

use serde::Deserialize;

/// A row of `hba.sql`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Line {
    pub(super) line: i32,
    pub(super) file: Option<String>,
    /// `local`, `host`, `hostssl`, `hostnossl`, `hostgssenc`, `hostnogssenc`.
    pub(super) connection: Option<String>,
    pub(super) databases: Option<Vec<String>>,
    pub(super) users: Option<Vec<String>>,
    pub(super) address: Option<String>,
    pub(super) netmask: Option<String>,
    pub(super) method: Option<String>,
    /// The options that ask for a client's certificate.
    #[serde(default)]
    pub(super) certificate: Vec<String>,
    pub(super) error: Option<String>,
}

/// From where a line lets people in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Over the socket: users of this machine.
    Socket,
    /// From this machine's own addresses.
    Loopback,
    /// From some other machines.
    Outer,
    /// From anywhere.
    Everyone,
}

/// Addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    v6: bool,
    bits: u128,
    mask: u128,
}

impl Network {
    fn of(address: &str, netmask: &str) -> Option<Self> {
        let bits = |text: &str| {
            Some(match text.parse().ok()? {
                IpAddr::V4(v4) => (false, u128::from(v4.to_bits())),
                IpAddr::V6(v6) => (true, v6.to_bits()),
            })
        };
        let ((v6, bits), (_, mask)) = (bits(address)?, bits(netmask)?);
        Some(Self { v6, bits: bits & mask, mask })
    }

    const fn prefix(self) -> u32 {
        self.mask.count_ones()
    }

    const fn covers(self, other: Self) -> bool {
        self.v6 == other.v6 && self.mask & other.mask == self.mask && other.bits & self.mask == self.bits
    }
}

/// Also where it is written as an address of IPv6.
fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

impl Line {
    pub(super) fn connection(&self) -> &str {
        self.connection.as_deref().unwrap_or_default()
    }

    pub(super) fn method(&self) -> &str {
        self.method.as_deref().unwrap_or_default()
    }

    /// Whether the connection is encrypted in any case.
    pub(super) fn encrypted(&self) -> bool {
        matches!(self.connection(), "hostssl" | "hostgssenc")
    }

    /// What the client's certificate must be for beside the method: `ca` is any of the authority's, `full` the role's own.
    pub(super) fn client_certificate(&self) -> Option<&str> {
        let wanted = self.certificate.iter().find_map(|option| option.strip_prefix("clientcert="))?;
        // 1 is how it was written before 14.
        match wanted {
            "verify-full" => Some("full"),
            "verify-ca" | "1" => Some("ca"),
            _ => None,
        }
    }

    fn network(&self) -> Option<Network> {
        Network::of(self.address.as_deref()?, self.netmask.as_deref()?)
    }

    pub(super) fn reach(&self) -> Reach {
        let Some(address) = self.address.as_deref() else { return Reach::Socket };
        match (address, self.network()) {
            ("all", _) => Reach::Everyone,
            // Shorter than any network that one owner has: two halves of the world are the world.
            (_, Some(network)) if network.prefix() < 8 => Reach::Everyone,
            ("samehost" | "localhost", _) => Reach::Loopback,
            (address, Some(_)) if address.parse().is_ok_and(is_loopback) => Reach::Loopback,
            _ => Reach::Outer,
        }
    }

    pub(super) fn has_user(&self, user: &str) -> bool {
        self.users.as_deref().unwrap_or_default().iter().any(|one| one == user)
    }

    pub(super) fn has_database(&self, database: &str) -> bool {
        self.databases.as_deref().unwrap_or_default().iter().any(|one| one == database)
    }

    /// Whether every connection that the other line is about is decided by this one, which comes before it. Where it cannot
    /// be told, the answer is no.
    pub(super) fn decides_all_of(&self, other: &Self) -> bool {
        let local = self.connection() == "local";
        let connection = self.connection() == other.connection()
            || !local && self.connection() == "host" && other.connection() != "local";
        let users = self.has_user("all") || self.users == other.users;
        // `all` does not stand for the pseudo database of replication.
        let databases =
            self.databases == other.databases || self.has_database("all") && !other.has_database("replication");
        let address = local
            || self.address.as_deref() == Some("all")
            || (self.address.is_some() && (&self.address, &self.netmask) == (&other.address, &other.netmask))
            || self.network().zip(other.network()).is_some_and(|(one, other)| one.covers(other));
        self.error.is_none() && connection && users && databases && address
    }

    /// The line with another type of connection and another method, without its options, which may hold passwords; but with
    /// those that ask for a certificate.
    pub(super) fn rewritten(&self, connection: &str, method: &str) -> String {
        let joined = |names: &Option<Vec<String>>| {
            names.as_deref().unwrap_or_default().iter().map(|name| word(name)).collect::<Vec<_>>().join(",")
        };
        let address = match (self.address.as_deref(), self.network()) {
            (Some(address), Some(network)) => Some(format!("{address}/{}", network.prefix())),
            (address, _) => address.map(str::to_owned),
        };
        let (databases, users) = (joined(&self.databases), joined(&self.users));
        // The method `cert` asks for it without being told.
        let certificate = if method == "cert" { &[][..] } else { &self.certificate };
        [connection, &databases, &users, address.as_deref().unwrap_or_default(), method]
            .into_iter()
            .chain(certificate.iter().map(String::as_str))
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The line as it stands there, but for its options.
    pub(super) fn shown(&self) -> String {
        self.rewritten(self.connection(), self.method())
    }
}

/// A name as the file has it: in quotes where it holds what ends a word (`next_token` of hba.c). Whether a word such as `all`
/// was in quotes, and so a name, the server does not show.
fn word(name: &str) -> String {
    // Quotes around the plus would make it part of a role's name; around an expression they change nothing.
    let (plus, name) = name.strip_prefix('+').map_or(("", name), |group| ("+", group));
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || matches!(c, ',' | '"' | '#')) {
        format!("{plus}\"{}\"", name.replace('"', "\"\""))
    } else {
        format!("{plus}{name}")
    }
}

/// A line as `pg_hba_file_rules` shows it, for tests: `host all all 10.0.0.0/255.0.0.0 md5`.
#[cfg(test)]
pub(super) fn line(text: &str) -> Line {
    let mut words = text.split_whitespace().map(str::to_owned);
    let list = |word: Option<String>| word.map(|word| word.split(',').map(str::to_owned).collect());
    let connection = words.next();
    let (databases, users) = (list(words.next()), list(words.next()));
    let address = if connection.as_deref() == Some("local") { None } else { words.next() };
    let (address, netmask) = match address.as_deref().and_then(|address| address.split_once('/')) {
        Some((address, netmask)) => (Some(address.to_owned()), Some(netmask.to_owned())),
        None => (address, None),
    };
    let method = words.next();
    Line {
        line: 7,
        connection,
        databases,
        users,
        address,
        netmask,
        method,
        certificate: words.collect(),
        error: None,
        file: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_where_a_line_lets_people_in() {
        for (text, reach) in [
            ("local all all trust", Reach::Socket),
            ("host all all 127.0.0.1/255.255.255.255 trust", Reach::Loopback),
            ("host all all ::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff trust", Reach::Loopback),
            ("host all all 127.0.0.0/255.0.0.0 trust", Reach::Loopback),
            ("host all all ::ffff:127.0.0.1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff trust", Reach::Loopback),
            ("host all all localhost trust", Reach::Loopback),
            ("host all all samehost trust", Reach::Loopback),
            ("host all all samenet trust", Reach::Outer),
            ("host all all .example.org trust", Reach::Outer),
            ("host all all 10.0.0.0/255.0.0.0 trust", Reach::Outer),
            ("host all all 127.0.0.1/0.0.0.0 trust", Reach::Everyone),
            ("host all all 128.0.0.0/128.0.0.0 trust", Reach::Everyone),
            ("host all all ::/:: trust", Reach::Everyone),
            ("host all all all trust", Reach::Everyone),
        ] {
            assert_eq!(line(text).reach(), reach, "{text}");
        }
    }

    #[test]
    fn the_first_line_that_fits_decides() {
        let decides = |one: &str, other: &str| line(one).decides_all_of(&line(other));
        let trust = "host all all 127.0.0.1/255.255.255.255 trust";
        for earlier in [
            "host all all 0.0.0.0/0.0.0.0 reject",
            "host all all all reject",
            "host all all 127.0.0.1/255.255.255.255 scram-sha-256",
            "host all all 127.0.0.0/255.0.0.0 md5",
        ] {
            assert!(decides(earlier, trust), "{earlier}");
        }
        for earlier in [
            "hostssl all all 127.0.0.1/255.255.255.255 scram-sha-256",
            "host all postgres 127.0.0.1/255.255.255.255 reject",
            "host app all 127.0.0.1/255.255.255.255 reject",
            "host all all ::/:: reject",
            "host all all 127.0.0.2/255.255.255.255 reject",
            "host all all samehost reject",
            "local all all reject",
        ] {
            assert!(!decides(earlier, trust), "{earlier}");
        }
        assert!(!decides("local all all peer", "local replication all trust"));
        assert!(decides("local all all peer", "local app,x a trust"));
    }

    #[test]
    fn a_line_is_written_as_people_write_it() {
        assert_eq!(line("host all a,b 10.0.0.0/255.0.0.0 md5").shown(), "host all a,b 10.0.0.0/8 md5");
        assert_eq!(line("local all all trust").rewritten("local", "peer"), "local all all peer");
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let odd = Line {
            databases: names(&["my db", "all"]),
            users: names(&["a,b", "q\"#", "+grp", "+my grp", "été"]),
            ..line("local x x md5")
        };
        assert_eq!(odd.shown(), "local \"my db\",all \"a,b\",\"q\"\"#\",+grp,+\"my grp\",été md5");
        let certified = line("hostssl all all 10.0.0.0/255.0.0.0 md5 clientcert=verify-ca");
        assert_eq!(
            (certified.rewritten("hostssl", "cert").as_str(), certified.shown().as_str()),
            ("hostssl all all 10.0.0.0/8 cert", "hostssl all all 10.0.0.0/8 md5 clientcert=verify-ca")
        );
    }
}
