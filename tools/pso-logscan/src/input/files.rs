//! Which files are read.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use pso_common::Severity;
use walkdir::{DirEntry, WalkDir};

use crate::input::rotation;

/// The path that stands for standard input.
pub(crate) const STDIN: &str = "-";

/// One thing to read, or why it is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Stdin,
    File(PathBuf),
    /// A file whose content another one holds too; it is read only if that one vanishes.
    Twin {
        path: PathBuf,
        of: PathBuf,
        is_part: bool,
    },
    Not {
        path: PathBuf,
        severity: Severity,
        reason: String,
    },
}

impl Found {
    /// The path as records show it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Stdin => STDIN.to_owned(),
            Self::File(path) | Self::Twin { path, .. } | Self::Not { path, .. } => path.display().to_string(),
        }
    }

    /// The size on disk, for a file whose content cannot be read.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Self::File(path) | Self::Twin { path, .. } => {
                path.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len())
            }
            Self::Stdin | Self::Not { .. } => None,
        }
    }

    fn unknown(path: &Path, reason: impl Into<String>) -> Self {
        Self::Not { path: path.to_path_buf(), severity: Severity::Unknown, reason: reason.into() }
    }
}

/// Finds the files that `paths` name: files as they are, and in folders all logs and their rotations, the oldest of
/// each log first. A file that is named twice is read once.
pub(crate) fn find(paths: &[PathBuf]) -> Vec<Found> {
    let mut found = Vec::new();
    for path in paths {
        if path == Path::new(STDIN) {
            found.push(Found::Stdin);
            continue;
        }
        match path.metadata() {
            Err(error) => found.push(Found::unknown(path, format!("it cannot be opened: {error}{}", hint(&error)))),
            Ok(metadata) if metadata.is_dir() => found.extend(logs_in(path)),
            Ok(_) => found.push(Found::File(path.clone())),
        }
    }
    let mut seen = HashSet::new();
    found.retain(|found| match found {
        Found::Stdin => seen.insert(PathBuf::from(STDIN)),
        // A pipe has no other name, and none is better than its own.
        Found::File(path) => seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())),
        Found::Twin { .. } | Found::Not { .. } => true,
    });
    found
}

/// What to do about a path that is not there; it may be the default one.
fn hint(error: &std::io::Error) -> &'static str {
    if error.kind() != std::io::ErrorKind::NotFound {
        return "";
    }
    "; name the logs to read, or set maintenance.paths.logs in the configuration"
}

fn logs_in(folder: &Path) -> Vec<Found> {
    let (mut logs, mut others) = (Vec::new(), Vec::new());
    // Links are not followed: one that leads to a file of this folder would have it read twice, and one that leads out
    // of it, to files that nobody asked for.
    for entry in WalkDir::new(folder).follow_links(false) {
        match entry {
            Err(error) => {
                let path = error.path().unwrap_or(folder);
                let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                others.push(Found::unknown(path, format!("it cannot be opened: {reason}")));
            }
            Ok(entry) => {
                let Some(rotation) = rotation::of(&entry.file_name().to_string_lossy()) else {
                    others.extend(folder_link(folder, &entry));
                    continue;
                };
                if entry.file_type().is_file() {
                    logs.push((entry.path().parent().map(Path::to_path_buf), rotation, entry.into_path()));
                } else if entry.path_is_symlink() {
                    others.extend(link(folder, entry.path()));
                } else if !entry.file_type().is_dir() {
                    others.push(Found::unknown(entry.path(), "it is a pipe or a device: name it to have it read"));
                }
            }
        }
    }
    if logs.is_empty() && others.is_empty() {
        let reason = "there are no logs in this folder (*.log and their rotations, such as .log.1 or .log-20250612.gz)";
        others.push(Found::unknown(folder, reason));
    }
    logs.sort();
    others.sort_by_key(Found::shown);
    logs.into_iter().map(|(.., path)| Found::File(path)).chain(others).collect()
}

/// What is to say of a link with a log's name; nothing where it leads to what is read anyway.
fn link(folder: &Path, path: &Path) -> Option<Found> {
    let target = match path.canonicalize() {
        Ok(target) => target,
        Err(error) => return Some(Found::unknown(path, format!("the link leads nowhere: {error}"))),
    };
    let inside = folder.canonicalize().is_ok_and(|folder| target.starts_with(folder));
    let is_read = inside && target.file_name().is_some_and(|name| rotation::of(&name.to_string_lossy()).is_some());
    let reason = || format!("the link leads to {}, which is not read: name that to have it read", target.display());
    (!is_read).then(|| Found::unknown(path, reason()))
}

