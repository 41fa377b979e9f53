//! `pso-alert silence add|list|expire`.

use pso_common::Run;

use crate::cli::Cli;

pub(crate) fn run(_run: &mut Run<'_>, _cli: &Cli, _command: &crate::cli::SilenceCommand) -> anyhow::Result<()> {
    anyhow::bail!("comes with this issue")
}
