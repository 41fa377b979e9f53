//! A rehearsal in a cluster of our own.

use std::thread;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use pso_archive::Database;

use super::check::{Checked, check};
use super::cluster::{Cluster, Ground, MAINTENANCE};
use super::database::ident;
use super::dump::{Dump, extract};
use super::owner::Owner;
use super::programs::{Programs, wanted_major};
use super::restore::{Restored, restore};
use super::verdict::Verdict;
use crate::proof::Proof;
use crate::scratch::ensure_room;
use crate::task::{self, Outcome, Task};

/// What a new cluster and its write-ahead log take, in bytes.
const CLUSTER_BYTES: u64 = 256 << 20;
/// How much a restored database takes for each byte of its dump: rows, their headers, and indexes.
const PER_DUMP_BYTE: u64 = 2;
/// Databases that every cluster has, and that cannot be made.
const TEMPLATES: [&str; 2] = ["template0", "template1"];

/// Restores into a cluster of our own. What comes of it is in `outcome`, whatever happens.
///
/// # Errors
/// When nobody can tell.
pub(super) fn rehearse(task: &mut Task<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    let databases = task.archive.manifest().databases.clone();
    if databases.is_empty() {
        outcome.proof.leave("there is no database in the archive");
        return Ok(());
    }
    let major = wanted_major(task.archive.manifest());
    let programs = match Programs::find(major, task.settings, task.env) {
        Ok(programs) => programs,
        Err(missing) => {
            outcome.proof.cannot_tell(missing);
            return Ok(());
        }
    };
    let began = Instant::now();
    let owner = Owner::choose(task.settings)?;
    make_way(task, owner.as_ref())?;
    ensure_room(&task.folder, room(task, &databases))?;
    let folder = task.folder.clone();
    let ground = Ground {
        programs: &programs,
        owner: owner.clone(),
        folder: &folder,
        jobs: task.settings.jobs,
        env: task.env,
        cancel: task.cancel,
    };
    task.progress(format!("making a scratch cluster of PostgreSQL {}", programs.initdb.version));
    // Both take a while, and neither needs the other.
    let (cluster, first) = thread::scope(|scope| {
        let cluster = scope.spawn(|| Cluster::start(&ground));
        let first = databases.first().map(|database| extract(task, database, 0, owner.as_ref())).transpose();
        (cluster.join().unwrap_or_else(|_| Err(anyhow!("making the scratch cluster has crashed"))), first)
    });
    let mut cluster = cluster?;
    let mut first = first?;
    tell_version(major, &cluster, &mut outcome.proof);
    if let Some(globals) = &task.archive.manifest().globals {
        // It would create tablespaces, outside of our folder.
        outcome.proof.leave(format!("{globals} was not executed: the roles were made by their names only"));
    }
    let mut restored = Vec::new();
    let mut all = true;
    for (number, database) in databases.iter().enumerate() {
        let dump = match first.take() {
            Some(dump) => dump,
            None => extract(task, database, number, owner.as_ref())?,
        };
        task.progress(format!("restoring {}", database.name));
        match into_cluster(&ground, &cluster, (&dump, database), &mut outcome.proof)? {
            Some(name) => restored.push((database, dump, name)),
            None => all = false,
        }
    }
    let ended = Instant::now();
    let mut bytes = 0;
    for (database, dump, name) in &restored {
        task.progress(format!("checking {}", database.name));
        let checked = Checked {
            settings: cluster.settings(name),
            database,
            indexed: dump.indexed.as_ref().ok(),
            jobs: ground.jobs,
            cancel: ground.cancel,
        };
        let mut proof = Proof::default();
        bytes += size(&cluster, name)?;
        let rows = check(&checked, &mut proof).map_err(|error| match cluster.is_running() {
            true => error,
            false => error.context(format!("the scratch server has ended: {}", cluster.log.last_words())),
        });
        let several = databases.len() > 1;
        // What was found before it failed stays found.
        outcome.proof.take(&if several { proof.named(&database.name) } else { proof });
        let rows = rows?;
        let rows = rows.into_iter().map(|(table, rows)| match several {
            true => (format!("{}:{table}", database.name), rows),
            false => (table, rows),
        });
        outcome.rows.extend(rows);
    }
    if all {
        outcome.restored = Some(task::Restored { began, ended, bytes });
    }
    cluster.stop();
    Ok(())
}

