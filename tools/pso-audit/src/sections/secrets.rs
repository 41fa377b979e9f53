//! Passwords, keys and tokens that stand in plain text in configuration, scripts, plans, logs and beside backups, and
//! passwords that come with software. They are named by place and never shown.

mod known;
mod patterns;
mod scan;
mod settings;
mod tell;
mod text;
mod value;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pso_common::Severity;
use walkdir::WalkDir;

pub(crate) use patterns::{Language, Patterns};
pub(crate) use settings::{SecretsSection, SecretsSettings};

use crate::access::Access;
use crate::finding::{Finding, Found};
use crate::sections::files::{Role, cause, is_deployment};
use crate::sections::{Context, Section};
use crate::shell::{shown, without_dot};
use crate::unread::Unread;
use known::Known;
use tell::Teller;

/// Archives: they hold everything, and packed or encrypted.
const NOT_READ: [&str; 7] = ["zip", "age", "dump", "snapshot", "tar", "sha256", "keep"];

pub(crate) struct Secrets;

impl Section for Secrets {
    fn name(&self) -> &'static str {
        "secrets"
    }

    fn about(&self) -> &'static str {
        "passwords, keys and tokens in plain text in configuration, scripts, plans and logs; default passwords"
    }

    fn look(&self, context: &Context, found: &mut Found) -> anyhow::Result<()> {
        default_passwords(context, found);
        if !is_deployment(context, found) {
            return Ok(());
        }
        let (paths, settings) = (&context.settings.paths, &context.settings.files);
        let named: Vec<PathBuf> =
            settings.named.iter().filter(|(_, role)| *role == Role::Secret).map(|(path, _)| path.clone()).collect();
        let mut starts = vec![(paths.config.clone(), Role::Config), (paths.scripts.clone(), Role::Script)];
        starts.extend(settings.config.iter().map(|path| (path.clone(), Role::Config)));
        starts.extend(
            settings.paths.iter().chain(&context.settings.secrets.paths).map(|path| (path.clone(), Role::Extra)),
        );
        // An .env beside the folders.
        starts.push((paths.root.clone(), Role::Root));
        starts.push((paths.backups.clone(), Role::Backup));
        starts.push((paths.plans.clone(), Role::Plan));
        // The largest last: if the time is not enough, the others were read.
        starts.push((paths.logs.clone(), Role::Log));
        let mut search = Search {
            context,
            patterns: Patterns::new()?,
            known: known(context, &named),
            // A secret belongs into these.
            exempt: named.iter().filter_map(|path| path.canonicalize().ok()).collect(),
            seen: BTreeSet::new(),
            teller: Teller::default(),
            access: Access::of_this_machine(&settings.groups),
            buffer: Vec::new(),
            bytes: 0,
            links: 0,
            skipped: 0,
            unread: Unread::default(),
            found,
        };
        for (start, role) in starts {
            context.cancel.check()?;
            if !search.start(&start, role) {
                break;
            }
        }
        search.end();
        Ok(())
    }
}

/// Whether a file of the configuration has a secret in it.
pub(crate) fn holds_secret(patterns: &Patterns, context: &Context, path: &Path, role: Role) -> bool {
    let scanned = scan::file(path, language(role, path), patterns, None, context, &mut Vec::new());
    scanned.is_ok_and(|scanned| !scanned.hits.is_empty())
}

fn known(context: &Context, named: &[PathBuf]) -> Known {
    let settings = &context.settings;
    let mut known = Known::default();
    if let Some(password) = &settings.postgres.password {
        known.add("the password of PostgreSQL", password, &[&settings.postgres.user, &settings.postgres.dbname]);
    }
    if let Some(key) = &settings.qdrant.api_key {
        known.add("the API key of Qdrant", key, &[]);
    }
    for (whose, path) in known::files(named, &settings.service.token_file) {
        known.add_file(whose, &path);
    }
    known
}

/// The passwords in effect, wherever they come from.
fn default_passwords(context: &Context, found: &mut Found) {
    let (postgres, qdrant) = (&context.settings.postgres, &context.settings.qdrant);
    if let Some(password) = &postgres.password {
        found.examined += 1;
        if value::is_default(password.expose(), &[&postgres.user, &postgres.dbname]) {
            let what = format!(
                "the password of {} is the user's or the database's name, or one that comes with software: it is tried first",
                postgres.shown()
            );
            let fix = format!(
                "set another with `psql -h {} -p {} -U {} -c '\\password'`",
                postgres.host, postgres.port, postgres.user
            );
            found.push(Finding::new(Severity::Critical, "default_password", postgres.shown(), what).fix(fix));
        }
    }
    if let Some(key) = &qdrant.api_key {
        found.examined += 1;
        if value::is_default(key.expose(), &["qdrant"]) {
            let what = "the API key of Qdrant is a word that is tried first";
            let fix = "set another in service.api_key of Qdrant's configuration, and here";
            found.push(Finding::new(Severity::Critical, "default_password", "qdrant", what).fix(fix));
        }
    }
}

struct Search<'a> {
    context: &'a Context,
    patterns: Patterns,
    known: Known,
    exempt: BTreeSet<PathBuf>,
    /// Starts, without links.
    seen: BTreeSet<PathBuf>,
    teller: Teller,
    access: Access,
    /// To read into.
    buffer: Vec<u8>,
    bytes: u64,
    links: u64,
    skipped: u64,
    unread: Unread,
    found: &'a mut Found,
}

