//! The journal: what a restore is about to do, on the disk before it is done, so that another run can undo it, or bring
//! it to its end, after this one was killed or the power was cut.
//!
//! `.pso-restore/journal.jsonl` has one JSON object a line. It is there while a restore is under way and no longer; one
//! that nobody holds the lock of is of an interrupted restore. Undoing in the run that failed and `--rollback` after a
//! kill are the same code over the same list. That of a restore that came to its end stays in the restore's folder, with
//! what was replaced, as the way back: see `finished`.

mod action;
mod finished;
mod line;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use pso_archive::{private_file, sync_folder};
use pso_common::{Run, Severity};

pub(crate) use action::{
    Action, InPlaceTransaction, Meaning, NewDatabase, Renaming, Replacing, Saved, Saving, Swap, Swapping, not_undone,
    undisturbed,
};

pub(crate) use line::Begun;
use line::{Event, parse};

use crate::service::Commands;
use crate::settings::{STAGED, Settings};
use crate::steps::Step;

#[derive(Debug)]
struct Noted {
    action: Action,
    did: bool,
    over: bool,
}

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines in it.
    length: u64,
    begun: Begun,
    noted: Vec<Noted>,
    switched: bool,
    undoing: bool,
    finishing: bool,
}

impl Journal {
    /// Begins one; the restore's lock must be held, and no other journal be there.
    pub(crate) fn begin(path: &Path, begun: Begun) -> anyhow::Result<Self> {
        let context = || format!("create the journal {}", path.display());
        let file = private_file(path).with_context(context)?;
        let mut journal = Self {
            path: path.to_path_buf(),
            file,
            length: 0,
            begun: begun.clone(),
            noted: Vec::new(),
            switched: false,
            undoing: false,
            finishing: false,
        };
        let begun = journal.write(&Event::Begun(begun));
        if let Err(error) = begun.and_then(|()| sync_folder(folder_of(path)).with_context(context)) {
            // Nothing was done, and nothing is to be found of it.
            let _ = fs::remove_file(path);
            return Err(error);
        }
        // And the folder's own name; one above it that may not be read is on the disk already, or will be.
        let _ = path.ancestors().nth(2).map(sync_folder);
        Ok(journal)
    }

    /// Opens the one that an interrupted restore has left, if one has. The restore's lock must be held.
    pub(crate) fn left(path: &Path) -> anyhow::Result<Option<Self>> {
        let Some(mut journal) = Self::read(path, OpenOptions::new().read(true).write(true))? else {
            if path.exists() {
                // The power was cut before the first line was on the disk, so nothing was done.
                fs::remove_file(path).with_context(|| format!("remove the empty journal {}", path.display()))?;
            }
            return Ok(None);
        };
        // What is written next must not continue half a line.
        let length = journal.length;
        let cut = journal.file.set_len(length).and_then(|()| journal.file.seek(SeekFrom::Start(length)));
        cut.with_context(|| format!("open the journal {}", path.display()))?;
        Ok(Some(journal))
    }

    /// Looks at the one that lies there, if one does, and changes nothing.
    pub(crate) fn peek(path: &Path) -> anyhow::Result<Option<Self>> {
        Self::read(path, OpenOptions::new().read(true))
    }

