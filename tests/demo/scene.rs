//! What happens in the demo, in this order.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pso_tests::fingerprint::Fingerprint;
use pso_tests::tool::built_binary;

use crate::chart::compare;
use crate::stage::{Fingerprints, Stage};

/// The daily maintenance, with what it shows and whom it told.
pub(crate) fn maintenance(stage: &mut Stage) -> Result<()> {
    stage.scene("1  The daily maintenance: scripts/daily-maintenance.sh")?;
    let script = fs::canonicalize("scripts/daily-maintenance.sh").context("run this from the project's folder")?;
    let args = stage.shown();
    let code = stage.run(&script, &args)?;
    let errors = stage.truth.logs.counts(Some(Duration::from_secs(86_400))).errors_total();
    ensure!(
        code == 2,
        "the daily maintenance ended in {code}; with {errors} errors in the logs it should end in 2 (high)"
    );
    stage.say(&format!("\nExit code 2: {errors} errors in 24 hours are more than 50. The Slack channel was told:"))?;
    let told = stage.webhook.requests();
    ensure!(!told.is_empty(), "no notice arrived at the Slack webhook");
    for request in told {
        let text = request.json().and_then(|body| body["text"].as_str().map(str::to_owned)).unwrap_or_default();
        stage.say(&format!("  {}", text.replace('\n', "\n  ")))?;
    }
    let mails = stage.mail.mails();
    ensure!(!mails.is_empty(), "no mail arrived");
    stage.say(&format!("The same by mail, encrypted, to {}.", mails[0].to.join(" and ")))
}

/// A table, a collection and a third of the plans are lost.
pub(crate) fn damage(stage: &mut Stage, before: &Fingerprints) -> Result<()> {
    stage.scene("2  A bad day: DROP TABLE tasks, a collection deleted, plans removed")?;
    stage.database.execute("DROP TABLE tasks CASCADE")?;
    stage.qdrant.client().delete_collection("plans")?;
    let removed: Vec<PathBuf> =
        stage.truth.plans.iter().step_by(3).map(|plan| stage.folder.join("roadmaps/plans").join(plan)).collect();
    for plan in &removed {
        fs::remove_file(plan).with_context(|| format!("remove {}", plan.display()))?;
    }
    let now = stage.fingerprints()?;
    stage.say(&counts(before, &now))?;
    ensure!(before.rows.digest() != now.rows.digest() && before.points.digest() != now.points.digest());
    Ok(())
}

/// The newest archive is put back.
pub(crate) fn restoration(stage: &mut Stage) -> Result<()> {
    stage.scene("3  pso-restore latest --yes")?;
    let mut args: Vec<OsString> = vec!["latest".into(), "--yes".into()];
    args.extend(stage.shown());
    let code = stage.run(&built_binary("pso-restore")?, &args)?;
    ensure!(code == 0, "pso-restore ended in {code}");
    Ok(())
}

/// Every row, every point and every plan is compared with what was there before.
pub(crate) fn proof(stage: &mut Stage, before: &Fingerprints) -> Result<()> {
    stage.scene("4  Row by row, point by point, file by file")?;
    let now = stage.fingerprints()?;
    stage.say(&counts(before, &now))?;
    for ((what, _), before, now) in pairs(before, &now) {
        let differences = before.differences(now);
        ensure!(differences.is_empty(), "{what} differ after the restore: {}", differences.join("; "));
        stage.say(&format!("  {} {what}: content identical, sha256 {}", before.total(), &before.digest()[..16]))?;
    }
    Ok(())
}

/// The archive is restored somewhere harmless, without any of the servers; so is one in which somebody has changed a byte.
pub(crate) fn rehearsal(stage: &mut Stage) -> Result<()> {
    stage.scene("5  pso-rehearse latest: would it restore on a machine that has nothing of this?")?;
    let rehearse = built_binary("pso-rehearse")?;
    let mut args: Vec<OsString> = vec!["latest".into()];
    args.extend(stage.shown());
    let code = stage.run(&rehearse, &args)?;
    ensure!(code == 0, "pso-rehearse ended in {code}");
    stage.say("\nNow one byte of a copy is changed, as a bad disk does it; its hash file is left out:\n")?;
    let tampered = stage.tampered()?;
    args[0] = tampered.into();
    let code = stage.run(&rehearse, &args)?;
    ensure!(code == 2, "pso-rehearse ended in {code} on a tampered archive; it should end in 2 (critical)");
    stage.say("\nExit code 2: it says which entry it is, and what can be had of the rest.")
}

fn counts(before: &Fingerprints, now: &Fingerprints) -> String {
    pairs(before, now).map(|((_, one), before, now)| compare(one, &before.counts(), &now.counts())).concat()
}

/// What is compared with what, with the words for it.
fn pairs<'a>(
    before: &'a Fingerprints,
    now: &'a Fingerprints,
) -> [((&'static str, &'static str), &'a Fingerprint, &'a Fingerprint); 3] {
    [
        (("rows", "table"), &before.rows, &now.rows),
        (("points and aliases", "Qdrant"), &before.points, &now.points),
        (("plans", "files"), &before.plans, &now.plans),
    ]
}
