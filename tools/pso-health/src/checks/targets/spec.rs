//! What a target is to be, wherever it was named, and whether that makes sense.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use pso_common::Secret;
use pso_common::config::{CommandLine, ConfigValue};
use pso_common::http::{HttpClient, HttpRoots, HttpSettings};
use pso_common::tls::{Roots, Trust};

use super::child::Running;
use super::command::CommandTarget;
use super::http::HttpTarget;
use super::tcp::TcpTarget;
use super::withheld::Withheld;
use crate::answer::shown_url;
use crate::check::Check;
use pso_common::net::Address;

/// A longer answer is no answer to a probe.
const LONGEST_ANSWER: u64 = 1 << 20;

/// No single step of an exchange is cut off before the target's own time-out.
const LONGEST_STEP: Duration = Duration::from_secs(3600);

/// What every target has.
#[derive(Clone, Debug)]
pub(super) struct Common {
    /// The check's name: `http.NAME`.
    pub(super) check: String,
    pub(super) timeout: Option<Duration>,
    pub(super) retries: Option<u32>,
}

/// A target as it was named; not everything goes with everything.
#[derive(Debug, Default)]
pub(super) struct Spec {
    pub(super) name: Option<String>,
    pub(super) http: Option<TargetUrl>,
    pub(super) tcp: Option<String>,
    pub(super) command: Option<CommandLine>,
    pub(super) method: Option<String>,
    pub(super) status: Option<Statuses>,
    pub(super) contains: Option<String>,
    pub(super) json: Vec<(String, String)>,
    pub(super) max_ms: Option<u64>,
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) tls: bool,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) timeout: Option<Duration>,
    pub(super) retries: Option<u32>,
    /// Whether it came through a pipe, from which no command is run unasked.
    pub(super) withheld: bool,
}

/// A target's URL. It is shown without what may be secret in it.
#[derive(Clone, Debug)]
pub(super) struct TargetUrl(String);

impl ConfigValue for TargetUrl {
    const EXPECTED: &'static str = "a URL such as https://host:8443/path";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let odd = |c: char| c.is_whitespace() || c.is_control();
        (Address::of_url(text).is_some() && !text.contains(odd)).then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        shown_url(&self.0)
    }
}

/// The statuses that are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statuses(pub(super) Vec<u16>);

impl Statuses {
    pub(super) fn holds(&self, status: u16) -> bool {
        self.0.contains(&status)
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.0.iter().map(u16::to_string).collect();
        f.write_str(&all.join(" or "))
    }
}

/// A TLS port of a target, for the check of certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecurePort {
    /// The target's check.
    pub(crate) owner: String,
    pub(crate) address: Address,
    pub(crate) ca_file: Option<PathBuf>,
}

/// HTTP clients and roots by the file of root certificates, each made once.
#[derive(Default)]
pub(super) struct Means {
    clients: HashMap<Option<PathBuf>, HttpClient>,
    trust: HashMap<Option<PathBuf>, Trust>,
}

impl Means {
    fn client(&mut self, ca_file: Option<&PathBuf>) -> anyhow::Result<HttpClient> {
        if let Some(client) = self.clients.get(&ca_file.cloned()) {
            return Ok(client.clone());
        }
        let client = HttpClient::new(&HttpSettings {
            connect_timeout: LONGEST_STEP,
            timeout: LONGEST_STEP,
            max_body_bytes: LONGEST_ANSWER,
            idle_connections: 0,
            roots: HttpRoots::named(ca_file.map(PathBuf::as_path)).context("ca_file")?,
            ..HttpSettings::default()
        });
        self.clients.insert(ca_file.cloned(), client.clone());
        Ok(client)
    }

    fn trust(&mut self, ca_file: Option<&PathBuf>) -> anyhow::Result<Trust> {
        if let Some(trust) = self.trust.get(&ca_file.cloned()) {
            return Ok(trust.clone());
        }
        let roots = ca_file.map_or(Roots::Mozilla, |file| Roots::named(file));
        let trust = Trust::load(&roots).context("ca_file")?;
        self.trust.insert(ca_file.cloned(), trust.clone());
        Ok(trust)
    }
}

impl Spec {
    /// The check that it makes, and its TLS port if it has one.
    ///
    /// # Errors
    /// What about it makes no sense.
    pub(super) fn check(self, means: &mut Means) -> anyhow::Result<(Arc<dyn Check>, Option<SecurePort>)> {
        let Self { http, tcp, command, .. } = &self;
        match (http, tcp, command) {
            (Some(_), None, None) => self.http_target(means),
            (None, Some(_), None) => self.tcp_target(means),
            (None, None, Some(_)) => self.command_target(),
            _ => bail!("a target has one of http, tcp and command"),
        }
    }