/// What is to say of another link: that a folder behind it was not looked into, if it is none that was.
fn folder_link(folder: &Path, entry: &DirEntry) -> Option<Found> {
    if !entry.path_is_symlink() || entry.depth() == 0 {
        return None;
    }
    let target = entry.path().canonicalize().ok().filter(|target| target.is_dir())?;
    let is_loop = entry.path().parent()?.canonicalize().is_ok_and(|parent| parent.starts_with(&target));
    let inside = folder.canonicalize().is_ok_and(|folder| target.starts_with(folder));
    let path = entry.path().to_path_buf();
    if is_loop {
        let reason = format!("the link leads back to {}, and is not followed", target.display());
        return Some(Found::Not { path, severity: Severity::Info, reason });
    }
    let reason = format!("the link leads to {}, and is not followed: name that to have it read", target.display());
    (!inside).then_some(Found::Not { path, severity: Severity::Info, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path, paths: &[&str]) -> Vec<String> {
        let paths: Vec<PathBuf> = paths.iter().map(|path| root.join(path)).collect();
        let short = |text: String| text.replace(&format!("{}/", root.display()), "");
        find(&paths)
            .into_iter()
            .map(|found| match &found {
                Found::Not { severity, reason, .. } => {
                    short(format!("{} {severity}: {}", found.shown(), reason.split(':').next().unwrap_or_default()))
                }
                found => short(found.shown()),
            })
            .collect()
    }

    #[test]
    fn a_folder_gives_its_logs_the_oldest_first() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(root.path().join("logs/old")).expect("a folder");
        std::fs::create_dir_all(root.path().join("none")).expect("a folder");
        for name in ["sync.log", "sync.log.1", "sync.log.2.gz", "notes.txt", "a.log", "old/sync.log-20250611"] {
            std::fs::write(root.path().join("logs").join(name), "").expect("written");
        }
        assert_eq!(
            names(root.path(), &["logs", "logs/sync.log", "none", "gone.log"]),
            [
                "logs/a.log",
                "logs/sync.log.2.gz",
                "logs/sync.log.1",
                "logs/sync.log",
                "logs/old/sync.log-20250611",
                &format!("{} unknown: there are no logs in this folder (*.log and their rotations, such as .log.1 or .log-20250612.gz)", root.path().join("none").display()).replace(&format!("{}/", root.path().display()), ""),
                "gone.log unknown: it cannot be opened",
            ]
        );
        assert_eq!(names(root.path(), &["logs/notes.txt"]), ["logs/notes.txt"]);
        assert_eq!(find(&["-".into(), "-".into()]), [Found::Stdin]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_told_not_followed() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().expect("a folder");
        let logs = root.path().join("logs");
        std::fs::create_dir_all(&logs).expect("a folder");
        std::fs::create_dir_all(root.path().join("elsewhere")).expect("a folder");
        for name in ["logs/sync.log", "elsewhere/other.log", "logs/plain"] {
            std::fs::write(root.path().join(name), "").expect("written");
        }
        for (target, name) in [
            ("sync.log", "current.log"),
            ("plain", "plain.log"),
            ("../elsewhere/other.log", "other.log"),
            ("gone", "gone.log"),
            ("..", "up"),
            (".", "loop"),
            ("../elsewhere", "out"),
            ("b.log", "a.log"),
            ("a.log", "b.log"),
        ] {
            symlink(target, logs.join(name)).expect("a link");
        }
        let outside = |path: &str| {
            format!("{}, which is not read", root.path().canonicalize().expect("a folder").join(path).display())
                .replace(&format!("{}/", root.path().display()), "")
        };
        let found = names(root.path(), &["logs"]);
        let expected = [
            "logs/sync.log".to_owned(),
            "logs/a.log unknown: the link leads nowhere".to_owned(),
            "logs/b.log unknown: the link leads nowhere".to_owned(),
            "logs/gone.log unknown: the link leads nowhere".to_owned(),
            "logs/loop info: the link leads back to logs, and is not followed".to_owned(),
            format!("logs/other.log unknown: the link leads to {}", outside("elsewhere/other.log")),
            "logs/out info: the link leads to elsewhere, and is not followed".to_owned(),
            format!("logs/plain.log unknown: the link leads to {}", outside("logs/plain")),
        ];
        assert_eq!(found[..8], expected);
        assert!(found[8].starts_with("logs/up info: the link leads back to "), "{}", found[8]);
        // A link that was named is followed.
        assert_eq!(names(root.path(), &["logs/other.log", "logs/current.log"]), ["logs/other.log", "logs/current.log"]);
    }
}
