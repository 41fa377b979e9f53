//! The archives that are there, and what is noted of each. How `pso-backup` names and describes them is written down in
//! `common/archive/src/names.rs` and `status.rs`; nothing of an archive itself is read here.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pso_common::Timestamp;
use pso_common::record::Component;
use serde::Deserialize;
use time::PrimitiveDateTime;
use time::macros::format_description;

/// A note that is larger is none.
const LONGEST_NOTE: u64 = 1 << 20;

/// The end of an archive alone has so many bytes (APPNOTE 4.3.16): what is smaller is none.
const SMALLEST_ZIP: u64 = 22;

/// A backup that is being made is written to all the time; one that was not for so long is left over.
const LEFT_OVER: Duration = Duration::from_secs(3600);

/// What is in the folders.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The newest first.
    pub(super) archives: Vec<Archive>,
    /// Files of a run that did not come to its end.
    pub(super) left_over: Vec<String>,
}

/// One archive.
#[derive(Debug)]
pub(super) struct Archive {
    pub(super) name: String,
    pub(super) size: u64,
    /// When the backup was begun: as noted, else as its name has it, else when the file was last written.
    pub(super) taken_at: Timestamp,
    /// What is noted of it in `NAME.zip.json`, or why nothing is.
    pub(super) note: Result<Note, String>,
}

/// The part of `pso_archive::Status` that is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Note {
    /// Of the archive that it describes, in bytes.
    size: u64,
    taken_at: Timestamp,
    pub(super) components: Vec<String>,
    #[serde(default)]
    pub(super) missing: Vec<String>,
    #[serde(default)]
    pub(super) verified_at: Option<Timestamp>,
    #[serde(default)]
    pub(super) rehearsed_at: Option<Timestamp>,
}

impl Archive {
    /// Whether all of these components are in it. One that nobody has noted anything of counts as whole, if it can be an
    /// archive at all.
    pub(super) fn holds(&self, wanted: &[Component]) -> bool {
        let has = |note: &Note, wanted: Component| note.components.iter().any(|own| own == wanted.as_str());
        match &self.note {
            Ok(note) => wanted.iter().all(|wanted| has(note, *wanted)),
            Err(_) => self.size >= SMALLEST_ZIP,
        }
    }

    /// Whether their sizes can be compared: the same components, encrypted or not.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let components = |archive: &Self| archive.note.as_ref().ok().map(|note| note.components.clone());
        let encrypted = |archive: &Self| archive.name.ends_with(".age");
        components(self) == components(other) && encrypted(self) == encrypted(other)
    }
}

impl Found {
    /// Looks into the folders; one that has not been made yet has none.
    ///
    /// # Errors
    /// When one of them cannot be read, and which.
    pub(super) fn look(folders: &[PathBuf], now: Timestamp) -> Result<Self, (PathBuf, io::Error)> {
        let mut found = Self::default();
        for folder in folders {
            match found.folder(folder, now) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result.map_err(|error| (folder.clone(), error))?,
            }
        }
        found.archives.sort_by(|one, other| (other.taken_at, &other.name).cmp(&(one.taken_at, &one.name)));
        found.left_over.sort();
        Ok(found)
    }

    fn folder(&mut self, folder: &Path, now: Timestamp) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            // Ours are plain letters; a name that is not UTF-8 is somebody else's.
            let Some(name) = name.to_str() else { continue };
            let (named, partial) = (moment(name), is_partial(name));
            if named.is_none() && !partial {
                continue;
            }
            // One that is removed meanwhile was not there; a folder or a pipe of that name is no archive.
            let Ok(data) = fs::metadata(entry.path()) else { continue };
            if !data.is_file() {
                continue;
            }
            let written = data.modified().map_or(now, |at| Timestamp::new(at.into()));
            match named {
                None if written.until(now) > LEFT_OVER => self.left_over.push(name.to_owned()),
                None => {}
                Some(named) => {
                    let mut note = note(&entry.path(), data.len());
                    // As `pso-backup` has it, which cannot look into an encrypted one either: its name tells of when it is.
                    if name.ends_with(".age")
                        && note.as_ref().is_ok_and(|note| !name.starts_with(&note.taken_at.compact()))
                    {
                        note = Err(format!("{name}.json: it was noted of another archive"));
                    }
                    // Other programs name theirs by the local time, which may lie ahead of ours.
                    let by_name = if named > now { written } else { named };
                    let taken_at = note.as_ref().map_or(by_name, |note| note.taken_at);
                    self.archives.push(Archive { name: name.to_owned(), size: data.len(), taken_at, note });
                }
            }
        }
        Ok(())
    }
}

