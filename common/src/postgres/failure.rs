//! Why there is no session.

use std::fmt;
use std::io;

use postgres::Error;
use postgres::error::SqlState;

use super::settings::PgSettings;
use crate::net::NetError;
use crate::record::Layer;
use crate::tls::TlsFault;

/// Why there is no session with PostgreSQL; in the chain of [`super::connect()`]'s errors, where `downcast_ref` finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectFailure {
    /// How far it came.
    pub stage: ConnectStage,
    pub(super) message: String,
}

/// How far connecting came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectStage {
    /// Not beyond this machine: a certificate file that cannot be read, a thread that cannot be started.
    Prepare,
    /// The host's name does not resolve, or not in time.
    Resolve,
    /// Nobody listens there, or there is no such socket.
    Refused,
    /// There is no way to that host, or this machine does not permit it.
    Unreachable,
    /// No connection in time.
    ConnectTimeout,
    /// Connected, but there is no TLS, or none that may be trusted.
    Tls(TlsFault),
    /// Connected, but the server does not let us in; its SQLSTATE where it said one.
    Login(Option<String>),
    /// The server is starting up, shutting down or recovering (SQLSTATE 57P03).
    StartingUp,
    /// Connected, but then no answer, or none to the end.
    Read,
}

impl ConnectFailure {
    pub(super) fn new(stage: ConnectStage, message: impl Into<String>) -> Self {
        Self { stage, message: message.into() }
    }

    /// The layer, as `health.check` has it; none where the attempt did not leave this machine.
    #[must_use]
    pub const fn layer(&self) -> Option<Layer> {
        match self.stage {
            ConnectStage::Prepare => None,
            ConnectStage::Resolve => Some(Layer::Resolve),
            ConnectStage::Refused | ConnectStage::Unreachable | ConnectStage::ConnectTimeout => Some(Layer::Connect),
            ConnectStage::Tls(_) => Some(Layer::Tls),
            ConnectStage::Login(_) | ConnectStage::StartingUp => Some(Layer::Login),
            ConnectStage::Read => Some(Layer::Read),
        }
    }

    /// A host that could not be found or reached.
    pub(super) fn of_net(error: &NetError) -> Self {
        let stage = match error {
            NetError::Refused => ConnectStage::Refused,
            NetError::Timeout(_) => ConnectStage::ConnectTimeout,
            error if error.is_resolve() => ConnectStage::Resolve,
            _ => ConnectStage::Unreachable,
        };
        Self::new(stage, format!("{error}; check PGHOST"))
    }

    /// What the driver reports, with what the user can do about it.
    pub(super) fn of_driver(error: &Error, settings: &PgSettings) -> Self {
        let cause = std::iter::successors(Some(error as &dyn std::error::Error), |e| e.source())
            .last()
            .map_or_else(String::new, ToString::to_string);
        let note = settings.password_note.as_deref().map_or_else(String::new, |note| format!(" ({note})"));
        if let Some(db) = error.as_db_error() {
            let said = match login_hint(db.code(), settings, &note) {
                Some(hint) => format!("{}; {hint}", db.message()),
                None => format!("{} (SQLSTATE {})", db.message(), db.code().code()),
            };
            let starting = *db.code() == SqlState::CANNOT_CONNECT_NOW;
            let login = || ConnectStage::Login(Some(db.code().code().to_owned()));
            return Self::new(if starting { ConnectStage::StartingUp } else { login() }, said);
        }
        // The driver's errors have no kind that one may ask for, but a text of their own each.
        let what = error.to_string();
        if what.starts_with("error performing TLS handshake") {
            let fault = tls_fault(error, &cause);
            let hint = match &fault {
                TlsFault::NotOffered => "; check PGSSLMODE, or switch ssl on at the server",
                fault if fault.is_lasting() => {
                    "; check PGSSLROOTCERT, and that PGHOST is a name that the certificate is for"
                }
                _ => "",
            };
            return Self::new(ConnectStage::Tls(fault.clone()), format!("TLS failed: {fault}{hint}"));
        }
        if what.starts_with("error connecting to server") {
            return Self::of_connect(find_io(error), &cause, settings);
        }
        if cause.contains("password missing") {
            let said = format!(
                "the server wants a password and none was found; set PGPASSWORD, .pgpass or \
                 maintenance.postgres.password_file{note}"
            );
            return Self::new(ConnectStage::Login(None), said);
        }
        if what.starts_with("authentication error") {
            return Self::new(ConnectStage::Login(None), format!("{what}: {cause}"));
        }
        match find_io(error) {
            // In TLS 1.3 a server that wants a client certificate says so after the handshake.
            Some(io) if TlsFault::inside(io).is_some() => {
                let fault = TlsFault::of_handshake(io);
                Self::new(ConnectStage::Tls(fault.clone()), format!("TLS failed: {fault}"))
            }
            Some(_) => Self::new(ConnectStage::Read, cause),
            None => Self::new(ConnectStage::Read, format!("{error}: {cause}")),
        }
    }

    fn of_connect(error: Option<&io::Error>, cause: &str, settings: &PgSettings) -> Self {
        use io::ErrorKind as Kind;
        match error.map(io::Error::kind) {
            Some(Kind::ConnectionRefused) => Self::new(
                ConnectStage::Refused,
                "connection refused: is PostgreSQL running there? Check PGHOST, PGPORT or maintenance.postgres",
            ),
            Some(Kind::NotFound) => Self::new(
                ConnectStage::Refused,
                format!("there is no PostgreSQL socket in {}; check PGHOST and PGPORT", settings.host),
            ),
            Some(Kind::TimedOut) => {
                Self::new(ConnectStage::ConnectTimeout, format!("no connection within {:?}", settings.connect_timeout))
            }
            _ => Self::new(ConnectStage::Unreachable, cause),
        }
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConnectFailure {}

/// What the user can do about a refusal of the server.
fn login_hint(code: &SqlState, settings: &PgSettings, note: &str) -> Option<String> {
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
        "all connections are in use; see who holds them with `pso-pgstats activity` as a superuser, or from PostgreSQL 16 on as \
         a role that has pg_use_reserved_connections"
            .to_owned()
    } else if *code == SqlState::CANNOT_CONNECT_NOW {
        "the server is starting up, shutting down or recovering; try again shortly".to_owned()
    } else {
        return None;
    };
    Some(hint)
}

fn tls_fault(error: &Error, cause: &str) -> TlsFault {
    match find_io(error) {
        Some(io) => TlsFault::of_handshake(io),
        // The driver's words for the server's answer `N`.
        None if cause.contains("server does not support TLS") => TlsFault::NotOffered,
        None => TlsFault::Other(cause.to_owned()),
    }
}

fn find_io<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    std::iter::successors(Some(error), |e| e.source()).find_map(|e| e.downcast_ref::<io::Error>())
}
