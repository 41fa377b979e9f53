//! A rehearsal in a cluster of our own.

use std::time::Instant;

use anyhow::{Context as _, anyhow};
use pso_archive::Database;
use pso_archive::load::Broken;

use super::check::{Checked, check};
use super::cluster::{APPLICATION, CLUSTER, Cluster, Ground, MAINTENANCE, MAX_WAL_SIZE};
use super::database::{create, ident};
use super::dump::Dump;
use super::left_out::left_out;
use super::owner::Owner;
use super::programs::{Programs, wanted_major};
use super::restore::{Restored, Target, conninfo, left_by_list};
use super::roles;
use super::verdict::{Unlike, Verdict, judge, judge_rows};
use crate::proof::Proof;
use crate::scratch::ensure_room;
use crate::task::{self, Outcome, Task};

/// What a new cluster and its write-ahead log take, in bytes.
const CLUSTER_BYTES: u64 = 256 << 20;
/// What the write-ahead log takes at most, in bytes: `max_wal_size` is no hard limit.
const WAL_BYTES: u64 = 2 * MAX_WAL_SIZE;
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
    let mut cluster = Cluster::start(&ground)?;
    tell_version(major, &cluster, &mut outcome.proof);
    if let Some(globals) = &task.archive.manifest().globals {
        // It would create tablespaces, outside of our folder.
        outcome.proof.leave(format!("{globals} was not executed: the roles were made by their names only"));
    }
    let mut restored = Vec::new();
    let mut all = true;
    for (number, database) in databases.iter().enumerate() {
        let dump = Dump::look(task, database, number, owner.as_ref())?;
        task.progress(format!("restoring {}", database.name));
        let came = into_cluster(task, (&ground, &cluster), (&dump, database), &mut outcome.proof);
        match came.map_err(|error| or_its_end(error, &cluster))? {
            Some((name, large_objects)) => restored.push((database, dump, name, large_objects)),
            None => all = false,
        }
    }
    let ended = Instant::now();
    let mut bytes = 0;
    for (database, dump, name, large_objects) in &restored {
        task.progress(format!("checking {}", database.name));
        let checked = Checked {
            settings: cluster.settings(name),
            database,
            toc: dump.toc.as_ref().ok(),
            large_objects: *large_objects,
            jobs: ground.jobs,
            cancel: ground.cancel,
        };
        let mut proof = Proof::default();
        bytes += size(&cluster, name)?;
        let rows = check(&checked, &mut proof).map_err(|error| or_its_end(error, &cluster));
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

/// A session that breaks off says nothing of why the server is gone.
fn or_its_end(error: anyhow::Error, cluster: &Cluster) -> anyhow::Error {
    match cluster.is_running() {
        true => error,
        false => error.context(format!("the scratch server has ended: {}", cluster.log.last_words())),
    }
}

/// The databases, their write-ahead log, and the cluster itself.
fn room(task: &Task<'_>, databases: &[Database]) -> u64 {
    let sizes = databases.iter().filter_map(|database| task.archive.manifest().entry(&database.entry));
    let dumps: u64 = sizes.map(|entry| entry.size).sum();
    dumps.saturating_mul(PER_DUMP_BYTE).saturating_add(dumps.min(WAL_BYTES)).saturating_add(CLUSTER_BYTES)
}

fn tell_version(wanted: u32, cluster: &Cluster, proof: &mut Proof) {
    let here = cluster.major;
    if here > wanted {
        proof.leave(format!(
            "it was restored into PostgreSQL {here}, since {wanted} is not installed here: that {wanted} takes it too is not tried"
        ));
    }
}

/// Says of a dump that it is not whole.
pub(super) fn tell_broken(broken: &Broken, database: &Database, proof: &mut Proof) {
    match broken {
        Broken::BreaksOff(why) => proof.refute(format!("the dump of {} breaks off: {why}", database.name)),
        Broken::WithoutRows(tables) => {
            tables.iter().for_each(|table| proof.refute(format!("the dump has no rows of {table}, not even none")));
        }
    }
    proof.leave(format!("{} was not restored to its end, since its dump is not whole", database.name));
}

/// The name of the database that a dump was restored into, and how many large objects were in it; `None` where it cannot be
/// restored, which `proof` says.
fn into_cluster(
    task: &mut Task<'_>,
    (ground, cluster): (&Ground<'_>, &Cluster),
    (dump, database): (&Dump, &Database),
    proof: &mut Proof,
) -> anyhow::Result<Option<(String, Option<u64>)>> {
    let mut admin = cluster.connect(MAINTENANCE)?;
    let name = match database.name.as_str() {
        name if TEMPLATES.contains(&name) => format!("rehearsed_{name}"),
        "postgres" => {
            let drop = format!("DROP DATABASE {}", ident("postgres"));
            admin.batch_execute(&drop).context("make room for the database")?;
            "postgres".to_owned()
        }
        name => name.to_owned(),
    };
    let locale = create(&mut admin, &name, database)?;
    if let Some(locale) = &locale {
        proof.leave(format!("the locale {locale} is not on this machine: text was sorted by its bytes"));
    }
    let left = match &dump.toc {
        Ok(toc) => {
            roles::make(&mut admin, &roles::of_toc(toc))?;
            left_out(toc)
        }
        Err(reason) => {
            proof.leave(format!("owners and privileges were not restored: {reason}"));
            let list = ground.folder.join(CLUSTER).join("list");
            left_by_list(ground.command(&ground.programs.pg_restore), dump, &list, ground.cancel)?
        }
    };
    left.reasons.iter().for_each(|reason| proof.leave(reason));
    let dumped = database.server_version_num / 10_000;
    let newer = Some((dumped, cluster.major)).filter(|_| dumped < cluster.major);
    let unlike = Unlike { newer, locale };
    let mark = cluster.log.mark();
    let settings = cluster.settings_of_programs(&name);
    let program = || {
        let mut command = ground.command(&ground.programs.pg_restore);
        command.envs(settings.child_env(APPLICATION)).arg("--dbname").arg(conninfo(&name));
        command.current_dir(&cluster.socket.folder);
        if dump.toc.is_err() {
            command.args(["--no-owner", "--no-privileges"]);
        }
        command
    };
    let target = Target {
        program: &program,
        own: &cluster.settings(&name),
        left: &left,
        folder: ground.folder,
        owner: ground.owner.as_ref(),
        jobs: ground.jobs,
        cancel: ground.cancel,
    };
    let restored = target.restore(&mut task.archive, dump)?;
    let complaints = cluster.log.since(mark);
    let verdict = match restored {
        Restored::Whole { large_objects } => {
            proof.prove(format!("{} was restored into PostgreSQL {} without an error", database.name, cluster.major));
            if let Some(file) = &dump.file {
                std::fs::remove_file(file).with_context(|| format!("remove {}", file.display()))?;
            }
            return Ok(Some((name, large_objects)));
        }
        Restored::Broken(broken) => {
            tell_broken(&broken, database, proof);
            return Ok(None);
        }
        Restored::Program(ended) => judge(&ended, &complaints, cluster.is_running(), &unlike),
        Restored::Rows(refused) => judge_rows(&refused, &complaints, cluster.is_running(), &unlike),
    };
    match verdict {
        Verdict::Archive(reason) => {
            proof.refute(format!("{} cannot be restored: {reason}", database.name));
            Ok(None)
        }
        Verdict::Machine(reason) => Err(anyhow!("{} could not be restored here: {reason}", database.name)),
    }
}

fn size(cluster: &Cluster, name: &str) -> anyhow::Result<u64> {
    let mut client = cluster.connect(name)?;
    let row = client.query_one("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())", &[])?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or_default())
}
