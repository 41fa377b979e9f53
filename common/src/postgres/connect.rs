//! Opening a connection, and saying why it could not be opened.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use postgres::config::SslMode as WireSslMode;
use postgres::error::SqlState;
use postgres::{Config, NoTls};

use super::Client;
use super::settings::{PgSettings, SslMode};
use super::tls;

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Looking: read-only, with the settings' `statement_timeout` and `lock_timeout`, so that watching never blocks the
    /// watched.
    Watch,
    /// Reading or changing much: no `statement_timeout`, a `lock_timeout` of 10 seconds.
    Work,
}

/// Connects, logs in and sets the session up, within the connect time-out in all.
///
/// # Errors
/// When there is no usable session in time; the message names the server and the way out, never the password.
pub fn connect(settings: &PgSettings, application_name: &str, purpose: Purpose) -> anyhow::Result<Client> {
    let context = || format!("connect to PostgreSQL at {}", settings.shown());
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
        .context("start a thread")?;
    match receiver.recv_timeout(settings.connect_timeout + Duration::from_millis(500)) {
        Ok(result) => result.map_err(|error| explain(&error, settings)).with_context(context),
        Err(RecvTimeoutError::Disconnected) => {
            Err(anyhow!("the connecting thread ended without a result; this is a bug, please report it"))
                .with_context(context)
        }
        Err(RecvTimeoutError::Timeout) => Err(anyhow!(
            "no answer within {:?}: a firewall, or a server that accepts connections and does not speak, because it hangs or \
             because another session holds a system catalogue",
            settings.connect_timeout
        ))
        .with_context(context),
    }
}

enum OpenError {
    Tls(anyhow::Error),
    Postgres(postgres::Error),
}

impl From<postgres::Error> for OpenError {
    fn from(error: postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that opens PostgreSQL")]
fn open(settings: &PgSettings, application_name: &str, purpose: Purpose) -> Result<Client, OpenError> {
    let mut config = Config::new();
    config
        .host(&settings.host)
        .port(settings.port)
        .dbname(&settings.dbname)
        .user(&settings.user)
        .application_name(application_name)
        .connect_timeout(settings.connect_timeout)
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
    let mut client = if settings.sslmode == SslMode::Disable || settings.host.starts_with('/') {
        config.ssl_mode(WireSslMode::Disable);
        config.connect(NoTls)?
    } else {
        config.connect(tls::connector(settings).map_err(OpenError::Tls)?)?
    };
    let session = match purpose {
        Purpose::Watch => format!(
            "SET default_transaction_read_only = on; SET statement_timeout = {}; SET lock_timeout = {}",
            settings.statement_timeout.as_millis(),
            settings.lock_timeout.as_millis()
        ),
        Purpose::Work => "SET statement_timeout = 0; SET lock_timeout = '10s'".to_owned(),
    };
    client.batch_execute(&format!("{session}; SET idle_in_transaction_session_timeout = 0"))?;
    Ok(Client::new(client))
}

/// The error with what the user can do about it.
fn explain(error: &OpenError, settings: &PgSettings) -> anyhow::Error {
    let error = match error {
        OpenError::Tls(error) => return anyhow!("{error:#}"),
        OpenError::Postgres(error) => error,
    };
    let cause = std::iter::successors(Some(error as &dyn std::error::Error), |e| e.source())
        .last()
        .map_or_else(String::new, ToString::to_string);
    if let Some(db) = error.as_db_error() {
        let code = db.code();
        let note = settings.password_note.as_deref().map_or_else(String::new, |note| format!(" ({note})"));
        let hint = if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
            // No role of this name, one that may not log in, or no line for it in pg_hba.conf.
            format!("check PGUSER, and what the server's pg_hba.conf allows{note}")
        } else if *code == SqlState::INSUFFICIENT_PRIVILEGE {
            let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
            format!("GRANT CONNECT ON DATABASE {} TO {}", quoted(&settings.dbname), quoted(&settings.user))
        } else if *code == SqlState::INVALID_PASSWORD {
            format!("check the password in PGPASSWORD, .pgpass or maintenance.postgres.password_file{note}")
        } else if *code == SqlState::INVALID_CATALOG_NAME {
            "check PGDATABASE or maintenance.postgres.dbname".to_owned()
        } else if *code == SqlState::TOO_MANY_CONNECTIONS {
            "all connections are in use; see who holds them with `pso-pgstats activity` as a superuser, or from PostgreSQL 16 \
             on as a role that has pg_use_reserved_connections"
                .to_owned()
        } else if *code == SqlState::CANNOT_CONNECT_NOW {
            "the server is starting up, shutting down or recovering; try again shortly".to_owned()
        } else {
            return anyhow!("{} (SQLSTATE {})", db.message(), code.code());
        };
        return anyhow!("{}; {hint}", db.message());
    }
    if let Some(io) = find_io(error) {
        return match io.kind() {
            std::io::ErrorKind::ConnectionRefused => {
                anyhow!("connection refused: is PostgreSQL running there? Check PGHOST, PGPORT or maintenance.postgres")
            }
            std::io::ErrorKind::NotFound => {
                anyhow!("there is no PostgreSQL socket in {}; check PGHOST and PGPORT", settings.host)
            }
            std::io::ErrorKind::TimedOut => anyhow!("no connection within {:?}", settings.connect_timeout),
            _ if cause.contains("certificate") => {
                anyhow!("{cause}; check PGSSLROOTCERT, and that PGHOST is a name that the certificate is for")
            }
            _ => anyhow!("{cause}"),
        };
    }
    if cause.contains("password missing") {
        let note = settings.password_note.as_deref().map_or_else(String::new, |note| format!(" ({note})"));
        return anyhow!(
            "the server wants a password and none was found; set PGPASSWORD, .pgpass or maintenance.postgres.password_file{note}"
        );
    }
    anyhow!("{error}: {cause}")
}

fn find_io<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a std::io::Error> {
    std::iter::successors(Some(error), |e| e.source()).find_map(|e| e.downcast_ref::<std::io::Error>())
}
