//! PostgreSQL's own programs, of a version that fits the server.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::io::Env;

/// A program such as `pg_dump`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Where it lies.
    pub path: PathBuf,
    /// Its version as it prints it: `15.18`.
    pub version: String,
    /// The major version: 15.
    pub major: u32,
}

/// Finds `name` with a major version of at least `min_major`, the nearest one first: in `bin_dir` if that is given,
/// else in the folders of PATH and in those where Debian, Red Hat, Homebrew and the Windows installer put it.
///
/// # Errors
/// When there is none; the message lists what was found and the package to install.
pub fn find_program(name: &str, min_major: u32, bin_dir: Option<&Path>, env: &Env) -> anyhow::Result<Program> {
    let folders = match bin_dir {
        Some(folder) => vec![folder.to_path_buf()],
        None => search_folders(env),
    };
    let mut found: Vec<Program> = Vec::new();
    for folder in folders {
        let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        // What cannot be run is not there, for this purpose.
        if let Some(program) = path.is_file().then(|| probe(&path).ok()).flatten() {
            found.push(program);
        }
    }
    // A stable sort: of two with the same version the one that stands first in PATH stays first.
    found.sort_by_key(|program| program.major);
    if let Some(program) = found.iter().find(|program| program.major >= min_major) {
        return Ok(program.clone());
    }
    let package = if name == "initdb" { "postgresql" } else { "postgresql-client" };
    match found.last() {
        Some(newest) => bail!(
            "the newest {name} here is {} ({}), older than the server's major version {min_major}; \
             install {package}-{min_major} or set maintenance.postgres.bin_dir (PSO_PG_BIN_DIR)",
            newest.version,
            newest.path.display()
        ),
        None => bail!(
            "there is no {name} here; install it (Debian: apt-get install {package}) \
             or set maintenance.postgres.bin_dir (PSO_PG_BIN_DIR)"
        ),
    }
}

fn probe(path: &Path) -> anyhow::Result<Program> {
    let output = Command::new(path).arg("--version").output().with_context(|| format!("run {}", path.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "pg_dump (PostgreSQL) 18beta1"
    let version = text
        .split(") ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .with_context(|| format!("{} --version printed {text:?}", path.display()))?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    let major = digits.parse().with_context(|| format!("{} --version printed {text:?}", path.display()))?;
    Ok(Program { path: path.to_path_buf(), version: version.to_owned(), major })
}

fn search_folders(env: &Env) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        env.path("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let roots: &[(&str, &str)] = if cfg!(windows) {
        &[(r"C:\Program Files\PostgreSQL", "bin")]
    } else {
        &[("/usr/lib/postgresql", "bin"), ("/usr/pgsql", "bin"), ("/opt/homebrew/opt", "bin")]
    };
    for (root, bin) in roots {
        let Ok(entries) = std::fs::read_dir(root) else { continue };
        folders.extend(entries.flatten().map(|entry| entry.path().join(bin)));
    }
    // Red Hat's packages use one folder a version.
    folders.extend((13..30).map(|major| PathBuf::from(format!("/usr/pgsql-{major}/bin"))));
    folders
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_nearest_version_that_is_new_enough_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut path = Vec::new();
        for major in [14, 18, 16] {
            let bin = folder.path().join(major.to_string());
            std::fs::create_dir(&bin).expect("created");
            let program = bin.join("pg_frob");
            std::fs::write(&program, format!("#!/bin/sh\necho 'pg_frob (PostgreSQL) {major}.2 (X)'\n"))
                .expect("written");
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("mode");
            path.push(bin);
        }
        let mut env = Env::default();
        env.set("PATH", std::env::join_paths(path).expect("joined"));
        let find = |min| find_program("pg_frob", min, None, &env);
        assert_eq!(find(15).map(|program| program.version).ok().as_deref(), Some("16.2"));
        let message = find(19).expect_err("too old").to_string();
        assert!(message.contains("18.2") && message.contains("postgresql-client-19"), "{message}");
    }
}
