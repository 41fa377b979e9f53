//! Consent: nothing is changed without it, and it can be had here only.

use anyhow::bail;
use pso_common::Run;

use crate::cli::Cli;

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
    pub(crate) fn of(cli: &Cli, run: &Run<'_>) -> Self {
        match cli {
            Cli { dry_run: true, .. } => Self::Show,
            Cli { yes: true, .. } => Self::Do,
            _ if run.is_interactive() => Self::Ask,
            _ => Self::Nobody,
        }
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
