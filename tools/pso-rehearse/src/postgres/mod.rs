//! The database: restored into a cluster that lives in the private folder only, counted and checked.
//!
//! What that means for a dump that was made to do harm: restoring a dump executes its SQL as superuser, here as on the day
//! when it is needed. In the scratch cluster that is a superuser of nothing else, but its server runs as a user of this
//! machine, who can start programs (`COPY … TO PROGRAM`, untrusted languages) and open sockets. So it runs as an ordinary
//! user, with an environment of its own in which no password is found, and can write into its own folder only; when we are
//! root that user is `postgres`, who may own a real cluster here, unless `--user` names another, which is better. Nothing of
//! the dump is ever given to psql, the archive's roles and tablespaces are not executed, and what would connect to another
//! server by itself (subscriptions, materialized views of foreign tables) is left out. What comes from a stranger belongs on
//! a machine of its own.
//!
//! There is no limit of time: nobody can tell a restore that never ends from a large one. `timeout 6h pso-rehearse …` sends
//! a signal, after which nothing is left and the record says so.

mod check;
mod child;
mod cluster;
mod database;
mod dump;
mod ending;
mod left_out;
mod memory;
mod owner;
mod programs;
mod restore;
mod roles;
mod scratch_cluster;
mod scratch_database;
mod server;
mod server_log;
mod socket;
mod verdict;

pub(crate) use ending::end_leftover;

/// Where the cluster lies in the private folder; beside it its socket.
pub(crate) const DATA_FOLDER: &str = "postgres/cluster/data";

use crate::task::{Outcome, Task};

/// Restores the databases of the archive and compares them with the manifest.
///
/// # Errors
/// When nobody can tell whether they can be restored.
pub(crate) fn rehearse(task: &mut Task<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let result = match &task.settings.server {
        Some(dsn) => server::rehearse(task, dsn, &mut outcome),
        None => scratch_cluster::rehearse(task, &mut outcome),
    };
    task.cancel.check()?;
    if let Err(error) = result {
        // What was refuted before stays so.
        outcome.proof.cannot_tell(format!("{error:#}"));
    }
    Ok(outcome)
}
