//! Consent: a tool that changes something plans first, and does nothing without it. It can be had here only.

use anyhow::bail;

use super::Run;

/// Somebody said yes: by flag, or on a terminal. What changes anything takes one of these.
#[derive(Debug)]
pub struct Confirmed(());

/// What the flags and the terminal allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
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
    /// What `--dry-run` and `--yes` say, of which at most one is given. Where stdin is taken for records no answer can come from
    /// it: `can_ask` is false.
    #[must_use]
    pub fn of(dry_run: bool, yes: bool, run: &Run<'_>, can_ask: bool) -> Self {
        if dry_run {
            Self::Show
        } else if yes {
            Self::Do
        } else if run.is_interactive() && can_ask {
            Self::Ask
        } else {
            Self::Nobody
        }
    }

    /// Whether something may be changed.
    #[must_use]
    pub const fn changes(self) -> bool {
        matches!(self, Self::Ask | Self::Do)
    }

    /// The consent, or `None` where only the plan was wanted.
    ///
    /// # Errors
    /// When consent is needed and nobody can give it, or the answer was no.
    pub fn confirm(self, run: &mut Run<'_>, question: &str) -> anyhow::Result<Option<Confirmed>> {
        match self {
            Self::Show => Ok(None),
            Self::Do => Ok(Some(Confirmed(()))),
            Self::Ask if run.ask(question)? => Ok(Some(Confirmed(()))),
            Self::Ask => bail!("nothing was changed: the answer was not yes"),
            Self::Nobody => bail!("nothing was changed: add --yes to do what was planned, or --dry-run to plan only"),
        }
    }
}