impl Search<'_> {
    /// Reads a start and all in it; says whether there is time left.
    fn start(&mut self, path: &Path, role: Role) -> bool {
        let Ok(real) = path.canonicalize() else { return true };
        // Of the deployment's own folder only the files that lie in it: the rest may be everything there is.
        let depth = if role == Role::Root { 1 } else { usize::MAX };
        let is_new = role == Role::Root || self.seen.insert(real.clone());
        if !is_new || self.seen.iter().any(|other| *other != real && real.starts_with(other)) {
            return true;
        }
        // In the order of names, so that the same findings are kept each time.
        let mut entries = WalkDir::new(path).follow_links(false).max_depth(depth).sort_by_file_name().into_iter();
        while let Some(entry) = entries.next() {
            if self.context.cancel.is_cancelled() || self.context.left().is_zero() {
                self.cut(path);
                return false;
            }
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let at = error.path().unwrap_or(path).to_path_buf();
                    self.unread.add(self.found, &at, &cause(error));
                    continue;
                }
            };
            let rest = entry.path().strip_prefix(path).unwrap_or(Path::new(""));
            let real = if rest.as_os_str().is_empty() { real.clone() } else { real.join(rest) };
            if entry.depth() > 0 && self.seen.contains(&real) {
                if entry.file_type().is_dir() {
                    entries.skip_current_dir();
                }
                continue;
            }
            let Ok(metadata) = entry.metadata() else { continue };
            // The start itself may be a link, which walkdir follows; others lead elsewhere, and what is inside is read there.
            let metadata = if entry.depth() == 0 { entry.path().metadata().unwrap_or(metadata) } else { metadata };
            if !metadata.is_file() {
                self.links += u64::from(metadata.is_symlink());
                continue;
            }
            if !self.exempt.contains(&real) && !self.file(without_dot(entry.path()), &real, &metadata, role) {
                return false;
            }
        }
        true
    }

    /// Reads one file; says whether there is time left.
    fn file(&mut self, path: &Path, real: &Path, metadata: &std::fs::Metadata, role: Role) -> bool {
        if role == Role::Backup && NOT_READ.contains(&extension(path).as_str()) {
            self.skipped += 1;
            return true;
        }
        let language = language(role, path);
        // The configuration in use is where the tools have them from; the patterns tell what stands there.
        let in_use = self.context.settings.files.config.as_ref().and_then(|config| config.canonicalize().ok());
        let known = (in_use.as_deref() != Some(real)).then_some(&self.known);
        match scan::file(path, language, &self.patterns, known, self.context, &mut self.buffer) {
            Ok(scanned) => {
                self.bytes += scanned.bytes;
                if scanned.is_text {
                    self.found.examined += 1;
                } else {
                    self.skipped += 1;
                }
                let readers = self.access.who(real, metadata, crate::access::Right::Read);
                self.teller.tell(path, role, &readers, &scanned.hits, self.found);
                if scanned.is_cut {
                    self.cut(path);
                }
                !scanned.is_cut
            }
            Err(error) => {
                self.unread.add(self.found, path, &error);
                true
            }
        }
    }

    fn cut(&mut self, path: &Path) {
        self.found.unknown(format!(
            "the time was up in {}: it and what comes after was not read wholly; see --timeout",
            shown(path)
        ));
    }

    fn end(self) {
        self.unread.end(self.found, "files could not be read");
        self.found.note(format!("{} of text read", pso_common::output::bytes(self.bytes)));
        if self.skipped > 0 {
            self.found.note(format!("{} files that are no text were not read", self.skipped));
        }
        if self.links > 0 {
            self.found.note(format!("{} links were not followed", self.links));
        }
        for whose in &self.known.ordinary {
            self.found.note(format!("{whose} is too ordinary a word to be searched for"));
        }
        self.teller.end(self.found);
    }
}

fn extension(path: &Path) -> String {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase()
}

fn language(role: Role, path: &Path) -> Language {
    let is_env = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".env"));
    match (role, extension(path).as_str()) {
        (Role::Log, _) => Language::Log,
        (Role::Plan, _) | (_, "md" | "txt" | "rst") => Language::Prose,
        _ if is_env => Language::Shell,
        (_, "sh" | "bash" | "zsh" | "ksh" | "env" | "cmd" | "bat") => Language::Shell,
        (_, "ps1" | "psm1" | "psd1" | "py" | "js" | "ts" | "rb" | "pl" | "go" | "rs" | "sql") => Language::Code,
        (_, "yaml" | "yml" | "json" | "toml" | "ini" | "conf" | "cfg" | "properties" | "service") => Language::Config,
        (_, "log" | "jsonl") => Language::Log,
        // A script without an extension begins with `#!/bin/sh` more often than not.
        (Role::Script, _) => Language::Shell,
        (_, _) => Language::Config,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_follows_from_name_and_place() {
        for (role, path, expected) in [
            (Role::Root, ".env", Language::Shell),
            (Role::Root, ".env.production", Language::Shell),
            (Role::Root, "README.md", Language::Prose),
            (Role::Script, "scripts/backup", Language::Shell),
            (Role::Script, "scripts/A.PS1", Language::Code),
            (Role::Config, "config/pg", Language::Config),
            (Role::Log, "logs/x.yaml", Language::Log),
            (Role::Plan, "plans/a.yaml", Language::Prose),
        ] {
            assert_eq!(language(role, Path::new(path)), expected, "{path}");
        }
    }
}
