//! `.pgpass`, as libpq reads it.

use std::path::{Path, PathBuf};

use crate::Secret;
use crate::io::Env;

/// What a line of `.pgpass` must match.
pub(super) struct PgpassTarget<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) dbname: &'a str,
    pub(super) user: &'a str,
}

pub(super) struct Pgpass {
    pub(super) password: Option<Secret>,
    pub(super) source: String,
    /// Why the file was not used.
    pub(super) note: Option<String>,
}

/// Looks the password up in `PGPASSFILE` or the default file.
pub(super) fn from_pgpass(target: &PgpassTarget<'_>, env: &Env) -> Pgpass {
    let mut found = Pgpass { password: None, source: String::new(), note: None };
    let Some(path) = env.path("PGPASSFILE").or_else(|| default_file(env)) else { return found };
    found.source = path.display().to_string();
    let Ok(text) = std::fs::read_to_string(&path) else { return found };
    if open_to_others(&path) {
        found.note = Some(format!("{} was ignored because others may read it; chmod 600 it", path.display()));
        return found;
    }
    // libpq calls a local socket `localhost` here.
    let host = if target.host.starts_with('/') { "localhost" } else { target.host };
    let wanted = [host, &target.port.to_string(), target.dbname, target.user];
    found.password = text.lines().filter(|line| !line.starts_with('#')).find_map(|line| matching(line, wanted));
    found
}

/// The password of a line whose first four fields match.
fn matching(line: &str, wanted: [&str; 4]) -> Option<Secret> {
    let mut rest = line;
    for want in wanted {
        let (field, escaped, after) = next_field(rest)?;
        if field != want && (escaped || field != "*") {
            return None;
        }
        rest = after;
    }
    let mut password = String::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        password.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    Some(Secret::new(password)).filter(|password| !password.is_empty())
}

/// The text up to the next bare colon, whether any of it was escaped, and what follows.
fn next_field(line: &str) -> Option<(String, bool, &str)> {
    let (mut field, mut escaped) = (String::new(), false);
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ':' => return Some((field, escaped, &line[at + 1..])),
            '\\' => {
                escaped = true;
                field.push(chars.next()?.1);
            }
            c => field.push(c),
        }
    }
    None
}

fn default_file(env: &Env) -> Option<PathBuf> {
    if cfg!(windows) {
        return Some(env.path("APPDATA")?.join("postgresql").join("pgpass.conf"));
    }
    Some(env.home()?.join(".pgpass"))
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
const fn open_to_others(_path: &Path) -> bool {
    false
}
