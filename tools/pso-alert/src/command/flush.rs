//! `pso-alert flush`: time acts on incidents, and what waits in the outbox is delivered.

use pso_common::Run;

use crate::cli::Cli;

pub(crate) fn run(_run: &mut Run<'_>, _cli: &Cli) -> anyhow::Result<()> {
    anyhow::bail!("comes with this issue")
}
