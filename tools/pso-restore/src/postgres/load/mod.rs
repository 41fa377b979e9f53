//! Loading the rows of a dump: one reads the archive from its beginning to its end, and several sessions copy what was
//! read into the tables.
//!
//! `pg_restore --jobs` needs a file that it can seek in, and gives each table to one session. Here nothing is unpacked to
//! the disk, and the rows of one large table are dealt out to all sessions, a piece at a time: so the pieces lie in the
//! table in about the order that they had.

mod deal;
mod session;

use std::collections::BTreeMap;
use std::io::BufReader;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context as _, anyhow, ensure};
use pso_archive::custom::{Block, Blocks, Toc};
use pso_archive::{Archive, Entry};
use pso_common::io::Cancel;
use pso_common::postgres::PgSettings;

pub(super) use deal::{Part, deal};
use session::{LargeObjects, Piece, Shared};
pub(super) use session::{open as session, said};

/// How much is read of the archive at once, in bytes.
const READ: usize = 256 << 10;

/// What is to be loaded, from where, and by how many sessions.
pub(super) struct Load<'a> {
    /// The database.
    pub(super) own: &'a PgSettings,
    /// The dump.
    pub(super) entry: &'a Entry,
    /// Its table of contents, as it was when this was planned.
    pub(super) toc: &'a Toc,
    /// What is loaded, by the id of the data: the `COPY` statement.
    pub(super) statements: &'a BTreeMap<u32, Arc<str>>,
    /// Whether the contents of large objects are loaded too.
    pub(super) large_objects: bool,
    /// Sessions.
    pub(super) jobs: usize,
}

impl Load<'_> {
    /// Loads everything, and compares the dump with the manifest on the way. Gives the bytes of each table's rows, by the
    /// id of the data.
    ///
    /// # Errors
    /// When the archive cannot be read, a row is refused, a session breaks, or the run is to stop. Part of it may then
    /// be in the tables.
    pub(super) fn run(&self, archive: &mut Archive, cancel: &Cancel) -> anyhow::Result<BTreeMap<u32, u64>> {
        let mut entry = archive.entry(&self.entry.name)?;
        // Twice as many as all sessions have in hand wait at most, so that memory has a bound.
        let (sender, receiver) = mpsc::sync_channel(2 * self.jobs);
        let (receiver, shared) = (Mutex::new(receiver), Shared::default());
        let sizes = thread::scope(|scope| {
            let workers: Vec<_> =
                (0..self.jobs).map(|_| scope.spawn(|| session::work(self.own, &receiver, &shared))).collect();
            let sizes = self.read(&mut entry, &sender, &shared, cancel);
            if sizes.is_err() {
                shared.abandon();
            }
            drop(sender);
            let mut result = sizes;
            for worker in workers {
                let worked = worker.join().unwrap_or_else(|_| Err(anyhow!("a session that loads rows has crashed")));
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
        let sizes = sizes?;
        entry.finish(cancel)?;
        Ok(sizes)
    }

    fn read(
        &self,
        entry: &mut dyn std::io::Read,
        sender: &mpsc::SyncSender<Piece>,
        shared: &Shared,
        cancel: &Cancel,
    ) -> anyhow::Result<BTreeMap<u32, u64>> {
        let mut reader = BufReader::with_capacity(READ, entry);
        let toc = Toc::read(&mut reader)?;
        ensure!(
            toc.bytes() == self.toc.bytes(),
            "the archive has changed since the restore was planned; plan it again"
        );
        let mut blocks = Blocks::new(reader, &toc);
        let mut sizes = BTreeMap::new();
        while let Some(block) = blocks.next_block()? {
            cancel.check()?;
            match block {
                Block::Table(id) => {
                    let mut content = blocks.content();
                    let Some(statement) = self.statements.get(&id) else {
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
                    let name = || toc.entry(id).map_or_else(|| id.to_string(), |entry| entry.tag.clone());
                    sizes.insert(id, size.with_context(|| format!("load the rows of {}", name()))?);
                }
                Block::LargeObjects(_) => self.large_objects(&mut blocks, cancel).context("load the large objects")?,
            }
        }
        // A dump that was cut off between two tables.
        if let Some(id) = self.statements.keys().find(|id| !sizes.contains_key(id)) {
            let name = toc.entry(*id).map_or_else(|| id.to_string(), |entry| entry.tag.clone());
            return Err(anyhow!("the dump has no rows of {name}, not even none"));
        }
        Ok(sizes)
    }

    fn large_objects<R: std::io::Read>(&self, blocks: &mut Blocks<R>, cancel: &Cancel) -> anyhow::Result<()> {
        let mut session = if self.large_objects { Some(LargeObjects::open(self.own)?) } else { None };
        while let Some(oid) = blocks.large_object()? {
            cancel.check()?;
            match &mut session {
                Some(session) => session.load(oid, &mut blocks.content(), cancel)?,
                None => blocks.content().skip()?,
            }
        }
        session.map_or(Ok(()), LargeObjects::commit)
    }
}
