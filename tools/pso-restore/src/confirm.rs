//! Consent: nothing is changed without it, and it can be had here only.

use anyhow::bail;
use pso_archive::{Lock, private_folder};
use pso_common::Run;

use crate::cli::Cli;
use crate::settings::Settings;

/// Somebody said yes: by flag, or on a terminal. What changes anything takes one of these.
pub(crate) struct Confirmed(());

/// What the flags and the terminal allow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Only the plan is wanted.
    Show,
    /// Somebody is there to be asked.
    Ask,
    /// It is to be done.
    Do,
    /// It may be wanted, and nobody can be asked.
    Nobody,
}

impl Intent {
    /// `from_stdin`: the records come from there, so no answer can.
    pub(crate) fn of(cli: &Cli, run: &Run<'_>, from_stdin: bool) -> Self {
        if cli.dry_run {
            Self::Show
        } else if cli.yes {
            Self::Do
        } else if run.is_interactive() && !from_stdin {
            Self::Ask
        } else {
            Self::Nobody
        }
    }

    /// Locks the target, where something may be changed: what is planned is then still so when it is done.
    pub(crate) fn lock(self, settings: &Settings) -> anyhow::Result<Option<Lock>> {
        if matches!(self, Self::Show | Self::Nobody) {
            return Ok(None);
        }
        let folder = settings.undo_folder();
        private_folder(&folder).map_err(|error| anyhow::anyhow!("create the folder {}: {error}", folder.display()))?;
        let what = format!("restore into {}", settings.paths.root.display());
        Lock::acquire(&folder.join("lock"), &what).map(Some)
    }

    /// The consent, or `None` where only the plan was wanted or the answer was no.
    ///
    /// # Errors
    /// When consent is needed and nobody can give it.
    pub(crate) fn confirm(self, run: &mut Run<'_>, question: &str) -> anyhow::Result<Option<Confirmed>> {
        match self {
            Self::Show => Ok(None),
            Self::Do => Ok(Some(Confirmed(()))),
            Self::Ask if run.ask(question)? => Ok(Some(Confirmed(()))),
            Self::Ask => {
                run.warn("nothing was changed");
                Ok(None)
            }
            Self::Nobody => bail!("nothing was changed: add --yes to do what was planned, or --dry-run to plan only"),
        }
    }
}
