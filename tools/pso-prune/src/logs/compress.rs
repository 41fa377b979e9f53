//! A log is compressed: written beside it, read back, compared, and only then is the log removed.

use std::ffi::{OsStr, OsString};
use std::fs::{File, FileTimes, Metadata};
use std::io::{self, BufWriter, Read, Seek as _, Write as _};

use anyhow::{Context as _, bail, ensure};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use pso_archive::copy_hashed;
use pso_common::io::Cancel;

use super::folder::Folder;
use super::identity::Identity;
use super::settings::Format;

/// What stands before the process id in the names of files that are not whole yet: `.app.log.1.zst.pso-prune-4711`.
const UNFINISHED: &str = ".pso-prune-";

/// Whether a file is one of these, by its name.
pub(crate) fn is_unfinished(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    let Some(at) = name.windows(UNFINISHED.len()).rposition(|window| window == UNFINISHED.as_bytes()) else {
        return false;
    };
    let (stem, process) = (&name[..at], &name[at + UNFINISHED.len()..]);
    let is_ours = stem.starts_with(b".") && (stem.ends_with(b".zst") || stem.ends_with(b".gz"));
    is_ours && !process.is_empty() && process.iter().all(u8::is_ascii_digit)
}

/// The compressed file, beside the log that it is of.
pub(super) struct Packed {
    pub(super) name: OsString,
    pub(super) identity: Identity,
    /// An earlier run had made it, and was killed before it removed the log.
    pub(super) was_there: bool,
}

/// Compresses a log. The log itself stays.
///
/// # Errors
/// When the log is not the one that was planned, the disk is full, or what was written is not what was read. Nothing is left
/// then.
pub(super) fn pack(
    folder: &Folder,
    name: &OsStr,
    identity: &Identity,
    format: Format,
    cancel: &Cancel,
) -> anyhow::Result<Packed> {
    folder.expect(name, identity)?;
    let mut log = folder.read(name).context("open it")?;
    let metadata = log.metadata().context("look at it")?;
    let mut packed_name = name.to_owned();
    packed_name.push(format.suffix());
    match folder.look(&packed_name) {
        Ok(found) => return there(folder, packed_name, &found, &mut log, format, cancel),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("look at {}", packed_name.display())),
    }
    let mut unfinished = OsString::from(".");
    unfinished.push(&packed_name);
    unfinished.push(format!("{UNFINISHED}{}", std::process::id()));
    let context = || format!("write {}", unfinished.display());
    let file = folder.create(&unfinished).with_context(context)?;
    let guard = Unfinished { folder, name: &unfinished, keep: false };
    let (file, read) = write(&mut log, file, format, cancel).with_context(context)?;
    ensure!(read.0 == identity.size, "it grew or shrank while it was read");
    let mut file = file;
    file.rewind().with_context(context)?;
    let back = copy_hashed(&mut unpacked(&file, format)?, &mut io::sink(), cancel).context("read it back")?;
    ensure!(back == read, "what was written is not what was read: a disk or memory fails");
    as_before(&file, &metadata).with_context(context)?;
    file.sync_all().with_context(context)?;
    // A line that came meanwhile is not in it.
    folder.expect(name, identity)?;
    folder.rename(&unfinished, &packed_name).with_context(|| format!("give {} its name", packed_name.display()))?;
    guard.done();
    folder.sync().context("put the folder on the disk")?;
    let identity = Identity::of(&file.metadata().with_context(|| format!("look at {}", packed_name.display()))?);
    Ok(Packed { name: packed_name, identity, was_there: false })
}

fn write(log: &mut File, file: File, format: Format, cancel: &Cancel) -> anyhow::Result<(File, (u64, String))> {
    let out = BufWriter::with_capacity(256 << 10, file);
    let (mut out, read) = match format {
        Format::Zstd => {
            let mut encoder = zstd::stream::write::Encoder::new(out, zstd::DEFAULT_COMPRESSION_LEVEL)?;
            encoder.include_checksum(true)?;
            let read = copy_hashed(log, &mut encoder, cancel)?;
            (encoder.finish()?, read)
        }
        Format::Gzip => {
            let mut encoder = GzEncoder::new(out, Compression::default());
            let read = copy_hashed(log, &mut encoder, cancel)?;
            (encoder.finish()?, read)
        }
    };
    out.flush()?;
    Ok((out.into_inner().map_err(io::IntoInnerError::into_error)?, read))
}

fn unpacked(file: &File, format: Format) -> io::Result<Box<dyn Read + '_>> {
    Ok(match format {
        Format::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
        Format::Gzip => Box::new(MultiGzDecoder::new(file)),
    })
}

/// Something has the name already: what an earlier run has made of the same log will do.
fn there(
    folder: &Folder,
    name: OsString,
    found: &Metadata,
    log: &mut File,
    format: Format,
    cancel: &Cancel,
) -> anyhow::Result<Packed> {
    let other = || format!("{} is there already, and holds something else; move one of the two away", name.display());
    ensure!(found.is_file(), other());
    let file = folder.read(&name).with_context(other)?;
    let its = copy_hashed(&mut unpacked(&file, format).with_context(other)?, &mut io::sink(), cancel);
    cancel.check()?;
    let logs = copy_hashed(log, &mut io::sink(), cancel).context("read it")?;
    if its.ok().is_none_or(|its| its != logs) {
        bail!(other());
    }
    Ok(Packed { identity: Identity::of(found), name, was_there: true })
}

/// The same owner, mode and times as the log has: the retention goes by the time.
fn as_before(file: &File, log: &Metadata) -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let is = file.metadata()?;
        if (is.uid(), is.gid()) != (log.uid(), log.gid()) {
            std::os::unix::fs::fchown(file, Some(log.uid()), Some(log.gid()))
                .context("give it the owner of the log; run this as root, or as the user whose log it is")?;
        }
    }
    file.set_permissions(log.permissions())?;
    let times = FileTimes::new().set_modified(log.modified()?);
    file.set_times(log.accessed().map_or(times, |accessed| times.set_accessed(accessed)))?;
    Ok(())
}

/// A file that is removed unless it becomes whole.
struct Unfinished<'a> {
    folder: &'a Folder,
    name: &'a OsStr,
    keep: bool,
}

impl Unfinished<'_> {
    fn done(mut self) {
        self.keep = true;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed now is a leftover that `pso-prune tmp` knows.
            let _ = self.folder.unlink(self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_files_are_known_by_their_names() {
        for name in [".app.log.1.zst.pso-prune-4711", ".a\n.log.gz.pso-prune-1"] {
            assert!(is_unfinished(OsStr::new(name)), "{name}");
        }
        for name in ["app.log.zst.pso-prune-1", ".app.log.pso-prune-1", ".app.log.gz.pso-prune-", ".a.gz.pso-prune-1x"]
        {
            assert!(!is_unfinished(OsStr::new(name)), "{name}");
        }
    }
}
