//! How ureq connects, with the layer told at which it failed.
//!
//! ureq's own parts do the work. What they report alone does not say where an exchange ended: a time-out of the whole
//! exchange has the same name wherever it strikes, and an end that closes during the handshake looks as one that closes
//! in the middle of an answer. ureq does not promise to keep these traits; the lock file holds its version.

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ArrayVec, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, RustlsConnector, TcpConnector, Transport,
};

use crate::net::{self, NetError};
use crate::tls::TlsFault;

/// Proxy, where one is configured, TCP and TLS.
pub(super) fn connector() -> impl Connector {
    ().chain(ConnectProxyConnector::default()).chain(Tcp::default()).chain(Tls::default())
}

/// Names by [`net::resolve`].
#[derive(Debug)]
pub(super) struct Names;

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or_else(|| boxed(NetError::Malformed))?;
        let secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let found = net::resolve(host, port, *timeout.after).map_err(boxed)?;
        let mut addresses: ResolvedSocketAddrs = ArrayVec::from_fn(|_| ([0, 0, 0, 0], 0).into());
        for address in found {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

#[derive(Debug, Default)]
struct Tcp(TcpConnector);

impl<In: Transport> Connector<In> for Tcp {
    type Out = <TcpConnector as Connector<In>>::Out;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        self.0.connect(details, chained).map_err(|error| match error {
            Error::Timeout(_) => boxed(NetError::Timeout(*details.timeout.after)),
            Error::Io(error) => boxed(NetError::of(&error, *details.timeout.after)),
            error => error,
        })
    }
}

#[derive(Debug, Default)]
struct Tls(RustlsConnector);

impl<In: Transport> Connector<In> for Tls {
    type Out = <RustlsConnector as Connector<In>>::Out;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        // No request of ours has TLS settings of its own. Said so, ureq keeps what it has made of the client's.
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            request_level: false,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        self.0.connect(&details, chained).map_err(|error| {
            let fault = match error {
                Error::Timeout(_) => TlsFault::Timeout,
                Error::Rustls(error) => TlsFault::from(&error),
                Error::Tls(reason) => TlsFault::Other(reason.to_owned()),
                // ureq wraps its own time-out for rustls, which passes it on.
                Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
                    Some(Error::Timeout(_)) => TlsFault::Timeout,
                    _ => TlsFault::of_handshake(&error),
                },
                error => return error,
            };
            boxed(fault)
        })
    }
}

fn boxed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Other(Box::new(error))
}
