//! Calls about snapshots that are made, listed, downloaded and deleted.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::answer::{Answer, Failure, FileAnswer};
use crate::archive;
use crate::call::Call;
use crate::collection::Collection;
use crate::store::Store;

/// A snapshot as lists and creations tell of it.
#[derive(Serialize)]
struct Description {
    name: String,
    /// UTC, to the second, without a zone.
    creation_time: String,
    /// Bytes.
    size: u64,
    /// SHA-256 in hex; a real server knows it only of snapshots that it made itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

/// `GET /collections/{c}/snapshots`.
pub(crate) fn list(store: &Store, name: &str) -> Result<Answer, Failure> {
    let collection = store.get(name)?;
    list_folder(&store.snapshots().join(&collection.name))
}

/// `GET /snapshots`.
pub(crate) fn list_full(store: &Store) -> Result<Answer, Failure> {
    list_folder(&store.snapshots())
}

/// `POST /collections/{c}/snapshots`.
pub(crate) fn create(store: &Arc<Store>, call: &Call<'_>, name: &str) -> Result<Answer, Failure> {
    let wait = call.wait(true)?;
    let collection = store.get(name)?;
    let store = Arc::clone(store);
    now_or_later(wait, move || {
        let target = store.snapshots().join(&collection.name).join(file_name(&collection, &store));
        publish(&store, &target, |temp, out| write(&collection, &store, temp, out))?;
        collection.snapshots_created.fetch_add(1, Ordering::Relaxed);
        describe(&target)
    })
}

/// `POST /snapshots`: a tar of one snapshot for each collection, and of which is which.
pub(crate) fn create_full(store: &Arc<Store>, call: &Call<'_>) -> Result<Answer, Failure> {
    let store = Arc::clone(store);
    now_or_later(call.wait(true)?, move || {
        let target = store.snapshots().join(format!("full-snapshot-{}.snapshot", now_in_names()));
        publish(&store, &target, |temp, out| {
            let (mut files, mut mapping) = (Vec::new(), serde_json::Map::new());
            for collection in store.all() {
                let file = temp.join(file_name(&collection, &store));
                write(&collection, &store, temp, &mut BufWriter::new(File::create(&file)?))?;
                mapping.insert(collection.name.clone(), file_name_of(&file).into());
                files.push(file);
            }
            let config = serde_json::json!({ "collections_mapping": mapping, "collections_aliases": store.aliases() });
            archive::pack_full(&files, ("config.json", &config.to_string()), out)
        })?;
        describe(&target)
    })
}

/// `GET /collections/{c}/snapshots/{file}`; its failures are plain text.
pub(crate) fn download(store: &Store, call: &Call<'_>, name: &str, file: &str) -> Result<Answer, Failure> {
    let collection = store.get(name).map_err(Failure::plain)?;
    send(&store.snapshots().join(&collection.name), file, call.header("Range")).map_err(Failure::plain)
}

/// `GET /snapshots/{file}`.
pub(crate) fn download_full(store: &Store, call: &Call<'_>, file: &str) -> Result<Answer, Failure> {
    send(&store.snapshots(), file, call.header("Range")).map_err(Failure::plain)
}

/// `DELETE /collections/{c}/snapshots/{file}`.
pub(crate) fn delete(store: &Store, name: &str, file: &str) -> Result<Answer, Failure> {
    let collection = store.get(name)?;
    remove(&store.snapshots().join(&collection.name), file)
}

/// `DELETE /snapshots/{file}`.
pub(crate) fn delete_full(store: &Store, file: &str) -> Result<Answer, Failure> {
    remove(&store.snapshots(), file)
}

/// Does the work and answers with its outcome, or answers 202 and does it in the background, where a real server too
/// only logs a failure.
pub(crate) fn now_or_later<T: Serialize>(
    wait: bool,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<Answer, Failure> {
    if wait {
        return Answer::result(&work()?);
    }
    std::thread::spawn(move || {
        if let Err(failure) = work() {
            // A closed stderr leaves nobody to tell.
            let _ = writeln!(io::stderr(), "qdrant-standin: in the background: {}", failure.message());
        }
    });
    Ok(Answer::Accepted)
}

/// Two snapshots in one second have one name, and the second replaces the first: recorded as such.
fn file_name(collection: &Collection, store: &Store) -> String {
    format!("{}-{}-{}.snapshot", collection.name, store.peer_id, now_in_names())
}

fn now_in_names() -> String {
    let format = format_description!("[year]-[month]-[day]-[hour]-[minute]-[second]");
    OffsetDateTime::now_utc().format(&format).unwrap_or_default()
}

fn write(collection: &Collection, store: &Store, temp: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    collection.quiet(|_, folder| archive::pack_collection(folder, store.peer_id, temp, out))
}

/// Writes a file and its checksum aside and puts them in place whole.
fn publish(
    store: &Store,
    target: &Path,
    fill: impl FnOnce(&Path, &mut dyn Write) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let temp = store.temp_dir("snapshot-")?;
    let file = tempfile::NamedTempFile::new_in(temp.path())?;
    let checksum = {
        let mut out = Hashing { inner: BufWriter::new(file.as_file()), hasher: Sha256::new() };
        fill(temp.path(), &mut out)?;
        out.flush()?;
        hex(&out.hasher.finalize())
    };
    file.as_file().sync_all()?;
    fs::write(checksum_path(target), checksum)?;
    file.persist(target).map_err(|error| error.error)?;
    Ok(())
}

/// A writer that hashes what goes through it.
pub(crate) struct Hashing<W> {
    pub(crate) inner: W,
    pub(crate) hasher: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Bytes in hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn list_folder(folder: &Path) -> Result<Answer, Failure> {
    let mut paths = Vec::new();
    if folder.exists() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            // A real server lists by this ending too, which leaves the checksum files out.
            if path.extension().is_some_and(|extension| extension == "snapshot") && path.is_file() {
                paths.push(path);
            }
        }
    }
    paths.sort();
    // One that is deleted while the list is made is not in it.
    let snapshots: Vec<_> = paths.iter().filter_map(|path| describe(path).ok()).collect();
    Answer::result(&snapshots)
}

fn describe(path: &Path) -> Result<Description, Failure> {
    let metadata = fs::metadata(path)?;
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let created = OffsetDateTime::from(metadata.modified()?).format(&format).unwrap_or_default();
    let checksum = fs::read_to_string(checksum_path(path)).ok();
    Ok(Description { name: file_name_of(path), creation_time: created, size: metadata.len(), checksum })
}

/// Where the checksum of a snapshot stands.
pub(crate) fn checksum_path(snapshot: &Path) -> PathBuf {
    let mut path = snapshot.as_os_str().to_owned();
    path.push(".checksum");
    path.into()
}

fn file_name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The path of a snapshot that is there; a name that leads out of the folder is not there.
fn find(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let path = folder.join(name);
    let inside = !name.contains(['/', '\\', '\0']) && name != "..";
    if inside && path.is_file() { Ok(path) } else { Err(Failure::no_snapshot(name)) }
}

fn remove(folder: &Path, name: &str) -> Result<Answer, Failure> {
    let path = find(folder, name)?;
    fs::remove_file(&path)?;
    let checksum = checksum_path(&path);
    if checksum.exists() {
        fs::remove_file(checksum)?;
    }
    Answer::result(&true)
}

fn send(folder: &Path, name: &str, range: Option<&str>) -> Result<Answer, Failure> {
    let mut file = File::open(find(folder, name)?)?;
    let metadata = file.metadata()?;
    let size = metadata.len();
    let range = match range.and_then(|range| parse_range(range, size)) {
        None => None,
        Some(Err(())) => return Ok(Answer::RangeBeyond(size)),
        Some(Ok((start, end))) => {
            file.seek(SeekFrom::Start(start))?;
            Some((start, end))
        }
    };
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    Ok(Answer::File(FileAnswer {
        file,
        name: name.to_owned(),
        size,
        range,
        // Inode, size, seconds and nanoseconds, as in the recorded `"98e14d:6da00:6b0361e9:1d8a867f"`.
        etag: format!("\"{:x}:{size:x}:{:x}:{:x}\"", metadata.ino(), metadata.mtime(), metadata.mtime_nsec()),
        last_modified: OffsetDateTime::from(metadata.modified()?).format(&format).unwrap_or_default(),
    }))
}

/// First and last byte of `bytes=a-b`, `bytes=a-` or `bytes=-n`. What is none of these is ignored, as HTTP says; what
/// begins beyond the end is `Err`.
fn parse_range(range: &str, size: u64) -> Option<Result<(u64, u64), ()>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let length: u64 = last.parse().ok()?;
        return Some(if length == 0 || size == 0 { Err(()) } else { Ok((size.saturating_sub(length), size - 1)) });
    }
    let first: u64 = first.parse().ok()?;
    let last = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
    if last < first {
        return None;
    }
    Some(if first < size { Ok((first, last.min(size - 1))) } else { Err(()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_says() {
        assert_eq!(parse_range("bytes=0-99", 449_024), Some(Ok((0, 99))));
        assert_eq!(parse_range("bytes=100-", 200), Some(Ok((100, 199))));
        assert_eq!(parse_range("bytes=-50", 200), Some(Ok((150, 199))));
        assert_eq!(parse_range("bytes=150-999", 200), Some(Ok((150, 199))));
        assert_eq!(parse_range("bytes=200-", 200), Some(Err(())));
        assert_eq!(parse_range("bytes=5-3", 200), None);
        assert_eq!(parse_range("lines=1-2", 200), None);
    }
}
