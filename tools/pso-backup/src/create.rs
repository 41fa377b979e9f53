//! Making an archive: look at everything first, capture, read back, publish, prune.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, bail};
use pso_archive::{
    Archive, ArchiveWriter, BACKUP_LOCK, Lock, Manifest, Published, SCHEMA, ToolVersion, Versions, remove_leftovers,
    verify,
};
use pso_common::io::elapsed_ms;
use pso_common::record::{BackupArchiveRecord, BackupComponentRecord, Component};
use pso_common::{Attempted, Run, Severity, Timestamp};

use crate::files::FileSource;
use crate::log::LogLine;
use crate::postgres::PgSource;
use crate::qdrant::QdrantSource;
use crate::settings::Settings;
use crate::{TOOL, retention};

const CONSISTENCY: &str = "The components were captured one after the other, in this order, while the system was \
                           running. Each database is one snapshot of its own, each collection another; together they \
                           are not one moment.";

/// Everything that is to be captured, looked at and ready.
struct Sources {
    postgres: Option<PgSource>,
    qdrant: Option<QdrantSource>,
    files: Vec<FileSource>,
}

/// Makes an archive, and writes the outcome to `logs/backup.log`.
pub(crate) fn create(run: &mut Run<'_>, settings: &Settings) -> anyhow::Result<()> {
    // A reader that leaves early does not end a backup.
    run.must_finish();
    let taken_at = run.now();
    let result = make(run, settings, taken_at);
    let error = result.as_ref().err().map(|error| format!("{error:#}"));
    let line = match (&result, &error) {
        (Err(_), Some(error)) => LogLine::failed(run.now(), &settings.folder, error),
        (Ok(published), _) => LogLine::success(run.now(), &published.path, published.size),
        (Err(_), None) => bail!("an error without a text"),
    };
    if let Err(error) = line.append(&settings.paths.logs) {
        run.warn(format_args!("{error:#}"));
        run.note(Severity::Warning);
    }
    result.map(drop)
}

fn make(run: &mut Run<'_>, settings: &Settings, taken_at: Timestamp) -> anyhow::Result<Published> {
    let folder = &settings.folder;
    refuse_restore(settings)?;
    // Where nothing can be backed up, not even a folder is created.
    let sources = look(run, settings)?;
    fs::create_dir_all(folder).with_context(|| format!("create the backup folder {}", folder.display()))?;
    let _lock = Lock::acquire(&folder.join(BACKUP_LOCK), &format!("backup into {}", folder.display()))?;
    // Once more after our own was taken, as a restore does, so that at least one of the two sees the other.
    refuse_restore(settings)?;
    for name in remove_leftovers(folder)? {
        run.progress(format_args!("removed what a killed run had left: {name}"));
    }
    if let Some(source) = &sources.qdrant {
        source.remove_pending(run);
    }
    run.cancel().check()?;
    let (published, manifest) = capture(run, settings, sources, taken_at)
        .context(Attempted("no archive was published; earlier ones are untouched"))?;
    // The archive is there, whatever becomes of the old ones.
    if let Err(error) = retention::prune(run, folder, settings.keep_days, taken_at) {
        run.warn(format_args!("old archives were not removed: {error:#}"));
        run.note(Severity::Warning);
    }
    let name = published.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let body = BackupArchiveRecord {
        path: published.path.display().to_string(),
        size_bytes: published.size,
        sha256: Some(published.sha256.clone()),
        taken_at: Some(taken_at),
        components: manifest.components,
        verified_at: Some(run.now()),
        rehearsed_at: None,
    };
    run.emit(Severity::Ok, name, "", body)?;
    Ok(published)
}

/// What a restore has half done is not worth an archive.
fn refuse_restore(settings: &Settings) -> anyhow::Result<()> {
    Lock::refuse_held(&settings.restore_lock, &format!("restore into {}", settings.paths.root.display()))
}

/// Finds out whether everything can be captured, before anything is.
fn look(run: &Run<'_>, settings: &Settings) -> anyhow::Result<Sources> {
    let files = settings
        .components
        .iter()
        .filter(|component| !matches!(component, Component::Postgres | Component::Qdrant))
        .map(|&component| FileSource::find(component, &settings.paths))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let postgres = if settings.captures(Component::Postgres) {
        Some(PgSource::open(&settings.postgres, settings.stall_timeout, run.env())?)
    } else {
        None
    };
    let qdrant = if settings.captures(Component::Qdrant) {
        Some(QdrantSource::open(&settings.qdrant, &settings.folder)?)
    } else {
        None
    };
    Ok(Sources { postgres, qdrant, files })
}

