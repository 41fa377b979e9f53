//! `pso-alert test`: one marked notice, and what the other end says to it.

use pso_common::Run;

use crate::cli::Cli;

pub(crate) fn run(_run: &mut Run<'_>, _cli: &Cli, _channel: Option<&str>) -> anyhow::Result<()> {
    anyhow::bail!("comes with this issue")
}
