//! `--server`: a rehearsal in scratch databases on somebody's server, which touches nothing else there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Context as _, anyhow, ensure};
use pso_archive::{Database, command};
use pso_common::io::host_name;
use pso_common::postgres::{Client, PgSettings, Program, Purpose, connect, find_program};

use super::check::{Checked, check};
use super::cluster::APPLICATION;
use super::database::{create, literal};
use super::dump::Dump;
use super::left_out::{LeftOut, left_out};
use super::programs::wanted_major;
use super::restore::{Restored, Target, conninfo, left_by_list};
use super::roles;
use super::scratch_cluster::tell_broken;
use super::scratch_database::ScratchDatabase;
use super::verdict::{Verdict, judge_elsewhere, judge_rows_elsewhere};
use crate::proof::Proof;
use crate::task::{self, Outcome, Task};

/// The server and what may be done there.
struct Server {
    settings: PgSettings,
    admin: Client,
    /// What the admin session is called, and with it the databases.
    name: String,
    major: u32,
    is_superuser: bool,
}

/// Restores into databases on that server. What comes of it is in `outcome`, whatever happens.
///
/// # Errors
/// When nobody can tell.
pub(super) fn rehearse(task: &mut Task<'_>, dsn: &str, outcome: &mut Outcome) -> anyhow::Result<()> {
    let databases = task.archive.manifest().databases.clone();
    let began = Instant::now();
    let mut server = Server::open(task, dsn)?;
    server.drop_leftovers(task, &mut outcome.proof)?;
    let of_dump = databases.iter().map(|database| database.server_version_num / 10_000).max().unwrap_or_default();
    ensure!(
        server.major >= of_dump,
        "the server has PostgreSQL {}, and the dump is of {of_dump}: name one that is not older",
        server.major
    );
    outcome.proof.leave(
        "owners and privileges were not restored, since roles are the server's own: a rehearsal without --server tries them",
    );
    let program_major = wanted_major(task.archive.manifest());
    let pg_restore = find_program("pg_restore", program_major, task.settings.bin_dir.as_deref(), task.env)?;
    let (mut ended, mut bytes, mut all) = (began, 0, true);
    let several = databases.len() > 1;
    for (number, database) in databases.iter().enumerate() {
        let dump = Dump::look(task, database, number, None)?;
        let mut proof = Proof::default();
        let name = format!("{}_{number}", server.name);
        let (scratch, locale) = server.make(&name, database, task)?;
        if let Some(locale) = &locale {
            proof.leave(format!("the server does not have the locale {locale}: text was sorted by its bytes"));
        }
        task.progress(format!("restoring {} into {name}", database.name));
        let left = server.left(task, (&dump, &pg_restore), &mut proof)?;
        let program = || {
            let mut program = command(&pg_restore, None, task.env);
            program.envs(server.settings.child_env(APPLICATION)).env("LC_ALL", "C");
            program.arg("--dbname").arg(conninfo(&name)).args(["--no-owner", "--no-privileges"]);
            program
        };
        let own = server.settings.with_dbname(&name);
        let target = Target {
            program: &program,
            own: &own,
            left: &left,
            folder: &task.folder,
            owner: None,
            jobs: task.settings.jobs,
            cancel: task.cancel,
        };
        let verdict = match target.restore(&mut task.archive, &dump)? {
            Restored::Whole { large_objects } => Ok(large_objects),
            Restored::Broken(broken) => {
                tell_broken(&broken, database, &mut proof);
                Err(None)
            }
            Restored::Program(ended) => Err(Some(judge_elsewhere(&ended))),
            Restored::Rows(refused) => Err(Some(judge_rows_elsewhere(&refused))),
        };
        let checked = match verdict {
            Ok(large_objects) => {
                ended = Instant::now();
                proof.prove(format!("{} was restored on {} without an error", database.name, server.settings.host));
                let checked = Checked {
                    settings: own,
                    database,
                    toc: dump.toc.as_ref().ok(),
                    large_objects,
                    jobs: task.settings.jobs,
                    cancel: task.cancel,
                };
                bytes += size_of(&checked.settings)?;
                check(&checked, &mut proof)
            }
            Err(verdict) => {
                all = false;
                match verdict {
                    None => {}
                    Some(Verdict::Archive(reason)) => {
                        proof.refute(format!("{} cannot be restored: {reason}", database.name));
                    }
                    Some(Verdict::Machine(reason)) => {
                        proof.cannot_tell(format!("{} could not be restored there: {reason}", database.name));
                    }
                }
                Ok(BTreeMap::new())
            }
        };
        // What was found before it failed stays found.
        outcome.proof.take(&if several { proof.named(&database.name) } else { proof });
        let of = |table: String| if several { format!("{}:{table}", database.name) } else { table };
        outcome.rows.extend(checked?.into_iter().map(|(table, rows)| (of(table), rows)));
        if let Some(file) = &dump.file {
            std::fs::remove_file(file).with_context(|| format!("remove {}", file.display()))?;
        }
        scratch.drop_now()?;
    }
    if all {
        outcome.restored = Some(task::Restored { began, ended, bytes });
    }
    Ok(())
}

