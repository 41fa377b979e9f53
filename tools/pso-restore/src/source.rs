//! Opening the archive that is meant.

use std::path::Path;

use pso_archive::{Archive, Identities, legacy};
use pso_common::{Run, Severity};

use crate::settings::Settings;

/// Opens an archive; one of the specification's own script too, of which nothing is known but what is in it.
pub(crate) fn open(run: &mut Run<'_>, settings: &Settings, path: &Path) -> anyhow::Result<Archive> {
    if !legacy::is_legacy(path) {
        let identities = match &settings.identity_file {
            Some(file) => Identities::read(file)?,
            None => Identities::default(),
        };
        return Archive::open_with(path, &identities);
    }
    run.progress(format_args!("reading {}", path.display()));
    let assumed = legacy::Assumed { database: &settings.postgres.dbname, collection: &settings.old_collection };
    let archive = legacy::open(path, &assumed, run.cancel())?;
    run.warn(format_args!(
        "{} was made by backup-daily.ps1 and carries no manifest: nothing says whether it is what was stored, and only its \
         own numbers of rows are compared",
        path.display()
    ));
    run.note(Severity::Warning);
    Ok(archive)
}
