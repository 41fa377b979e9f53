//! Snapshots: created on the server, downloaded and compared, uploaded with their checksum, deleted on the server.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

use super::client::{QdrantClient, QdrantError, encode, failure, path, read};
use super::model::{Snapshot, Success};

/// Between the parts of an upload; long enough not to occur in a tar by chance, and the server's parser reads the parts
/// by length anyway.
const BOUNDARY: &str = "pso-7b1e4c52f0a94d6e8c3bb1c2d9a05f61";

impl QdrantClient {
    /// Creates a snapshot of a collection on the server and waits for it.
    ///
    /// # Errors
    /// When the collection does not exist, the key may only read, the server's disk is full, or it takes too long.
    pub fn create_snapshot(&self, collection: &str) -> Result<Snapshot, QdrantError> {
        self.call_within(self.settings.snapshot_timeout, "POST", &path(collection, "/snapshots?wait=true"), None)
    }

    /// Asks for a snapshot of a collection and does not wait for it: it appears in [`QdrantClient::snapshots`]. The
    /// server only logs when it fails after its answer.
    ///
    /// # Errors
    /// When the collection does not exist, the key may only read, or there is no such answer.
    pub fn request_snapshot(&self, collection: &str) -> Result<(), QdrantError> {
        let answer = self.request("POST", &path(collection, "/snapshots?wait=false")).send()?;
        if answer.is_success() { Ok(()) } else { Err(failure(&answer)) }
    }

    /// The snapshots of a collection that lie on the server.
    ///
    /// # Errors
    /// When the collection does not exist, or there is no such answer.
    pub fn snapshots(&self, collection: &str) -> Result<Vec<Snapshot>, QdrantError> {
        self.call("GET", &path(collection, "/snapshots"), None)
    }

    /// Copies a snapshot into `out`; gives its length and its SHA-256 in hex as they came over the wire.
    ///
    /// # Errors
    /// When it does not exist, the connection breaks, the length is not the announced one, or `out` cannot be written.
    pub fn download_snapshot(
        &self,
        collection: &str,
        snapshot: &Snapshot,
        out: &mut dyn Write,
    ) -> anyhow::Result<(u64, String)> {
        let file = path(collection, &format!("/snapshots/{}", encode(&snapshot.name)));
        let mut answer = self.request("GET", &file).stream().map_err(QdrantError::Http)?;
        if answer.status != 200 {
            let mut text = String::new();
            let _ = answer.body.take(300).read_to_string(&mut text);
            return Err(QdrantError::Status(answer.status, text).into());
        }
        let mut hasher = Sha256::new();
        let mut length = 0;
        let mut chunk = vec![0; 256 << 10];
        loop {
            let read = match answer.body.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => anyhow::bail!("the download of {} broke after {length} bytes: {error}", snapshot.name),
            };
            hasher.update(&chunk[..read]);
            out.write_all(&chunk[..read])?;
            length += read as u64;
        }
        anyhow::ensure!(
            answer.length.is_none_or(|announced| announced == length),
            "the download of {} ended after {length} of {} bytes",
            snapshot.name,
            answer.length.unwrap_or_default()
        );
        Ok((length, hex(&hasher.finalize())))
    }

    /// Restores a collection from a snapshot, creating it if it is missing. `sha256` makes the server refuse a file that
    /// is not the one that was taken, before it touches anything; without it Qdrant accepts corrupt files.
    ///
    /// The file stays on the server, listed as `name`: delete it afterwards.
    ///
    /// # Errors
    /// When the server refuses it, the connection breaks, or it takes too long. The server may then still be at work.
    pub fn upload_snapshot(
        &self,
        collection: &str,
        name: &str,
        sha256: &str,
        length: u64,
        content: &mut dyn Read,
    ) -> Result<(), QdrantError> {
        // A quote or a line break in the name would end the header it stands in.
        let name: String = name.chars().filter(|c| !matches!(c, '"' | '\r' | '\n' | '\\')).collect();
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"snapshot\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let tail = format!("\r\n--{BOUNDARY}--\r\n");
        let total = length + (head.len() + tail.len()) as u64;
        let mut body = head.as_bytes().chain(content.take(length)).chain(tail.as_bytes());
        let target = path(collection, &format!("/snapshots/upload?wait=true&priority=snapshot&checksum={sha256}"));
        let answer = self
            .request("POST", &target)
            .header("content-type", &format!("multipart/form-data; boundary={BOUNDARY}"))
            .timeout(self.settings.snapshot_timeout)
            .send_reader(total, &mut body)?;
        let restored: Success<bool> = read(&answer)?;
        if restored.result { Ok(()) } else { Err(QdrantError::Shape("the server restored nothing".to_owned())) }
    }

    /// Deletes a snapshot file on the server; one that is not there is no error.
    ///
    /// # Errors
    /// When the key may not, or there is no such answer.
    pub fn delete_snapshot(&self, collection: &str, name: &str) -> Result<(), QdrantError> {
        let answer = self.request("DELETE", &path(collection, &format!("/snapshots/{}", encode(name)))).send()?;
        if answer.is_success() || answer.status == 404 { Ok(()) } else { Err(failure(&answer)) }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
