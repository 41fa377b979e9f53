//! Which server, as whom, how: libpq's variables and files, and ours.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use clap::Args;

use super::password::{PgpassTarget, from_pgpass};
use super::service::service_values;
use crate::Secret;
use crate::config::{Config, ConfigValue, FileConfig, Paths};

/// The flags with which a tool lets its PostgreSQL server be named. There is none for the password.
#[derive(Args, Clone, Debug, Default)]
pub struct PgArgs {
    /// PostgreSQL host name, address or socket folder [env: PGHOST] [default: localhost]
    #[arg(long, value_name = "HOST", help_heading = "PostgreSQL")]
    pub pg_host: Option<String>,

    /// PostgreSQL port [env: PGPORT] [default: 5432]
    #[arg(long, value_name = "PORT", help_heading = "PostgreSQL")]
    pub pg_port: Option<u16>,

    /// PostgreSQL database [env: PGDATABASE] [default: `planning_sync`]
    #[arg(long, value_name = "NAME", help_heading = "PostgreSQL")]
    pub pg_dbname: Option<String>,

    /// PostgreSQL user; the password comes from PGPASSWORD, a file or .pgpass [env: PGUSER] [default: `sync_user`]
    #[arg(long, value_name = "NAME", help_heading = "PostgreSQL")]
    pub pg_user: Option<String>,
}

/// libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// No TLS unless the server insists; treated as `prefer`, which differs only in what is tried first.
    Allow,
    /// TLS where the server offers it; its certificate is not looked at.
    Prefer,
    /// TLS; the certificate's chain is checked only where a root certificate is at hand, as libpq does.
    Require,
    /// TLS; the certificate's chain must lead to a trusted root.
    VerifyCa,
    /// TLS; chain and host name must be right.
    VerifyFull,
}

impl SslMode {
    /// libpq's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl ConfigValue for SslMode {
    const EXPECTED: &'static str = "an sslmode: disable, allow, prefer, require, verify-ca or verify-full";

    fn parse(text: &str) -> Option<Self> {
        [Self::Disable, Self::Allow, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull]
            .into_iter()
            .find(|mode| mode.as_str() == text)
    }

    fn show(&self) -> String {
        self.as_str().to_owned()
    }
}

/// Everything that a connection needs.
#[derive(Clone, Debug)]
pub struct PgSettings {
    /// Host name, address, or (beginning with `/`) the folder of a socket.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database.
    pub dbname: String,
    /// Role.
    pub user: String,
    /// Password, where one was found.
    pub password: Option<Secret>,
    /// TLS or not, and how strictly.
    pub sslmode: SslMode,
    /// File with root certificates; `system` means those of the operating system.
    pub sslrootcert: Option<PathBuf>,
    /// How long connecting and logging in may take.
    pub connect_timeout: Duration,
    /// The session's `statement_timeout`.
    pub statement_timeout: Duration,
    /// The session's `lock_timeout`.
    pub lock_timeout: Duration,
    /// Folder of `pg_dump` and `pg_restore`, where they are not to be searched for.
    pub bin_dir: Option<PathBuf>,
    /// Why `.pgpass` was not used, for the message when the password is refused.
    pub(super) password_note: Option<String>,
}

