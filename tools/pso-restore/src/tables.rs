//! `--table`: single tables, beside what is there.

use anyhow::{Context as _, bail};
use pso_archive::Archive;
use pso_archive::verify::{Depth, verify};
use pso_common::record::{Component, RestoreMode, RestorePlanRecord};
use pso_common::run::Intent;
use pso_common::{Attempted, Run, Severity};

use crate::postgres;
use crate::settings::Settings;

const UNDONE: Attempted = Attempted("nothing was restored: everything is as it was before");

/// Plans the restore of the tables `wanted`, and carries it out where that was asked for.
pub(crate) fn restore(
    run: &mut Run<'_>,
    settings: &Settings,
    archive: &mut Archive,
    wanted: &[String],
    intent: Intent,
) -> anyhow::Result<()> {
    run.progress(format_args!("verifying {}", archive.path().display()));
    let cancel = run.cancel().clone();
    if let Some(damage) = verify(archive, Depth::Packed, &cancel)?.summary() {
        bail!("the archive {} is damaged, and nothing of it is restored: {damage}", archive.path().display());
    }
    let plan = postgres::plan_tables(settings, archive, wanted, run.now())
        .with_context(|| format!("plan the restore of {}", wanted.join(", ")))?;
    let steps = plan.steps();
    let body = RestorePlanRecord {
        path: archive.path().display().to_string(),
        taken_at: archive.manifest().taken_at,
        components: vec![Component::Postgres],
        steps: steps.len() as u64,
        mode: RestoreMode::Restore,
        hash: None,
        needed_bytes: None,
        free_bytes: None,
    };
    let name = archive.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    run.emit(
        Severity::Ok,
        name,
        "the whole archive was compared with its manifest; nothing that is there is replaced",
        body,
    )?;
    steps.iter().try_for_each(|step| step.planned(run))?;
    let question = format!("Restore {} beside what is there?", wanted.join(", "));
    if intent.confirm(run, &question)?.is_none() {
        return Ok(());
    }
    plan.apply(run, &settings.postgres, archive).context(UNDONE)
}
