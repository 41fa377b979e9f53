//! Transfers that end when the run does, and what has to be true after them.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use pso_common::io::Cancel;
use pso_common::qdrant::QdrantClient;

/// How often a collection is looked at until it is green.
const STEP: Duration = Duration::from_millis(100);

/// Ends a transfer when the run is to stop.
pub(super) struct Cancelling<'a, T> {
    pub(super) inner: &'a mut T,
    pub(super) cancel: &'a Cancel,
}

impl<T: Read> Read for Cancelling<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancel.check().map_err(io::Error::other)?;
        self.inner.read(buffer)
    }
}

impl<T: io::Write> io::Write for Cancelling<'_, T> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.cancel.check().map_err(io::Error::other)?;
        self.inner.write(piece)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Replaces a collection by a snapshot, and deletes the file that this leaves on the server.
pub(super) fn upload(
    client: &QdrantClient,
    collection: &str,
    name: &str,
    sha256: &str,
    size: u64,
    content: &mut dyn Read,
) -> anyhow::Result<()> {
    let result = client
        .upload_snapshot(collection, name, sha256, size, content)
        .with_context(|| format!("upload the snapshot of {collection}"));
    // A refused upload stays on the server too, listed like a snapshot. Where the collection is not there, neither is
    // the list.
    let deleted = client.delete_snapshot(collection, name);
    result?;
    deleted.with_context(|| format!("delete the uploaded file {name} on the server"))
}

/// Waits until a collection is green and gives its exact number of points.
pub(super) fn settled(client: &QdrantClient, name: &str, deadline: Duration, cancel: &Cancel) -> anyhow::Result<u64> {
    let started = Instant::now();
    loop {
        cancel.check()?;
        let status = client.info(name).with_context(|| format!("look at the collection {name}"))?.status;
        if status == "green" {
            return client.count(name).with_context(|| format!("count the points of {name}"));
        }
        ensure!(
            status != "red" && started.elapsed() < deadline,
            "the collection {name} is {status} {:?} after the upload",
            started.elapsed()
        );
        std::thread::sleep(STEP);
    }
}
