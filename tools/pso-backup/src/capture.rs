//! From what is there to a published archive: look at everything first, capture, read back, publish.

use std::time::Instant;

use anyhow::{Context as _, bail};
use pso_archive::verify::{self, Depth};
use pso_archive::{
    Archive, ArchiveWriter, Identities, Manifest, Missing, Published, Recipients, SCHEMA, Status, ToolVersion, Versions,
};
use pso_common::io::elapsed_ms;
use pso_common::record::{BackupComponentRecord, Component};
use pso_common::{Run, Severity, Timestamp};

use crate::files::FileSource;
use crate::postgres::PgSource;
use crate::qdrant::QdrantSource;
use crate::record::rows_of;
use crate::settings::Settings;
use crate::{TOOL, space};

const CONSISTENCY: &str = "The components were captured one after the other, in this order, while the system was \
                           running. Each database is one snapshot of its own, each collection another; together they \
                           are not one moment.";

/// Everything that is to be captured, looked at and ready.
pub(crate) struct Sources {
    ready: Vec<Source>,
    /// What cannot be captured and need not be.
    missing: Vec<Missing>,
}

enum Source {
    Postgres(PgSource),
    Qdrant(Box<QdrantSource>),
    Files(FileSource),
}

/// What is told of a component once there is an archive.
struct Told {
    severity: Severity,
    message: String,
    body: BackupComponentRecord,
}

/// Why there is no archive, and which component is to blame.
struct Failure {
    component: Option<Component>,
    error: anyhow::Error,
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { component: None, error }
    }
}

impl Sources {
    /// Deletes what a killed run has left on servers. The folder must be locked.
    pub(crate) fn remove_pending(&self, run: &mut Run<'_>) {
        for source in &self.ready {
            if let Source::Qdrant(source) = source {
                source.remove_pending(run);
            }
        }
    }

    /// The components that are ready.
    pub(crate) fn components(&self) -> Vec<Component> {
        self.ready.iter().map(Source::component).collect()
    }
}

impl Source {
    const fn component(&self) -> Component {
        match self {
            Self::Postgres(_) => Component::Postgres,
            Self::Qdrant(_) => Component::Qdrant,
            Self::Files(source) => source.component,
        }
    }
}

/// Finds out whether everything can be captured, before anything is; `missing` is known to be not.
pub(crate) fn look(run: &Run<'_>, settings: &Settings, missing: Vec<Missing>) -> anyhow::Result<Sources> {
    let mut sources = Sources { ready: Vec::new(), missing };
    for &component in &settings.components {
        if sources.missing.iter().any(|missing| missing.component == component) {
            continue;
        }
        let source = match component {
            Component::Postgres => PgSource::open(settings, run.env()).map(Source::Postgres),
            Component::Qdrant => QdrantSource::open(settings).map(|source| Source::Qdrant(Box::new(source))),
            files => FileSource::find(files, &settings.paths).map(Source::Files),
        };
        match source {
            Ok(source) => sources.ready.push(source),
            Err(error) if settings.is_optional(component) => {
                run.cancel().check()?;
                sources.missing.push(Missing { component, reason: format!("{error:#}") });
            }
            Err(error) => return Err(error),
        }
    }
    if sources.ready.is_empty() {
        let reasons: Vec<&str> = sources.missing.iter().map(|missing| missing.reason.as_str()).collect();
        bail!("none of the components could be captured, optional as they are: {}", reasons.join("; "));
    }
    Ok(sources)
}

/// Captures everything, reads it back and publishes it. Where an optional component fails half-way, all is done once
/// more without it: what it has written is in the archive.
pub(crate) fn capture(
    run: &mut Run<'_>,
    settings: &Settings,
    mut sources: Sources,
    keys: &(Recipients, Identities),
    taken_at: Timestamp,
) -> anyhow::Result<(Published, Manifest)> {
    loop {
        let mut missing = sources.missing.clone();
        let (component, error) = match attempt(run, settings, sources, keys, taken_at) {
            Ok((published, manifest, told)) => {
                for Told { severity, message, body } in told {
                    run.emit(severity, body.component.as_str(), message, body)?;
                }
                return Ok((published, manifest));
            }
            Err(Failure { component: Some(component), error }) if settings.is_optional(component) => (component, error),
            Err(Failure { error, .. }) => return Err(space::explain(error, &settings.folder)),
        };
        run.cancel().check()?;
        // The next component would not fit either.
        if space::is_full(&error) {
            return Err(space::explain(error, &settings.folder));
        }
        run.progress(format_args!("{component} failed; once more without it"));
        missing.push(Missing { component, reason: format!("{error:#}") });
        sources = look(run, settings, missing)?;
    }
}