impl PgSettings {
    /// Resolves the connection: flags, `pg_service.conf`, `PG*` variables, `.pgpass`, file, defaults.
    ///
    /// # Errors
    /// When a layer holds a bad value, a named service does not exist, or a named password file cannot be read.
    pub fn resolve(config: &Config, paths: &Paths, args: &PgArgs) -> anyhow::Result<Self> {
        let file = config.read::<FileConfig>()?;
        let server = file.database.and_then(|database| database.postgres).unwrap_or_default();
        let section = file.maintenance.and_then(|maintenance| maintenance.postgres).unwrap_or_default();
        let service: Option<String> =
            config.pick("maintenance.postgres.service").env("PGSERVICE").file(&section.service).optional()?;
        let service = service_values(service.as_deref(), config.env())?;
        let from_service = |name: &str| service.values.get(name).cloned();

        let host: String = config
            .pick("maintenance.postgres.host")
            .flag(args.pg_host.clone())
            .other(&service.source, from_service("host"))
            .env("PGHOST")
            .file(&section.host)
            .file_at("database.postgres.host", &server.host)
            .or("localhost".to_owned())?;
        let port: u16 = config
            .pick("maintenance.postgres.port")
            .flag(args.pg_port)
            .other(&service.source, service.parse("port")?)
            .env("PGPORT")
            .file(&section.port)
            .file_at("database.postgres.port", &server.port)
            .or(5432)?;
        let dbname: String = config
            .pick("maintenance.postgres.dbname")
            .flag(args.pg_dbname.clone())
            .other(&service.source, from_service("dbname"))
            .env("PGDATABASE")
            .file(&section.dbname)
            .file_at("database.postgres.dbname", &server.dbname)
            .or("planning_sync".to_owned())?;
        let user: String = config
            .pick("maintenance.postgres.user")
            .flag(args.pg_user.clone())
            .other(&service.source, from_service("user"))
            .env("PGUSER")
            .file(&section.user)
            .file_at("database.postgres.user", &server.user)
            .or("sync_user".to_owned())?;

        for (value, what) in
            [(&host, "PGHOST or maintenance.postgres.host"), (&dbname, "PGDATABASE or maintenance.postgres.dbname")]
        {
            // It may hold a password, so it is neither sent to a server nor shown.
            ensure!(
                !value.contains("://") && !value.contains("password="),
                "{what}: expected a name, found a connection string; give its parts as PGHOST, PGPORT, PGDATABASE, PGUSER and \
                 PGPASSWORD"
            );
        }

        let password_file: Option<PathBuf> =
            config.pick("maintenance.postgres.password_file").file(&section.password_file).optional()?;
        let password_file = password_file.map(|path| paths.join(&path));
        let target = PgpassTarget { host: &host, port, dbname: &dbname, user: &user };
        let pgpass = from_pgpass(&target, config.env());
        let password = config
            .pick("maintenance.postgres.password")
            .other(&service.source, from_service("password").map(Secret::new))
            .env("PGPASSWORD")
            .other(&pgpass.source, pgpass.password)
            .secret_file(password_file.as_deref())
            .file(&section.password)
            .file_at("database.postgres.password", &server.password)
            .optional()?;

        Ok(Self {
            host,
            port,
            dbname,
            user,
            password,
            sslmode: config
                .pick("maintenance.postgres.sslmode")
                .other(&service.source, service.parse("sslmode")?)
                .env("PGSSLMODE")
                .file(&section.sslmode)
                .or(SslMode::Prefer)?,
            sslrootcert: config
                .pick("maintenance.postgres.sslrootcert")
                .other(&service.source, from_service("sslrootcert").map(PathBuf::from))
                .env("PGSSLROOTCERT")
                .file(&section.sslrootcert)
                .other("libpq's default", default_root(config))
                .optional()?,
            connect_timeout: bounded(
                config
                    .pick("maintenance.postgres.connect_timeout")
                    .other(&service.source, service.parse("connect_timeout")?)
                    .env("PGCONNECT_TIMEOUT")
                    .file(&section.connect_timeout)
                    .or(Duration::from_secs(5))?,
            ),
            statement_timeout: config
                .pick("maintenance.postgres.statement_timeout")
                .env("PSO_PG_STATEMENT_TIMEOUT")
                .file(&section.statement_timeout)
                .or(Duration::from_secs(5))?,
            lock_timeout: config
                .pick("maintenance.postgres.lock_timeout")
                .env("PSO_PG_LOCK_TIMEOUT")
                .file(&section.lock_timeout)
                .or(Duration::from_millis(50))?,
            bin_dir: config
                .pick("maintenance.postgres.bin_dir")
                .env("PSO_PG_BIN_DIR")
                .file(&section.bin_dir)
                .optional()?,
            password_note: pgpass.note,
        })
    }

    /// A server that nobody configured, because we have made it ourselves: no password, no TLS.
    #[must_use]
    pub fn own(host: &str, port: u16, dbname: &str, user: &str) -> Self {
        Self {
            host: host.to_owned(),
            port,
            dbname: dbname.to_owned(),
            user: user.to_owned(),
            password: None,
            sslmode: SslMode::Disable,
            sslrootcert: None,
            connect_timeout: Duration::from_secs(30),
            statement_timeout: Duration::ZERO,
            lock_timeout: Duration::ZERO,
            bin_dir: None,
            password_note: None,
        }
    }

    /// Where the server is, for messages: `localhost:5432/planning_sync as sync_user`.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{}:{}/{} as {}", self.host, self.port, self.dbname, self.user)
    }

    /// The same server, another database.
    #[must_use]
    pub fn with_dbname(&self, dbname: &str) -> Self {
        Self { dbname: dbname.to_owned(), ..self.clone() }
    }

    /// The environment with which PostgreSQL's own programs connect to this server. Everything is said, so that nothing
    /// of the caller's environment decides; the password is in it and on no command line.
    #[must_use]
    pub fn child_env(&self, application_name: &str) -> Vec<(&'static str, OsString)> {
        let mut env: Vec<(&'static str, OsString)> = vec![
            ("PGHOST", self.host.clone().into()),
            ("PGPORT", self.port.to_string().into()),
            ("PGDATABASE", self.dbname.clone().into()),
            ("PGUSER", self.user.clone().into()),
            ("PGSSLMODE", self.sslmode.as_str().into()),
            ("PGAPPNAME", application_name.into()),
            ("PGCONNECT_TIMEOUT", self.connect_timeout.as_secs().max(2).to_string().into()),
            ("PGCLIENTENCODING", "UTF8".into()),
        ];
        if let Some(password) = &self.password {
            env.push(("PGPASSWORD", password.expose().into()));
        }
        if let Some(root) = &self.sslrootcert {
            env.push(("PGSSLROOTCERT", root.clone().into()));
        }
        env
    }
}

