//! Where PostgreSQL is installed, and as whom it may run.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{tree, versions};
use crate::supervised::{self, Owner};

/// Where Debian keeps the server's programs of version N: `<here>/N/bin`. They are not on PATH there.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder with `initdb` and `postgres`: `PSO_TEST_PG_BIN`, else that of the version `PSO_TEST_PG_VERSION`, else one of PATH, else the newest of
/// Debian's.
///
/// # Errors
/// When there is none; the message names the package to install.
pub fn server_programs() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("PSO_TEST_PG_BIN").map(PathBuf::from) {
        if complete(&folder) {
            return Ok(folder);
        }
        bail!("PSO_TEST_PG_BIN={} has no initdb and postgres", folder.display());
    }
    if let Some(version) = std::env::var_os("PSO_TEST_PG_VERSION") {
        let major = version.to_str().and_then(|version| version.parse().ok());
        let major = major.with_context(|| format!("PSO_TEST_PG_VERSION={} is no number", version.display()))?;
        return versions::programs_of(major);
    }
    let mut debian: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    debian.sort();
    let newest_first = debian.into_iter().rev().map(|(_, folder)| folder);
    // On PATH there may be links to some of the programs; all of them are where the links lead.
    let on_path = supervised::path_folders()
        .into_iter()
        .filter_map(|folder| Some(folder.join("postgres").canonicalize().ok()?.parent()?.to_owned()));
    on_path.chain(newest_first).find(|folder| complete(folder)).context(
        "no PostgreSQL server is installed, and the tests need a real one: run `apt-get install postgresql`, \
         or set PSO_TEST_PG_BIN to the folder that has initdb and postgres",
    )
}

/// Whether a server can be made and run with the programs there.
pub(super) fn complete(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file())
}

/// Where Debian has the programs of a version, when it is installed.
pub(super) fn debian_programs(major: u32) -> Option<PathBuf> {
    Some(Path::new(DEBIAN).join(major.to_string()).join("bin")).filter(|folder| complete(folder))
}

/// Whether the installation has the module `pg_stat_statements`.
pub(super) fn has_statements_module(programs: &Path) -> bool {
    let asked = Command::new(programs.join("pg_config")).arg("--pkglibdir").output();
    let asked = asked.ok().filter(|output| output.status.success());
    let said = asked.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    // pg_config belongs to the development package on some systems.
    let beside = [programs.join("../lib"), programs.join("../lib/postgresql"), programs.join("../lib64/pgsql")];
    said.into_iter().chain(beside).any(|folder| {
        ["so", "dylib"].iter().any(|suffix| folder.join(format!("pg_stat_statements.{suffix}")).is_file())
    })
}

/// The user to run the server as: nobody else when we are an ordinary user; PostgreSQL refuses to run as root.
pub(super) fn owner(ours: &Path) -> Result<Option<Owner>> {
    let uid = fs::metadata(ours).with_context(|| format!("look at {}", ours.display()))?.uid();
    if uid != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").context("read /etc/passwd for a user to run PostgreSQL as")?;
    let find = |wanted: &str| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == wanted).then_some(())?;
            Some(Owner { uid: fields.nth(1)?.parse().ok()?, gid: fields.next()?.parse().ok()? })
        })
    };
    let owner = ["postgres", "nobody"].into_iter().find_map(find);
    owner.map(Some).context("neither `postgres` nor `nobody` is a user here, and PostgreSQL does not run as root")
}

/// A folder for temp folders that `owner` can reach, and that is short enough for the path of a Unix socket (107 bytes).
pub(super) fn temp_parent(owner: Option<Owner>) -> PathBuf {
    let preferred = std::env::temp_dir();
    let short = preferred.as_os_str().len() <= 60;
    if short && reachable(&preferred, owner) { preferred } else { PathBuf::from("/tmp") }
}

/// The programs where `owner` can run them: where they are, else as a copy in `folder`. A checkout may be below /root, and what was fetched into its
/// `target/` with it.
pub(super) fn runnable(programs: &Path, owner: Option<Owner>, folder: &Path) -> Result<PathBuf> {
    let programs = programs.canonicalize().with_context(|| format!("look at {}", programs.display()))?;
    if reachable(&programs, owner) {
        return Ok(programs);
    }
    let (Some(root), Some(name)) = (programs.parent(), programs.file_name()) else {
        bail!("{} cannot hold PostgreSQL's programs", programs.display());
    };
    // The server finds what it needs beside the folder of its programs.
    let copy = folder.join("installation");
    for part in [name.to_str().unwrap_or("bin"), "lib", "share"] {
        tree::copy(&root.join(part), &copy.join(part), owner, |_| true)?;
    }
    Ok(copy.join(name))
}

/// Whether `owner` gets through all the folders above, and into this one.
fn reachable(folder: &Path, owner: Option<Owner>) -> bool {
    let open = |step: &Path, owner: Owner| {
        fs::metadata(step).is_ok_and(|data| data.mode() & 0o001 != 0 || owner.uid == data.uid())
    };
    owner.is_none_or(|owner| folder.ancestors().all(|step| open(step, owner)))
}