/// Lets the cluster's user through to its own folder, which nobody else can enter.
fn make_way(task: &Task<'_>, owner: Option<&Owner>) -> anyhow::Result<()> {
    if owner.is_some() {
        for folder in [task.place.path(), &task.folder] {
            pass_through(folder).with_context(|| format!("let others pass through {}", folder.display()))?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn pass_through(folder: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))
}

#[cfg(not(unix))]
fn pass_through(_folder: &std::path::Path) -> std::io::Result<()> {
    Ok(())
}

/// The dumps as files, the databases, and the cluster itself.
fn room(task: &Task<'_>, databases: &[Database]) -> u64 {
    let sizes = databases.iter().filter_map(|database| task.archive.manifest().entry(&database.entry));
    let dumps: u64 = sizes.map(|entry| entry.size).sum();
    dumps.saturating_mul(1 + PER_DUMP_BYTE).saturating_add(CLUSTER_BYTES)
}

fn tell_version(wanted: u32, cluster: &Cluster, proof: &mut Proof) {
    let here = cluster.major;
    if here > wanted {
        proof.leave(format!(
            "it was restored into PostgreSQL {here}, since {wanted} is not installed here: that {wanted} takes it too is not tried"
        ));
    }
}

/// Refutes a dump that can be seen not to be whole; there is nothing to restore then.
pub(super) fn refuse_broken(dump: &Dump, database: &Database, proof: &mut Proof) -> bool {
    let Ok(indexed) = &dump.indexed else { return false };
    let without = indexed.without_data();
    if let Some(broken) = &indexed.broken {
        proof.refute(format!("the dump of {} breaks off: {broken}", database.name));
    }
    for table in &without {
        proof.refute(format!("the dump has no rows of {table}, not even none"));
    }
    let is_broken = indexed.broken.is_some() || !without.is_empty();
    if is_broken {
        proof.leave(format!("{} was not restored, since its dump is not whole", database.name));
    }
    is_broken
}

/// The name of the database that a dump was restored into; `None` where it cannot be restored, which `proof` says.
fn into_cluster(
    ground: &Ground<'_>,
    cluster: &Cluster,
    (dump, database): (&Dump, &Database),
    proof: &mut Proof,
) -> anyhow::Result<Option<String>> {
    if refuse_broken(dump, database, proof) {
        return Ok(None);
    }
    let name = match database.name.as_str() {
        name if TEMPLATES.contains(&name) => format!("rehearsed_{name}"),
        "postgres" => {
            let mut admin = cluster.connect(MAINTENANCE)?;
            admin
                .batch_execute(&format!("DROP DATABASE {}", ident("postgres")))
                .context("make room for the database")?;
            "postgres".to_owned()
        }
        name => name.to_owned(),
    };
    match restore(ground, cluster, (dump, database, &name), proof)? {
        Restored::Whole => {
            proof.prove(format!("{} was restored into PostgreSQL {} without an error", database.name, cluster.major));
            std::fs::remove_file(&dump.file).with_context(|| format!("remove {}", dump.file.display()))?;
            Ok(Some(name))
        }
        Restored::Failed(Verdict::Archive(reason)) => {
            proof.refute(format!("{} cannot be restored: {reason}", database.name));
            Ok(None)
        }
        Restored::Failed(Verdict::Machine(reason)) => {
            Err(anyhow!("{} could not be restored here: {reason}", database.name))
        }
    }
}

fn size(cluster: &Cluster, name: &str) -> anyhow::Result<u64> {
    let mut client = cluster.connect(name)?;
    let row = client.query_one("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())", &[])?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or_default())
}
