//! Where something listens: a host and a port, from a URL or from `HOST:PORT`.

use std::fmt;

/// A port of a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// A name, or an address without brackets.
    pub host: String,
    /// The port, not 0.
    pub port: u16,
}

impl Address {
    /// Where an `http` or `https` URL leads.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let usual = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let authority = rest.split(['/', '?', '#']).next()?;
        // What stands before the last `@` is a name and a password.
        Self::split(authority.rsplit('@').next()?, Some(usual))
    }

    /// `HOST:PORT`, `[IPv6]:PORT`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::split(text.trim(), None)
    }

    fn split(authority: &str, usual: Option<u16>) -> Option<Self> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
            }
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            None | Some("") => usual?,
            Some(port) => port.parse().ok().filter(|port| *port > 0)?,
        };
        let usable = |host: &str| {
            !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control() || "/@".contains(c))
        };
        usable(host).then(|| Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_to_a_host_and_a_port() {
        for (url, shown) in [
            ("http://localhost:8080", "localhost:8080"),
            ("http://localhost", "localhost:80"),
            ("https://ps.example/base?x=http://y:1", "ps.example:443"),
            ("http://[::1]:6333/", "[::1]:6333"),
            ("https://[fe80::1]", "[fe80::1]:443"),
            ("http://me:p@ss@h:1#x", "h:1"),
            ("http://h:/", "h:80"),
        ] {
            assert_eq!(Address::of_url(url).map(|address| address.to_string()).as_deref(), Some(shown), "{url}");
        }
        for url in
            ["http://", "ftp://h", "h:1", "http://h:99999", "http://h:x", "http://[::1", "http://:80", "http://h:0"]
        {
            assert_eq!(Address::of_url(url), None, "{url}");
        }
    }

    #[test]
    fn without_a_url_the_port_is_needed() {
        for text in ["db:5432", "127.0.0.1:1", "[::1]:65535"] {
            assert_eq!(Address::parse(text).map(|address| address.to_string()).as_deref(), Some(text));
        }
        for text in ["db", "db:", ":1", "[::1]", "::1:5", "a b:1", "http://h:1", "me@h:1", "[db]:1", "h:70000"] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
