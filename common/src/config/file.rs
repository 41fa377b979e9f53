//! The part of `config/config.yaml` that more than one tool reads.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Field, ListField};

/// The file as the connections see it: the server's own keys, and ours under `maintenance:`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FileConfig {
    pub(crate) database: Option<Database>,
    pub(crate) monitoring: Option<Monitoring>,
    pub(crate) maintenance: Option<Maintenance>,
}

/// The server's connections; keys that we do not know are the server's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Database {
    pub(crate) postgres: Option<ServerPostgres>,
    pub(crate) qdrant: Option<ServerQdrant>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ServerPostgres {
    pub(crate) host: Field,
    pub(crate) port: Field,
    pub(crate) dbname: Field,
    pub(crate) user: Field,
    pub(crate) password: Field,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ServerQdrant {
    pub(crate) host: Field,
    pub(crate) port: Field,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Monitoring {
    pub(crate) port: Field,
}

/// Ours. The sections of single tools are read by those tools; here they are only known by name.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Maintenance {
    pub(crate) root: Field,
    pub(crate) paths: Option<PathsSection>,
    pub(crate) service: Option<ServiceSection>,
    pub(crate) postgres: Option<PostgresSection>,
    pub(crate) qdrant: Option<QdrantSection>,
    health: IgnoredAny,
    logscan: IgnoredAny,
    pgstats: IgnoredAny,
    backup: IgnoredAny,
    restore: IgnoredAny,
    alert: IgnoredAny,
    rehearse: IgnoredAny,
    prune: IgnoredAny,
    audit: IgnoredAny,
    report: IgnoredAny,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PathsSection {
    pub(crate) config: Field,
    pub(crate) logs: Field,
    pub(crate) plans: Field,
    pub(crate) scripts: Field,
    pub(crate) backups: Field,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServiceSection {
    pub(crate) url: Field,
    pub(crate) token_file: Field,
    pub(crate) ca_file: Field,
    pub(crate) timeout: Field,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PostgresSection {
    pub(crate) host: Field,
    pub(crate) port: Field,
    pub(crate) dbname: Field,
    pub(crate) user: Field,
    pub(crate) password: Field,
    pub(crate) password_file: Field,
    pub(crate) service: Field,
    pub(crate) sslmode: Field,
    pub(crate) sslrootcert: Field,
    pub(crate) connect_timeout: Field,
    pub(crate) statement_timeout: Field,
    pub(crate) lock_timeout: Field,
    pub(crate) bin_dir: Field,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct QdrantSection {
    pub(crate) url: Field,
    pub(crate) api_key: Field,
    pub(crate) api_key_file: Field,
    pub(crate) ca_file: Field,
    pub(crate) collections: ListField,
    pub(crate) connect_timeout: Field,
    pub(crate) timeout: Field,
    pub(crate) snapshot_timeout: Field,
}