fn capture(
    run: &mut Run<'_>,
    settings: &Settings,
    sources: Sources,
    taken_at: Timestamp,
) -> anyhow::Result<(Published, Manifest)> {
    let cancel = run.cancel().clone();
    let mut archive = ArchiveWriter::create(&settings.folder, taken_at, &cancel)?;
    let mut manifest = empty_manifest(settings, taken_at);
    if let Some(source) = sources.postgres {
        capture_postgres(run, source, &mut archive, &mut manifest)?;
    }
    if let Some(source) = sources.qdrant {
        capture_qdrant(run, source, &mut archive, &mut manifest)?;
    }
    for source in sources.files {
        capture_files(run, source, &mut archive, &mut manifest)?;
    }
    manifest.finished_at = run.now();
    let (written, manifest) = archive.finish(manifest)?;
    run.progress("reading the archive back");
    let mut read_back = Archive::open(written.path())?;
    let report = verify::verify(&mut read_back, &cancel)?;
    if let Some(damage) = report.summary() {
        bail!(
            "what was read back is not what was written: {damage}; check the disk below {}",
            settings.folder.display()
        );
    }
    drop(read_back);
    // From here on there is an archive; a signal that comes now is too late.
    cancel.check()?;
    let published = written.publish(&settings.folder, taken_at, report.size_bytes, &report.sha256)?;
    Ok((published, manifest))
}

fn empty_manifest(settings: &Settings, taken_at: Timestamp) -> Manifest {
    Manifest {
        schema: SCHEMA,
        tool: ToolVersion { name: TOOL.name.to_owned(), version: TOOL.version.to_owned() },
        host: gethostname::gethostname().to_string_lossy().into_owned(),
        kind: settings.kind.as_str().to_owned(),
        taken_at,
        finished_at: taken_at,
        consistency: CONSISTENCY.to_owned(),
        components: settings.components.clone(),
        versions: Versions::default(),
        databases: Vec::new(),
        collections: Vec::new(),
        aliases: Vec::new(),
        skipped: Vec::new(),
        entries: Vec::new(),
    }
}

fn capture_postgres(
    run: &mut Run<'_>,
    source: PgSource,
    archive: &mut ArchiveWriter,
    manifest: &mut Manifest,
) -> anyhow::Result<()> {
    let started = Instant::now();
    run.progress("dumping PostgreSQL");
    let (at, env, cancel) = (run.now(), run.env().clone(), run.cancel().clone());
    let captured = source.capture(archive, at, &env, &cancel)?;
    manifest.versions.postgres = Some(captured.server_version);
    manifest.versions.pg_dump = Some(captured.pg_dump_version);
    let body = BackupComponentRecord {
        rows: captured.database.rows.clone(),
        ..component_record(Component::Postgres, 1, captured.size, started)
    };
    manifest.databases.push(captured.database);
    run.emit(Severity::Ok, Component::Postgres.as_str(), "", body)
}

fn capture_qdrant(
    run: &mut Run<'_>,
    source: QdrantSource,
    archive: &mut ArchiveWriter,
    manifest: &mut Manifest,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let captured = source.capture(archive, run)?;
    manifest.versions.qdrant = Some(captured.version);
    let body = BackupComponentRecord {
        points: captured.collections.iter().map(|collection| (collection.name.clone(), collection.points)).collect(),
        ..component_record(Component::Qdrant, captured.collections.len() as u64, captured.size, started)
    };
    manifest.collections = captured.collections;
    manifest.aliases = captured.aliases;
    run.emit(Severity::Ok, Component::Qdrant.as_str(), "", body)
}

fn capture_files(
    run: &mut Run<'_>,
    source: FileSource,
    archive: &mut ArchiveWriter,
    manifest: &mut Manifest,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let (component, folder) = (source.component, source.folder.clone());
    let captured = source.capture(archive, run)?;
    let (severity, message) = match captured.skipped.as_slice() {
        [] if captured.entries == 0 => (Severity::Warning, format!("there is no file in {}", folder.display())),
        [] => (Severity::Ok, String::new()),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!("; and {} more", rest.len()) };
            (Severity::Warning, format!("not as it should be: {}: {}{more}", first.path, first.reason))
        }
    };
    manifest.skipped.extend(captured.skipped);
    let body = component_record(component, captured.entries, captured.size, started);
    run.emit(severity, component.as_str(), message, body)
}

fn component_record(component: Component, entries: u64, size_bytes: u64, started: Instant) -> BackupComponentRecord {
    BackupComponentRecord {
        component,
        entries,
        size_bytes,
        elapsed_ms: elapsed_ms(started),
        rows: Default::default(),
        points: Default::default(),
    }
}
