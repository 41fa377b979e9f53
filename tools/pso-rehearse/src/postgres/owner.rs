//! As whom PostgreSQL runs: it refuses to run as root.

use std::path::Path;
use std::process::Command;

use crate::settings::Settings;

/// A user of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) name: String,
    #[cfg(unix)]
    uid: u32,
    #[cfg(unix)]
    gid: u32,
}

/// The users that are taken unless one is named, the first that is there.
#[cfg(unix)]
const USUAL: [&str; 2] = ["postgres", "nobody"];

impl Owner {
    /// The user to become; `None` where we stay who we are.
    ///
    /// # Errors
    /// When we are root and there is no such user.
    #[cfg(unix)]
    pub(super) fn choose(settings: &Settings) -> anyhow::Result<Option<Self>> {
        use anyhow::{Context as _, ensure};
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let owner = match &settings.user {
            Some(name) => Self::find(name)
                .with_context(|| format!("there is no user {name} on this machine; give another with --user"))?,
            None => USUAL.into_iter().find_map(Self::find).context(
                "PostgreSQL does not run as root, and there is neither a user postgres nor nobody; give one with --user",
            )?,
        };
        ensure!(owner.uid != 0, "PostgreSQL does not run as root; give another user with --user");
        Ok(Some(owner))
    }

    #[cfg(not(unix))]
    pub(super) fn choose(_settings: &Settings) -> anyhow::Result<Option<Self>> {
        Ok(None)
    }

    /// Asks the system, whose users need not stand in /etc/passwd.
    #[cfg(unix)]
    fn find(name: &str) -> Option<Self> {
        let ask = |flag: &str| {
            let output = Command::new("id").args([flag, "--", name]).output().ok()?;
            std::str::from_utf8(&output.stdout).ok()?.trim().parse().ok().filter(|_| output.status.success())
        };
        Some(Self { name: name.to_owned(), uid: ask("-u")?, gid: ask("-g")? })
    }

    /// Whose a file or folder is.
    ///
    /// # Errors
    /// When it is not there.
    #[cfg(unix)]
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let data = std::fs::symlink_metadata(path)?;
        Ok(Self { name: data.uid().to_string(), uid: data.uid(), gid: data.gid() })
    }

    #[cfg(unix)]
    pub(super) const fn uid(&self) -> u32 {
        self.uid
    }

    /// Gives a file or folder to this user. A link is given itself: what it leads to may be anybody's.
    ///
    /// # Errors
    /// When that is not permitted.
    #[cfg(unix)]
    pub(super) fn give(&self, path: &Path) -> std::io::Result<()> {
        std::os::unix::fs::lchown(path, Some(self.uid), Some(self.gid))
    }

    #[cfg(not(unix))]
    pub(super) fn give(&self, _path: &Path) -> std::io::Result<()> {
        Ok(())
    }

    /// Lets a program run as this user, without any of our groups.
    #[cfg(unix)]
    pub(super) fn become_in(&self, command: &mut Command) {
        use std::os::unix::process::CommandExt as _;
        command.uid(self.uid).gid(self.gid);
    }

    #[cfg(not(unix))]
    pub(super) fn become_in(&self, _command: &mut Command) {}
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn users_are_asked_of_the_system() {
        assert_eq!(Owner::find("root").map(|owner| (owner.uid, owner.gid)), Some((0, 0)));
        assert_eq!(Owner::find("nobody-has-this-name"), None);
        assert_eq!(Owner::find("--version"), None);
    }
}
