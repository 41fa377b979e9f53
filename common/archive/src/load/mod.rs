//! Loading the rows of a dump: one reads the archive from its beginning to its end, and several sessions copy what was
//! read into the tables.
//!
//! `pg_restore --jobs` needs a file that it can seek in, and gives each table to one session. Here nothing is unpacked to
//! the disk, and the rows of one large table are dealt out to all sessions, a piece at a time: so the pieces lie in the
//! table in about the order that they had. `pg_restore` makes what comes before and after: [`before_and_after`],
//! [`definitions`].

mod deal;
mod fault;
mod session;
mod stages;
mod watched;

use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context as _, anyhow, ensure};
use pso_common::io::Cancel;
use pso_common::postgres::PgSettings;

use crate::custom::{Block, Blocks, Toc};
use crate::{Archive, Entry};
pub use deal::{Part, deal};
pub use fault::{Broken, Refused};
use session::{Door, LargeObjects, Piece, Shared};
pub use session::{open as session, said};
pub use stages::{before_and_after, check, copy_statement, definitions};
use watched::Watched;

/// How much is read of the archive at once, in bytes.
const READ: usize = 256 << 10;

/// What is to be loaded, from where, and by how many sessions. [`check`] says whether it can be.
#[derive(Debug)]
pub struct Load<'a> {
    /// The database. Its tables and large objects are there already, and empty.
    pub own: &'a PgSettings,
    /// What the sessions are called (`application_name`).
    pub application: &'a str,
    /// The dump.
    pub entry: &'a Entry,
    /// Its table of contents, as it was when this was planned.
    pub toc: &'a Toc,
    /// Sessions.
    pub jobs: usize,
}

/// What was loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Bytes of each table's rows, by the id of the data.
    pub sizes: BTreeMap<u32, u64>,
    /// Large objects that were filled.
    pub large_objects: u64,
}

impl Load<'_> {
    /// Loads everything, and compares the dump with the manifest on the way.
    ///
    /// # Errors
    /// When the archive cannot be read, is not what the manifest says, a row is refused ([`Refused`]), the dump is not whole
    /// ([`Broken`]), a session breaks, or the run is to stop. Part of it may then be in the tables.
    pub fn run(&self, archive: &mut Archive, cancel: &Cancel) -> anyhow::Result<Loaded> {
        let mut reader = BufReader::with_capacity(READ, Watched::new(archive.entry(&self.entry.name)?));
        let toc = Toc::read(&mut reader)?;
        ensure!(toc.bytes() == self.toc.bytes(), "the archive has changed since this was planned; plan it again");
        // Twice as many as all sessions have in hand wait at most, so that memory has a bound.
        let (sender, receiver) = mpsc::sync_channel(2 * self.jobs);
        let (receiver, shared) = (Mutex::new(receiver), Shared::default());
        let door = Door { own: self.own, application: self.application };
        let loaded = thread::scope(|scope| {
            let workers: Vec<_> =
                (0..self.jobs).map(|_| scope.spawn(|| session::work(door, &receiver, &shared))).collect();
            let mut result = self.read(&mut reader, &sender, &shared, cancel);
            if result.is_err() {
                shared.abandon();
            }
            drop(sender);
            for worker in workers {
                let worked = worker.join().unwrap_or_else(|_| {
                    shared.fail();
                    Err(anyhow!("a session that loads rows has crashed"))
                });
                // What the server said is the cause of whatever the reader ran into then.
                if let Err(error) = worked
                    && (result.is_ok() || shared.take_first())
                {
                    result = Err(error);
                }
            }
            result
        });
        cancel.check()?;
        let entry = reader.into_inner();
        let is_broken = !entry.has_failed() && !shared.has_failed();
        match loaded {
            Err(error) if is_broken => {
                // Where it is not what was backed up, that is why.
                entry.into_inner().finish(cancel)?;
                Err(if error.is::<Broken>() { error } else { Broken::BreaksOff(format!("{error:#}")).into() })
            }
            Err(error) => Err(error),
            Ok(loaded) => entry.into_inner().finish(cancel).map(|()| loaded),
        }
    }

    /// Fails where the dump cannot be read; or, which `shared` then says, because a session has failed.
    fn read(
        &self,
        reader: impl Read,
        sender: &mpsc::SyncSender<Piece>,
        shared: &Shared,
        cancel: &Cancel,
    ) -> anyhow::Result<Loaded> {
        let mut blocks = Blocks::new(reader, self.toc);
        let statements = stages::statements(self.toc);
        let mut loaded = Loaded::default();
        while let Some(block) = blocks.next_block()? {
            cancel.check()?;
            match block {
                Block::Table(id) => {
                    let mut content = blocks.content();
                    let Some(statement) = statements.get(&id) else {
                        content.skip()?;
                        continue;
                    };
                    let mut long: Option<mpsc::SyncSender<Vec<u8>>> = None;
                    let size = deal(&mut content, |Part { bytes, is_whole }| {
                        cancel.check()?;
                        ensure!(!shared.has_failed(), "a session has failed");
                        if let Some(row) = &long {
                            row.send(bytes).context("the session has ended")?;
                            if is_whole {
                                long = None;
                            }
                            return Ok(());
                        }
                        let (row, rest) = mpsc::sync_channel(1);
                        let rest = (!is_whole).then(|| {
                            long = Some(row);
                            rest
                        });
                        let piece = Piece { id, statement: Arc::clone(statement), bytes, rest };
                        sender.send(piece).map_err(|_| anyhow!("all sessions have ended"))
                    });
                    loaded.sizes.insert(id, size.with_context(|| format!("load the rows of {}", self.name(id)))?);
                }
                Block::LargeObjects(id) => {
                    loaded.large_objects +=
                        self.large_objects(&mut blocks, shared, cancel).context("load the large objects")?;
                    loaded.sizes.entry(id).or_default();
                }
            }
        }
        // A dump that was cut off between two tables.
        let data = self.toc.entries.iter().filter(|entry| entry.has_data && !loaded.sizes.contains_key(&entry.id));
        let without: Vec<String> = data.map(|entry| self.name(entry.id)).collect();
        if without.is_empty() { Ok(loaded) } else { Err(Broken::WithoutRows(without).into()) }
    }

    fn large_objects<R: Read>(&self, blocks: &mut Blocks<R>, shared: &Shared, cancel: &Cancel) -> anyhow::Result<u64> {
        let failed = |error| {
            shared.fail();
            error
        };
        let door = Door { own: self.own, application: self.application };
        let mut session = LargeObjects::open(door).map_err(failed)?;
        let mut number = 0;
        while let Some(oid) = blocks.large_object()? {
            cancel.check()?;
            session.load(oid, &mut blocks.content(), cancel, shared)?;
            number += 1;
        }
        session.commit().map_err(failed)?;
        Ok(number)
    }

    /// Of a table, by the id of its data.
    fn name(&self, id: u32) -> String {
        match self.toc.entry(id) {
            None => id.to_string(),
            Some(entry) if entry.namespace.is_empty() => entry.tag.clone(),
            Some(entry) => format!("{}.{}", entry.namespace, entry.tag),
        }
    }
}
