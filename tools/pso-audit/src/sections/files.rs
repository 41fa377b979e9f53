//! Modes and owners of the deployment's files, of the folders above them, and where links lead.

#[cfg(unix)]
mod groups;
#[cfg(unix)]
mod links;
mod named;
#[cfg(unix)]
mod rules;
mod settings;
#[cfg(unix)]
mod walk;

pub(crate) use settings::{FilesSection, FilesSettings};

use crate::finding::Found;
use crate::sections::{Context, Section};

/// What a file is for; by that it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(unix), expect(dead_code, reason = "modes are of Unix"))]
pub(crate) enum Role {
    /// Configuration: it names servers, and commands that are run.
    Config,
    /// Run by cron, the Task Scheduler and people.
    Script,
    Log,
    /// Archives: the whole database.
    Backup,
    Plan,
    /// A file that holds a secret and nothing else.
    Secret,
    /// Bookmarks and states of the tools.
    State,
    /// The deployment's folder itself.
    Root,
    /// A folder above: who may write there can put another one into its place.
    Above,
    /// Named in `maintenance.audit.files.paths`.
    Extra,
}

/// Whether the folder that is looked at has anything of a deployment in it; else what to do about it is said.
pub(crate) fn is_deployment(context: &Context, found: &mut Found) -> bool {
    let (paths, settings) = (&context.settings.paths, &context.settings.files);
    let folders = [&paths.config, &paths.scripts, &paths.logs, &paths.backups, &paths.plans];
    if settings.config.is_some() || folders.iter().any(|folder| folder.exists()) {
        return true;
    }
    let root = crate::shell::shown(&paths.root);
    // A folder that nobody else gets into looks like one that is not there.
    found.unknown(match folders.iter().find_map(|folder| folder.try_exists().err()) {
        Some(error) => format!("{root} cannot be looked into: {error}"),
        None => format!("nothing of a deployment is in {root}: name its folder with maintenance.root or PSO_ROOT"),
    });
    false
}

/// What the system said: walkdir's own error names the path once more.
pub(crate) fn cause(error: walkdir::Error) -> std::io::Error {
    let message = error.to_string();
    error.into_io_error().unwrap_or_else(|| std::io::Error::other(message))
}

pub(crate) struct Files;

impl Section for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn about(&self) -> &'static str {
        "modes and owners of configuration, scripts, logs, backups, plans and secret files, the folders above, and links"
    }

    #[cfg(unix)]
    fn look(&self, context: &Context, found: &mut Found) -> anyhow::Result<()> {
        walk::look(context, found)
    }

    #[cfg(not(unix))]
    fn look(&self, _context: &Context, found: &mut Found) -> anyhow::Result<()> {
        found.note("ACLs are not examined on this system");
        Ok(())
    }
}
