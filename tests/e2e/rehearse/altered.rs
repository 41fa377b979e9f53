//! Archives that somebody has altered: a real one written again with chosen changes, and with as much made to match as
//! that somebody took the trouble to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pso_archive::{
    Archive, ArchiveWriter, Entry, Manifest, NewEntry, Packing, Recipients, Status, hash_file, sidecar_path,
    status_path,
};
use pso_common::Timestamp;
use pso_common::io::Cancel;
use pso_common::record::Component;

/// What lies beside the altered archive. The hashes in its manifest fit in any case: what does not even do that is made
/// with [`crate::parts::flip`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// `.sha256` and `.json` of the archive as it was.
    Old,
    /// `.sha256` fits; `.json` is as it was.
    Hash,
    /// Both fit: nothing but what is restored can tell.
    All,
    /// Neither is there.
    Nothing,
}

/// The changes to an archive.
pub(crate) struct Altered {
    original: PathBuf,
    /// New content by the entry's name; `None` removes it.
    content: BTreeMap<String, Option<Vec<u8>>>,
    manifest: Manifest,
    beside: Beside,
}

impl Altered {
    pub(crate) fn of(archive: &Path) -> Self {
        let manifest = Archive::open(archive).expect("readable").manifest().clone();
        Self { original: archive.to_owned(), content: BTreeMap::new(), manifest, beside: Beside::All }
    }

    /// Gives an entry other content; a new one belongs to the component that its name begins with.
    pub(crate) fn replace(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.content.insert(name.to_owned(), Some(content.into()));
        self
    }

    /// Removes an entry, and what the manifest describes in it.
    pub(crate) fn remove(mut self, name: &str) -> Self {
        assert!(self.manifest.entry(name).is_some(), "there is no {name}");
        self.content.insert(name.to_owned(), None);
        self.manifest.databases.retain(|database| database.entry != name);
        self.manifest.collections.retain(|collection| collection.entry != name);
        self.manifest.globals.take_if(|globals| globals == name);
        self
    }

    /// Changes what the manifest says. Its list of entries is made anew.
    pub(crate) fn manifest(mut self, change: impl FnOnce(&mut Manifest)) -> Self {
        change(&mut self.manifest);
        self
    }

    pub(crate) fn beside(mut self, beside: Beside) -> Self {
        self.beside = beside;
        self
    }

    /// Writes it in a new folder below `folder`, under the name that it had.
    pub(crate) fn write(self, folder: &Path) -> PathBuf {
        let folder = tempfile::Builder::new().prefix("altered-").tempdir_in(folder).expect("a folder").keep();
        let mut archive = Archive::open(&self.original).expect("readable");
        let (taken_at, cancel) = (self.manifest.taken_at, Cancel::default());
        let mut writer = ArchiveWriter::create(&folder, taken_at, &Recipients::default(), &cancel).expect("created");
        let listed = archive.manifest().entries.clone();
        let mut content = self.content;
        for entry in &listed {
            let bytes = match content.remove(&entry.name) {
                Some(None) => continue,
                Some(Some(bytes)) => bytes,
                None => read(&mut archive, entry),
            };
            add(&mut writer, NewEntry { packing: packing(entry.component), ..like(entry) }, &bytes);
        }
        for (name, bytes) in content {
            let component = Component::ALL.into_iter().find(|one| name.starts_with(&format!("{one}/")));
            let component = component.expect("a component");
            let new = NewEntry {
                name,
                component,
                source: "somewhere else".to_owned(),
                captured_at: taken_at,
                modified_at: None,
                mode: None,
                packing: packing(component),
            };
            add(&mut writer, new, &bytes.expect("content"));
        }
        let (written, manifest) = writer.finish(self.manifest).expect("finished");
        let (size, sha256) = hash_file(written.path(), &cancel).expect("hashed");
        let status = Status::new(&manifest, size, &sha256);
        let path = written.publish(&folder, status, Timestamp::now()).expect("published").path;
        put_beside(&self.original, &path, self.beside);
        path
    }
}

fn put_beside(original: &Path, altered: &Path, beside: Beside) {
    for (of, fits) in [
        (sidecar_path as fn(&Path) -> PathBuf, beside == Beside::Hash || beside == Beside::All),
        (status_path, beside == Beside::All),
    ] {
        match beside {
            _ if fits => {}
            Beside::Nothing => fs::remove_file(of(altered)).expect("removed"),
            _ => drop(fs::copy(of(original), of(altered)).expect("copied")),
        }
    }
}

fn add(writer: &mut ArchiveWriter, new: NewEntry, bytes: &[u8]) {
    writer.add(new, |out| Ok(out.write_all(bytes)?)).expect("added");
}

fn like(entry: &Entry) -> NewEntry {
    NewEntry {
        name: entry.name.clone(),
        component: entry.component,
        source: entry.source.clone(),
        captured_at: entry.captured_at,
        modified_at: entry.modified_at,
        mode: entry.mode,
        packing: packing(entry.component),
    }
}

/// As `pso-backup` packs it.
const fn packing(component: Component) -> Packing {
    match component {
        Component::Qdrant => Packing::Store,
        _ => Packing::Deflate,
    }
}

fn read(archive: &mut Archive, entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive.copy(entry, &mut bytes, &Cancel::default()).expect("as it was stored");
    bytes
}

/// The content of one entry.
pub(crate) fn content(archive: &Path, name: &str) -> Vec<u8> {
    let mut archive = Archive::open(archive).expect("readable");
    let entry = archive.manifest().entry(name).unwrap_or_else(|| panic!("there is no {name}")).clone();
    read(&mut archive, &entry)
}

/// The entry that holds the dump of the one database.
pub(crate) fn dump_of(archive: &Path) -> String {
    Archive::open(archive).expect("readable").manifest().databases[0].entry.clone()
}
