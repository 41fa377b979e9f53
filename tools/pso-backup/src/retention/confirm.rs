//! Consent: no archive is removed without it, and it can be had here only.

use pso_archive::Published;

use crate::cli::PruneArgs;

/// Somebody wants archives past their retention to go.
pub(crate) struct Confirmed(());

impl Confirmed {
    /// The flag says so.
    pub(crate) fn by_flag(args: &PruneArgs) -> Option<Self> {
        args.yes.then_some(Self(()))
    }

    /// `create` removes what its archive makes superfluous: the configuration says so, and there is an archive.
    pub(crate) const fn by_publication(_published: &Published) -> Self {
        Self(())
    }
}
