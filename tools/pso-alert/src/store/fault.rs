//! What an error says of the state file.

use rusqlite::{Error, ErrorCode};

/// What is wrong with the file, where that is what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// What is in it makes no sense: no other run will do better.
    Damaged,
    /// It cannot be used now: full disk, locked, read-only.
    Unusable,
}

impl Fault {
    /// The fault behind an error, if it is one of the file.
    pub(super) fn of(error: &anyhow::Error) -> Option<Self> {
        error.chain().find_map(|cause| {
            // What we wrote ourselves cannot be read any more.
            if cause.is::<serde_json::Error>() {
                return Some(Self::Damaged);
            }
            cause.downcast_ref::<Error>().and_then(Self::of_sqlite)
        })
    }

    /// <https://www.sqlite.org/rescode.html>
    fn of_sqlite(error: &Error) -> Option<Self> {
        match error {
            // A column holds what no run has written there.
            Error::InvalidColumnType(..)
            | Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnName(_)
            | Error::Utf8Error(..) => return Some(Self::Damaged),
            _ => {}
        }
        match error.sqlite_error_code()? {
            // "Unknown" is SQLITE_ERROR: a table or a column that is not there, since our statements are right.
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown => Some(Self::Damaged),
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport
            | ErrorCode::OutOfMemory => Some(Self::Unusable),
            _ => None,
        }
    }
}
