//! The whole cleaning: all plans first, then consent, then one part after the other.

use anyhow::{Context as _, Error};
use pso_common::record::{PrunePart, Severity, StepState};
use pso_common::run::{Confirmed, Intent};
use pso_common::{Attempted, Run};

use crate::settings::Settings;
use crate::step::Step;
use crate::{backup, lock, logs, qdrant, rows, tmp, vacuum};

/// What a part would do, found out without changing anything.
pub(crate) trait Plan {
    /// Its steps, as they would be done.
    fn steps(&self) -> Vec<Step>;

    /// Does them, and writes a record for each. A step that fails is a record too, and keeps no other from being done.
    ///
    /// # Errors
    /// When the run is to stop, or its records cannot be written.
    fn apply(self: Box<Self>, run: &mut Run<'_>, settings: &Settings, consent: &Confirmed) -> anyhow::Result<()>;
}

/// After a run that was stopped in the middle: what it has done stays done.
const BEGUN: Attempted =
    Attempted("stopped before everything was done; what was done is in the records, and the next run goes on");

/// Plans the parts, and does them where that is wanted.
pub(crate) fn clean(run: &mut Run<'_>, settings: &Settings, intent: Intent) -> anyhow::Result<()> {
    let _lock = lock::take(settings, intent)?;
    let mut plans = Vec::new();
    for part in &settings.parts {
        run.cancel().check()?;
        match plan(run, settings, *part) {
            Ok(plan) => {
                let steps = plan.steps();
                for step in &steps {
                    step.emit(run, step.planned_as, None)?;
                }
                // What is only told needs neither consent nor a backup.
                if steps.iter().any(|step| step.planned_as == StepState::Planned) {
                    plans.push(plan);
                }
            }
            Err(error) => {
                run.cancel().check()?;
                let step = Step::new(*part, "plan", part.as_str());
                step.says(Severity::Unknown, format!("{error:#}")).emit(run, StepState::Failed, None)?;
            }
        }
    }
    if plans.is_empty() {
        return Ok(());
    }
    if intent != Intent::Show {
        backup::ensure_recent(run, settings)?;
    }
    let Some(consent) = intent.confirm(run, "Do all of this?")? else { return Ok(()) };
    run.cancel().check()?;
    run.must_finish();
    for plan in plans {
        run.cancel().check().map_err(Error::from).context(BEGUN)?;
        plan.apply(run, settings, &consent).context(BEGUN)?;
    }
    Ok(())
}

fn plan(run: &mut Run<'_>, settings: &Settings, part: PrunePart) -> anyhow::Result<Box<dyn Plan>> {
    match part {
        PrunePart::Logs => logs::plan(run, settings),
        PrunePart::Rows => rows::plan(run, settings),
        PrunePart::Vacuum => vacuum::plan(run, settings),
        PrunePart::Qdrant => qdrant::plan(run, settings),
        PrunePart::Tmp => tmp::plan(run, settings),
    }
}