/// libpq waits for ever when `connect_timeout` is 0; a maintenance run waits a minute.
const fn bounded(connect_timeout: Duration) -> Duration {
    if connect_timeout.is_zero() { Duration::from_secs(60) } else { connect_timeout }
}

/// `~/.postgresql/root.crt`, if it is there.
fn default_root(config: &Config) -> Option<PathBuf> {
    let folder = match config.env().path("APPDATA") {
        Some(data) if cfg!(windows) => data.join("postgresql"),
        _ => config.env().home()?.join(".postgresql"),
    };
    Some(folder.join("root.crt")).filter(|path: &PathBuf| Path::is_file(path))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::io::Env;

    fn resolve(text: &str, env: &[(&str, &str)], args: &PgArgs) -> (PgSettings, Config) {
        let mut variables = Env::default();
        for (name, value) in env {
            variables.set(name, value);
        }
        let config = Config::from_text("config/config.yaml", text, variables).expect("valid");
        let paths = Paths::resolve(&config).expect("valid");
        (PgSettings::resolve(&config, &paths, args).expect("valid"), config)
    }

    #[test]
    fn flags_beat_variables_beat_our_keys_beat_the_servers() {
        let text = "database: {postgres: {host: a, port: 1, dbname: b, user: c, password: p}}\n\
                    maintenance: {postgres: {host: m, port: 2}}\n";
        let args = PgArgs { pg_host: Some("flag".to_owned()), ..PgArgs::default() };
        let (settings, config) = resolve(text, &[("PGPORT", "3"), ("PGDATABASE", "")], &args);
        assert_eq!(settings.shown(), "flag:3/b as c");
        assert_eq!(settings.password.as_ref().map(Secret::expose), Some("p"));
        let shown: Vec<_> =
            config.effective().into_iter().map(|e| format!("{}={} {}", e.key, e.shown, e.source)).collect();
        assert!(shown.contains(&"maintenance.postgres.port=3 env PGPORT".to_owned()), "{shown:#?}");
        let password = "maintenance.postgres.password=*** config/config.yaml:1 (database.postgres.password)";
        assert!(shown.contains(&password.to_owned()), "{shown:#?}");
        assert!(!format!("{settings:?}").contains("\"p\""));
    }

    #[test]
    fn a_connection_string_is_no_name_and_its_password_is_not_shown() {
        for (name, value) in [
            ("PGHOST", "postgresql://me:hunter2@db.example/plans"),
            ("PGDATABASE", "postgres://me:hunter2@db.example/plans"),
            ("PGDATABASE", "host=db.example password=hunter2"),
        ] {
            let mut env = Env::default();
            env.set(name, value);
            let config = Config::from_text("config/config.yaml", "", env).expect("valid");
            let paths = Paths::resolve(&config).expect("valid");
            let error = PgSettings::resolve(&config, &paths, &PgArgs::default()).expect_err("refused");
            let error = format!("{error:#}");
            assert!(error.starts_with(name) && error.contains("connection string"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn pgpass_and_service_files_are_read_as_libpq_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let (pass, service) = (folder.path().join("pass"), folder.path().join("service.conf"));
        fs::write(&pass, "# c\nother:*:*:*:no\nh\\:1:*:db:me:s\\:ecret\\\\\n*:*:*:*:any\n").expect("written");
        fs::write(&service, "[x]\nhost=wrong\n[prod]\nhost=h:1\nport=7\ndbname=db\nuser=me\n").expect("written");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&pass, fs::Permissions::from_mode(0o600)).expect("mode");
        }
        let env = [
            ("PGPASSFILE", pass.to_str().expect("UTF-8")),
            ("PGSERVICEFILE", service.to_str().expect("UTF-8")),
            ("PGSERVICE", "prod"),
            ("PGHOST", "overruled"),
        ];
        let (settings, _) = resolve("", &env, &PgArgs::default());
        assert_eq!(settings.shown(), "h:1:7/db as me");
        assert_eq!(settings.password.as_ref().map(Secret::expose), Some("s:ecret\\"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&pass, fs::Permissions::from_mode(0o644)).expect("mode");
            let (settings, _) = resolve("", &env, &PgArgs::default());
            assert_eq!(settings.password, None);
            assert!(settings.password_note.is_some_and(|note| note.contains("chmod 600")));
        }
    }
}
