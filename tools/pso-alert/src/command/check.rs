//! `pso-alert check`: is this alerts.yaml right, and what is in effect.

use std::path::Path;

use pso_common::Run;

use crate::cli::Cli;
use crate::settings::Settings;

pub(crate) fn run(run: &mut Run<'_>, cli: &Cli, file: Option<&Path>) -> anyhow::Result<()> {
    let settings = Settings::resolve(cli, file.map(Path::to_path_buf), run.config())?;
    if settings.printed(run)? {
        return Ok(());
    }
    anyhow::ensure!(
        settings.file.exists(),
        "{} does not exist; name another file, or create it",
        settings.file.display()
    );
    settings.print_alerts(run)?;
    settings.warn(run);
    let alerts = &settings.alerts;
    let names: Vec<&str> = alerts.channels.iter().map(|channel| channel.name.as_str()).collect();
    let told = if names.is_empty() { "no channel".to_owned() } else { names.join(", ") };
    let verdict = if alerts.problems.is_empty() { "is valid" } else { "has channels that cannot be used" };
    run.warn(format_args!("{} {verdict}; notices go to {told}", settings.file.display()));
    Ok(())
}