    fn common(&self, kind: &str, usual: &str) -> anyhow::Result<Common> {
        let name = self.name.as_deref().unwrap_or(usual).trim();
        let odd = name.contains(',') || pso_common::output::printable(name) != name;
        ensure!(
            !name.is_empty() && name.chars().count() <= 80 && !odd,
            "a target's name has 1 to 80 characters, without commas: {name:?}"
        );
        let span = Duration::from_millis(1)..=Duration::from_secs(3600);
        ensure!(
            self.timeout.is_none_or(|timeout| span.contains(&timeout)),
            "a target's timeout lies between 1ms and 1h"
        );
        ensure!(self.retries.is_none_or(|retries| retries <= 10), "a target's retries must not be more than 10");
        Ok(Common { check: format!("{kind}.{name}"), timeout: self.timeout, retries: self.retries })
    }

    /// Keys that mean nothing for this kind of target would be taken in silence.
    fn refuse(&self, kind: &str, keys: &[(&str, bool)]) -> anyhow::Result<()> {
        let wrong = keys.iter().find(|(_, given)| *given);
        wrong.map_or(Ok(()), |(key, _)| bail!("{key} means nothing for {kind}"))
    }

    fn of_http(&self) -> [(&'static str, bool); 5] {
        [
            ("method", self.method.is_some()),
            ("status", self.status.is_some()),
            ("contains", self.contains.is_some()),
            ("json", !self.json.is_empty()),
            ("headers", !self.headers.is_empty()),
        ]
    }

    fn http_target(self, means: &mut Means) -> anyhow::Result<(Arc<dyn Check>, Option<SecurePort>)> {
        let TargetUrl(url) = self.http.clone().context("a URL")?;
        let address = Address::of_url(&url).context(TargetUrl::EXPECTED)?;
        let common = self.common("http", &address.to_string())?;
        self.refuse("http, where the URL says it (https)", &[("tls", self.tls)])?;
        let method = match self.method.as_deref().map(str::to_ascii_uppercase).as_deref() {
            None | Some("GET") => "GET",
            Some("HEAD") => "HEAD",
            Some(_) => bail!("method: expected GET or HEAD"),
        };
        let status = self.status.unwrap_or_else(|| Statuses(vec![200]));
        let known = !status.0.is_empty() && status.0.iter().all(|status| (100..=599).contains(status));
        ensure!(known, "status: expected statuses from 100 to 599");
        let in_body = self.contains.is_some() || !self.json.is_empty();
        ensure!(method == "GET" || !in_body, "an answer to HEAD has no body: leave contains and json out");
        let secure = url.starts_with("https://").then(|| SecurePort {
            owner: common.check.clone(),
            address,
            ca_file: self.ca_file.clone(),
        });
        for (name, value) in &self.headers {
            let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            ensure!(!name.is_empty() && name.chars().all(token), "headers: {name:?} is no name of a header");
            let visible = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
            ensure!(value.expose().bytes().all(visible), "headers: the value of {name} holds a line break or the like");
        }
        let target = HttpTarget {
            common,
            client: means.client(self.ca_file.as_ref())?,
            method,
            url,
            headers: self.headers,
            status,
            contains: self.contains,
            json: self.json,
            max: self.max_ms.map(Duration::from_millis),
        };
        Ok((Arc::new(target), secure))
    }

    fn tcp_target(self, means: &mut Means) -> anyhow::Result<(Arc<dyn Check>, Option<SecurePort>)> {
        let text = self.tcp.as_deref().unwrap_or_default();
        let address = Address::parse(text).context("tcp: expected HOST:PORT or [IPv6]:PORT")?;
        let common = self.common("tcp", &address.to_string())?;
        self.refuse("tcp", &self.of_http())?;
        self.refuse("tcp without tls", &[("ca_file", self.ca_file.is_some() && !self.tls)])?;
        let tls = if self.tls { Some(means.trust(self.ca_file.as_ref())?) } else { None };
        let secure = self.tls.then(|| SecurePort {
            owner: common.check.clone(),
            address: address.clone(),
            ca_file: self.ca_file.clone(),
        });
        let target = TcpTarget { common, address, tls, max: self.max_ms.map(Duration::from_millis) };
        Ok((Arc::new(target), secure))
    }

    fn command_target(self) -> anyhow::Result<(Arc<dyn Check>, Option<SecurePort>)> {
        let command = self.command.clone().context("a command")?;
        let program = super::program(&command);
        let common = self.common("command", program.rsplit(['/', '\\']).next().unwrap_or_default())?;
        self.refuse("command", &self.of_http())?;
        let others = [("tls", self.tls), ("ca_file", self.ca_file.is_some()), ("max_ms", self.max_ms.is_some())];
        self.refuse("command", &others)?;
        if self.withheld {
            return Ok((Arc::new(Withheld { common, command }), None));
        }
        Ok((Arc::new(CommandTarget { common, command, running: Running::default() }), None))
    }
}
