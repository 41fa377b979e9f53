//! Roles that the archive knows and the server does not. They are not made by a restore: a role is somebody's access.

use std::io::Read as _;

use anyhow::Context as _;
use pso_archive::Archive;

use super::target::Target;

/// More than this of a server's roles is not read (bytes).
const MAX_BYTES: u64 = 16 << 20;
/// How many missing roles are named.
const NAMED: usize = 10;

/// What somebody should know of roles that are missing, and how to get them; `None` where there is nothing to say.
pub(super) fn missing_roles(archive: &mut Archive, target: &mut Target) -> anyhow::Result<Option<String>> {
    let Some(entry) = archive.manifest().globals.clone() else { return Ok(None) };
    let mut text = String::new();
    let reader = archive.entry(&entry)?;
    reader.take(MAX_BYTES).read_to_string(&mut text).with_context(|| format!("read {entry}"))?;
    let mut missing = Vec::new();
    for role in roles(&text) {
        if !target.role_exists(&role)? {
            missing.push(role);
        }
    }
    if missing.is_empty() {
        return Ok(None);
    }
    let rest = missing.len().saturating_sub(NAMED);
    missing.truncate(NAMED);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    Ok(Some(format!(
        "the server does not have the roles {}{more}, which the archive's server had; nothing here makes them: look at \
         {entry} in the archive and let a superuser run what of it is wanted, such as unzip -p {} {entry} | psql -d postgres",
        missing.join(", "),
        archive.path().display()
    )))
}

/// The names in `CREATE ROLE name;`, a line each.
fn roles(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().filter_map(|line| {
        let name = line.strip_prefix("CREATE ROLE ")?.strip_suffix(';')?;
        Some(match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
            Some(quoted) => quoted.replace("\"\"", "\""),
            None => name.to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::roles;

    #[test]
    fn roles_are_found_as_they_are_called() {
        let text = "--\n-- Roles\n--\n\nCREATE ROLE postgres;\nALTER ROLE postgres WITH SUPERUSER;\nCREATE ROLE \"a \"\"b\"\"\";\n";
        assert_eq!(roles(text).collect::<Vec<_>>(), ["postgres", "a \"b\""]);
    }
}
