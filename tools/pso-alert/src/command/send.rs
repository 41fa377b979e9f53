//! `pso-alert send`: one notice by hand, the specification's `send-alert.ps1`.

use anyhow::ensure;
use pso_common::Run;

use crate::cli::{Cli, SendArgs};
use crate::inbox::Inbox;
use crate::notice::Notice;
use crate::settings::Settings;
use crate::tell::Teller;

pub(crate) fn run(run: &mut Run<'_>, cli: &Cli, args: &SendArgs) -> anyhow::Result<()> {
    let settings = Settings::resolve(cli, None, run.config())?;
    if settings.printed(run)? {
        return Ok(());
    }
    ensure!(!args.message.trim().is_empty(), "--message is empty; say what people should know");
    run.must_finish();
    let labels = args.labels.iter().cloned().collect();
    let notice = Notice::by_hand(args.severity, &args.message, labels, run.now());
    if settings.alerts.channels.is_empty() {
        run.note(pso_common::Severity::Warning);
    }
    let inbox = Inbox::default();
    let mut teller = Teller::start(run, &settings, &inbox, false)?;
    teller.send(run, &notice)?;
    teller.finish(run, &inbox)
}
