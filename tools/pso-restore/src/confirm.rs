//! Consent: nothing is changed without it, and it can be had here only.

use std::path::Path;

use anyhow::bail;
use pso_archive::{BACKUP_LOCK, Lock, PRUNE_LOCK, RESTORE_LOCK, private_folder};
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

    /// Whether something may be changed.
    pub(crate) const fn changes(self) -> bool {
        matches!(self, Self::Ask | Self::Do)
    }

    /// Locks the target, where something may be changed: what is planned is then still so when it is done.
    pub(crate) fn lock(self, settings: &Settings) -> anyhow::Result<Option<Lock>> {
        if !self.changes() {
            return Ok(None);
        }
        let folder = settings.undo_folder();
        private_folder(&folder).map_err(|error| anyhow::anyhow!("create the folder {}: {error}", folder.display()))?;
        let what = format!("restore into {}", settings.paths.root.display());
        let lock = Lock::acquire(&settings.paths.join(Path::new(RESTORE_LOCK)), &what)?;
        // Looked at after our own was taken, as a backup does, so that at least one of the two sees the other. A backup
        // to somewhere else that runs already is not known here.
        for folder in settings.backup_folders() {
            Lock::refuse_held(&folder.join(BACKUP_LOCK), &format!("backup into {}", folder.display()))?;
        }
        let cleaning = settings.paths.join(Path::new(PRUNE_LOCK));
        Lock::refuse_held(&cleaning, "cleaning")?;
        Ok(Some(lock))
    }

    /// The consent, or `None` where only the plan was wanted.
    ///
    /// # Errors
    /// When consent is needed and nobody can give it, or the answer was no.
    pub(crate) fn confirm(self, run: &mut Run<'_>, question: &str) -> anyhow::Result<Option<Confirmed>> {
        match self {
            Self::Show => Ok(None),
            Self::Do => Ok(Some(Confirmed(()))),
            Self::Ask if run.ask(question)? => Ok(Some(Confirmed(()))),
            Self::Ask => bail!("nothing was changed: the answer was not yes"),
            Self::Nobody => bail!("nothing was changed: add --yes to do what was planned, or --dry-run to plan only"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use pso_common::Io;
    use pso_common::run::{exit_code, session};

    use super::*;

    #[test]
    fn an_answer_decides() {
        for (answer, code) in [("y\n", 0), ("n\n", 3), ("", 3)] {
            let cli = Cli::try_parse_from(["pso-restore", "latest"]).expect("valid");
            let mut io = Io::for_test(answer, std::io::sink(), std::io::sink());
            (io.stdin_is_terminal, io.stderr_is_terminal) = (true, true);
            let result = session(&crate::TOOL, &cli.common, &mut io, |run| {
                let intent = Intent::of(&cli, run, false);
                assert!(intent == Intent::Ask);
                intent.confirm(run, "Replace everything?").map(drop)
            });
            assert_eq!(exit_code(&result), code, "{answer:?}: {result:?}");
        }
    }
}