    /// The journal; `None` where there is none, or not one whole line.
    fn read(path: &Path, options: &OpenOptions) -> anyhow::Result<Option<Self>> {
        let context = || format!("read the journal {}", path.display());
        let mut file = match options.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(context),
        };
        let mut text = Vec::new();
        file.read_to_end(&mut text).with_context(context)?;
        let Some((events, whole)) = parse(&text).with_context(context)? else { return Ok(None) };
        let mut events = events.into_iter();
        let Some(Event::Begun(begun)) = events.next() else {
            bail!("the journal {} does not begin as one; look at it and at what lies beside it", path.display());
        };
        let mut journal = Self {
            path: path.to_path_buf(),
            file,
            length: whole as u64,
            begun,
            noted: Vec::new(),
            switched: false,
            undoing: false,
            finishing: false,
        };
        for event in events {
            journal.take(event);
        }
        Ok(Some(journal))
    }

    fn take(&mut self, event: Event) {
        match event {
            // Numbers count up, so a line can only be missing at the end.
            Event::Begun(_) => {}
            Event::Will { todo, .. } => self.noted.push(Noted { action: todo, did: false, over: false }),
            Event::Did { id } => self.mark(id, |noted| noted.did = true),
            Event::Over { id } => self.mark(id, |noted| noted.over = true),
            Event::Switched => self.switched = true,
            Event::Undoing => (self.switched, self.undoing) = (false, true),
            Event::Finishing => self.finishing = true,
        }
    }

    fn mark(&mut self, id: usize, what: impl FnOnce(&mut Noted)) {
        if let Some(noted) = self.noted.get_mut(id) {
            what(noted);
        }
    }

    fn write(&mut self, event: &Event) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(event).context("write the journal: a path is not UTF-8")?;
        line.push(b'\n');
        // One write, so that a kill leaves no half line. A full disk may take half of one; the next must not continue it.
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.length += line.len() as u64,
            Err(_) => {
                let _ = self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
            }
        }
        written.with_context(|| format!("write the journal {}", self.path.display()))
    }

    /// What restore it is of.
    pub(crate) const fn begun(&self) -> &Begun {
        &self.begun
    }

    /// Notes what is about to be done; returns when that is on the disk.
    pub(crate) fn will(&mut self, action: Action) -> anyhow::Result<usize> {
        let id = self.noted.len();
        self.write(&Event::Will { id, todo: action.clone() })?;
        self.noted.push(Noted { action, did: false, over: false });
        Ok(id)
    }

    /// Notes that it was done.
    pub(crate) fn did(&mut self, id: usize) -> anyhow::Result<()> {
        self.mark(id, |noted| noted.did = true);
        self.write(&Event::Did { id })
    }

    /// Notes that there is nothing to undo any more.
    pub(crate) fn over(&mut self, id: usize) -> anyhow::Result<()> {
        self.mark(id, |noted| noted.over = true);
        self.write(&Event::Over { id })
    }

    /// Notes that everything has been switched over.
    pub(crate) fn switched(&mut self) -> anyhow::Result<()> {
        self.switched = true;
        self.write(&Event::Switched)
    }

    /// Whether everything has been switched over, as far as the journal knows.
    pub(crate) const fn is_switched(&self) -> bool {
        self.switched
    }

    /// The actions that are not undone.
    pub(crate) fn open(&self) -> impl DoubleEndedIterator<Item = &Action> {
        self.noted.iter().filter(|noted| !noted.over).map(|noted| &noted.action)
    }

    /// Undoes everything in reverse; whether all of it could be. Goes on after a failure and tells each.
    pub(crate) fn undo(&mut self, run: &mut Run<'_>, settings: &Settings) -> bool {
        if let Err(error) = self.undoing() {
            run.warn(format_args!("nothing was undone: {error:#}; make it possible, then try again"));
            run.note(Severity::Critical);
            return false;
        }
        let mut all = true;
        for id in (0..self.noted.len()).rev().filter(|&id| !self.noted[id].over).collect::<Vec<_>>() {
            let action = self.noted[id].action.clone();
            if matches!(action, Action::Stop(_)) {
                continue;
            }
            match action.undo(run, settings, self.noted[id].did) {
                // A disk that is full must not keep what can be undone from being undone; twice does no harm.
                Ok(()) => drop(self.over(id)),
                Err(error) => {
                    run.warn(format_args!("{error:#}"));
                    run.note(Severity::Critical);
                    all = false;
                }
            }
        }
        all
    }

    /// Notes that it is being undone, where everything was switched over: half of that undone is not to be taken for a
    /// restore that came to its end.
    fn undoing(&mut self) -> anyhow::Result<()> {
        if self.switched {
            self.write(&Event::Undoing)?;
            (self.switched, self.undoing) = (false, true);
        }
        Ok(())
    }

    /// The steps that undoing would take.
    pub(crate) fn undo_steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = self.open().rev().filter_map(Action::undo_step).collect();
        steps.extend(self.commands().map(Commands::start_step));
        steps
    }

    /// How the service that was stopped is started again.
    pub(crate) fn commands(&self) -> Option<&Commands> {
        self.open().find_map(|action| match action {
            Action::Stop(commands) => Some(commands),
            _ => None,
        })
    }

    /// Starts the service, where it was stopped.
    pub(crate) fn start_service(&mut self, run: &mut Run<'_>, settings: &Settings) -> anyhow::Result<()> {
        let Some(id) = self.noted.iter().position(|noted| !noted.over && matches!(noted.action, Action::Stop(_)))
        else {
            return Ok(());
        };
        let Action::Stop(commands) = self.noted[id].action.clone() else { return Ok(()) };
        commands.start(run, settings)?;
        // Where that cannot be noted, it is started once more after a kill.
        let _ = self.over(id);
        Ok(())
    }

    /// Ends it after everything was undone, or nothing was done. Removes what would have brought back the old state.
    pub(crate) fn close(mut self) -> anyhow::Result<()> {
        self.finishing = true;
        if self.write(&Event::Finishing).is_err() {
            // On a full disk the journal goes first: it must not promise what is gone.
            let _ = fs::remove_file(&self.path);
        }
        for work in &self.begun.work {
            for name in [STAGED, crate::qdrant::SAVED] {
                let _ = fs::remove_dir_all(work.join(name));
            }
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.and_then(|()| sync_folder(folder_of(&self.path))),
        }
        .with_context(|| format!("remove the journal {}; remove it by hand", self.path.display()))
    }

    /// What lies there, in one sentence.
    pub(crate) fn describe(&self) -> String {
        let begun = &self.begun;
        let open: Vec<String> = self.open().filter_map(Action::describe).collect();
        let what = if self.switched {
            "everything was switched over, and only the end is missing".to_owned()
        } else if self.finishing || self.undoing && open.is_empty() {
            "everything was undone, and only the end is missing".to_owned()
        } else if self.undoing {
            format!("it was being undone, and what is left of it is {}", open.join(", "))
        } else if open.is_empty() {
            "nothing was replaced yet".to_owned()
        } else {
            format!("it had begun with {}", open.join(", "))
        };
        format!(
            "the restore of {} that process {} began at {} was interrupted: {what}",
            begun.archive.display(),
            begun.pid,
            begun.at
        )
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use pso_common::record::Component;

    use super::*;

    fn begun() -> Begun {
        Begun {
            archive: "/a.zip".into(),
            sha256: "00".to_owned(),
            taken_at: "2026-11-22T09:00:00Z".parse().expect("a time"),
            at: "2026-11-22T10:00:00Z".parse().expect("a time"),
            pid: 7,
            components: vec![Component::Plans],
            in_place: false,
            database: "a".to_owned(),
            names_database: false,
            work: vec![],
            postgres: None,
            qdrant: None,
            system_identifier: None,
        }
    }

    fn new(name: &str) -> Action {
        Action::NewDatabase(NewDatabase { database: "a".to_owned(), new: name.to_owned() })
    }

    #[test]
    fn what_was_noted_is_read_again_and_half_a_line_at_the_end_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal.jsonl");
        assert!(Journal::left(&path).expect("none").is_none());
        let mut journal = Journal::begin(&path, begun()).expect("begun");
        assert!(Journal::begin(&path, begun()).is_err(), "there is one already");
        for name in ["one", "two", "three"] {
            let id = journal.will(new(name)).expect("noted");
            journal.did(id).expect("noted");
        }
        journal.over(1).expect("noted");
        drop(journal);
        let whole = fs::read(&path).expect("readable");
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).expect("written");
            let left = Journal::left(&path).expect("never an error");
            let lines = whole[..cut].iter().filter(|&&byte| byte == b'\n').count();
            let Some(mut left) = left else {
                assert!(lines == 0 && !path.exists(), "{cut}");
                continue;
            };
            assert_eq!(left.begun(), &begun());
            assert_eq!(
                fs::read(&path).expect("readable").len(),
                whole[..cut].iter().rposition(|&byte| byte == b'\n').expect("a line") + 1
            );
            // Goes on after the last whole line.
            left.will(new("more")).expect("noted");
            let names: Vec<String> =
                Journal::left(&path).expect("whole").expect("there").open().filter_map(Action::describe).collect();
            // One is over where its line came through.
            let noted = [2, 4, 6].iter().filter(|&&line| lines >= line).count() - usize::from(lines >= 8);
            assert_eq!(names.len(), noted + 1, "{cut}: {names:?}");
            assert_eq!(names.last().map(String::as_str), Some("the new database more"));
        }
        let whole = String::from_utf8(whole).expect("UTF-8");
        fs::write(&path, whole.replacen("\"did\"", "\"dad\"", 1)).expect("written");
        assert!(format!("{:#}", Journal::left(&path).expect_err("damaged")).contains("line 3"));
        // Of a version that knows more: not to be taken for half a line, and what it tells of not for never done.
        fs::write(&path, whole + "{\"event\":\"more\"}\n").expect("written");
        assert!(format!("{:#}", Journal::left(&path).expect_err("not known")).contains("line 9"));
    }

    #[test]
    fn half_undone_is_not_switched_any_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::begin(&path, begun()).expect("begun");
        journal.will(new("one")).expect("noted");
        journal.switched().expect("noted");
        journal.undoing().expect("noted");
        let left = Journal::left(&path).expect("whole").expect("there");
        assert!(!left.is_switched() && left.describe().contains("it was being undone"), "{}", left.describe());
    }
}
