//! The database: restored beside the old one and swapped by renaming, or, where that is not possible, in place in one
//! transaction that is committed when everything else is back.

mod beside;
mod check;
mod fill;
mod in_place;
mod load;
mod place;
mod present;
mod properties;
mod swap;
mod target;
mod toc;

use std::io::{self, BufReader};

use anyhow::{Context as _, bail, ensure};
use pso_archive::{Archive, Database, Entry, Running, custom, dump_list};
use pso_common::io::Cancel;
use pso_common::postgres::{PgSettings, Program, find_program};
use pso_common::record::Component;
use pso_common::{Run, Timestamp};

use crate::journal::{Journal, Swap};
use crate::settings::Settings;
use crate::steps::Step;
use in_place::InPlace;
pub(crate) use in_place::{Uncertain, is_committed, roll_back, take_back_commit};
pub(crate) use place::{drop_kept, kept, local_data_folder};
pub(crate) use present::present;
pub(crate) use swap::{drop_unfinished, finish_swap, has_swapped, rename_back};
use target::{Shape, Target};
use toc::Toc;

/// The longest name of a database in bytes; PostgreSQL cuts longer ones off.
const MAX_NAME_BYTES: usize = 63;

/// What is to be done with the database.
pub(crate) struct PgPlan {
    /// The database that will hold the content of the archive.
    pub(crate) database: String,
    pub(crate) strategy: Strategy,
    /// Whether objects get the owners that they had; only a superuser can do that. Else they belong to the role.
    pub(crate) keep_owners: bool,
    /// What somebody should know first.
    warning: Option<String>,
    /// Objects of the dump that are not restored.
    pub(crate) left_out: Vec<String>,
    source: Database,
    entry: Entry,
    /// For `pg_restore --use-list`.
    list: String,
    /// The dump's table of contents, where its rows can be loaded by several sessions.
    toc: Option<custom::Toc>,
    /// How many sessions load rows and make indexes at once.
    jobs: usize,
    pg_restore: Program,
}

/// How the database gets its new content.
pub(crate) enum Strategy {
    /// Into a new database, which then gets the name.
    Beside {
        new: String,
        /// The name that the old one is kept under; absent when there is none.
        kept: Option<String>,
        shape: Shape,
    },
    /// In one transaction, where a database beside the old one is not possible, and why not.
    InPlace { psql: Program, reason: String },
}

/// The new content, complete and compared, and not yet to be seen by anybody.
pub(crate) enum Prepared {
    Beside(Swap),
    InPlace(InPlace),
}

/// Plans the restore of every database that is meant; changes nothing.
pub(crate) fn plan(
    run: &mut Run<'_>,
    options: &Settings,
    archive: &mut Archive,
    at: Timestamp,
) -> anyhow::Result<Vec<PgPlan>> {
    let meant = meant(archive, options)?;
    let plan = |(name, source): (String, Database)| {
        let settings = options.postgres.with_dbname(&name);
        plan_one(run, options, &settings, archive, source, at).with_context(|| format!("plan the restore of {name}"))
    };
    meant.into_iter().map(plan).collect()
}

/// The databases of the archive that are restored, each with the name that it gets: all of them, or the one that was
/// named. The only one of an archive goes into whatever database is configured.
fn meant(archive: &Archive, options: &Settings) -> anyhow::Result<Vec<(String, Database)>> {
    let (all, name) = (&archive.manifest().databases, &options.postgres.dbname);
    if options.names_database || all.len() == 1 {
        return Ok(vec![(name.clone(), choose(archive, name)?)]);
    }
    Ok(all.iter().map(|database| (database.name.clone(), database.clone())).collect())
}

