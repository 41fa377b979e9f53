//! Whether archives are what they were when they were made.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pso_archive::verify::{Damage, Depth, Report, Sidecar, summary, verify_file};
use pso_archive::{Archive, Identities, Status, catalog, is_encrypted};
use pso_common::postgres::find_program;
use pso_common::record::{BackupArchiveRecord, BackupComponentRecord, Component};
use pso_common::{Run, Severity, Timestamp};

use crate::cli::VerifyArgs;
use crate::pins;
use crate::record::{name_of, rows_of};

/// How archives are looked at.
pub(crate) struct Look {
    pub(crate) depth: Depth,
    pub(crate) identities: Identities,
    pub(crate) bin_dir: Option<PathBuf>,
}

/// For each archive a `backup.component` record for each of its components, and a `backup.archive` record.
pub(crate) fn verify(run: &mut Run<'_>, args: &VerifyArgs, folders: &[PathBuf], look: &Look) -> anyhow::Result<()> {
    if !args.all {
        let path = catalog::find(args.wanted(), folders)?;
        // What is no archive at all could not be looked into.
        return verify_one(run, &path, look)?.map_or(Ok(()), Err);
    }
    let all = catalog::list(folders)?;
    if all.is_empty() {
        let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        anyhow::bail!("there is no archive in {}; `pso-backup` makes one", folders.join(" and "));
    }
    for archive in all {
        run.cancel().check()?;
        // It is in its record, and the next one is looked at all the same.
        let _ = verify_one(run, &archive.path, look)?;
    }
    Ok(())
}

/// Verifies one archive; the error of one that cannot be opened.
fn verify_one(run: &mut Run<'_>, path: &Path, look: &Look) -> anyhow::Result<Option<anyhow::Error>> {
    run.progress(format_args!("verifying {}", path.display()));
    if is_encrypted(path) && look.identities.is_empty() {
        return verify_sealed(run, path, look.depth).map(|()| None);
    }
    match Archive::open_with(path, &look.identities) {
        Ok(archive) => verify_open(run, path, archive, look).map(|()| None),
        Err(error) => unreadable(run, path, error).map(Some),
    }
}

fn verify_open(run: &mut Run<'_>, path: &Path, mut archive: Archive, look: &Look) -> anyhow::Result<()> {
    let cancel = run.cancel().clone();
    let mut report = pso_archive::verify::verify(&mut archive, look.depth, &cancel)?;
    let listed = read_dump_lists(run, &mut archive, &mut report, look.bin_dir.as_deref())?;
    for component in &report.components {
        let body = component_record(&archive, component);
        match summary(component.damages.iter()) {
            None => run.emit(Severity::Ok, component.component.as_str(), "", body)?,
            Some(damage) => run.emit(Severity::Critical, component.component.as_str(), damage, body)?,
        }
    }
    let (severity, message) = judge(&report, &listed);
    let now = Some(run.now());
    // A sample says nothing of the rest.
    let verified_at = now.filter(|_| severity != Severity::Critical && report.sha256.is_some());
    // What was noted may be of another archive; what this one says of itself counts.
    let noted = Status::read(path).filter(|status| status.agrees_with(archive.manifest()));
    let sha256 = report.sha256.as_ref().or(noted.as_ref().map(|status| &status.sha256));
    let mut status = Status::new(archive.manifest(), report.size_bytes, sha256.map_or("", String::as_str));
    if let Some(noted) = noted.filter(|noted| noted.sha256 == status.sha256) {
        (status.verified_at, status.rehearsed_at) = (noted.verified_at, noted.rehearsed_at);
    }
    // After a sample without damage, what was known stays.
    if report.sha256.is_some() || severity == Severity::Critical {
        status.verified_at = verified_at;
        if severity == Severity::Critical {
            // It is not what was restored then.
            status.rehearsed_at = None;
        }
        note(run, path, &status);
    }
    let body = BackupArchiveRecord {
        size_bytes: report.size_bytes,
        sha256: report.sha256,
        verified_at: status.verified_at,
        ..record(path, &status, run.now())
    };
    run.emit(severity, name_of(path), message, body)
}

fn judge(report: &Report, listed: &Listing) -> (Severity, String) {
    if let Some(damage) = report.summary() {
        return (Severity::Critical, format!("damaged: {damage}; take another archive"));
    }
    match (&report.sidecar, listed) {
        (Sidecar::Absent, _) => {
            (Severity::Warning, "every entry is as it was stored, but there is no .sha256 file beside it".to_owned())
        }
        (_, Listing::NotLooked(reason)) => {
            (Severity::Info, format!("what was read is as it was stored; the dump was not listed: {reason}"))
        }
        (Sidecar::NotLooked, Listing::Done) => {
            (Severity::Ok, format!("a sample of {} bytes is as it was stored", report.read_bytes))
        }
        (Sidecar::Matches | Sidecar::Differs(_), Listing::Done) => (Severity::Ok, String::new()),
    }
}

