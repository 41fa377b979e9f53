//! The lines of the journal.

use std::path::PathBuf;

use anyhow::bail;
use pso_common::Timestamp;
use pso_common::record::Component;
use serde::{Deserialize, Serialize};

use super::Action;

/// What restore this is: the first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// The archive, absolute.
    pub(crate) archive: PathBuf,
    /// Its SHA-256, hex.
    pub(crate) sha256: String,
    /// When it was taken.
    pub(crate) taken_at: Timestamp,
    /// When the restore was begun; the names of what it makes carry it.
    pub(crate) at: Timestamp,
    /// The process.
    pub(crate) pid: u32,
    /// The components that are restored.
    pub(crate) components: Vec<Component>,
    /// Whether the database had to be restored in place.
    #[serde(default)]
    pub(crate) in_place: bool,
    /// The database that was configured, and whether somebody named it for that run, and meant no other.
    #[serde(default)]
    pub(crate) database: String,
    #[serde(default)]
    pub(crate) names_database: bool,
    /// The folders in which it works and keeps what it replaces, absolute.
    pub(crate) work: Vec<PathBuf>,
    /// The PostgreSQL server and the Qdrant server, as they may be shown.
    pub(crate) postgres: Option<String>,
    pub(crate) qdrant: Option<String>,
    /// The PostgreSQL server's own name for itself, where the role may know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) system_identifier: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event {
    Begun(Begun),
    /// It is about to be done.
    Will {
        id: usize,
        todo: Action,
    },
    /// It was done.
    Did {
        id: usize,
    },
    /// It was undone, or there is nothing to undo any more.
    Over {
        id: usize,
    },
    /// Everything has been switched over.
    Switched,
    /// It is being undone: what was switched over counts as that no longer.
    Undoing,
    /// Everything is undone, and what could bring back the old state is being removed.
    Finishing,
}

/// The whole lines and their length; `None` where not even the first is whole. Half a line at the end is what a power
/// cut leaves, and was never acted on.
pub(super) fn parse(text: &[u8]) -> anyhow::Result<Option<(Vec<Event>, usize)>> {
    let mut events = Vec::new();
    let mut whole = 0;
    let mut lines = text.split_inclusive(|&byte| byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        match serde_json::from_slice(line) {
            Ok(event) if line.ends_with(b"\n") => events.push(event),
            // A whole line that says something else is no half of one: another version wrote it.
            Err(error) if lines.peek().is_some() || error.is_data() => {
                bail!(
                    "its line {} is damaged ({error}): look at what lies beside it, set right by hand what is half \
                     done, and remove it",
                    events.len() + 1
                )
            }
            _ => break,
        }
        whole += line.len();
    }
    Ok((!events.is_empty()).then_some((events, whole)))
}