fn attempt(
    run: &mut Run<'_>,
    settings: &Settings,
    sources: Sources,
    keys: &(Recipients, Identities),
    taken_at: Timestamp,
) -> Result<(Published, Manifest, Vec<Told>), Failure> {
    let cancel = run.cancel().clone();
    let (recipients, identities) = keys;
    let mut archive = ArchiveWriter::create(&settings.folder, taken_at, recipients, &cancel)?;
    let mut manifest = empty_manifest(settings, taken_at, &sources);
    let mut told: Vec<Told> = sources.missing.iter().map(not_captured).collect();
    for source in sources.ready {
        let component = source.component();
        let captured = match source {
            Source::Postgres(source) => capture_postgres(run, source, &mut archive, &mut manifest),
            Source::Qdrant(source) => capture_qdrant(run, *source, &mut archive, &mut manifest),
            Source::Files(source) => capture_files(run, settings, source, &mut archive, &mut manifest),
        };
        told.push(captured.map_err(|error| Failure { component: Some(component), error })?);
    }
    manifest.finished_at = run.now();
    let (written, manifest) = archive.finish(manifest)?;
    run.progress("reading the archive back");
    let mut read_back = Archive::open_with(written.path(), identities)?;
    let report = verify::verify(&mut read_back, Depth::Content, &cancel)?;
    if let Some(damage) = report.summary() {
        let folder = settings.folder.display();
        return Err(anyhow::anyhow!(
            "what was read back is not what was written: {damage}; check the disk below {folder}"
        )
        .into());
    }
    drop(read_back);
    // From here on there is an archive; a signal that comes now is too late.
    cancel.check().context("publish the archive")?;
    let sha256 = report.sha256.context("the archive was read back without its hash")?;
    let status = Status::new(&manifest, report.size_bytes, &sha256);
    let published = written.publish(&settings.folder, status, run.now())?;
    Ok((published, manifest, told))
}

fn empty_manifest(settings: &Settings, taken_at: Timestamp, sources: &Sources) -> Manifest {
    Manifest {
        schema: SCHEMA,
        tool: ToolVersion { name: TOOL.name.to_owned(), version: TOOL.version.to_owned() },
        host: gethostname::gethostname().to_string_lossy().into_owned(),
        kind: settings.kind.as_str().to_owned(),
        taken_at,
        finished_at: taken_at,
        consistency: CONSISTENCY.to_owned(),
        components: sources.components(),
        missing: sources.missing.clone(),
        versions: Versions::default(),
        databases: Vec::new(),
        globals: None,
        collections: Vec::new(),
        aliases: Vec::new(),
        skipped: Vec::new(),
        entries: Vec::new(),
    }
}

fn not_captured(missing: &Missing) -> Told {
    let message = format!("it is optional and not in the archive: {}", missing.reason);
    Told { severity: Severity::Warning, message, body: component_record(missing.component, 0, 0, Instant::now()) }
}

fn capture_postgres(
    run: &mut Run<'_>,
    source: PgSource,
    archive: &mut ArchiveWriter,
    manifest: &mut Manifest,
) -> anyhow::Result<Told> {
    let started = Instant::now();
    let captured = source.capture(archive, run)?;
    manifest.versions.postgres = Some(captured.server_version);
    manifest.versions.pg_dump = Some(captured.pg_dump_version);
    let body = BackupComponentRecord {
        rows: rows_of(&captured.databases),
        ..component_record(Component::Postgres, captured.entries, captured.size, started)
    };
    manifest.databases = captured.databases;
    manifest.globals = captured.globals;
    let message = captured.no_globals.map(|reason| format!("without roles and tablespaces: {reason}"));
    let severity = if message.is_some() { Severity::Info } else { Severity::Ok };
    Ok(Told { severity, message: message.unwrap_or_default(), body })
}

fn capture_qdrant(
    run: &mut Run<'_>,
    source: QdrantSource,
    archive: &mut ArchiveWriter,
    manifest: &mut Manifest,
) -> anyhow::Result<Told> {
    let started = Instant::now();
    let captured = source.capture(archive, run)?;
    manifest.versions.qdrant = Some(captured.version);
    let body = BackupComponentRecord {
        points: captured.collections.iter().map(|collection| (collection.name.clone(), collection.points)).collect(),
        ..component_record(Component::Qdrant, captured.collections.len() as u64, captured.size, started)
    };
    manifest.collections = captured.collections;
    manifest.aliases = captured.aliases;
    Ok(Told { severity: Severity::Ok, message: String::new(), body })
}

fn capture_files(
    run: &mut Run<'_>,
    settings: &Settings,
    source: FileSource,
    archive: &mut ArchiveWriter,
    manifest: &mut Manifest,
) -> anyhow::Result<Told> {
    let started = Instant::now();
    let (component, folder) = (source.component, source.folder.clone());
    let captured = source.capture(archive, settings.packing(), run)?;
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
    Ok(Told { severity, message, body })
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
