//! The tar files that snapshots are.
//!
//! A collection snapshot of the recorded server (`snapshot-tar-listing.txt`) holds, in this order,
//! `0/segments/<uuid>.tar`, `0/wal/…`, `0/replica_state.json`, `0/shard_config.json`, `version.info`, `config.json`,
//! `shard_key_mapping.json`, `payload_index.json`. A segment's own tar has its files under `snapshot/files/`, as
//! `segment/snapshot.rs` of the engine writes them; the engine as a library can read snapshots and not write them.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use tar::{Archive, Builder, EntryType, Header};

use crate::answer::Failure;

/// Writes the snapshot of a collection whose files lie still in `folder`; `temp` is for what is needed on the way.
pub(crate) fn pack_collection(folder: &Path, peer_id: u64, temp: &Path, out: impl Write) -> Result<(), Failure> {
    let mut tar = Builder::new(out);
    let shard = folder.join("0");
    for segment in sorted(&shard.join("segments"))? {
        let name = segment.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Hidden ones are segments in the making.
        if name.starts_with('.') || !segment.is_dir() {
            continue;
        }
        let inner = temp.join(format!("{name}.tar"));
        let mut segment_tar = Builder::new(BufWriter::new(File::create(&inner)?));
        append_files(&mut segment_tar, &segment, Path::new("snapshot/files"))?;
        segment_tar.into_inner()?.into_inner().map_err(io::Error::from)?;
        tar.append_path_with_name(&inner, Path::new("0/segments").join(format!("{name}.tar")))?;
        fs::remove_file(&inner)?;
    }
    append_files(&mut tar, &shard.join("wal"), Path::new("0/wal"))?;
    let mut peers = serde_json::Map::new();
    peers.insert(peer_id.to_string(), json!("Active"));
    let replicas = json!({ "is_local": true, "this_peer_id": peer_id, "peers": peers });
    append_text(&mut tar, "0/replica_state.json", &replicas.to_string())?;
    append_text(&mut tar, "0/shard_config.json", &json!({ "type": "ReplicaSet" }).to_string())?;
    for name in ["version.info", "config.json", "shard_key_mapping.json", "payload_index.json"] {
        append_text(&mut tar, name, &fs::read_to_string(folder.join(name))?)?;
    }
    Ok(tar.into_inner()?.flush()?)
}

/// Writes a tar of files, each under its own name, and of one text.
pub(crate) fn pack_full(files: &[PathBuf], text: (&str, &str), out: impl Write) -> Result<(), Failure> {
    let mut tar = Builder::new(out);
    for file in files {
        tar.append_path_with_name(file, file.file_name().unwrap_or_default())?;
    }
    append_text(&mut tar, text.0, text.1)?;
    Ok(tar.into_inner()?.flush()?)
}

/// Writes a tar of a folder, with the paths as they are in it.
pub(crate) fn pack_folder(folder: &Path, tar: &Path) -> Result<(), Failure> {
    let mut builder = Builder::new(BufWriter::new(File::create(tar)?));
    append_files(&mut builder, folder, Path::new(""))?;
    builder.into_inner()?.into_inner().map_err(io::Error::from)?;
    Ok(())
}

/// Adds every file below a folder. The crate keeps the holes of sparse files, such as the 32 MiB of an empty log.
fn append_files(tar: &mut Builder<impl Write>, folder: &Path, name: &Path) -> io::Result<()> {
    for path in sorted(folder)? {
        let name = name.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            append_files(tar, &path, &name)?;
        } else {
            tar.append_path_with_name(&path, &name)?;
        }
    }
    Ok(())
}

fn append_text(tar: &mut Builder<impl Write>, name: &str, text: &str) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(text.len() as u64);
    tar.append_data(&mut header, name, text.as_bytes())
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Unpacks a snapshot as the engine's `tar_unpack.rs` does: files and folders only, nothing outside `into`, nothing
/// twice, and the same messages. Like a real server it takes a tar that ends between two entries for a whole one.
pub(crate) fn unpack(snapshot: &Path, into: &Path) -> Result<(), Failure> {
    fs::create_dir_all(into)?;
    let into = into.canonicalize()?;
    let mut archive = Archive::new(BufReader::new(File::open(snapshot)?));
    archive.set_overwrite(false);
    for entry in archive.entries()? {
        let mut entry =
            entry.map_err(|error| io::Error::new(error.kind(), "Malformed tar archive, reached unknown entry"))?;
        let kind = entry.header().entry_type();
        if !matches!(kind, EntryType::Directory | EntryType::Regular | EntryType::GNUSparse) {
            let message = format!("Forbidden entry type in tar archive: {kind:?}");
            return Err(io::Error::other(message).into());
        }
        entry.unpack_in(&into)?;
    }
    Ok(())
}
