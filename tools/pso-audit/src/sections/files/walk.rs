//! Goes over the folders of the deployment and the files that are named, each once.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::groups::Groups;
use super::rules::{Entry, Owners, judge};
use super::{Role, cause, is_deployment, links};
use crate::access::Access;
use crate::finding::Found;
use crate::sections::{Context, secrets};
use crate::shell::{shown, without_dot};
use crate::unread::Unread;

/// As many links are told; the others are counted.
const MAX_LINKS: u64 = 200;

/// A file of a configuration is smaller (bytes); what is in larger ones the section of secrets reads.
const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// How many entries are looked at between two looks at the clock.
const STEP: u64 = 256;

pub(super) fn look(context: &Context, found: &mut Found) -> anyhow::Result<()> {
    let (paths, settings) = (&context.settings.paths, &context.settings.files);
    let mut access = Access::of_this_machine(&settings.groups);
    let owners = owners(&paths.root, &settings.owners, &access, found);
    let mut starts = vec![
        (paths.config.clone(), Role::Config),
        (paths.scripts.clone(), Role::Script),
        (paths.logs.clone(), Role::Log),
        (paths.backups.clone(), Role::Backup),
        (paths.plans.clone(), Role::Plan),
    ];
    if !is_deployment(context, found) {
        return Ok(());
    }
    starts.extend(settings.config.iter().map(|path| (path.clone(), Role::Config)));
    starts.extend(settings.named.iter().cloned());
    starts.extend(settings.paths.iter().map(|path| (path.clone(), Role::Extra)));
    starts.push((paths.root.clone(), Role::Root));
    let real: Vec<PathBuf> = starts.iter().filter_map(|(path, _)| path.canonicalize().ok()).collect();
    let secrets: BTreeSet<PathBuf> = settings
        .named
        .iter()
        .filter(|(_, role)| *role == Role::Secret)
        .filter_map(|(path, _)| path.canonicalize().ok())
        .collect();
    let mut walk = Walk {
        context,
        owners,
        secrets,
        patterns: secrets::Patterns::new()?,
        groups: Groups::default(),
        seen: BTreeSet::new(),
        unread: Unread::default(),
        links: 0,
        inside: real,
        access: &mut access,
        found,
    };
    for (path, role) in &starts {
        context.cancel.check()?;
        if !walk.start(path, *role) {
            break;
        }
    }
    walk.above(&starts);
    walk.end();
    Ok(())
}

/// Root, who runs this, the owner of the deployment's folder, and those who are named.
fn owners(root: &Path, named: &[String], access: &Access, found: &mut Found) -> Owners {
    let mut ids = vec![0, rustix::process::geteuid().as_raw()];
    let owner = std::fs::metadata(root).ok().map(|metadata| metadata.uid());
    ids.extend(owner);
    for name in named {
        match access.people().user_id(name) {
            Some(id) => ids.push(id),
            None => found.unknown(format!("there is no user {name} (maintenance.audit.files.owners)")),
        }
    }
    Owners { ids, rightful: access.people().user(owner.unwrap_or(0)) }
}

struct Walk<'a> {
    context: &'a Context,
    owners: Owners,
    /// Files that hold a secret and nothing else, without links.
    secrets: BTreeSet<PathBuf>,
    patterns: secrets::Patterns,
    groups: Groups,
    /// Starts that were walked, without links.
    seen: BTreeSet<PathBuf>,
    unread: Unread,
    links: u64,
    /// All starts, without links: a link into one of them stays inside.
    inside: Vec<PathBuf>,
    access: &'a mut Access,
    found: &'a mut Found,
}

