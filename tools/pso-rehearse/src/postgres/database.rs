//! An empty database that is like the one that was dumped.

use anyhow::Context as _;
use pso_archive::Database;
use pso_common::postgres::{Client, Error};

/// How a database sorts and compares text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Locale {
    provider: String,
    own: Option<String>,
    collate: String,
    ctype: String,
}

/// Makes the database `name` with encoding and locale of `like`. Gives the locale that this machine does not have, where
/// another was taken instead.
///
/// # Errors
/// When it cannot be made.
pub(super) fn create(admin: &mut Client, name: &str, like: &Database) -> anyhow::Result<Option<String>> {
    let mut refused = None;
    for locale in locales(like) {
        match admin.batch_execute(&statement(name, &like.encoding, &locale)) {
            Ok(()) => return Ok(refused.map(|_| shown(like))),
            Err(error) if is_of_locale(&error) => refused = Some(error),
            Err(error) => return Err(error).with_context(|| format!("make the database {name}")),
        }
    }
    let error = refused.context("there is no locale").and_then(|error| Err(anyhow::Error::from(error)));
    error.with_context(|| format!("make the database {name} with the encoding {}", like.encoding))
}

/// The locale of the dump, then those that sort by bytes: one that knows letters, and one that is everywhere.
fn locales(like: &Database) -> Vec<Locale> {
    let own = Locale {
        provider: like.locale_provider.clone(),
        own: like.locale.clone(),
        collate: like.collate.clone(),
        ctype: like.ctype.clone(),
    };
    let libc =
        |name: &str| Locale { provider: "c".to_owned(), own: None, collate: "C".to_owned(), ctype: name.to_owned() };
    let mut all = vec![own];
    if like.encoding == "UTF8" {
        all.push(libc("C.UTF-8"));
    }
    all.push(libc("C"));
    all
}

fn statement(name: &str, encoding: &str, locale: &Locale) -> String {
    let mut sql = format!(
        "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}",
        ident(name),
        literal(encoding),
        literal(&locale.collate),
        literal(&locale.ctype)
    );
    match (locale.provider.as_str(), &locale.own) {
        ("i", Some(own)) => sql.push_str(&format!(" LOCALE_PROVIDER icu ICU_LOCALE {}", literal(own))),
        ("b", Some(own)) => sql.push_str(&format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", literal(own))),
        _ => {}
    }
    sql
}

/// `fr_FR.UTF-8`, or `en-US (ICU)`.
fn shown(like: &Database) -> String {
    match (like.locale_provider.as_str(), &like.locale) {
        ("i", Some(locale)) => format!("{locale} (ICU)"),
        (_, Some(locale)) => locale.clone(),
        _ if like.collate == like.ctype => like.collate.clone(),
        _ => format!("{}, {}", like.collate, like.ctype),
    }
}

/// Whether this machine, or this build, does not know the locale: `invalid LC_COLLATE locale name` (42809, 22023), `ICU is
/// not supported in this build` (0A000), an encoding that does not go with it (42P17, 42P22).
fn is_of_locale(error: &Error) -> bool {
    let states = ["42809", "22023", "0A000", "42P17", "42P22"];
    error.code().is_some_and(|code| states.contains(&code.code()))
}

/// A name as SQL has it.
pub(super) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL has it, whatever `standard_conforming_strings` says.
pub(super) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
