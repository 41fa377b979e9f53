//! One file out of the archive onto the disk. What cannot be read of the archive is its fault, what cannot be written is the
//! machine's.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use pso_archive::{Archive, Entry, private_file, private_folder};
use pso_common::io::Cancel;

/// A file longer than this is unpacked and compared, and not looked into (bytes).
const LOOKED_INTO: u64 = 16 << 20;
/// The size of one piece, in bytes.
const PIECE: usize = 128 << 10;

/// Unpacks an entry below `folder`, for its owner only and not to be run: its content, where it is short enough to be looked
/// into; or what is wrong with it.
///
/// # Errors
/// When it cannot be written, the archive cannot be read, or the run is to stop.
pub(super) fn unpack(
    archive: &mut Archive,
    entry: &Entry,
    folder: &Path,
    cancel: &Cancel,
) -> anyhow::Result<Result<Option<Vec<u8>>, String>> {
    // Every name was checked when the archive was opened: it leads nowhere else.
    let path = folder.join(&entry.name);
    let written = || format!("write {}", path.display());
    if let Some(above) = path.parent() {
        private_folder(above).with_context(|| format!("make the folder {}", above.display()))?;
    }
    let mut reader = match archive.entry(&entry.name) {
        Ok(reader) => reader,
        Err(error) => return damage(entry, error),
    };
    let mut file = private_file(&path).with_context(written)?;
    let (mut content, mut piece) = (Vec::new(), vec![0; PIECE.min(entry.size as usize + 1)]);
    loop {
        cancel.check()?;
        match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => {
                file.write_all(&piece[..read]).with_context(written)?;
                if entry.size <= LOOKED_INTO {
                    content.extend_from_slice(&piece[..read]);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return damage(entry, error.into()),
        }
    }
    if let Err(error) = reader.finish(cancel) {
        cancel.check()?;
        return damage(entry, error);
    }
    drop(file);
    let size = fs::metadata(&path).with_context(written)?.len();
    anyhow::ensure!(
        size == entry.size,
        "{} has {size} bytes on the disk after {} were written",
        path.display(),
        entry.size
    );
    Ok(Ok(Some(content).filter(|_| entry.size <= LOOKED_INTO)))
}

/// What is wrong with an entry, unless it is the disk that cannot be read.
fn damage<T>(entry: &Entry, error: anyhow::Error) -> anyhow::Result<Result<T, String>> {
    let is_of_the_disk =
        error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|error| error.raw_os_error().is_some());
    if is_of_the_disk {
        return Err(error.context(format!("unpack {}", entry.name)));
    }
    let text = format!("{error:#}");
    Ok(Err(if text.contains(&entry.name) { text } else { format!("{}: {text}", entry.name) }))
}
