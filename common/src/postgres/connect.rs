//! Opening a connection, and saying why it could not be opened.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use postgres::config::SslMode as WireSslMode;
use postgres::{Config, NoTls};

use super::Client;
use super::failure::{ConnectFailure, ConnectStage};
use super::settings::{PgSettings, SslMode};
use super::tls;
use crate::net;

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Looking: read-only, with the settings' `statement_timeout` and `lock_timeout`, so that watching never blocks the
    /// watched.
    Watch,
    /// Reading or changing much: none of the server's limits of time, a `lock_timeout` of 10 seconds.
    Work,
}

/// The statement that takes away the limits of a role or a database that would end a long piece of work, for whoever has
/// no session of ours (psql).
pub const PATIENCE: &str = include_str!("../../queries/patience.sql").trim_ascii_end();

/// Connects, logs in and sets the session up, within the connect time-out in all.
///
/// # Errors
/// When there is no usable session in time; the message names the server and the way out, never the password. A
/// [`ConnectFailure`] in the error's chain says how far it came.
pub fn connect(settings: &PgSettings, application_name: &str, purpose: Purpose) -> anyhow::Result<Client> {
    opened(settings, application_name, purpose)
        .with_context(|| format!("connect to PostgreSQL at {}", settings.shown()))
}

fn opened(settings: &PgSettings, application_name: &str, purpose: Purpose) -> Result<Client, ConnectFailure> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let (own, name) = (settings.clone(), application_name.to_owned());
    // The driver's own time-out covers the TCP connection only; a server that accepts and says nothing would hold the
    // tool for ever. A thread that is left behind ends with its socket or with the process.
    std::thread::Builder::new()
        .name("pg-connect".to_owned())
        .spawn(move || {
            // Nobody waits any more if this fails.
            let _ = sender.send(open(&own, &name, purpose));
        })
        .map_err(|error| ConnectFailure::new(ConnectStage::Prepare, format!("start a thread: {error}")))?;
    receiver.recv_timeout(settings.connect_timeout + Duration::from_millis(500)).unwrap_or_else(|error| {
        Err(match error {
            RecvTimeoutError::Disconnected => ConnectFailure::new(
                ConnectStage::Prepare,
                "the connecting thread ended without a result; this is a bug, please report it",
            ),
            // Looking the name up and connecting have ended in time, each with a failure of its own if need be.
            RecvTimeoutError::Timeout => ConnectFailure::new(
                ConnectStage::Read,
                format!(
                    "no answer within {:?}: a firewall, or a server that accepts connections and does not speak, because it \
                     hangs or because another session holds a system catalogue",
                    settings.connect_timeout
                ),
            ),
        })
    })
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that opens PostgreSQL")]
fn open(settings: &PgSettings, application_name: &str, purpose: Purpose) -> Result<Client, ConnectFailure> {
    let driver = |error: postgres::Error| ConnectFailure::of_driver(&error, settings);
    let mut config = Config::new();
    let local = settings.host.starts_with('/');
    if local {
        config.host(&settings.host).connect_timeout(settings.connect_timeout);
    } else {
        // The driver gives each address the whole time-out.
        let started = Instant::now();
        let addresses = net::resolve(&settings.host, settings.port, settings.connect_timeout)
            .map_err(|error| ConnectFailure::of_net(&error))?;
        let left = settings.connect_timeout.saturating_sub(started.elapsed()).max(Duration::from_millis(1));
        config.connect_timeout(left / u32::try_from(addresses.len()).unwrap_or(1));
        for address in addresses {
            config.host(&settings.host).hostaddr(address.ip());
        }
    }
    config
        .port(settings.port)
        .dbname(&settings.dbname)
        .user(&settings.user)
        .application_name(application_name)
        .tcp_user_timeout(Duration::from_secs(30))
        .keepalives_idle(Duration::from_secs(30))
        .ssl_mode(match settings.sslmode {
            SslMode::Disable => WireSslMode::Disable,
            SslMode::Allow | SslMode::Prefer => WireSslMode::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => WireSslMode::Require,
        });
    if let Some(password) = &settings.password {
        config.password(password.expose());
    }
    let mut client = if settings.sslmode == SslMode::Disable || local {
        config.ssl_mode(WireSslMode::Disable);
        config.connect(NoTls).map_err(driver)?
    } else {
        let connector = tls::connector(settings)
            .map_err(|error| ConnectFailure::new(ConnectStage::Prepare, format!("{error:#}")))?;
        config.connect(connector).map_err(driver)?
    };
    let session = match purpose {
        Purpose::Watch => format!(
            "SET default_transaction_read_only = on; SET statement_timeout = {}; SET lock_timeout = {}",
            settings.statement_timeout.as_millis(),
            settings.lock_timeout.as_millis()
        ),
        Purpose::Work => format!("SET statement_timeout = 0; SET lock_timeout = '10s'; {PATIENCE}"),
    };
    client.batch_execute(&format!("{session}; SET idle_in_transaction_session_timeout = 0")).map_err(driver)?;
    Ok(Client::new(client))
}

#[cfg(test)]
mod tests;
