//! The bookmark's file: read at the start of a run, replaced as a whole at its end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use pso_common::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bookmark::entry::Entry;
use crate::bookmark::lock::Lock;
use crate::templates::Known;

/// What tells the file from others.
const FORMAT: &str = "pso-logscan bookmark";
/// What this program writes, and the newest that it reads.
const VERSION: u32 = 1;
/// A file that is larger is none of ours.
const MAX_BYTES: u64 = 256 << 20;

/// What stands in the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Saved {
    format: String,
    version: u32,
    /// When it was written.
    pub(crate) saved_at: Timestamp,
    /// How far each file was read.
    pub(crate) files: Vec<Entry>,
    /// The templates that were known, as `templates` has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) templates: Option<Known>,
}

impl Saved {
    /// What is to be remembered.
    pub(crate) fn new(saved_at: Timestamp, files: Vec<Entry>, templates: Option<Known>) -> Self {
        Self { format: FORMAT.to_owned(), version: VERSION, saved_at, files, templates }
    }
}

/// The part that every version has.
#[derive(Deserialize)]
struct Label {
    format: String,
    version: u32,
}

/// A bookmark file that this run alone uses.
#[derive(Debug)]
pub(crate) struct Bookmark {
    path: PathBuf,
    _lock: Lock,
}

impl Bookmark {
    /// Locks the bookmark at `path` and reads it; `None` where there is none yet.
    ///
    /// # Errors
    /// When another run uses it, it cannot be read, or it is not what this version writes.
    pub(crate) fn open(path: &Path) -> anyhow::Result<(Self, Option<Saved>)> {
        // Through a link the file behind it is replaced, not the link.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if path.is_dir() || path.file_name().is_none() {
            bail!("the bookmark {} is a folder; name a file", path.display());
        }
        let lock = Lock::acquire(&beside(&path, "", ".lock"), &path)?;
        let saved = match read(&path) {
            Ok(bytes) => Some(parse(&bytes, &path)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("read the bookmark {}", path.display())),
        };
        Ok((Self { path, _lock: lock }, saved))
    }

    /// Writes `saved` beside the bookmark and onto the disk: what can go wrong goes wrong here, before anything changed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn prepare(&self, saved: &Saved) -> anyhow::Result<()> {
        let new = self.new_path();
        let mut bytes = serde_json::to_vec_pretty(saved).context("turn the bookmark into JSON")?;
        bytes.push(b'\n');
        let write = || {
            // One that a killed run left; the lock is ours.
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&new)?;
            file.write_all(&bytes)?;
            file.sync_all()
        };
        let written = write();
        if written.is_err() {
            // A part of it is of no use to anybody.
            let _ = fs::remove_file(&new);
        }
        written.with_context(|| format!("write the bookmark to {}", new.display()))
    }

    /// Puts what was prepared in the place of the bookmark.
    ///
    /// # Errors
    /// When it cannot be renamed; then the old one is still there.
    pub(crate) fn commit(&self) -> anyhow::Result<()> {
        let rename = || {
            fs::rename(self.new_path(), &self.path)?;
            if cfg!(unix) {
                let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
                File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            }
            Ok::<_, io::Error>(())
        };
        rename().with_context(|| {
            format!("replace the bookmark {}; the next run will tell again what this one told", self.path.display())
        })
    }

    fn new_path(&self) -> PathBuf {
        beside(&self.path, ".", ".new")
    }
}

/// The path of a file in the same folder, whose name is that of `path` between `before` and `after`.
fn beside(path: &Path, before: &str, after: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(before);
    name.push(path.file_name().unwrap_or_default());
    name.push(after);
    path.with_file_name(name)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse(bytes: &[u8], path: &Path) -> anyhow::Result<Saved> {
    let shown = path.display();
    let way_out = "remove it to have everything read again, or name another file";
    if bytes.len() as u64 > MAX_BYTES {
        bail!("{shown} is too large for a bookmark; {way_out}");
    }
    let foreign = |error: serde_json::Error| anyhow!("{shown} is no bookmark that can be read ({error}); {way_out}");
    let label: Label = serde_json::from_slice(bytes).map_err(foreign)?;
    if label.format != FORMAT {
        bail!("{shown} is no bookmark of pso-logscan; {way_out}");
    }
    if label.version > VERSION {
        let version = label.version;
        bail!(
            "{shown} was written by a newer pso-logscan (version {version}, this one knows {VERSION}); use that one, {way_out}"
        );
    }
    serde_json::from_slice(bytes).map_err(foreign)
}
