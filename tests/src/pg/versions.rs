//! The versions of PostgreSQL beside the installed one: those of `tests/pg-versions.txt`, which `tests/pg-versions.sh` fetches into `target/pg/N`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::install;

const LIST: &str = include_str!("../../pg-versions.txt");

/// The major versions of the list, oldest first, with those that are too old to be used.
fn listed() -> impl Iterator<Item = (u32, bool)> {
    LIST.lines().filter_map(|line| Some((major(line)?, line.ends_with(" refused"))))
}

/// The number that a version begins with.
fn major(version: &str) -> Option<u32> {
    version.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// The newest version of the list, with which every test run works.
///
/// # Errors
/// When the list is empty.
pub fn newest() -> Result<u32> {
    listed().map(|(major, _)| major).max().context("tests/pg-versions.txt names no version")
}

/// The versions that can be run here, oldest first: the installed one, the newest of the list, and what else of it is there. When
/// `PSO_TEST_PG_VERSIONS` is `all`, all of the list.
///
/// # Errors
/// When none is installed, or one that has to be there is not; the message says how to get it.
pub fn versions() -> Result<Vec<u32>> {
    let mut versions = vec![installed()?];
    for (major, refused) in listed() {
        if !refused && wanted(major)? {
            versions.push(major);
        }
    }
    versions.sort_unstable();
    versions.dedup();
    Ok(versions)
}

/// As [`versions`], of those that are too old to be used. They may all be missing, unless `PSO_TEST_PG_VERSIONS` is `all`.
///
/// # Errors
/// As [`versions`].
pub fn refused_versions() -> Result<Vec<u32>> {
    let mut versions = Vec::new();
    for (major, refused) in listed() {
        if refused && wanted(major)? {
            versions.push(major);
        }
    }
    Ok(versions)
}

/// Whether a version of the list takes part; an error when it must and cannot.
fn wanted(major: u32) -> Result<bool> {
    let all = std::env::var_os("PSO_TEST_PG_VERSIONS").is_some_and(|versions| versions == "all");
    match programs_of(major) {
        Ok(_) => Ok(true),
        Err(error) if all || major == newest()? => Err(error),
        Err(_) => Ok(false),
    }
}

/// The version that [`super::server_programs`] finds.
fn installed() -> Result<u32> {
    let program = install::server_programs()?.join("postgres");
    let output = Command::new(&program).arg("--version").output();
    let output = output.with_context(|| format!("run {}", program.display()))?;
    // postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = said.split_whitespace().nth(2).and_then(major);
    version.with_context(|| format!("{} --version says {said:?}", program.display()))
}

/// The folder with `initdb` and `postgres` of a major version: what was fetched, else what Debian has.
///
/// # Errors
/// When it is not there; the message says how to get it.
pub fn programs_of(major: u32) -> Result<PathBuf> {
    let executable = std::env::current_exe().context("find the test executable")?;
    // target/debug/deps/e2e-1234 and target/x86_64-unknown-linux-gnu/debug/pso-demo both have target above them.
    let fetched = executable.ancestors().skip(1).take(4).map(|folder| folder.join(format!("pg/{major}/bin")));
    if let Some(found) = fetched.into_iter().find(|folder| install::complete(folder)) {
        return Ok(found);
    }
    if let Some(found) = install::debian_programs(major) {
        return Ok(found);
    }
    ensure!(
        listed().any(|(listed, _)| listed == major),
        "PostgreSQL {major} is not installed, and tests/pg-versions.txt does not name it"
    );
    let which = if newest()? == major { "newest" } else { "all" };
    bail!(
        "PostgreSQL {major}, which the tests need beside the installed one, is not there: run `tests/pg-versions.sh {which}`, \
         which fetches it through npm, or put an installation of it into target/pg/{major}"
    )
}
