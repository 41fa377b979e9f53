//! `pso-alert try`: what the records on stdin would fire.

use pso_common::Run;

use crate::cli::Cli;

pub(crate) fn run(_run: &mut Run<'_>, _cli: &Cli, _rules: Option<&std::path::Path>) -> anyhow::Result<()> {
    anyhow::bail!("comes with this issue")
}
