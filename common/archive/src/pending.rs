//! Notes of what lies on Qdrant's disk because of us: what a killed backup has left there, the next one removes, or
//! `pso-prune`. Qdrant names snapshots itself, so only what was noted is known to be ours.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pso_common::Timestamp;
use pso_common::qdrant::{QdrantClient, QdrantError, Snapshot, requested_snapshot};
use serde::{Deserialize, Serialize};

const FILE: &str = ".pso-backup.pending";
/// How long a snapshot that was asked for is looked for: the server may still be at it.
const LOOKED_FOR: Duration = Duration::from_secs(86_400);

/// The notes of one backup folder. Who changes anything has it locked.
#[derive(Debug)]
pub struct Notes {
    file: PathBuf,
    url: String,
    notes: RefCell<Vec<Note>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    url: String,
    collection: String,
    #[serde(flatten)]
    what: What,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum What {
    /// This one is there.
    Made { snapshot: String },
    /// One was asked for at that time, when these were there.
    Asked { at: Timestamp, before: Vec<String> },
}

impl Notes {
    /// The notes in `folder` of what lies on the server with this URL.
    #[must_use]
    pub fn new(folder: &Path, url: String) -> Self {
        Self { file: folder.join(FILE), url, notes: RefCell::default() }
    }

    /// What killed runs have left on the server, with the collection of each; changes nothing.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn left(&self, client: &QdrantClient) -> Result<Vec<(String, Snapshot)>, QdrantError> {
        let mut left: Vec<(String, Snapshot)> = Vec::new();
        for note in self.read().into_iter().filter(|note| note.url == self.url) {
            let listed = match client.snapshots(&note.collection) {
                Ok(listed) => listed,
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error),
            };
            let name = note.what.name(&listed).map(str::to_owned);
            let found = listed.into_iter().find(|snapshot| Some(&snapshot.name) == name.as_ref());
            left.extend(found.map(|snapshot| (note.collection, snapshot)));
        }
        Ok(left)
    }

    /// Deletes what killed runs have left on the server, as far as it is wanted, by collection and name; gives the names. What
    /// cannot be deleted stays noted.
    pub fn clear(&self, client: &QdrantClient, now: Timestamp, wanted: impl Fn(&str, &str) -> bool) -> Vec<String> {
        let mut deleted = Vec::new();
        for note in self.read() {
            let is_cleared = note.url == self.url && is_cleared(&note, client, now, &wanted, &mut deleted);
            if !is_cleared {
                self.notes.borrow_mut().push(note);
            }
        }
        self.write();
        deleted
    }

    fn read(&self) -> Vec<Note> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        // A line that is not whole names nothing that could be deleted.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// A snapshot is about to be asked for.
    pub fn asked(&self, collection: &str, at: Timestamp, listed: &[Snapshot]) {
        let before = listed.iter().map(|snapshot| snapshot.name.clone()).collect();
        self.add(collection, What::Asked { at, before });
    }

    /// The server has answered: with a snapshot that is ours, or with none.
    pub fn answered(&self, collection: &str, asked_at: Timestamp, snapshot: Option<&str>) {
        self.remove(collection, |what| matches!(what, What::Asked { at, .. } if *at == asked_at));
        match snapshot {
            Some(snapshot) => self.add(collection, What::Made { snapshot: snapshot.to_owned() }),
            None => self.write(),
        }
    }

    /// A snapshot was deleted.
    pub fn deleted(&self, collection: &str, name: &str) {
        self.remove(collection, |what| matches!(what, What::Made { snapshot } if snapshot == name));
        self.write();
    }

    fn add(&self, collection: &str, what: What) {
        let note = Note { url: self.url.clone(), collection: collection.to_owned(), what };
        self.notes.borrow_mut().push(note);
        self.write();
    }

    fn remove(&self, collection: &str, is_meant: impl Fn(&What) -> bool) {
        let keep = |note: &Note| note.url != self.url || note.collection != collection || !is_meant(&note.what);
        self.notes.borrow_mut().retain(keep);
    }

    /// Without the notes only a kill in the next moments would leave a file on the server, so a failure is no reason to
    /// make no backup.
    fn write(&self) {
        let notes = self.notes.borrow();
        if notes.is_empty() {
            let _ = fs::remove_file(&self.file);
            return;
        }
        let lines: Vec<String> = notes.iter().filter_map(|note| serde_json::to_string(note).ok()).collect();
        let new = self.file.with_extension("pending.new");
        let _ = fs::write(&new, lines.join("\n") + "\n").and_then(|()| fs::rename(&new, &self.file));
    }
}

impl What {
    /// The name of the snapshot on the server, where it can be told.
    fn name<'a>(&'a self, listed: &'a [Snapshot]) -> Option<&'a str> {
        match self {
            Self::Made { snapshot } => Some(snapshot),
            Self::Asked { at, before } => requested_snapshot(listed, *at, before),
        }
    }
}

/// Whether nothing is left of it.
fn is_cleared(
    note: &Note,
    client: &QdrantClient,
    now: Timestamp,
    wanted: &impl Fn(&str, &str) -> bool,
    deleted: &mut Vec<String>,
) -> bool {
    let listed = match &note.what {
        What::Made { .. } => Vec::new(),
        What::Asked { .. } => match client.snapshots(&note.collection) {
            Ok(listed) => listed,
            Err(error) => return error.is_not_found(),
        },
    };
    let name = match (note.what.name(&listed), &note.what) {
        (Some(name), _) => name,
        (None, What::Asked { at, .. }) => return at.until(now) > LOOKED_FOR,
        (None, What::Made { .. }) => return true,
    };
    // One that is gone already is no error.
    let is_deleted = wanted(&note.collection, name) && client.delete_snapshot(&note.collection, name).is_ok();
    if is_deleted {
        deleted.push(name.to_owned());
    }
    is_deleted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(name: &str) -> Snapshot {
        Snapshot { name: name.to_owned(), size: 1, checksum: None }
    }

    #[test]
    fn what_could_not_be_deleted_stays_noted() {
        let folder = tempfile::tempdir().expect("a folder");
        let at: Timestamp = "2026-11-22T09:00:00Z".parse().expect("a time");
        let notes = Notes::new(folder.path(), "http://q".to_owned());
        let text = || fs::read_to_string(folder.path().join(FILE)).unwrap_or_default();
        notes.asked("plans", at, &[snapshot("a")]);
        assert!(text().contains(r#""before":["a"]"#), "{}", text());
        notes.answered("plans", at, Some("b"));
        notes.asked("tasks", at, &[]);
        notes.answered("tasks", at, Some("c"));
        notes.deleted("tasks", "c");
        assert_eq!(text(), "{\"url\":\"http://q\",\"collection\":\"plans\",\"snapshot\":\"b\"}\n");
        notes.deleted("plans", "b");
        assert!(!folder.path().join(FILE).exists());
    }
}
