//! PostgreSQL's programs of the version that fits the dumps.

use std::path::PathBuf;

use pso_archive::Manifest;
use pso_common::io::Env;
use pso_common::postgres::{Program, find_program};

use crate::settings::Settings;

/// What a scratch cluster is made, run and filled with: all of one installation.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) initdb: Program,
    pub(super) postgres: PathBuf,
    pub(super) pg_restore: Program,
}

/// The major version that the dumps want: the server's that they are of, and the program's that has made them, whichever is
/// newer. Both can be restored into it, and into what is newer still.
pub(super) fn wanted_major(manifest: &Manifest) -> u32 {
    let servers = manifest.databases.iter().map(|database| database.server_version_num / 10_000);
    let program = manifest.versions.pg_dump.as_deref().and_then(major_of);
    servers.chain(program).max().unwrap_or_default()
}

/// `15.18`, or `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major_of(version: &str) -> Option<u32> {
    let number = version.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?;
    number.parse().ok()
}

impl Programs {
    /// The nearest version that is at least `major`.
    ///
    /// # Errors
    /// The message says what to install.
    pub(super) fn find(major: u32, settings: &Settings, env: &Env) -> Result<Self, String> {
        let initdb = find_program("initdb", major, settings.bin_dir.as_deref(), env)
            .map_err(|error| format!("{error:#}; {}", packages(major)))?;
        // Where a link leads, the others lie as well.
        let folder = initdb.path.canonicalize().ok().and_then(|path| Some(path.parent()?.to_owned()));
        let folder = folder.or_else(|| Some(initdb.path.parent()?.to_owned())).unwrap_or_default();
        let postgres = folder.join(format!("postgres{}", std::env::consts::EXE_SUFFIX));
        if !postgres.is_file() {
            return Err(format!("there is an initdb in {} and no postgres; {}", folder.display(), packages(major)));
        }
        // Debian's pg_restore on PATH is a wrapper that chooses by its own rules.
        let pg_restore = find_program("pg_restore", initdb.major, Some(&folder), env)
            // An installation of the server alone: any that knows the dump will do.
            .or_else(|_| find_program("pg_restore", major, None, env))
            .map_err(|error| format!("{error:#}"))?;
        Ok(Self { initdb, postgres, pg_restore })
    }
}

/// What to install, in the words of those who have to.
fn packages(major: u32) -> String {
    format!(
        "a rehearsal takes PostgreSQL's server programs: the package postgresql-{major} of Debian and Ubuntu, \
         postgresql{major}-server of PostgreSQL's own repository for Red Hat, the installer of PostgreSQL {major} on \
         Windows; the service need not run"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_stands_first_in_what_programs_print() {
        assert_eq!(major_of("15.18"), Some(15));
        assert_eq!(major_of("pg_dump (PostgreSQL) 9.6.24"), Some(9));
        assert_eq!(major_of("18beta1"), Some(18));
        assert_eq!(major_of(""), None);
    }
}