impl Server {
    fn open(task: &Task<'_>, dsn: &str) -> anyhow::Result<Self> {
        let settings = PgSettings::of_dsn(dsn, task.env).context("read --server")?;
        let seconds =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let name = format!("pso_rehearse_{seconds}_{}", std::process::id());
        // As long as a session of this name lives, nobody takes its databases for leftovers.
        let mut admin = connect(&settings, &format!("{name}_0"), Purpose::Work)?;
        let row = admin.query_one(include_str!("../../queries/server.sql"), &[]).context("look at the server")?;
        ensure!(
            row.get::<_, bool>("may_create"),
            "the role {} may not make databases on that server: ALTER ROLE … CREATEDB, or name another",
            settings.user
        );
        let major = u32::try_from(row.get::<_, i32>("version"))? / 10_000;
        Ok(Self { settings, admin, name, major, is_superuser: row.get("is_superuser") })
    }

    /// Drops what killed rehearsals have left on this server.
    fn drop_leftovers(&mut self, task: &Task<'_>, proof: &mut Proof) -> anyhow::Result<()> {
        let rows = self.admin.query(include_str!("../../queries/leftovers.sql"), &[]).context("look for leftovers")?;
        for row in rows {
            let (name, comment, in_use): (String, String, bool) =
                (row.get("name"), row.get("comment"), row.get("in_use"));
            // Behind a pool sessions do not keep their names: one in which somebody works may be another's that lives.
            if in_use && !is_of_the_dead(&comment) {
                continue;
            }
            match ScratchDatabase::drop_of(&mut self.admin, &name) {
                Ok(()) => task.progress(format!("dropped {name}, which a killed rehearsal had left")),
                Err(error) => proof.warn(format!("{name} of a killed rehearsal is left on that server: {error:#}")),
            }
        }
        Ok(())
    }

    /// Makes an empty one like `database`, and says in it whose it is.
    fn make(
        &mut self,
        name: &str,
        database: &Database,
        task: &Task<'_>,
    ) -> anyhow::Result<(ScratchDatabase, Option<String>)> {
        let called = format!("SET application_name = {}", literal(name));
        self.admin.batch_execute(&called).context("name the session")?;
        let scratch = ScratchDatabase::new(&self.settings, name, task.cancel);
        let locale = create(&mut self.admin, name, database)?;
        let comment = comment(std::process::id());
        let comment = format!("COMMENT ON DATABASE {} IS {}", super::database::ident(name), literal(&comment));
        self.admin.batch_execute(&comment).context("comment on the scratch database")?;
        Ok((scratch, locale))
    }

    /// What is not restored there: what follows or reaches other servers, and policies of roles that the server does not have.
    fn left(
        &mut self,
        task: &Task<'_>,
        (dump, pg_restore): (&Dump, &Program),
        proof: &mut Proof,
    ) -> anyhow::Result<LeftOut> {
        let Ok(toc) = &dump.toc else {
            let list = dump.place.with_extension("contents");
            let left = left_by_list(command(pg_restore, None, task.env), dump, &list, task.cancel)?;
            left.reasons.iter().for_each(|reason| proof.leave(reason));
            return Ok(left);
        };
        let mut left = left_out(toc);
        left.leave(toc, "SUBSCRIPTION", |_| true, "was not restored, so that nothing is followed");
        if !self.is_superuser {
            left.leave(toc, "EVENT TRIGGER", |_| true, "was not restored: only a superuser can");
        }
        let rows = self.admin.query("SELECT rolname::text FROM pg_catalog.pg_roles", &[]).context("list the roles")?;
        let there: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        let misses = |definition: &str| roles::of_statement(definition).iter().any(|role| !there.contains(role));
        left.leave(toc, "POLICY", misses, "was not restored: the server does not have its roles");
        left.reasons.iter().for_each(|reason| proof.leave(reason));
        Ok(left)
    }
}

/// What a scratch database says of itself; `leftovers.sql` looks for its beginning.
fn comment(process: u32) -> String {
    format!(
        "pso-rehearse: scratch database of process {process} on {}; it is dropped when that ends, or by the next rehearsal",
        host_name()
    )
}

/// Whether a scratch database is of a process of this machine that has ended.
#[cfg(unix)]
fn is_of_the_dead(said: &str) -> bool {
    let process =
        said.strip_prefix("pso-rehearse: scratch database of process ").and_then(|rest| rest.split(' ').next());
    let Some(id) = process.and_then(|id| id.parse::<u32>().ok()).filter(|id| said == comment(*id)) else {
        return false;
    };
    let id = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw);
    id.is_some_and(|id| rustix::process::test_kill_process(id) == Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
fn is_of_the_dead(_said: &str) -> bool {
    false
}

fn size_of(settings: &PgSettings) -> anyhow::Result<u64> {
    let mut client = connect(settings, APPLICATION, Purpose::Work)?;
    let row = client.query_one("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())", &[]);
    let size = row.map_err(|error| anyhow!(error)).context("ask for the size")?;
    Ok(u64::try_from(size.get::<_, i64>(0)).unwrap_or_default())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_of_this_machine_is_known_to_be_dead() {
        let mut child = std::process::Command::new("true").spawn().expect("started");
        let id = child.id();
        assert!(!is_of_the_dead(&comment(id)), "nobody has waited for it");
        child.wait().expect("ended");
        assert!(is_of_the_dead(&comment(id)));
        assert!(!is_of_the_dead(&comment(std::process::id())));
        assert!(!is_of_the_dead(&comment(id).replace(" on ", " on not-")), "another machine's");
        assert!(!is_of_the_dead("pso-rehearse: scratch database"));
    }
}
