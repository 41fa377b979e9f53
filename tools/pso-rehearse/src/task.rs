//! What the rehearsal of a component is given, and what it comes to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::Instant;

use pso_archive::Archive;
use pso_common::io::{Cancel, Env};
use pso_common::record::Component;

use crate::proof::Proof;
use crate::scratch::Place;
use crate::settings::Settings;

/// What the rehearsal of some components works with. Each has a thread of its own.
pub(crate) struct Task<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) env: &'a Env,
    pub(crate) cancel: &'a Cancel,
    /// A handle of its own. Everything in it was compared with its manifest already.
    pub(crate) archive: Archive,
    /// The folder that is this task's alone; it is there, with mode 0700.
    pub(crate) folder: PathBuf,
    /// The private folder of the whole rehearsal.
    pub(crate) place: &'a Place,
    pub(crate) events: Sender<Event>,
}

impl Task<'_> {
    /// Says on stderr what is being done.
    pub(crate) fn progress(&self, text: impl Into<String>) {
        // The rehearsal has ended if nobody listens.
        let _ = self.events.send(Event::Progress(text.into()));
    }
}

/// What a thread tells the one that writes.
pub(crate) enum Event {
    /// For stderr.
    Progress(String),
    /// A component has been rehearsed; an error means that nobody can tell.
    Done(Component, anyhow::Result<Outcome>),
}

/// What the rehearsal of one component came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) proof: Proof,
    /// When everything of it was restored, and how long that took; `None` where it was not restored.
    pub(crate) restored: Option<Restored>,
    /// Rows by table.
    pub(crate) rows: BTreeMap<String, u64>,
    /// Points by collection.
    pub(crate) points: BTreeMap<String, u64>,
}

/// That a component was restored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restored {
    /// When it was begun.
    pub(crate) began: Instant,
    /// When all of it was there. Checking comes after that.
    pub(crate) ended: Instant,
    /// What it took on the disk then.
    pub(crate) bytes: u64,
}
