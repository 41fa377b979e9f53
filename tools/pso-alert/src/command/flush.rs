//! `pso-alert flush`: time acts on incidents, and what waits in the outbox is delivered.

use pso_common::Run;

use crate::batch::Batch;
use crate::cli::Cli;
use crate::evaluate::evaluate;
use crate::inbox::Inbox;
use crate::settings::Settings;
use crate::tell::Teller;

pub(crate) fn run(run: &mut Run<'_>, cli: &Cli) -> anyhow::Result<()> {
    let settings = Settings::resolve(cli, None, run.config())?;
    if settings.printed(run)? {
        return Ok(());
    }
    run.must_finish();
    let inbox = Inbox::default();
    // The exit code says whether people were told, not what they were told.
    let mut teller = Teller::start(run, &settings, &inbox, false)?;
    let evaluated = evaluate(teller.store(), &Batch::default(), &settings.source, &settings.alerts, run.now())?;
    evaluated.warn(run);
    teller.tell(run, &evaluated.changes)?;
    teller.finish(run, &inbox)
}