fn plan_one(
    run: &mut Run<'_>,
    options: &Settings,
    settings: &PgSettings,
    archive: &mut Archive,
    source: Database,
    at: Timestamp,
) -> anyhow::Result<PgPlan> {
    let (env, cancel) = (&run.env().clone(), &run.cancel().clone());
    let entry = archive.manifest().entry(&source.entry).cloned().context("the dump is not listed")?;
    let mut target = Target::look(settings)?;
    let source_major = source.server_version_num / 10_000;
    ensure!(
        target.major >= source_major,
        "the archive holds a database of PostgreSQL {source_major}, and the server at {} is {}; restore into {source_major} or newer",
        settings.shown(),
        target.major
    );
    let dumped_with = archive.manifest().versions.pg_dump.as_deref().and_then(major).unwrap_or(source_major);
    let bin_dir = settings.bin_dir.as_deref();
    let pg_restore = find_program("pg_restore", target.major.max(dumped_with), bin_dir, env)?;
    let listed = dump_list(archive, &source.entry, &pg_restore, env, cancel)?;
    let large_objects = in_place::holds_large_objects(&listed);
    let contents = contents(run, archive, &source.entry)?;
    let toc = Toc::new(listed);
    let extensions = target.extensions(&toc.extensions()).context("look at the server's extensions")?;
    ensure!(
        extensions.missing.is_empty(),
        "the database needs extensions that the server does not have: {}; install them there",
        extensions.missing.join(", ")
    );
    let obstacle = if options.in_place {
        Some("that is what --in-place asks for".to_owned())
    } else {
        obstacle(&target, &extensions)
    };
    let warning = locked_out(&mut target, &settings.dbname, obstacle.is_some())?;
    let strategy = if let Some(reason) = obstacle {
        in_place_possible(settings, &target, &extensions)?;
        ensure!(
            !large_objects,
            "the dump holds large objects, which cannot be restored in one transaction, and there can be no new database \
             beside the old one: {reason}; restore as a role that may (--pg-user)"
        );
        Strategy::InPlace { psql: find_program("psql", pg_restore.major, bin_dir, env)?, reason }
    } else {
        let shape = shape(&mut target, &source)?;
        let kept = target.now.as_ref().map(|_| suffixed(&settings.dbname, "before", at));
        Strategy::Beside { new: suffixed(&settings.dbname, "pso_new", at), kept, shape }
    };
    let in_place = matches!(strategy, Strategy::InPlace { .. });
    let (list, left_out) = toc.without(|entry| {
        let there = |name: &str| extensions.installed.iter().any(|installed| installed == name);
        (in_place && entry.creates_extension().is_some_and(there))
            || (!target.is_superuser && (entry.is_extension_comment() || entry.is_default_acl_of_others(&target.role)))
    });
    Ok(PgPlan {
        database: settings.dbname.clone(),
        strategy,
        keep_owners: target.is_superuser,
        warning,
        left_out,
        source,
        entry,
        list,
        toc: contents,
        jobs: options.jobs,
        pg_restore,
    })
}

/// The dump's table of contents; `None` where its rows are left to `pg_restore`.
fn contents(run: &mut Run<'_>, archive: &mut Archive, entry: &str) -> anyhow::Result<Option<custom::Toc>> {
    let mut reader = BufReader::new(archive.entry(entry)?);
    match custom::Toc::read(&mut reader).and_then(|toc| fill::check(&toc).map(|()| toc)) {
        Ok(toc) => Ok(Some(toc)),
        Err(error) => {
            run.progress(format_args!("the rows of {entry} are restored by one session: {error:#}"));
            Ok(None)
        }
    }
}

/// The archive's database of this name, or its only one.
fn choose(archive: &Archive, name: &str) -> anyhow::Result<Database> {
    let all = &archive.manifest().databases;
    match (all.iter().find(|database| database.name == name), all.as_slice()) {
        (Some(database), _) => Ok(database.clone()),
        (None, [only]) => Ok(only.clone()),
        (None, _) => {
            let names: Vec<&str> = all.iter().map(|database| database.name.as_str()).collect();
            bail!("the archive has no database {name}, but: {}; name one of them with --pg-dbname", names.join(", "))
        }
    }
}

