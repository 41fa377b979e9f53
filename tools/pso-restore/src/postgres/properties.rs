//! What belongs to a database and is in no dump of it: settings, privileges, comment, connection limit.

use anyhow::Context as _;
use pso_common::postgres::Client;

use super::target::{Shape, ident, literal};

/// Gives `new` what `old` has. Privileges that cannot be given are an error: somebody would be locked out, or let in.
/// Settings that cannot are told in the result, with the SQL that a superuser can run.
pub(super) fn carry_over(admin: &mut Client, old: &str, new: &str, shape: &Shape) -> anyhow::Result<Vec<String>> {
    privileges(admin, old, new, shape).with_context(|| format!("give the privileges on {old} to {new}"))?;
    if shape.connection_limit >= 0 {
        admin.batch_execute(&format!("ALTER DATABASE {} CONNECTION LIMIT {}", ident(new), shape.connection_limit))?;
    }
    if let Some(comment) = &shape.comment {
        admin.batch_execute(&format!("COMMENT ON DATABASE {} IS{}", ident(new), literal(comment)))?;
    }
    let mut problems = Vec::new();
    for row in admin.query(include_str!("../../queries/settings.sql"), &[&old])? {
        let (role, name, value): (Option<String>, String, String) =
            (row.get("role"), row.get("name"), row.get("value"));
        let target = role.map_or_else(
            || format!("ALTER DATABASE {}", ident(new)),
            |role| format!("ALTER ROLE {role} IN DATABASE {}", ident(new)),
        );
        if let Err(error) = setting(admin, &target, &name, &value) {
            problems.push(format!("{target} SET {name} TO{} ({error:#})", literal(&value)));
        }
    }
    Ok(problems)
}

/// Through the session, because a list such as `search_path` is stored in a form that SET would take for one name.
fn setting(admin: &mut Client, target: &str, name: &str, value: &str) -> anyhow::Result<()> {
    let mut transaction = admin.transaction()?;
    transaction.execute("SELECT pg_catalog.set_config($1, $2, true)", &[&name, &value])?;
    let quoted: Vec<String> = name.split('.').map(ident).collect();
    transaction.batch_execute(&format!("{target} SET {} FROM CURRENT", quoted.join(".")))?;
    Ok(transaction.commit()?)
}

fn privileges(admin: &mut Client, old: &str, new: &str, shape: &Shape) -> anyhow::Result<()> {
    if !shape.has_acl {
        return Ok(());
    }
    let mut statements = format!("REVOKE ALL ON DATABASE {} FROM PUBLIC;", ident(new));
    for row in admin.query(include_str!("../../queries/privileges.sql"), &[&old])? {
        let (grantee, privilege): (String, String) = (row.get("grantee"), row.get("privilege"));
        let option = if row.get("is_grantable") { " WITH GRANT OPTION" } else { "" };
        statements.push_str(&format!("GRANT {privilege} ON DATABASE {} TO {grantee}{option};", ident(new)));
    }
    Ok(admin.batch_execute(&statements)?)
}
