//! A dump as a file in the private folder, in which `pg_restore --jobs` finds everything at once.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use pso_archive::custom::Indexed;
use pso_archive::{Database, private_file};
use pso_common::io::Cancel;

use super::owner::Owner;
use crate::task::Task;

/// How much is read and written at once, in bytes.
const CHUNK: usize = 1 << 20;

/// A dump that lies in a file.
#[derive(Debug)]
pub(super) struct Dump {
    pub(super) file: PathBuf,
    /// What is in it; the reason where its form is not known here, which leaves it to `pg_restore`.
    pub(super) indexed: Result<Indexed, String>,
}

/// Takes the dump of a database out of the archive. It is compared with the manifest on the way.
///
/// # Errors
/// When it cannot be read or written, is not what the manifest says, or the run is to stop.
pub(super) fn extract(
    task: &mut Task<'_>,
    database: &Database,
    number: usize,
    owner: Option<&Owner>,
) -> anyhow::Result<Dump> {
    let file = task.folder.join(format!("{number}.dump"));
    let context = || format!("write {}", file.display());
    let indexed = match copy(task, database, &file)? {
        Ok(indexed) => {
            let mut written = File::options().write(true).open(&file).with_context(context)?;
            written.seek(SeekFrom::Start(0)).with_context(context)?;
            written.write_all(&indexed.head()).with_context(context)?;
            Ok(indexed)
        }
        Err(reason) => {
            std::fs::remove_file(&file).with_context(context)?;
            let mut to = private_file(&file).with_context(context)?;
            let entry =
                task.archive.manifest().entry(&database.entry).context("the manifest does not list it")?.clone();
            task.archive.copy(&entry, &mut to, task.cancel)?;
            Err(reason)
        }
    };
    if let Some(owner) = owner {
        owner.give(&file).with_context(|| format!("give {} to {}", file.display(), owner.name))?;
    }
    Ok(Dump { file, indexed })
}

/// The inner error is that its form is not known.
fn copy(task: &mut Task<'_>, database: &Database, file: &std::path::Path) -> anyhow::Result<Result<Indexed, String>> {
    let context = || format!("copy {} to {}", database.entry, file.display());
    let mut to = BufWriter::with_capacity(CHUNK, private_file(file).with_context(context)?);
    let cancel = task.cancel;
    let mut entry = task.archive.entry(&database.entry)?;
    let copied = Indexed::copy(BufReader::with_capacity(CHUNK, Stoppable { from: &mut entry, cancel }), &mut to);
    cancel.check()?;
    match copied {
        Ok(indexed) => {
            entry.finish(cancel)?;
            to.flush().with_context(context)?;
            Ok(Ok(indexed))
        }
        Err(error) if is_of_machine(&error) => Err(error.context(context())),
        Err(error) => Ok(Err(format!("{error:#}"))),
    }
}

/// Whether reading or writing failed. A table of contents that ends too early is the dump's fault, which `pg_restore` will
/// say.
fn is_of_machine(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|error| error.kind() != std::io::ErrorKind::UnexpectedEof)
}

/// A reader that fails once the run is to stop.
struct Stoppable<'a, R> {
    from: &'a mut R,
    cancel: &'a Cancel,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.cancel.check().map_err(std::io::Error::other)?;
        self.from.read(buffer)
    }
}
