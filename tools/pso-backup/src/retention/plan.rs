//! Retention applied to a folder: first what would go, then, with consent, its going.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pso_archive::catalog::Listed;
use pso_archive::{Lock, legacy};
use pso_common::record::{BackupArchiveRecord, Component, Decision};
use pso_common::{Run, Severity, Timestamp};

use super::policy::{Candidate, State, Verdict};
use super::{Confirmed, Policy, Trust};
use crate::destination::{Destination, FolderDestination};
use crate::pins;
use crate::record::of_listed;

/// What is to become of the archives of one series.
pub(crate) struct Plan<'a> {
    place: &'a dyn Destination,
    steps: Vec<(Listed, Verdict)>,
    /// Those of the steps that were noted as good and are not.
    doubted: BTreeMap<usize, String>,
}

impl<'a> Plan<'a> {
    /// Looks, and changes nothing. Where something is to go, the archives that replace it are read; one that is not what
    /// was noted of it counts no more, and is a warning.
    ///
    /// # Errors
    /// When the place cannot be read, or the run is to stop.
    pub(crate) fn of(
        place: &'a dyn Destination,
        policy: &Policy,
        trust: &Trust<'_>,
        now: Timestamp,
        run: &mut Run<'_>,
    ) -> anyhow::Result<Self> {
        let (listed, cancel) = (place.list()?, run.cancel().clone());
        let mut candidates: Vec<Candidate> = listed.iter().map(|archive| candidate(archive, policy)).collect();
        let mut proven: BTreeSet<usize> = (0..listed.len()).filter(|&at| trust.is_proven(&listed[at])).collect();
        let mut doubted = BTreeMap::new();
        // It ends: each time at least one more archive was read.
        loop {
            let verdicts = policy.decide(&candidates, now);
            let gone = candidates.iter().zip(&verdicts).filter(|(_, verdict)| matches!(verdict, Verdict::Remove(_)));
            let relied: BTreeSet<usize> =
                gone.flat_map(|(archive, _)| policy.relied_on(archive, &candidates, now)).collect();
            let unread: Vec<usize> = relied.difference(&proven).copied().collect();
            if unread.is_empty() {
                return Ok(Self { place, steps: listed.into_iter().zip(verdicts).collect(), doubted });
            }
            for at in unread {
                let archive = &listed[at];
                run.progress(format_args!("verifying {}, before others go because of it", archive.path.display()));
                let Some(reason) = trust.doubt(archive, &cancel)? else {
                    proven.insert(at);
                    continue;
                };
                run.warn(format_args!(
                    "{} was noted as verified and is not what it was: {reason}; it replaces no other archive",
                    archive.path.display()
                ));
                run.note(Severity::Warning);
                candidates[at].state = State::Damaged;
                doubted.insert(at, reason);
            }
        }
    }

    /// One record each: what stays and what would go.
    pub(crate) fn show(&self, run: &mut Run<'_>) -> anyhow::Result<()> {
        self.show_kept(run)?;
        for (archive, verdict) in &self.steps {
            if let Verdict::Remove(reason) = verdict {
                emit(run, archive, Severity::Info, Decision::Remove, reason)?;
            }
        }
        Ok(())
    }

    /// Removes what is to go, one record each; the place must be locked. What cannot be removed is a warning.
    pub(crate) fn apply(&self, run: &mut Run<'_>, _: &Confirmed) -> anyhow::Result<()> {
        for (archive, verdict) in &self.steps {
            let Verdict::Remove(reason) = verdict else { continue };
            // Pinned since it was looked at.
            if pins::is_pinned(&archive.path) {
                continue;
            }
            match self.place.remove(archive) {
                Ok(()) => emit(run, archive, Severity::Info, Decision::Removed, &format!("removed: {reason}"))?,
                Err(error) => emit(run, archive, Severity::Warning, Decision::Remove, &format!("{error:#}"))?,
            }
        }
        Ok(())
    }

    /// As [`Plan::show`], of what stays only.
    fn show_kept(&self, run: &mut Run<'_>) -> anyhow::Result<()> {
        for (at, (archive, verdict)) in self.steps.iter().enumerate() {
            let Verdict::Keep(reason) = verdict else { continue };
            match self.doubted.get(&at) {
                None => emit(run, archive, Severity::Ok, Decision::Keep, reason)?,
                Some(doubt) => {
                    emit(run, archive, Severity::Critical, Decision::Keep, &format!("damaged: {doubt}; {reason}"))?;
                }
            }
        }
        Ok(())
    }
}

/// `pso-backup prune`: the plan of each folder, and with consent its execution.
pub(crate) fn prune(
    run: &mut Run<'_>,
    series: &[(PathBuf, Policy)],
    restore_lock: &Path,
    trust: &Trust<'_>,
    consent: Option<&Confirmed>,
) -> anyhow::Result<()> {
    let now = run.now();
    let Some(consent) = consent else {
        let mut would_go = 0;
        for (folder, policy) in series {
            let place = FolderDestination::new(folder);
            let plan = Plan::of(&place, policy, trust, now, run)?;
            would_go += plan.steps.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Remove(_))).count();
            plan.show(run)?;
        }
        if would_go > 0 {
            run.warn(format_args!("nothing was removed; with --yes {would_go} would go"));
        }
        return Ok(());
    };
    run.must_finish();
    // An archive that is being restored stays.
    Lock::refuse_held(restore_lock, "restore")?;
    for (folder, policy) in series.iter().filter(|(folder, _)| folder.is_dir()) {
        let place = FolderDestination::new(folder);
        let _lock = place.lock()?;
        let plan = Plan::of(&place, policy, trust, now, run)?;
        plan.show_kept(run)?;
        plan.apply(run, consent)?;
    }
    Ok(())
}

fn candidate(archive: &Listed, policy: &Policy) -> Candidate {
    let summary = archive.content.as_ref().ok();
    // The specification's own script put everything into its archives, and they can be restored.
    let is_old = summary.is_none() && !archive.encrypted && legacy::is_legacy(&archive.path);
    let unknown = if is_old { Component::ALL.to_vec() } else { Vec::new() };
    Candidate {
        taken_at: archive.taken_at(),
        state: match (summary, archive.verified_at) {
            (None, _) => State::Unreadable,
            (Some(_), Some(_)) if policy.rehearsed_only && archive.rehearsed_at.is_none() => State::Unrehearsed,
            (Some(_), Some(_)) => State::Good,
            (Some(_), None) if archive.is_noted => State::Damaged,
            (Some(_), None) => State::Unverified,
        },
        components: summary.map_or(unknown, |summary| summary.components.clone()),
        systems: summary.map(|summary| summary.system_identifiers.clone()).unwrap_or_default(),
        pinned: pins::is_pinned(&archive.path),
    }
}

fn emit(
    run: &mut Run<'_>,
    archive: &Listed,
    severity: Severity,
    decision: Decision,
    reason: &str,
) -> anyhow::Result<()> {
    let (name, body) = of_listed(archive, run.now());
    run.emit(severity, name, reason, BackupArchiveRecord { decision: Some(decision), ..body })
}
