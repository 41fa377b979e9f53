//! A server that is named by one text, as libpq takes it: a URL, or `key=value` words. There is no password in it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use super::password::{PgpassTarget, from_pgpass};
use super::settings::{PgSettings, SslMode};
use crate::Secret;
use crate::config::ConfigValue as _;
use crate::io::Env;

/// What the words may be.
const KNOWN: &str = "host, port, dbname, user, sslmode, sslrootcert and connect_timeout";

impl PgSettings {
    /// The server that a text names; what it does not name is libpq's default, and no configured server's. The password
    /// comes from `PGPASSWORD` or `.pgpass`.
    ///
    /// # Errors
    /// When it cannot be read, or holds a password: the message does not show it.
    pub fn of_dsn(text: &str, env: &Env) -> anyhow::Result<Self> {
        let rest = ["postgresql://", "postgres://"].into_iter().find_map(|scheme| text.strip_prefix(scheme));
        let pairs = match rest {
            Some(rest) => of_url(rest)?,
            None => of_words(text)?,
        };
        let user = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| env.get(name));
        let mut settings = Self::own("localhost", 5432, "postgres", user.unwrap_or("postgres"));
        settings.sslmode = SslMode::Prefer;
        for (key, value) in pairs {
            let expected = |what: &str| format!("{key} is not {what}");
            match key.as_str() {
                "host" | "hostaddr" => settings.host = value,
                "port" => settings.port = value.parse().ok().with_context(|| expected("a port"))?,
                "dbname" => settings.dbname = value,
                "user" => settings.user = value,
                "sslmode" => settings.sslmode = SslMode::parse(&value).with_context(|| expected(SslMode::EXPECTED))?,
                "sslrootcert" => settings.sslrootcert = Some(PathBuf::from(value)),
                "connect_timeout" => {
                    let seconds: u64 = value.parse().ok().with_context(|| expected("a number of seconds"))?;
                    settings.connect_timeout = Duration::from_secs(seconds.clamp(2, 600));
                }
                "password" => bail!(
                    "a password on a command line is seen by everybody on the machine; set PGPASSWORD, or write it into \
                     .pgpass (PGPASSFILE)"
                ),
                _ => bail!("{key} is not known here; known are {KNOWN}"),
            }
        }
        let (host, port) = (settings.host.clone(), settings.port);
        let target = PgpassTarget { host: &host, port, dbname: &settings.dbname, user: &settings.user };
        let pgpass = from_pgpass(&target, env);
        settings.password = env.get("PGPASSWORD").map(Secret::new).or(pgpass.password);
        settings.password_note = pgpass.note;
        Ok(settings)
    }
}

/// `user@host:port/dbname?key=value&…`
fn of_url(rest: &str) -> anyhow::Result<Vec<(String, String)>> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, dbname) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, address) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    // An IPv6 address stands in brackets.
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').context("the address has no ]")?;
            (host, rest.strip_prefix(':').unwrap_or(""))
        }
        None => address.split_once(':').unwrap_or((address, "")),
    };
    ensure!(!host.contains(',') && !port.contains(','), "it names several servers; give one");
    let parts = [("user", user), ("password", password), ("host", host), ("port", port), ("dbname", dbname)];
    let words = query.split('&').filter(|word| !word.is_empty()).map(|word| word.split_once('=').unwrap_or((word, "")));
    let all = parts.into_iter().filter(|(_, value)| !value.is_empty()).chain(words);
    all.map(|(key, value)| Ok((key.to_owned(), decoded(value)?))).collect()
}

/// `%2F` is a slash.
fn decoded(text: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let (digits, after) = after.split_at_checked(2).context("a % is not followed by two digits")?;
            let digits = std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
            bytes.push(digits.context("a % is not followed by two digits")?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok().context("it is not UTF-8")
}

/// `host=db user='a b'`, with a backslash before a quote or a backslash.
fn of_words(text: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut chars = text.trim().chars().peekable();
    while chars.peek().is_some() {
        let mut key = String::new();
        loop {
            match chars.next() {
                Some('=') => break,
                Some(c) => key.push(c),
                None => bail!("there is a word without a value; give a URL, or key=value words"),
            }
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let is_quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match chars.next() {
                Some('\\') => value.extend(chars.next()),
                Some('\'') if is_quoted => break,
                Some(c) if !is_quoted && c.is_whitespace() => break,
                Some(c) => value.push(c),
                None if is_quoted => bail!("a quote is not closed"),
                None => break,
            }
        }
        pairs.push((key.trim().to_owned(), value));
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> PgSettings {
        let mut env = Env::default();
        env.set("USER", "me");
        env.set("PGHOST", "production");
        env.set("PGPASSWORD", "s3cret");
        PgSettings::of_dsn(text, &env).unwrap_or_else(|error| panic!("{text}: {error:#}"))
    }

    #[test]
    fn both_forms_name_a_server_and_the_environment_names_none() {
        assert_eq!(of("postgresql://").shown(), "localhost:5432/postgres as me");
        assert_eq!(of("postgres://a%40b@db:6/scratch?sslmode=require").shown(), "db:6/scratch as a@b");
        assert_eq!(of("postgresql://[::1]:5433").shown(), "::1:5433/postgres as me");
        assert_eq!(of("postgresql:///x?host=%2Frun%2Fpg").shown(), "/run/pg:5432/x as me");
        assert_eq!(of("host=db  port = 6 user='a \\'b'").shown(), "db:6/postgres as a 'b");
        let verified = of("host=db sslmode=verify-full sslrootcert=/ca.pem connect_timeout=0");
        assert_eq!((verified.sslmode, verified.connect_timeout), (SslMode::VerifyFull, Duration::from_secs(2)));
        assert_eq!(verified.password.expect("found").expose(), "s3cret");
    }

    #[test]
    fn a_password_is_refused_and_not_shown() {
        for text in ["postgresql://me:hidden@db/x", "host=db password=hidden", "postgresql://db?password=hidden"] {
            let said = format!("{:#}", PgSettings::of_dsn(text, &Env::default()).expect_err("refused"));
            assert!(said.contains("PGPASSWORD") && !said.contains("hidden"), "{said}");
        }
        for text in ["db", "host='db", "port=x", "sslmode=maybe", "service=x", "postgresql://a,b/x", "postgresql://%4"]
        {
            assert!(PgSettings::of_dsn(text, &Env::default()).is_err(), "{text}");
        }
    }
}
