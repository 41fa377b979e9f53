//! A dump in the archive, and how its rows get into a database.

use std::io::BufReader;
use std::path::PathBuf;

use anyhow::Context as _;
use pso_archive::custom::Toc;
use pso_archive::{Database, Entry, load, private_file};

use super::owner::Owner;
use crate::scratch::ensure_room;
use crate::task::Task;

/// A dump.
#[derive(Debug)]
pub(super) struct Dump {
    pub(super) entry: Entry,
    /// What is in it; the reason where its form is not known here.
    pub(super) toc: Result<Toc, String>,
    /// Where it lies as a file, if its rows are for `pg_restore`: they are in another form than COPY, or all of it is.
    pub(super) file: Option<PathBuf>,
    /// Where files of it lie that `pg_restore` reads: this and an extension.
    pub(super) place: PathBuf,
}

impl Dump {
    /// Looks what is in the dump of a database. Where we cannot load its rows, it is taken out of the archive and compared
    /// with the manifest.
    ///
    /// # Errors
    /// When it cannot be read or written, is not what the manifest says, or the run is to stop.
    pub(super) fn look(
        task: &mut Task<'_>,
        database: &Database,
        number: usize,
        owner: Option<&Owner>,
    ) -> anyhow::Result<Self> {
        let entry = task.archive.manifest().entry(&database.entry).context("the manifest does not list it")?.clone();
        let toc = match Toc::read(BufReader::new(task.archive.entry(&entry.name)?)) {
            Err(error) if is_of_machine(&error) => return Err(error.context(format!("read {}", entry.name))),
            toc => toc.map_err(|error| format!("{error:#}")),
        };
        let place = task.folder.join(format!("{number}.dump"));
        let mut dump = Self { entry, toc, file: None, place };
        if !dump.toc.as_ref().is_ok_and(|toc| load::check(toc).is_ok()) {
            dump.extract(task, owner)?;
        }
        Ok(dump)
    }

    fn extract(&mut self, task: &mut Task<'_>, owner: Option<&Owner>) -> anyhow::Result<()> {
        ensure_room(&task.folder, self.entry.size)?;
        let mut to = private_file(&self.place).with_context(|| format!("write {}", self.place.display()))?;
        task.archive.copy(&self.entry, &mut to, task.cancel)?;
        if let Some(owner) = owner {
            owner.give(&self.place).with_context(|| format!("give {} to {}", self.place.display(), owner.name))?;
        }
        self.file = Some(self.place.clone());
        Ok(())
    }
}

/// Whether reading failed. A table of contents that ends too early is the dump's fault, which `pg_restore` will say.
fn is_of_machine(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|error| error.kind() != std::io::ErrorKind::UnexpectedEof)
}
