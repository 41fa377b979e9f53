//! What is to be done with the databases, found out without changing anything.

use std::io::BufReader;

use anyhow::{Context as _, bail, ensure};
use pso_archive::legacy::NO_MANIFEST;
use pso_archive::{Archive, Database, Entry, custom, dump_list, load};
use pso_common::postgres::{PgSettings, find_program};
use pso_common::{Run, Timestamp};

use super::target::{self, Shape, Target};
use super::toc::Toc;
use super::{MAX_NAME_BYTES, PgPlan, Strategy, beside, globals, in_place, swap};
use crate::settings::Settings;

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
    if archive.manifest().schema == NO_MANIFEST {
        return plan_text(options, settings, &mut target, source, entry, at);
    }
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
    let warning = locked_out(&mut target, &settings.dbname, obstacle.is_some())?
        .into_iter()
        .chain(globals::missing_roles(archive, &mut target)?)
        .reduce(|first, second| format!("{first}; {second}"));
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
        // What stays in place keeps its schema from being dropped.
        let stays = entry.creates_extension().is_some_and(|name| extensions.is_installed(name))
            || extensions.installed.iter().any(|(_, schema)| entry.creates_schema(schema));
        (in_place && stays)
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
        pg_restore: Some(pg_restore),
    })
}

/// Plans the restore of a dump that is SQL; only into a new database, since part of what it does ends a transaction.
fn plan_text(
    options: &Settings,
    settings: &PgSettings,
    target: &mut Target,
    source: Database,
    entry: Entry,
    at: Timestamp,
) -> anyhow::Result<PgPlan> {
    let nothing = target::Extensions { missing: Vec::new(), forbidden: Vec::new(), installed: Vec::new() };
    let obstacle = if options.in_place { Some("--in-place was given".to_owned()) } else { obstacle(target, &nothing) };
    if let Some(reason) = obstacle {
        bail!(
            "an archive of the old script is restored into a new database only, and {reason}; restore as a role that may (--pg-user)"
        );
    }
    let warning = locked_out(target, &settings.dbname, false)?;
    let shape = target.now.clone().with_context(|| {
        format!("an archive of the old script does not say how its database was made; create an empty database {}, then restore", settings.dbname)
    })?;
    Ok(PgPlan {
        database: settings.dbname.clone(),
        strategy: Strategy::Beside {
            new: suffixed(&settings.dbname, "pso_new", at),
            kept: Some(suffixed(&settings.dbname, "before", at)),
            shape,
        },
        keep_owners: false,
        warning,
        left_out: Vec::new(),
        source,
        entry,
        list: String::new(),
        toc: None,
        jobs: options.jobs,
        pg_restore: None,
    })
}

/// The dump's table of contents; `None` where its rows are left to `pg_restore`.
fn contents(run: &mut Run<'_>, archive: &mut Archive, entry: &str) -> anyhow::Result<Option<custom::Toc>> {
    let mut reader = BufReader::new(archive.entry(entry)?);
    match custom::Toc::read(&mut reader).and_then(|toc| load::check(&toc).map(|()| toc)) {
        Ok(toc) => Ok(Some(toc)),
        Err(error) => {
            run.progress(format_args!("the rows of {entry} are restored by one session: {error:#}"));
            Ok(None)
        }
    }
}

/// The archive's database of this name, or its only one.
pub(super) fn choose(archive: &Archive, name: &str) -> anyhow::Result<Database> {
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
        extensions.forbidden.iter().filter(|name| !extensions.is_installed(name)).map(String::as_str).collect();
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

pub(super) fn suffixed(name: &str, what: &str, at: Timestamp) -> String {
    let suffix = format!("_{what}_{}", at.compact());
    format!("{}{suffix}", shortened(name, MAX_NAME_BYTES - suffix.len()))
}

/// The name, cut at a letter so that it has at most `bytes`.
pub(super) fn shortened(name: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(name.len())).rev().find(|&end| name.is_char_boundary(end)).unwrap_or_default();
    &name[..end]
}

pub(super) fn major(version: &str) -> Option<u32> {
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
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
