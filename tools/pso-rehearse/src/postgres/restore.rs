//! `pg_restore`: one dump into one database.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use pso_archive::{Database, private_file};
use pso_common::io::Cancel;

use super::child;
use super::cluster::{APPLICATION, CLUSTER, Cluster, Ground, MAINTENANCE};
use super::database::{create, ident};
use super::dump::Dump;
use super::left_out::{LeftOut, left_out, left_out_of_list};
use super::owner::Owner;
use super::roles;
use super::verdict::{Unlike, Verdict, judge};
use crate::proof::Proof;

/// A list of contents that is longer than this is not one (bytes): some 300,000 objects.
const LIST: u64 = 32 << 20;

/// What became of a dump.
#[derive(Debug)]
pub(super) enum Restored {
    /// All of it is there.
    Whole,
    /// It is not.
    Failed(Verdict),
}

/// Makes a database and restores a dump into it. What could not be as it was there, `proof` says.
///
/// # Errors
/// When nobody can tell: the machine fails, or the run is to stop.
pub(super) fn restore(
    ground: &Ground<'_>,
    cluster: &Cluster,
    (dump, database, name): (&Dump, &Database, &str),
    proof: &mut Proof,
) -> anyhow::Result<Restored> {
    let mut admin = cluster.connect(MAINTENANCE)?;
    let locale = create(&mut admin, name, database)?;
    if let Some(locale) = &locale {
        proof.leave(format!("the locale {locale} is not on this machine: text was sorted by its bytes"));
    }
    let left = match &dump.indexed {
        Ok(indexed) => {
            make_roles(&mut admin, &roles::of_toc(&indexed.toc))?;
            left_out(&indexed.toc)
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
    let settings = cluster.settings_of_programs(name);
    let mut command = ground.command(&ground.programs.pg_restore);
    command.envs(settings.child_env(APPLICATION)).arg("--dbname").arg(conninfo(name));
    command.current_dir(&cluster.socket.folder);
    if dump.indexed.is_err() {
        command.args(["--no-owner", "--no-privileges"]);
    }
    options(&mut command, ground.jobs, ground.owner.as_ref(), (dump, &left))?;
    let ended = child::run(command, &ground.folder.join("pg_restore.log"), ground.cancel)?;
    if ended.status.success() {
        return Ok(Restored::Whole);
    }
    Ok(Restored::Failed(judge(&ended, &cluster.log.since(mark), cluster.is_running(), &unlike)))
}

/// What is left out of a dump whose form is not known here: `command` is a `pg_restore` that writes into the file `list`.
pub(super) fn left_by_list(mut command: Command, dump: &Dump, list: &Path, cancel: &Cancel) -> anyhow::Result<LeftOut> {
    command.arg("--list").arg("--file").arg(list).arg("--").arg(&dump.file);
    let listed = child::run(command, &dump.file.with_extension("log"), cancel)?;
    // Where it cannot be listed, restoring it says why.
    Ok(if listed.status.success() { left_out_of_list(&child::beginning(list, LIST)?) } else { LeftOut::default() })
}

/// A name of a database may look like a connection string.
pub(super) fn conninfo(dbname: &str) -> String {
    format!("dbname='{}'", dbname.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// How a dump is restored: with all jobs, stopping at the first error, and into no folder but the server's own.
pub(super) fn options(
    command: &mut Command,
    jobs: usize,
    owner: Option<&Owner>,
    (dump, left): (&Dump, &LeftOut),
) -> anyhow::Result<()> {
    command.arg("--jobs").arg(jobs.to_string());
    command.args(["--exit-on-error", "--no-password", "--no-tablespaces"]);
    if let Some(list) = left.list(dump.indexed.as_ref().ok().map(|indexed| &indexed.toc)) {
        let path = dump.file.with_extension("list");
        let context = || format!("write {}", path.display());
        let mut file = private_file(&path).with_context(context)?;
        file.write_all(list.as_bytes()).with_context(context)?;
        if let Some(owner) = owner {
            owner.give(&path).with_context(context)?;
        }
        command.arg("--use-list").arg(path);
    }
    command.arg("--").arg(&dump.file);
    Ok(())
}

/// The roles that the dump names. They may not even log in.
fn make_roles(admin: &mut pso_common::postgres::Client, roles: &BTreeSet<String>) -> anyhow::Result<()> {
    let rows = admin.query("SELECT rolname::text FROM pg_catalog.pg_roles", &[]).context("list the roles")?;
    let there: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    for role in roles.difference(&there) {
        let sql = format!("CREATE ROLE {} NOLOGIN", ident(role));
        admin.batch_execute(&sql).with_context(|| format!("make the role {role}"))?;
    }
    Ok(())
}