/// Why there can be no new database that gets the old one's name.
fn obstacle(target: &Target, extensions: &target::Extensions) -> Option<String> {
    if target.admin.is_none() {
        Some(
            "there is no other database to connect to, such as postgres, from which this one could be renamed"
                .to_owned(),
        )
    } else if !target.may_create {
        Some(format!("the role {} may not create databases", target.role))
    } else if let Some(now) = target.now.as_ref().filter(|now| !now.is_ours && !target.is_superuser) {
        Some(format!("the database belongs to {}, so {} may not rename it", now.owner, target.role))
    } else if !extensions.forbidden.is_empty() {
        Some(format!("only a superuser may create the extension {} in a new database", extensions.forbidden.join(", ")))
    } else {
        None
    }
}

/// What there is to say of a database that lets nobody in.
///
/// # Errors
/// When that is not what a restore does that can be killed: then somebody wants it so. Or when it cannot be helped.
fn locked_out(target: &mut Target, database: &str, in_place: bool) -> anyhow::Result<Option<String>> {
    if target.now.as_ref().is_none_or(|now| now.lets_in) {
        return Ok(None);
    }
    let left = match &mut target.admin {
        Some(admin) => beside::leftovers(admin, database)?,
        None => Vec::new(),
    };
    let way_out = swap::allow_statement(database, true);
    let Some(left) = left.first() else {
        bail!("the database {database} lets nobody in, and no restore has left it so; if it should: {way_out}");
    };
    let told = format!("a killed restore, which has left {left} too, lets nobody into {database}");
    ensure!(!in_place, "{told}; let its owner run {way_out}, then try again");
    Ok(Some(format!("{told}; carrying this out ends that, or, at once: {way_out}")))
}

fn in_place_possible(settings: &PgSettings, target: &Target, extensions: &target::Extensions) -> anyhow::Result<()> {
    if target.now.is_none() {
        bail!(
            "the database {} does not exist and the role {} may not create it; create it, or ALTER ROLE {} CREATEDB",
            settings.dbname,
            target.role,
            target.role
        );
    }
    if let Err(error) = &target.database {
        bail!("{error:#}");
    }
    let needed: Vec<&str> =
        extensions.forbidden.iter().filter(|name| !extensions.installed.contains(name)).map(String::as_str).collect();
    ensure!(
        needed.is_empty(),
        "the database needs extensions that only a superuser may create: {}; let one create them in {}, or restore as one",
        needed.join(", "),
        settings.dbname
    );
    Ok(())
}

/// What the new database is created like: the one that it replaces, or else the one that was dumped.
fn shape(target: &mut Target, source: &Database) -> anyhow::Result<Shape> {
    if let Some(now) = &target.now {
        return Ok(now.clone());
    }
    let may_own = target.is_superuser && target.role_exists(&source.owner)?;
    Ok(Shape {
        owner: if may_own { source.owner.clone() } else { target.role.clone() },
        is_ours: true,
        encoding: source.encoding.clone(),
        collate: source.collate.clone(),
        ctype: source.ctype.clone(),
        locale_provider: source.locale_provider.clone(),
        locale: source.locale.clone(),
        lets_in: true,
        connection_limit: -1,
        tablespace: None,
        has_acl: false,
        comment: None,
    })
}

fn suffixed(name: &str, what: &str, at: Timestamp) -> String {
    let suffix = format!("_{what}_{}", at.compact());
    format!("{}{suffix}", shortened(name, MAX_NAME_BYTES - suffix.len()))
}

/// The name, cut at a letter so that it has at most `bytes`.
fn shortened(name: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(name.len())).rev().find(|&end| name.is_char_boundary(end)).unwrap_or_default();
    &name[..end]
}