impl Walk<'_> {
    /// Looks at a start and all in it; says whether there is time left.
    fn start(&mut self, path: &Path, role: Role) -> bool {
        match std::fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => self.link(path),
            Ok(_) => {}
            // What is not there is not open.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return true,
            Err(error) => {
                self.unread.add(self.found, path, &error);
                return true;
            }
        }
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return true,
            Err(error) => {
                self.unread.add(self.found, path, &error);
                return true;
            }
        };
        if !self.seen.insert(real.clone()) {
            return true;
        }
        // Of the deployment's own folder only what lies in it: the rest may be everything there is.
        let depth = if role == Role::Root { 1 } else { usize::MAX };
        let others: Vec<PathBuf> = self.inside.iter().filter(|other| **other != real).cloned().collect();
        let entries = WalkDir::new(path).follow_links(false).max_depth(depth).into_iter();
        let to_real = |path: &Path, start: &Path| match path.strip_prefix(start) {
            Ok(rest) if rest.as_os_str().is_empty() => real.clone(),
            Ok(rest) => real.join(rest),
            Err(_) => path.to_path_buf(),
        };
        let entries = entries.filter_entry(|entry| {
            // What is a start of its own is walked with its own role.
            entry.depth() == 0 || !others.contains(&to_real(entry.path(), path))
        });
        for (count, entry) in (1_u64..).zip(entries) {
            if count.is_multiple_of(STEP) && (self.context.cancel.is_cancelled() || self.context.left().is_zero()) {
                self.found.unknown(format!("the time was up in {}; see --timeout", shown(path)));
                return false;
            }
            match entry {
                Ok(entry) if entry.depth() > 0 && entry.path_is_symlink() => self.link(without_dot(entry.path())),
                Ok(entry) => {
                    // A start that is a link is judged above; what counts here is the folder that it leads to.
                    let metadata = if entry.depth() == 0 { path.metadata() } else { entry.metadata().map_err(cause) };
                    match metadata {
                        Ok(metadata) => {
                            self.entry(without_dot(entry.path()), &to_real(entry.path(), path), &metadata, role);
                        }
                        Err(error) => self.unread.add(self.found, entry.path(), &error),
                    }
                }
                Err(error) => {
                    let at = error.path().unwrap_or(path).to_path_buf();
                    self.unread.add(self.found, &at, &cause(error));
                }
            }
        }
        true
    }

    fn entry(&mut self, path: &Path, real: &Path, metadata: &Metadata, role: Role) {
        self.found.examined += 1;
        let role = match role {
            _ if metadata.is_file() && self.secrets.contains(real) => Role::Secret,
            // A file beside the folders: a script, an export, an .env.
            Role::Root if metadata.is_file() => Role::Config,
            role => role,
        };
        // Only then does it matter what is in it.
        let holds_secret = role == Role::Config
            && metadata.is_file()
            && metadata.mode() & 0o4 != 0
            && metadata.len() <= MAX_CONFIG_BYTES
            && secrets::holds_secret(&self.patterns, self.context, path, role);
        let entry = Entry { path, real, metadata, role, holds_secret };
        for offence in judge(&entry, &self.owners, self.access) {
            self.groups.add(&entry, offence);
        }
    }

    fn link(&mut self, path: &Path) {
        self.found.examined += 1;
        match links::judge(path, &self.inside, &self.owners, self.access) {
            Ok(None) => {}
            Ok(Some(finding)) => {
                self.links += 1;
                if self.links <= MAX_LINKS {
                    self.found.push(finding);
                }
            }
            Err(error) => self.unread.add(self.found, path, &error),
        }
    }

    /// The folders above all starts, up to `/`: those of the names as they are given too, because whoever can change a
    /// folder that a link lies in decides where it leads.
    fn above(&mut self, starts: &[(PathBuf, Role)]) {
        let named = starts.iter().filter(|(path, _)| path.symlink_metadata().is_ok());
        let named = named.filter_map(|(path, _)| std::path::absolute(path).ok());
        let named: BTreeSet<PathBuf> =
            named.flat_map(|path| path.ancestors().skip(1).map(Path::to_path_buf).collect::<Vec<_>>()).collect();
        let named: Vec<PathBuf> = named.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
        let above = self.seen.iter().flat_map(|start| start.ancestors().skip(1));
        let above = above.chain(named.iter().flat_map(|folder| folder.ancestors()));
        let above: BTreeSet<PathBuf> =
            above.filter(|folder| !self.seen.contains(*folder)).map(Path::to_path_buf).collect();
        for folder in &above {
            match std::fs::symlink_metadata(folder) {
                Ok(metadata) => self.entry(folder, folder, &metadata, Role::Above),
                Err(error) => self.unread.add(self.found, folder, &error),
            }
        }
    }

    fn end(self) {
        self.unread.end(self.found, "paths could not be looked at");
        if self.links > MAX_LINKS {
            self.found.unknown(format!("{} more links lead out of the deployment or nowhere", self.links - MAX_LINKS));
        }
        self.groups.tell(self.found);
    }
}
