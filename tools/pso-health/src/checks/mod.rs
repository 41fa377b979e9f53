//! Which checks there are. A new one is a file of its own and a line in [`built_in`].

pub(crate) mod disk;
pub(crate) mod metrics;
mod postgres;
mod qdrant;
mod service;

use std::sync::Arc;

use crate::check::Check;

/// The checks of every deployment, in the order of their records.
pub(crate) fn built_in() -> Vec<Arc<dyn Check>> {
    vec![
        Arc::new(service::Service),
        Arc::new(metrics::Metrics),
        Arc::new(postgres::Postgres),
        Arc::new(qdrant::Qdrant),
        Arc::new(disk::Disk::default()),
    ]
}