fn major(version: &str) -> Option<u32> {
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

impl PgPlan {
    /// Bytes of the dump.
    pub(crate) const fn size(&self) -> u64 {
        self.entry.size
    }

    /// How the database gets its new content, without names that change from run to run.
    pub(crate) const fn way(&self) -> &'static str {
        match self.strategy {
            Strategy::Beside { .. } => "beside",
            Strategy::InPlace { .. } => "in place",
        }
    }

    /// What somebody should know before, and do if nothing is restored.
    pub(crate) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// The steps that this plan will take.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let rows = self.source.rows.values().sum();
        let step = |name| Step::new(name, Component::Postgres, self.database.as_str());
        let (restore, swap) = match &self.strategy {
            Strategy::Beside { new, kept: Some(kept), .. } => (
                format!("into the new database {new}, beside the one that is there"),
                format!("sessions are ended; the one that is there is kept as {kept}"),
            ),
            Strategy::Beside { new, kept: None, .. } => {
                (format!("into the new database {new}"), "there is no such database yet".to_owned())
            }
            Strategy::InPlace { reason, .. } => (
                format!("in place, in one transaction that keeps others out until its end: {reason}"),
                "what is there is replaced and not kept; other tables are left alone".to_owned(),
            ),
        };
        let mut notes: Vec<String> = self.warning.iter().cloned().chain([restore]).collect();
        if !self.left_out.is_empty() {
            notes.push(format!("without {}", self.left_out.join(", ")));
        }
        vec![step("restore").rows(rows).size(self.entry.size).says(notes.join("; ")), step("swap").says(swap)]
    }

    /// Brings the content into the server where nobody sees it yet, and compares it. The journal knows what it does.
    pub(crate) fn prepare(
        &self,
        run: &mut Run<'_>,
        settings: &PgSettings,
        archive: &mut Archive,
        journal: &mut Journal,
    ) -> anyhow::Result<Prepared> {
        let settings = &settings.with_dbname(&self.database);
        match &self.strategy {
            Strategy::Beside { new, kept, shape } => {
                let names = beside::Names { new, kept: kept.as_deref(), shape };
                beside::prepare(run, settings, archive, self, &names, journal).map(Prepared::Beside)
            }
            Strategy::InPlace { psql, .. } => {
                in_place::prepare(run, settings, archive, self, psql, journal).map(Prepared::InPlace)
            }
        }
    }
}

/// Makes the new content the databases'. What is committed in place comes last, because unlike a renaming it cannot be
/// undone. A failure leaves the rest to the journal.
pub(crate) fn switch(
    run: &mut Run<'_>,
    settings: &PgSettings,
    prepared: Vec<Prepared>,
    journal: &mut Journal,
) -> anyhow::Result<()> {
    let mut swaps = Vec::new();
    let mut transactions = Vec::new();
    for one in prepared {
        match one {
            Prepared::Beside(swap) => swaps.push(swap),
            Prepared::InPlace(transaction) => transactions.push(transaction),
        }
    }
    swap::switch(run, settings, journal, swaps)?;
    transactions.into_iter().try_for_each(|transaction| {
        let settings = settings.with_dbname(transaction.database());
        transaction.switch(run, &settings, journal)
    })
}

/// Feeds a dump to `pg_restore` and waits for its end.
fn feed(archive: &mut Archive, entry: &Entry, mut running: Running, cancel: &Cancel) -> anyhow::Result<()> {
    let mut stdin = running.take_stdin().context("pg_restore has no input")?;
    let fed = archive.copy(entry, &mut stdin, cancel);
    drop(stdin);
    // If it failed, its own words say more than the pipe that broke.
    running.finish()?;
    match fed {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        fed => fed,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit() {
        let at: Timestamp = "2026-11-22T09:00:00Z".parse().expect("a time");
        assert_eq!(suffixed("planning_sync", "before", at), "planning_sync_before_20261122_090000");
        let long = "é".repeat(31);
        assert!(suffixed(&long, "pso_new", at).len() <= MAX_NAME_BYTES);
        assert_eq!((major("15.18"), major("18beta1"), major("x")), (Some(15), Some(18), None));
    }
}
