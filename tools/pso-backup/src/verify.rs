//! Whether an archive is what it was when it was made.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pso_archive::verify::{Damage, Report, Sidecar, summary};
use pso_archive::{Archive, catalog};
use pso_common::postgres::find_program;
use pso_common::record::{BackupArchiveRecord, BackupComponentRecord, Component};
use pso_common::{Run, Severity};

/// A `backup.component` record each, and a `backup.archive` record for the whole.
pub(crate) fn verify(
    run: &mut Run<'_>,
    wanted: &str,
    folders: &[PathBuf],
    bin_dir: Option<&Path>,
) -> anyhow::Result<()> {
    let path = catalog::find(wanted, folders)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut archive = match Archive::open(&path) {
        Ok(archive) => archive,
        Err(error) => return unreadable(run, &path, name, error),
    };
    run.progress(format_args!("verifying {}", path.display()));
    let cancel = run.cancel().clone();
    let mut report = pso_archive::verify::verify(&mut archive, &cancel)?;
    let listed = read_dump_lists(run, &mut archive, &mut report, bin_dir)?;
    for component in &report.components {
        let body = component_record(&archive, component);
        match summary(component.damages.iter()) {
            None => run.emit(Severity::Ok, component.component.as_str(), "", body)?,
            Some(damage) => run.emit(Severity::Critical, component.component.as_str(), damage, body)?,
        }
    }
    let (severity, message) = match (report.summary(), &report.sidecar, listed) {
        (Some(damage), ..) => (Severity::Critical, format!("damaged: {damage}; take another archive")),
        (None, Sidecar::Absent, _) => {
            (Severity::Warning, "every entry is as it was stored, but there is no .sha256 file beside it".to_owned())
        }
        (None, _, Listing::NotLooked(reason)) => {
            (Severity::Info, format!("every entry is as it was stored; the dump was not listed: {reason}"))
        }
        (None, ..) => (Severity::Ok, String::new()),
    };
    let body = BackupArchiveRecord {
        path: path.display().to_string(),
        size_bytes: report.size_bytes,
        sha256: Some(report.sha256),
        taken_at: Some(archive.manifest().taken_at),
        components: archive.manifest().components.clone(),
        verified_at: Some(run.now()).filter(|_| severity != Severity::Critical),
        rehearsed_at: None,
    };
    run.emit(severity, name, message, body)
}

/// A file that is there and no archive at all: a record for those who watch, and an error, since nothing in it could be
/// looked at.
fn unreadable(run: &mut Run<'_>, path: &Path, name: String, error: anyhow::Error) -> anyhow::Result<()> {
    let body = BackupArchiveRecord {
        path: path.display().to_string(),
        size_bytes: std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
        sha256: None,
        taken_at: None,
        components: Vec::new(),
        verified_at: None,
        rehearsed_at: None,
    };
    run.emit(Severity::Critical, name, format!("{error:#}"), body)?;
    Err(error)
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
        Component::Postgres => {
            body.rows = manifest.databases.iter().flat_map(|database| database.rows.clone()).collect();
        }
        Component::Qdrant => {
            body.points =
                manifest.collections.iter().map(|collection| (collection.name.clone(), collection.points)).collect();
        }
        Component::Config | Component::Scripts | Component::Plans => {}
    }
    body
}
