//! The journal of a restore that came to its end. It lies with what the restore has replaced, and is the way back for as
//! long as that is kept.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use pso_archive::sync_folder;

use super::{Action, Journal, folder_of};
use crate::apply::entries;
use crate::postgres;
use crate::service::Commands;
use crate::settings::{STAGED, Settings, is_of_a_restore};

/// Its name in the restore's own folder.
const FINISHED: &str = "journal.jsonl";

impl Journal {
    /// Ends it after everything was switched over: it stays with what was replaced, in the restore's first folder.
    pub(crate) fn keep(self) -> anyhow::Result<()> {
        let Some(work) = self.begun.work.first().filter(|_| self.has_done_anything()).cloned() else {
            return self.close();
        };
        for work in &self.begun.work {
            // What waited there is in its place.
            let _ = fs::remove_dir_all(work.join(STAGED));
        }
        let (from, to) = (self.path.clone(), work.join(FINISHED));
        // Windows renames no file that is open.
        drop(self);
        fs::rename(&from, &to)
            .and_then(|()| sync_folder(&work))
            .and_then(|()| sync_folder(folder_of(&from)))
            .with_context(|| format!("move the journal {} to {}; do so by hand", from.display(), to.display()))
    }

    fn has_done_anything(&self) -> bool {
        self.open().any(|action| !matches!(action, Action::Stop(_)))
    }

    /// Whether it has done something, and all of that can be undone.
    pub(crate) fn has_way_back(&self) -> bool {
        self.has_done_anything() && self.open().all(|action| action.commit().is_none())
    }

    /// That of the restore in a folder of its own, where one came to its end there; changes nothing.
    pub(crate) fn finished(work: &Path) -> anyhow::Result<Option<Self>> {
        Self::peek(&work.join(FINISHED))
    }

    /// That of the last restore that came to its end, where what it has replaced is kept below `folder`; changes nothing.
    pub(crate) fn last(folder: &Path) -> anyhow::Result<Option<Self>> {
        let mut works = entries(folder);
        works.retain(|work| is_of_a_restore(work));
        // By their times.
        works.sort();
        for work in works.iter().rev() {
            if let Some(journal) = Self::finished(work)? {
                return Ok(Some(journal));
            }
        }
        Ok(None)
    }

    /// The databases that it keeps under another name.
    pub(crate) fn kept_databases(&self) -> Vec<String> {
        let swaps = self.open().filter_map(Action::renaming).flat_map(|renaming| &renaming.databases);
        swaps.filter_map(|swap| swap.kept.clone()).collect()
    }

    /// Whether all that undoing it takes is still there.
    ///
    /// # Errors
    /// When something is not; the message says what.
    pub(crate) fn ensure_way_back(&self, settings: &Settings) -> anyhow::Result<()> {
        let begun = self.begun();
        let ensure = || -> anyhow::Result<()> {
            let kept = self.kept_databases();
            let there = if kept.is_empty() { Vec::new() } else { postgres::kept(&settings.postgres, &kept)? };
            if let Some(gone) = kept.iter().find(|name| !there.iter().any(|kept| kept.name == **name)) {
                bail!("the database {gone}, which it has replaced, is not there any more");
            }
            self.open().try_for_each(|action| action.ensure_way_back(settings))
        };
        ensure().with_context(|| {
            format!("the restore of {}, begun at {}, cannot be undone", begun.archive.display(), begun.at)
        })
    }

    /// Puts it where that of an interrupted restore lies, which its undoing is from here on: so it is recognised when it
    /// is killed.
    pub(crate) fn reopen(self, path: &Path) -> anyhow::Result<Self> {
        let from = self.path.clone();
        let context = || format!("move the journal {} to {}", from.display(), path.display());
        drop(self);
        fs::rename(&from, path).and_then(|()| sync_folder(folder_of(path))).with_context(context)?;
        Self::left(path)?.with_context(context)
    }

    /// How the service was stopped and started in it.
    pub(crate) fn service(&self) -> Option<&Commands> {
        self.noted.iter().find_map(|noted| match &noted.action {
            Action::Stop(commands) => Some(commands),
            _ => None,
        })
    }
}
