//! Keeps of the events on stdin what is needed to find bursts: 16 bytes each, and each source and file once.

use std::collections::{BTreeMap, HashMap};

use pso_common::record::{AnyRecord, Kind as _, LogCountRecord, LogEventRecord};

use super::line::{Outcome, Reader};

/// As many events are kept to be looked at together; with their places that is 16 MiB.
const MAX_EVENTS: usize = 1 << 20;

/// As many sources are told apart.
const MAX_SOURCES: usize = 40_000;

/// As many files are told apart.
const MAX_PATHS: usize = 60_000;

/// As many names of users are kept of a source.
const MAX_USERS: usize = 5;

/// From whom an attempt came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Address(String),
    /// The line names no address.
    User(String),
    /// It names neither.
    Unnamed,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::User(user) => write!(f, "user {user}"),
            Self::Unnamed => f.write_str("(no source named)"),
        }
    }
}

/// A failure or a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event {
    /// Index of its source.
    pub(super) source: u32,
    /// Seconds since 1970; 0 where it has no time.
    pub(super) at_s: u32,
    /// 0 where it is not known.
    pub(super) line: u32,
    /// Index of its file.
    pub(super) path: u16,
    pub(super) is_failure: bool,
}

/// What is known of events.
#[derive(Default)]
pub(crate) struct Events {
    classes: Vec<String>,
    reader: Option<Reader>,
    /// By the word they were found by: all, and those that failed.
    pub(super) kinds: BTreeMap<String, (u64, u64)>,
    pub(super) events: Vec<Event>,
    pub(super) sources: Vec<(Source, Vec<String>)>,
    by_source: HashMap<Source, u32>,
    pub(super) paths: Vec<String>,
    by_path: HashMap<String, u16>,
    pub(super) seen: u64,
    /// Failures and successes that found no place.
    pub(super) left_out: u64,
    /// What `pso-logscan` counted of the same classes.
    pub(super) counted: u64,
    /// Records that say they are events and are not.
    pub(super) malformed: u64,
}

impl Events {
    /// # Errors
    /// When an expression is too large, which a test rules out.
    pub(crate) fn new(classes: &[String]) -> anyhow::Result<Self> {
        Ok(Self { classes: classes.to_vec(), reader: Some(Reader::new()?), ..Self::default() })
    }

    /// Takes what it needs of a record; most have nothing.
    pub(crate) fn take(&mut self, record: &AnyRecord) {
        match record.header.kind.as_str() {
            LogEventRecord::KIND => match record.fields::<LogEventRecord>() {
                Ok(event) => {
                    if self.is_wanted(&event.class) {
                        self.event(&event, &record.header.message);
                    }
                }
                Err(_) => self.malformed += 1,
            },
            LogCountRecord::KIND => match record.fields::<LogCountRecord>() {
                // The sum over the class and the whole window, of each run.
                Ok(count) => {
                    if count.r#type.is_none() && count.bucket_at.is_none() && self.is_wanted(&count.class) {
                        self.counted += count.count;
                    }
                }
                Err(_) => self.malformed += 1,
            },
            _ => {}
        }
    }

    fn is_wanted(&self, class: &str) -> bool {
        self.classes.iter().any(|wanted| wanted.eq_ignore_ascii_case(class))
    }

    fn event(&mut self, event: &LogEventRecord, line: &str) {
        let Some(reader) = &self.reader else { return };
        let parsed = reader.read(line);
        self.seen += 1;
        let kind = event.r#type.as_deref().unwrap_or(&event.class).to_ascii_lowercase();
        // Types of one's own classes may be many.
        if self.kinds.len() < 100 || self.kinds.contains_key(&kind) {
            let (all, failed) = self.kinds.entry(kind).or_default();
            *all += 1;
            *failed += u64::from(parsed.outcome == Outcome::Failure);
        }
        let is_failure = match parsed.outcome {
            Outcome::Failure => true,
            Outcome::Success => false,
            Outcome::Other => return,
        };
        let source = match (parsed.address, &parsed.user) {
            (Some(address), _) => Source::Address(address),
            (None, Some(user)) => Source::User(user.clone()),
            (None, None) => Source::Unnamed,
        };
        let (Some(source), Some(path)) = (self.source(source, parsed.user), self.path(&event.path)) else {
            self.left_out += 1;
            return;
        };
        if self.events.len() >= MAX_EVENTS {
            self.left_out += 1;
            return;
        }
        let at_s = event.occurred_at.and_then(|at| u32::try_from(at.to_utc().unix_timestamp()).ok()).unwrap_or(0);
        let line = event.line.and_then(|line| u32::try_from(line).ok()).unwrap_or(0);
        self.events.push(Event { source, at_s, line, path, is_failure });
    }

    fn source(&mut self, source: Source, user: Option<String>) -> Option<u32> {
        let index = match self.by_source.get(&source) {
            Some(index) => *index,
            None if self.sources.len() < MAX_SOURCES => {
                let index = u32::try_from(self.sources.len()).ok()?;
                self.sources.push((source.clone(), Vec::new()));
                self.by_source.insert(source, index);
                index
            }
            None => return None,
        };
        let users = &mut self.sources[index as usize].1;
        if let Some(user) = user
            && users.len() < MAX_USERS
            && !users.contains(&user)
        {
            users.push(user);
        }
        Some(index)
    }

    fn path(&mut self, path: &str) -> Option<u16> {
        if let Some(index) = self.by_path.get(path) {
            return Some(*index);
        }
        if self.paths.len() >= MAX_PATHS {
            return None;
        }
        let index = u16::try_from(self.paths.len()).ok()?;
        self.paths.push(path.to_owned());
        self.by_path.insert(path.to_owned(), index);
        Some(index)
    }

    /// Puts the events of each source into the order of time: they come in the order of files, and of lines that may be late.
    pub(crate) fn sort(&mut self) {
        self.events.sort_unstable();
        // A line that belongs to two classes comes twice.
        self.events.dedup_by(|one, other| one == other && one.line != 0);
    }

    /// Where an event stands.
    pub(super) fn place(&self, event: &Event) -> String {
        let path = self.paths.get(usize::from(event.path)).map_or("", String::as_str);
        if event.line == 0 { path.to_owned() } else { format!("{path}:{}", event.line) }
    }
}