/// An encrypted archive without its key: the file is what was published, which was read back then, or it is not.
fn verify_sealed(run: &mut Run<'_>, path: &Path, depth: Depth) -> anyhow::Result<()> {
    let cancel = run.cancel().clone();
    let (size_bytes, sha256, mut sidecar) = verify_file(path, &cancel)?;
    let noted = Status::read(path);
    if noted.as_ref().is_some_and(|status| status.sha256 != sha256) {
        sidecar = Sidecar::Differs("its hash is not the one that was noted when it was made".to_owned());
    }
    let (severity, message) = match &sidecar {
        Sidecar::Matches if depth != Depth::Packed => (
            Severity::Warning,
            "encrypted: the file is as it was published, but could not be looked into without the key; give --identity"
                .to_owned(),
        ),
        Sidecar::Matches => (
            Severity::Ok,
            "encrypted: the file is as it was published; with --identity its entries are compared too".to_owned(),
        ),
        Sidecar::Differs(reason) => (Severity::Critical, format!("damaged: {reason}; take another archive")),
        Sidecar::Absent | Sidecar::NotLooked => (
            Severity::Warning,
            "encrypted, and there is no .sha256 file beside it to compare with; give the key with --identity"
                .to_owned(),
        ),
    };
    let now = run.now();
    let mut body = BackupArchiveRecord {
        path: path.display().to_string(),
        encrypted: true,
        pinned: pins::is_pinned(path),
        ..BackupArchiveRecord::default()
    };
    if let Some(mut status) = noted {
        if sidecar != Sidecar::Absent {
            status.verified_at = Some(now).filter(|_| sidecar == Sidecar::Matches);
            status.rehearsed_at = status.rehearsed_at.filter(|_| sidecar == Sidecar::Matches);
            note(run, path, &status);
        }
        body = record(path, &status, now);
    }
    run.emit(severity, name_of(path), message, BackupArchiveRecord { size_bytes, sha256: Some(sha256), ..body })
}

/// A file that is there and cannot be opened: a record for those who watch, and an error, since nothing in it could be
/// looked at. One that is what was published is whole, and the key is another's.
fn unreadable(run: &mut Run<'_>, path: &Path, error: anyhow::Error) -> anyhow::Result<anyhow::Error> {
    let is_other_key = is_encrypted(path) && {
        let cancel = run.cancel().clone();
        verify_file(path, &cancel)?.2 == Sidecar::Matches
    };
    if let Some(mut status) = Status::read(path).filter(|_| !is_other_key) {
        (status.verified_at, status.rehearsed_at) = (None, None);
        note(run, path, &status);
    }
    let severity = if is_other_key { Severity::Unknown } else { Severity::Critical };
    let body = BackupArchiveRecord {
        path: path.display().to_string(),
        size_bytes: std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
        encrypted: is_encrypted(path),
        pinned: pins::is_pinned(path),
        ..BackupArchiveRecord::default()
    };
    run.emit(severity, name_of(path), format!("{error:#}"), body)?;
    Ok(error)
}

/// Writes down what was found, for `list` and for retention. An archive on a disk that is read-only is none the worse.
fn note(run: &mut Run<'_>, path: &Path, status: &Status) {
    if let Err(error) = status.write(path) {
        run.warn(format_args!("what was found was not noted: {error:#}"));
    }
}

fn record(path: &Path, status: &Status, now: Timestamp) -> BackupArchiveRecord {
    BackupArchiveRecord {
        path: path.display().to_string(),
        size_bytes: status.size,
        sha256: None,
        taken_at: Some(status.taken_at),
        age_seconds: Some(status.taken_at.until(now).as_secs()),
        components: status.components.clone(),
        missing: status.missing.clone(),
        verified_at: status.verified_at,
        rehearsed_at: status.rehearsed_at,
        encrypted: is_encrypted(path),
        pinned: pins::is_pinned(path),
        decision: None,
    }
}

/// What became of `pg_restore --list`.
enum Listing {
    Done,
    NotLooked(String),
}

/// Lets `pg_restore` read each dump's table of contents.
fn read_dump_lists(
    run: &mut Run<'_>,
    archive: &mut Archive,
    report: &mut Report,
    bin_dir: Option<&Path>,
) -> anyhow::Result<Listing> {
    let (env, cancel) = (run.env().clone(), run.cancel().clone());
    for database in archive.manifest().databases.clone() {
        let program = match find_program("pg_restore", database.server_version_num / 10_000, bin_dir, &env) {
            Ok(program) => program,
            Err(error) => return Ok(Listing::NotLooked(format!("{error:#}"))),
        };
        if let Err(error) = pso_archive::dump_list(archive, &database.entry, &program, &env, &cancel) {
            cancel.check()?;
            let damage = Damage { entry: Some(database.entry), reason: format!("{error:#}") };
            let component = report.components.iter_mut().find(|report| report.component == Component::Postgres);
            component.context("a database without its component")?.damages.push(damage);
        }
    }
    Ok(Listing::Done)
}

fn component_record(archive: &Archive, report: &pso_archive::verify::ComponentReport) -> BackupComponentRecord {
    let manifest = archive.manifest();
    let mut body = BackupComponentRecord {
        component: report.component,
        entries: report.entries,
        size_bytes: report.size_bytes,
        elapsed_ms: report.elapsed_ms,
        rows: Default::default(),
        points: Default::default(),
    };
    match report.component {
        Component::Postgres => body.rows = rows_of(&manifest.databases),
        Component::Qdrant => {
            body.points =
                manifest.collections.iter().map(|collection| (collection.name.clone(), collection.points)).collect();
        }
        Component::Config | Component::Scripts | Component::Plans => {}
    }
    body
}
