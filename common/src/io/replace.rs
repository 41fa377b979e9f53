//! A file that is replaced as a whole, by the same tool again and again.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What a run that was killed has left beside the file is removed when it is older than this.
const STALE: Duration = Duration::from_secs(3600);

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Its owner (mode 0600).
    Owner,
    /// Everybody (mode 0644).
    All,
}

/// Puts `bytes` in the place of a file, whole or not at all.
///
/// # Errors
/// When the folder or the disk does not let us, or something else than a file stands there: renaming over `/dev/null`
/// or a link such as `/dev/stdout` would take it away from the whole machine.
pub fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => return Err(io::Error::other("it is a folder; name a file")),
        Ok(data) if data.is_symlink() => {
            return Err(io::Error::other("it is a link, which would be replaced; name the file itself"));
        }
        Ok(data) if !data.is_file() => return Err(io::Error::other("it is a device or a pipe; name a file")),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let name = path.file_name().ok_or_else(|| io::Error::other("it is no path of a file"))?.to_string_lossy();
    // The collector of node_exporter takes what ends in `.prom`, so this must not.
    let (prefix, suffix) = (format!(".{name}."), ".partial");
    remove_stale(folder, &prefix, suffix);
    let mut file = tempfile::Builder::new().prefix(&prefix).suffix(suffix).tempfile_in(folder)?;
    file.write_all(bytes)?;
    permit(file.as_file(), readers)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// It was made for the owner alone.
#[cfg(unix)]
fn permit(file: &File, readers: Readers) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    match readers {
        Readers::Owner => Ok(()),
        Readers::All => file.set_permissions(fs::Permissions::from_mode(0o644)),
    }
}

#[cfg(not(unix))]
fn permit(_file: &File, _readers: Readers) -> io::Result<()> {
    Ok(())
}

fn remove_stale(folder: &Path, prefix: &str, suffix: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let old = || {
            let changed = entry.metadata().and_then(|data| data.modified()).ok()?;
            SystemTime::now().duration_since(changed).ok().filter(|age| *age > STALE)
        };
        if name.starts_with(prefix) && name.ends_with(suffix) && old().is_some() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_removed_when_it_is_old() {
        let folder = tempfile::tempdir().expect("a folder");
        for leftover in [".a.abc.partial", ".a.def.partial"] {
            fs::write(folder.path().join(leftover), "x").expect("written");
        }
        let stale = File::options().write(true).open(folder.path().join(".a.abc.partial")).expect("there");
        stale.set_modified(SystemTime::now() - 2 * STALE).expect("dated");
        for text in ["old", "new"] {
            replace(&folder.path().join("a"), text.as_bytes(), Readers::Owner).expect("written");
        }
        assert_eq!(fs::read_to_string(folder.path().join("a")).expect("there"), "new");
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).expect("readable").map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        assert_eq!(names, [".a.def.partial", "a"]);
    }

    #[cfg(unix)]
    #[test]
    fn the_mode_is_that_of_its_readers() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        for (readers, mode) in [(Readers::Owner, 0o600), (Readers::All, 0o644)] {
            replace(&path, b"x", readers).expect("written");
            assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, mode);
        }
    }

    #[cfg(unix)]
    #[test]
    fn nothing_but_a_file_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let (link, socket) = (folder.path().join("link"), folder.path().join("socket"));
        std::os::unix::fs::symlink("/dev/null", &link).expect("linked");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("bound");
        for (path, said) in
            [(&link, "it is a link"), (&socket, "a device or a pipe"), (&folder.path().into(), "folder")]
        {
            let error = replace(path, b"x", Readers::All).expect_err("refused").to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(link.is_symlink() && !socket.is_file());
        assert!(replace(&folder.path().join("no/such"), b"x", Readers::All).is_err());
    }
}
