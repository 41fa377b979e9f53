//! The roles that a dump names. They are made first: a role belongs to the cluster and is in no dump.

use std::collections::BTreeSet;

use anyhow::Context as _;
use pso_archive::custom::Toc;
use pso_common::postgres::Client;

use super::database::ident;

/// Words after which roles stand: `OWNER TO x`, `GRANT … TO x`, `REVOKE … FROM x`, `FOR ROLE x`, `GRANTED BY x`.
const BEFORE: [&str; 6] = ["to", "from", "role", "user", "by", "authorization"];
/// Words that stand there and are no roles.
const NO_ROLES: [&str; 5] = ["public", "current_user", "current_role", "session_user", "group"];
/// Kinds of entries whose statements name roles.
const NAMING: [&str; 5] = ["ACL", "DEFAULT ACL", "POLICY", "USER MAPPING", "SCHEMA"];

/// All roles that the dump may name. One too many does no harm in a cluster of our own.
pub(super) fn of_toc(toc: &Toc) -> BTreeSet<String> {
    let mut roles = BTreeSet::new();
    for entry in &toc.entries {
        if !entry.owner.is_empty() {
            roles.insert(entry.owner.clone());
        }
        if NAMING.contains(&entry.desc.as_str()) {
            collect(&entry.definition, &mut roles);
        }
    }
    roles.retain(|role| is_role(role));
    roles
}

/// Makes those that are not there. They may not even log in.
///
/// # Errors
/// When the server does not let us.
pub(super) fn make(admin: &mut Client, roles: &BTreeSet<String>) -> anyhow::Result<()> {
    let rows = admin.query("SELECT rolname::text FROM pg_catalog.pg_roles", &[]).context("list the roles")?;
    let there: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    for role in roles.difference(&there) {
        let sql = format!("CREATE ROLE {} NOLOGIN", ident(role));
        admin.batch_execute(&sql).with_context(|| format!("make the role {role}"))?;
    }
    Ok(())
}

/// The roles that one statement names.
pub(super) fn of_statement(sql: &str) -> BTreeSet<String> {
    let mut roles = BTreeSet::new();
    collect(sql, &mut roles);
    roles.retain(|role| is_role(role));
    roles
}

/// Names that begin so belong to PostgreSQL, which has them already.
fn is_role(name: &str) -> bool {
    !name.is_empty() && !name.starts_with("pg_") && !NO_ROLES.contains(&name)
}

/// The identifiers that stand where roles stand.
fn collect(sql: &str, roles: &mut BTreeSet<String>) {
    let mut place = Place::Elsewhere;
    for word in Words(sql) {
        place = match (word, place) {
            (Word::Name { text, quoted: false }, _) if BEFORE.contains(&text.as_str()) => Place::Role,
            (Word::Name { text, .. }, Place::Role) => {
                roles.insert(text);
                Place::AfterRole
            }
            // `TO a, b`
            (Word::Comma, Place::AfterRole) => Place::Role,
            _ => Place::Elsewhere,
        };
    }
}

#[derive(Clone, Copy)]
enum Place {
    Elsewhere,
    /// The next name is a role's.
    Role,
    AfterRole,
}

enum Word {
    /// As PostgreSQL reads it: in small letters unless quoted.
    Name {
        text: String,
        quoted: bool,
    },
    Comma,
    Other,
}

/// The words of a statement, as far as it takes to find names.
struct Words<'a>(&'a str);

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        self.0 = self.0.trim_start();
        let first = self.0.chars().next()?;
        match first {
            '"' => Some(Word::Name { text: self.quoted('"'), quoted: true }),
            '\'' => {
                self.quoted('\'');
                Some(Word::Other)
            }
            c if c.is_alphabetic() || c == '_' => {
                let ends = |c: char| !(c.is_alphanumeric() || c == '_' || c == '$');
                let (word, rest) = self.0.split_at(self.0.find(ends).unwrap_or(self.0.len()));
                self.0 = rest;
                Some(Word::Name { text: word.to_ascii_lowercase(), quoted: false })
            }
            c => {
                self.0 = self.0.get(c.len_utf8()..).unwrap_or_default();
                Some(if c == ',' { Word::Comma } else { Word::Other })
            }
        }
    }
}

impl Words<'_> {
    /// What stands between quotes; two of them are one.
    fn quoted(&mut self, quote: char) -> String {
        let mut text = String::new();
        let mut chars = self.0.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            if c != quote {
                text.push(c);
            } else if chars.next_if(|(_, next)| *next == quote).is_some() {
                text.push(quote);
            } else {
                self.0 = &self.0[at + quote.len_utf8()..];
                return text;
            }
        }
        self.0 = "";
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_found_where_they_stand() {
        let named = |sql: &str| of_statement(sql).into_iter().collect::<Vec<_>>();
        assert_eq!(named("GRANT SELECT(id),UPDATE(value) ON TABLE public.ruled TO alice;"), ["alice"]);
        assert_eq!(named("GRANT ALL ON SCHEMA public TO PUBLIC;\nGRANT USAGE ON SCHEMA x TO Bob;"), ["bob"]);
        assert_eq!(
            named(
                "ALTER DEFAULT PRIVILEGES FOR ROLE sync_user IN SCHEMA public GRANT SELECT ON TABLES TO \"Zoé \"\"B.\";"
            ),
            ["Zoé \"B.", "sync_user"]
        );
        assert_eq!(named("REVOKE ALL ON TABLE t FROM a; SET SESSION AUTHORIZATION 'b';"), ["a"]);
        assert_eq!(
            named("CREATE POLICY own ON public.t FOR SELECT TO alice, \"b c\" USING ((x = 'to me'::text));"),
            ["alice", "b c"]
        );
        assert_eq!(named("GRANT SELECT ON TABLE t TO pg_monitor;"), [""; 0]);
        assert_eq!(named("GRANT x ON y TO \"never ends"), ["never ends"]);
    }
}
