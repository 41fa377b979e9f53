//! Calls that bring a snapshot back: uploaded, or from a file that lies in the snapshots folder.
//!
//! A snapshot is unpacked aside, opened by the engine, counted, and only then put in place.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use qdrant_edge::{CountRequest, EdgeShard};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::answer::{Answer, Failure};
use crate::archive;
use crate::call::Call;
use crate::collection;
use crate::collections::check_name;
use crate::config::CollectionConfig;
use crate::multipart::{self, Broken};
use crate::snapshots::{Hashing, checksum_path, hex, now_or_later};
use crate::store::{Store, read_json, write_json};

/// `POST /collections/{c}/snapshots/upload`.
pub(crate) fn upload(store: &Arc<Store>, call: &mut Call<'_>, name: &str) -> Result<Answer, Failure> {
    check_name(name)?;
    check_priority(call.parameter("priority"))?;
    let expected = call.parameter("checksum").map(str::to_owned);
    expected.as_deref().map_or(Ok(()), check_checksum)?;
    let wait = call.wait(true)?;
    let boundary = call.header("Content-Type").and_then(multipart::boundary).map(str::to_owned);
    let boundary = boundary.ok_or_else(|| bad_form("Could not find multipart boundary"))?;

    let received = tempfile::NamedTempFile::new_in(store.snapshots().join("tmp"))?;
    let mut sink = Hashing { inner: received.as_file(), hasher: Sha256::new() };
    let file_name = multipart::receive(call.request.as_reader(), &boundary, "snapshot", &mut sink)
        .map_err(|broken| match broken {
            Broken::Incomplete => bad_form("Multipart stream is incomplete"),
            Broken::Io(error) => Failure::file(&error),
        })?
        .ok_or_else(|| bad_form("Required field is missing: snapshot"))?;
    let actual = hex(&sink.hasher.finalize());
    if let Some(expected) = expected.filter(|expected| !expected.eq_ignore_ascii_case(&actual)) {
        // The two labels are the wrong way round in the recorded message too.
        return Err(Failure::bad_request(format!("Checksum mismatch: expected {actual}, actual {expected}")));
    }
    let store = Arc::clone(store);
    let name = name.to_owned();
    now_or_later(wait, move || {
        let snapshot = keep(&store, &name, &file_name, received)?;
        recover_from(&store, &name, &snapshot)
    })
}

/// The body of `PUT …/snapshots/recover`.
#[derive(Deserialize)]
struct Recover {
    location: String,
    priority: Option<String>,
    checksum: Option<String>,
}

/// `PUT /collections/{c}/snapshots/recover`.
pub(crate) fn recover(store: &Arc<Store>, call: &mut Call<'_>, name: &str) -> Result<Answer, Failure> {
    check_name(name)?;
    let wait = call.wait(true)?;
    let request: Recover = call.json()?;
    check_priority(request.priority.as_deref())?;
    request.checksum.as_deref().map_or(Ok(()), check_checksum)?;
    let Some(path) = request.location.strip_prefix("file://") else {
        return Err(Failure::unsupported("recovery from anything but a file:// location"));
    };
    let folder = store.snapshots();
    let inside = Path::new(path).canonicalize().ok().filter(|path| path.starts_with(&folder) && path.is_file());
    let snapshot = inside.ok_or_else(|| {
        Failure::forbidden(format_args!("Snapshot file path must be inside the snapshots directory {folder:?}"))
    })?;
    if let Some(expected) = request.checksum {
        let mut sink = Hashing { inner: io::sink(), hasher: Sha256::new() };
        io::copy(&mut fs::File::open(&snapshot)?, &mut sink)?;
        let actual = hex(&sink.hasher.finalize());
        if !expected.eq_ignore_ascii_case(&actual) {
            return Err(Failure::bad_request(format!("Checksum mismatch: expected {actual}, actual {expected}")));
        }
    }
    let store = Arc::clone(store);
    let name = name.to_owned();
    now_or_later(wait, move || recover_from(&store, &name, &snapshot))
}

/// Puts an upload among the collection's snapshots, where it stays and is listed whatever becomes of it.
fn keep(store: &Store, name: &str, file_name: &str, received: tempfile::NamedTempFile) -> Result<PathBuf, Failure> {
    let owner = store.get(name).map_or_else(|_| name.to_owned(), |collection| collection.name.clone());
    let folder = store.snapshots().join(owner);
    fs::create_dir_all(&folder)?;
    // The last part only: a name from outside must not lead out of the folder.
    let file_name = match Path::new(file_name).file_name() {
        Some(file_name) => file_name.to_string_lossy().into_owned(),
        None => received.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    let target = folder.join(file_name);
    // A checksum of an older file of this name would be wrong.
    if checksum_path(&target).exists() {
        fs::remove_file(checksum_path(&target))?;
    }
    received.persist(&target).map_err(|error| error.error)?;
    Ok(target)
}

/// Makes a snapshot the content of a collection.
fn recover_from(store: &Store, name: &str, snapshot: &Path) -> Result<bool, Failure> {
    // Named as a real server names it, as the name shows in messages. Moved away in the end, if all goes well.
    let unpacked_dir = store.temp_dir(&format!("col-{name}-recovery-"))?;
    let unpacked = unpacked_dir.path();
    archive::unpack(snapshot, unpacked)?;
    let config: CollectionConfig = read_json(&unpacked.join("config.json"))?;
    if config.params.shard_number != 1 {
        return Err(Failure::unsupported("a snapshot of more than one shard"));
    }
    // A tar that was cut before these is taken by a real server as one that has none.
    for (file, content) in
        [("payload_index.json", serde_json::json!({ "schema": {} })), ("shard_key_mapping.json", serde_json::json!([]))]
    {
        if !unpacked.join(file).exists() {
            write_json(&unpacked.join(file), &content)?;
        }
    }
    // The engine takes the tar of a shard.
    let temp = store.temp_dir("shard-")?;
    let (shard, shard_tar) = (unpacked.join("0"), temp.path().join("0.tar"));
    if !shard.is_dir() {
        return Err(Failure::internal(format_args!("Can't read shard config at {}", shard.display())));
    }
    archive::pack_folder(&shard, &shard_tar)?;
    fs::remove_dir_all(&shard)?;
    EdgeShard::unpack_snapshot(&shard_tar, &shard)?;
    fs::remove_file(&shard_tar)?;
    // Opens it and looks at every point; what does not survive that does not replace anything. Dropping it flushes
    // and closes it again.
    collection::load_shard(unpacked, &config)?.count(CountRequest { filter: None, exact: true })?;
    store.restore(name, unpacked, &config)?;
    Ok(true)
}

fn bad_form(message: &str) -> Failure {
    Failure::bad_request(message).plain()
}

fn check_priority(priority: Option<&str>) -> Result<(), Failure> {
    match priority {
        None | Some("no_sync" | "snapshot" | "replica") => Ok(()),
        Some(other) => Err(Failure::bad_request(format!(
            "Deserialize error in query parameters: unknown variant `{other}`, \
             expected one of `no_sync`, `snapshot`, `replica`"
        ))
        .untimed()),
    }
}

fn check_checksum(checksum: &str) -> Result<(), Failure> {
    if checksum.len() == 64 && checksum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    let length = match checksum.len() {
        64 => String::new(),
        length => format!(", \"expected_length\": Number(64), \"length\": Number({length})"),
    };
    Err(Failure::invalid(format!(
        "Validation error in query parameters: [checksum: Validation error: invalid_sha256_hash \
         [{{\"value\": String({checksum:?}){length}}}]]"
    )))
}
