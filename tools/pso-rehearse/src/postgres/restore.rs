//! One dump into one database: `pg_restore` makes the tables, we load their rows, and it makes indexes and constraints of
//! them. So does `pso-restore`, by the same code: what is rehearsed is what will be done.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use pso_archive::custom::Toc;
use pso_archive::load::{self, Broken, Load, Refused};
use pso_archive::{Archive, private_file};
use pso_common::io::Cancel;
use pso_common::postgres::PgSettings;

use super::child::{self, Ended};
use super::cluster::APPLICATION;
use super::dump::Dump;
use super::left_out::{LeftOut, left_out_of_list};
use super::owner::Owner;

/// A list of contents that is longer than this is not one (bytes): some 300,000 objects.
const LIST: u64 = 32 << 20;

/// What became of a dump.
#[derive(Debug)]
pub(super) enum Restored {
    /// All of it is there; so many large objects were in it, where we have loaded them.
    Whole { large_objects: Option<u64> },
    /// It is not whole.
    Broken(Broken),
    /// `pg_restore` has failed.
    Program(Ended),
    /// The server has refused rows.
    Rows(Refused),
}

/// Where a dump is restored, and what of it.
pub(super) struct Target<'a> {
    /// A `pg_restore` that connects to the database, without anything else.
    pub(super) program: &'a dyn Fn() -> Command,
    /// How we connect to it.
    pub(super) own: &'a PgSettings,
    pub(super) left: &'a LeftOut,
    /// The folder for files that nobody needs afterwards.
    pub(super) folder: &'a Path,
    /// The user that the program runs as, where that is not ours.
    pub(super) owner: Option<&'a Owner>,
    pub(super) jobs: usize,
    pub(super) cancel: &'a Cancel,
}

impl Target<'_> {
    /// Restores a dump into an empty database.
    ///
    /// # Errors
    /// When nobody can tell: the machine fails, or the run is to stop.
    pub(super) fn restore(&self, archive: &mut Archive, dump: &Dump) -> anyhow::Result<Restored> {
        match (&dump.toc, &dump.file) {
            (Ok(toc), None) => self.in_stages(archive, dump, toc),
            (toc, file) => {
                let list = self.left.list(toc.as_ref().ok());
                let file = file.as_deref().unwrap_or(&dump.place);
                Ok(self.run(file, list.as_deref(), self.jobs)?.unwrap_or(Restored::Whole { large_objects: None }))
            }
        }
    }

    fn in_stages(&self, archive: &mut Archive, dump: &Dump, toc: &Toc) -> anyhow::Result<Restored> {
        let (before, after) = load::before_and_after(&self.left.kept(toc), toc);
        if let Some(failed) = self.stage((toc.bytes(), None), dump, (&before, 1))? {
            return Ok(failed);
        }
        let load = Load { own: self.own, application: APPLICATION, entry: &dump.entry, toc, jobs: self.jobs };
        let loaded = match load.run(archive, self.cancel) {
            Ok(loaded) => loaded,
            Err(error) => return of_load(error),
        };
        let (bytes, length) = load::definitions(toc, &loaded.sizes);
        let failed = self.stage((&bytes, Some(length)), dump, (&after, self.jobs))?;
        Ok(failed.unwrap_or(Restored::Whole { large_objects: Some(loaded.large_objects) }))
    }

    /// One `pg_restore` of a dump without data; how it failed, if it did.
    fn stage(
        &self,
        (bytes, length): (&[u8], Option<u64>),
        dump: &Dump,
        (list, jobs): (&str, usize),
    ) -> anyhow::Result<Option<Restored>> {
        if list.is_empty() {
            return Ok(None);
        }
        let path = dump.place.with_extension("toc");
        self.write(&path, bytes)?;
        if let Some(length) = length {
            // What lies between its offset and the end is the last table's size. It only decides what is done first.
            let _ = std::fs::File::options().write(true).open(&path).and_then(|file| file.set_len(length));
        }
        let failed = self.run(&path, Some(list), jobs)?;
        std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        Ok(failed)
    }

    /// Stops at the first error, and makes nothing in any folder but the server's own.
    fn run(&self, file: &Path, list: Option<&str>, jobs: usize) -> anyhow::Result<Option<Restored>> {
        let mut command = (self.program)();
        command.arg("--jobs").arg(jobs.to_string());
        command.args(["--exit-on-error", "--no-password", "--no-tablespaces"]);
        if let Some(list) = list {
            let path = file.with_extension("list");
            self.write(&path, list.as_bytes())?;
            command.arg("--use-list").arg(path);
        }
        command.arg("--").arg(file);
        let ended = child::run(command, &self.folder.join("pg_restore.log"), self.cancel)?;
        Ok((!ended.status.success()).then_some(Restored::Program(ended)))
    }

    /// A file that the program can read. One of an earlier stage is replaced: it may be a link by now.
    fn write(&self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        let context = || format!("write {}", path.display());
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).with_context(context),
            _ => {}
        }
        let mut file = private_file(path).with_context(context)?;
        file.write_all(bytes).with_context(context)?;
        if let Some(owner) = self.owner {
            owner.give(path).with_context(context)?;
        }
        Ok(())
    }
}

fn of_load(error: anyhow::Error) -> anyhow::Result<Restored> {
    if let Some(broken) = error.downcast_ref::<Broken>() {
        return Ok(Restored::Broken(broken.clone()));
    }
    match error.downcast_ref::<Refused>() {
        Some(refused) => Ok(Restored::Rows(refused.clone())),
        None => Err(error),
    }
}

/// What is left out of a dump whose form is not known here: `command` is a `pg_restore` that writes into the file `list`.
pub(super) fn left_by_list(mut command: Command, dump: &Dump, list: &Path, cancel: &Cancel) -> anyhow::Result<LeftOut> {
    let file = dump.file.as_ref().unwrap_or(&dump.place);
    command.arg("--list").arg("--file").arg(list).arg("--").arg(file);
    let listed = child::run(command, &dump.place.with_extension("log"), cancel)?;
    // Where it cannot be listed, restoring it says why.
    Ok(if listed.status.success() { left_out_of_list(&child::beginning(list, LIST)?) } else { LeftOut::default() })
}

/// A name of a database may look like a connection string.
pub(super) fn conninfo(dbname: &str) -> String {
    format!("dbname='{}'", dbname.replace('\\', "\\\\").replace('\'', "\\'"))
}
