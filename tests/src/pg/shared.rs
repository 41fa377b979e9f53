//! Servers that all tests of a process share.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::Result;

use super::TempPg;

impl TempPg {
    /// The server that all tests of this process share, each with a [`super::Database`] of its own. It ends with the process.
    ///
    /// # Errors
    /// As [`TempPg::start_new`].
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<std::result::Result<TempPg, String>> = OnceLock::new();
        // So many that what all tests ask evicts no statement of any of them, which would count anew.
        let settings = [("pg_stat_statements.max", "50000")];
        let shared = SHARED.get_or_init(|| Self::with_settings(&settings).map_err(|error| format!("{error:#}")));
        shared.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// As [`TempPg::shared`], of a major version.
    ///
    /// # Errors
    /// As [`TempPg::of_version`].
    pub fn shared_of(major: u32) -> Result<&'static Self> {
        static SHARED: Mutex<BTreeMap<u32, &'static TempPg>> = Mutex::new(BTreeMap::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.get(&major) {
            return Ok(server);
        }
        let server: &'static Self = Box::leak(Box::new(Self::of_version(major)?));
        shared.insert(major, server);
        Ok(server)
    }
}
