//! Who besides its owner can read or change a file.

#[cfg(unix)]
mod modes;
#[cfg(unix)]
pub(crate) mod people;

#[cfg(unix)]
pub(crate) use modes::Access;

/// Those who can.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "modes are of Unix"))]
pub(crate) enum Who {
    /// The owner, and root.
    Owner,
    /// The members of that group too.
    Group(String),
    /// Everybody on this machine.
    World,
    /// Its access list was not examined (Windows).
    #[cfg_attr(unix, expect(dead_code, reason = "modes tell it"))]
    Unknown,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(unix), expect(dead_code, reason = "modes are of Unix"))]
pub(crate) enum Right {
    Read,
    Write,
}

/// Says that it does not know: access lists are not examined here.
#[cfg(not(unix))]
pub(crate) struct Access;

#[cfg(not(unix))]
impl Access {
    pub(crate) fn of_this_machine(_trusted_groups: &[String]) -> Self {
        Self
    }

    pub(crate) fn who(&mut self, _path: &std::path::Path, _metadata: &std::fs::Metadata, _right: Right) -> Who {
        Who::Unknown
    }
}