/// The moment in the name of an archive: `20261122_090000.zip`, `20261122_090000_2.zip`, with `.age` where it is encrypted.
fn moment(name: &str) -> Option<Timestamp> {
    let stem = name.strip_suffix(".age").unwrap_or(name).strip_suffix(".zip")?;
    let (stamp, number) = stem.split_at_checked(15)?;
    let numbered = number.strip_prefix('_').is_some_and(|number| number.parse::<u32>().is_ok_and(|number| number > 1));
    if !number.is_empty() && !numbered {
        return None;
    }
    let form = format_description!("[year][month][day]_[hour][minute][second]");
    Some(Timestamp::new(PrimitiveDateTime::parse(stamp, form).ok()?.assume_utc()))
}

/// `.20261122_090000.zip.partial-4711`, as archives and what lies beside them are called before they are whole.
fn is_partial(name: &str) -> bool {
    let parts = name.strip_prefix('.').and_then(|name| name.rsplit_once(".partial-"));
    parts.is_some_and(|(name, id)| name.contains(".zip") && !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
}

/// What is noted of an archive of that size.
fn note(archive: &Path, size: u64) -> Result<Note, String> {
    let mut path = archive.as_os_str().to_owned();
    path.push(".json");
    let name = Path::new(&path).file_name().unwrap_or(OsStr::new("")).to_string_lossy();
    let said = |error: &dyn std::fmt::Display| format!("{name}: {error}");
    // A pipe would wait for a writer.
    match fs::metadata(&path) {
        Ok(data) if !data.is_file() => return Err(said(&"it is no file")),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(format!("there is no {name}")),
        Err(error) => return Err(said(&error)),
    }
    let mut text = Vec::new();
    let file = File::open(&path).map_err(|error| said(&error))?;
    file.take(LONGEST_NOTE + 1).read_to_end(&mut text).map_err(|error| said(&error))?;
    if text.len() as u64 > LONGEST_NOTE {
        return Err(said(&"it is too large for what it should be"));
    }
    let note: Note = serde_json::from_slice(&text).map_err(|_| said(&"it is not what pso-backup notes"))?;
    if note.size != size {
        return Err(said(&"it was noted of a file of another size"));
    }
    Ok(note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_told_by_their_names() {
        let at = |name| moment(name).map(|at| at.to_string());
        let expected = Some("2026-11-22T09:00:00.000Z".to_owned());
        for name in ["20261122_090000.zip", "20261122_090000_2.zip", "20261122_090000.zip.age"] {
            assert_eq!(at(name), expected, "{name}");
        }
        for name in [
            "20261122_090000.zip.json",
            "20261122_090000_1.zip",
            "20261122_090000x.zip",
            "20261322_090000.zip",
            "2026112_090000.zip",
            "20261122_09000é.zip",
            "é.zip",
            ".zip",
        ] {
            assert_eq!(at(name), None, "{name}");
        }
        assert!(is_partial(".20261122_090000.zip.partial-4711") && is_partial(".20261122_090000.zip.json.partial-5"));
        for name in
            ["20261122_090000.zip.partial-4711", ".20261122_090000.zip.partial-", ".x.partial-5", ".x.zip.partial-5x"]
        {
            assert!(!is_partial(name), "{name}");
        }
    }

    #[test]
    fn a_note_is_that_of_its_archive() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = folder.path().join("20261122_090000.zip");
        let path = folder.path().join("20261122_090000.zip.json");
        assert_eq!(note(&archive, 3), Err("there is no 20261122_090000.zip.json".to_owned()));
        let good = r#"{"size": 3, "sha256": "x", "taken_at": "2026-11-22T09:00:00Z", "kind": "daily",
            "components": ["postgres", "stars"], "verified_at": "2026-11-22T09:00:05Z"}"#;
        std::fs::write(&path, good).expect("written");
        let noted = note(&archive, 3).expect("good");
        assert_eq!((noted.components.len(), noted.rehearsed_at), (2, None));
        assert!(note(&archive, 4).is_err_and(|reason| reason.ends_with("of a file of another size")));
        for text in ["", "[]", "{\"size\": 3}", "\u{0}\u{1}", &"[".repeat(100_000), &good.replace("09:00:00Z", "soon")]
        {
            std::fs::write(&path, text).expect("written");
            assert!(note(&archive, 3).is_err_and(|reason| reason.ends_with("it is not what pso-backup notes")));
        }
        std::fs::write(&path, vec![b' '; (1 << 20) + 1]).expect("written");
        assert!(note(&archive, 3).is_err_and(|reason| reason.ends_with("it is too large for what it should be")));
        std::fs::remove_file(&path).and_then(|()| std::fs::create_dir(&path)).expect("a folder in its place");
        assert!(note(&archive, 3).is_err_and(|reason| reason.ends_with("it is no file")));
    }
}
