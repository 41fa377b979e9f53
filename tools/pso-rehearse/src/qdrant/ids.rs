//! Whether a point is in more than one shard: the ids of each in a file, in their order, read side by side in the end.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use qdrant_edge::PointId;

/// An id as bytes that have its order: 0 and a number, or 1 and a UUID.
type Key = [u8; 17];

/// The ids of some shards.
pub(super) struct Ids {
    folder: PathBuf,
    /// Where there is one shard only, nothing is written.
    is_needed: bool,
    files: Vec<BufWriter<File>>,
}

impl Ids {
    /// For so many shards.
    pub(super) fn new(folder: &Path, shards: usize) -> anyhow::Result<Self> {
        let mut ids = Self { folder: folder.to_owned(), is_needed: shards > 1, files: Vec::new() };
        ids.next_shard()?;
        Ok(ids)
    }

    /// Notes the id of a point of the present shard. They come in their order.
    pub(super) fn add(&mut self, id: PointId) -> anyhow::Result<()> {
        if let Some(file) = self.files.last_mut() {
            file.write_all(&key(id)).context("note the id of a point")?;
        }
        Ok(())
    }

    /// The points that follow are of the next shard.
    pub(super) fn next_shard(&mut self) -> anyhow::Result<()> {
        if self.is_needed {
            let file = tempfile::tempfile_in(&self.folder).context("make a file for the ids of points")?;
            self.files.push(BufWriter::new(file));
        }
        Ok(())
    }

    /// How many points were in more than one.
    pub(super) fn in_two_shards(self) -> anyhow::Result<u64> {
        let mut sources = Vec::new();
        for file in self.files {
            let mut file =
                file.into_inner().map_err(std::io::IntoInnerError::into_error).context("note the ids of points")?;
            std::io::Seek::rewind(&mut file)?;
            let mut source = BufReader::new(file);
            sources.push((next(&mut source)?, source));
        }
        let mut twice = 0;
        while let Some(least) = sources.iter().filter_map(|(key, _)| *key).min() {
            let mut holders = 0;
            for (key, source) in &mut sources {
                if *key == Some(least) {
                    holders += 1;
                    *key = next(source)?;
                }
            }
            twice += u64::from(holders > 1);
        }
        Ok(twice)
    }
}

fn key(id: PointId) -> Key {
    let mut key = [0; 17];
    match id {
        PointId::NumId(number) => key[9..].copy_from_slice(&number.to_be_bytes()),
        PointId::Uuid(uuid) => {
            key[0] = 1;
            key[1..].copy_from_slice(uuid.as_bytes());
        }
    }
    key
}

fn next(source: &mut BufReader<File>) -> anyhow::Result<Option<Key>> {
    let mut key = [0; 17];
    match source.read_exact(&mut key) {
        Ok(()) => Ok(Some(key)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error).context("read the ids of points"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_two_shards_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut ids = Ids::new(folder.path(), 2).expect("files");
        for number in [1, 5, 9] {
            ids.add(PointId::NumId(number)).expect("written");
        }
        ids.next_shard().expect("a file");
        for number in [2, 5, 300] {
            ids.add(PointId::NumId(number)).expect("written");
        }
        assert_eq!(ids.in_two_shards().expect("read"), 1);
    }
}
