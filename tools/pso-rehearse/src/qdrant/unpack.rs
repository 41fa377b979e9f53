//! Unpacks the tar that a snapshot is: only files and folders, only inside, nothing twice, and only if it is whole.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use tar::{Archive, EntryType};

/// A tar is a row of blocks of this size, and ends with two of zeros.
const BLOCK: u64 = 512;
/// More files are no snapshot.
const MOST_ENTRIES: usize = 1 << 20;
/// The holes of a file may be this large: the engine makes files of 32 MiB, and fills them as it goes (bytes).
const MOST_HOLES: u64 = 64 << 30;

/// Unpacks a snapshot into a folder.
///
/// # Errors
/// When it is not a whole tar of files and folders that lie inside; when it cannot be written.
pub(super) fn unpack(snapshot: &Path, into: &Path, mut progress: impl FnMut()) -> anyhow::Result<()> {
    fs::create_dir_all(into).with_context(|| format!("make the folder {}", into.display()))?;
    let into = into.canonicalize()?;
    let mut names = BTreeSet::new();
    let mut tar = Archive::new(BufReader::new(open_whole(snapshot)?));
    tar.set_overwrite(false);
    tar.set_preserve_mtime(false);
    for entry in tar.entries()? {
        let mut entry = entry.context("the snapshot is not a whole tar")?;
        let (name, is_file) = check(&entry, &mut names)?;
        progress();
        let unpacked = entry.unpack_in(&into).with_context(|| format!("unpack {name}"))?;
        ensure!(unpacked, "the name {name:?} in the snapshot is refused: it leads outside");
        if is_file && is_segment(&name) {
            look_into_segment(&into.join(&name)).with_context(|| format!("the segment {name}"))?;
        }
    }
    Ok(())
}

/// Opens a tar that has its end.
fn open_whole(path: &Path) -> anyhow::Result<File> {
    let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let length = file.metadata()?.len();
    // A reader takes one that was cut between two files for whole; so does a server.
    let mut end = [1; 2 * BLOCK as usize];
    if length >= 2 * BLOCK {
        file.seek(SeekFrom::End(-2 * BLOCK.cast_signed()))?;
        file.read_exact(&mut end)?;
        file.rewind()?;
    }
    ensure!(
        length.is_multiple_of(BLOCK) && end.iter().all(|byte| *byte == 0),
        "its tar has no end: after {length} bytes there are no blocks of zeros"
    );
    Ok(file)
}

/// The name of an entry, and whether it is a file.
fn check(entry: &tar::Entry<'_, impl std::io::Read>, names: &mut BTreeSet<PathBuf>) -> anyhow::Result<(String, bool)> {
    let path = entry.path().context("a name in the snapshot cannot be read")?.into_owned();
    let name = path.display().to_string();
    let kind = entry.header().entry_type();
    if !matches!(kind, EntryType::Directory | EntryType::Regular | EntryType::GNUSparse) {
        bail!("{name:?} in the snapshot is neither a file nor a folder ({kind:?})");
    }
    let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    ensure!(inside, "the name {name:?} in the snapshot is refused: it leads outside");
    let is_file = kind != EntryType::Directory;
    ensure!(!is_file || names.insert(path), "{name:?} is in the snapshot twice");
    ensure!(names.len() <= MOST_ENTRIES, "the snapshot has more than {MOST_ENTRIES} files");
    let (claimed, packed) = (entry.size(), entry.header().entry_size().unwrap_or_default());
    ensure!(
        claimed.saturating_sub(packed) <= MOST_HOLES,
        "{name:?} in the snapshot claims to have {claimed} bytes and has {packed}"
    );
    Ok((name, is_file))
}

fn is_segment(name: &str) -> bool {
    name.ends_with(".tar") && Path::new(name).parent().is_some_and(|folder| folder.ends_with("segments"))
}

/// The engine unpacks the tar of a segment itself. What it would find there is looked at before.
fn look_into_segment(path: &Path) -> anyhow::Result<()> {
    let mut names = BTreeSet::new();
    let mut tar = Archive::new(BufReader::new(open_whole(path)?));
    for entry in tar.entries_with_seek()? {
        check(&entry.context("it is not a whole tar")?, &mut names)?;
    }
    Ok(())
}

/// Bytes that the files below a folder take on the disk.
pub(super) fn taken(folder: &Path) -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        sum += if metadata.is_dir() { taken(&entry.path()) } else { allocated(&metadata) };
    }
    sum
}

/// The length of the longest file below a folder.
pub(super) fn longest(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let lengths = entries.filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        Some(if metadata.is_dir() { longest(&entry.path()) } else { metadata.len() })
    });
    lengths.max().unwrap_or_default()
}

#[cfg(unix)]
fn allocated(metadata: &fs::Metadata) -> u64 {
    // A file with holes takes less than its length.
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}
