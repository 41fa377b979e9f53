//! `pso-alert send`: one notice by hand, the specification's `send-alert.ps1`.

use anyhow::ensure;
use pso_common::{Run, Severity};

use crate::cli::{Cli, SendArgs};
use crate::notice::Notice;
use crate::settings::Settings;
use crate::tell::tell;

pub(crate) fn run(run: &mut Run<'_>, cli: &Cli, args: &SendArgs) -> anyhow::Result<()> {
    let settings = Settings::resolve(cli, None, run.config())?;
    if settings.printed(run)? {
        return Ok(());
    }
    ensure!(!args.message.trim().is_empty(), "--message is empty; say what people should know");
    run.must_finish();
    let labels = args.labels.iter().cloned().collect();
    let notice = Notice::by_hand(args.severity, &args.message, labels, run.now());
    if settings.alerts.channels.is_empty() && !settings.alerts.stdout {
        run.note(Severity::Warning);
    }
    // The exit code says whether people were told, not what they were told.
    tell(run, &settings, &[notice], false)
}
