//! Which checks there are. A new one is a file of its own and a line in [`built_in`].

pub(crate) mod backups;
pub(crate) mod certificates;
mod clock;
pub(crate) mod disk;
mod host;
pub(crate) mod logs;
pub(crate) mod metrics;
mod plans;
mod ports;
mod postgres;
mod qdrant;
mod service;
pub(crate) mod targets;
mod token;

use std::sync::Arc;

use crate::check::Check;

/// The checks of every deployment, in the order of their records.
pub(crate) fn built_in() -> Vec<Arc<dyn Check>> {
    vec![
        Arc::new(service::Service),
        Arc::new(metrics::Metrics),
        Arc::new(postgres::Postgres),
        Arc::new(qdrant::Qdrant),
        Arc::new(token::Token),
        Arc::new(certificates::Certificates),
        Arc::new(ports::Ports),
        Arc::new(host::Host::default()),
        Arc::new(clock::Clock),
        Arc::new(disk::Disk::default()),
        Arc::new(backups::Backups),
        Arc::new(logs::Logs),
        Arc::new(plans::Plans),
    ]
}
