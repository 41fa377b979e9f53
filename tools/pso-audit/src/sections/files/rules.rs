//! What is wrong with one file or folder, by its metadata and what it is for.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use pso_common::Severity;

use super::Role;
use crate::access::{Access, Right, Who};

/// Something that is looked at.
pub(super) struct Entry<'a> {
    /// As it is named in messages and commands.
    pub(super) path: &'a Path,
    /// Absolute, without links in its folders.
    pub(super) real: &'a Path,
    /// Its own, not that of what it leads to.
    pub(super) metadata: &'a Metadata,
    pub(super) role: Role,
    /// A configuration file with a password or key in it.
    pub(super) holds_secret: bool,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offence {
    pub(super) rule: &'static str,
    pub(super) severity: Severity,
    /// What follows after its name: `can be changed by …`.
    pub(super) what: String,
    pub(super) fix: Fix,
}

/// How it is put right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fix {
    /// `chmod` with that, and `find`'s way to tell those that need it.
    Mode(&'static str, &'static str),
    /// `chown` to the first, of what belongs to the second.
    Owner(String, u32),
    /// A program to look with; the path comes behind it.
    Look(&'static str),
}

/// Who may own files.
#[derive(Debug)]
pub(super) struct Owners {
    pub(super) ids: Vec<u32>,
    /// To whom a stranger's file should be given.
    pub(super) rightful: String,
}

/// All that is wrong with it; links are judged elsewhere.
pub(super) fn judge(entry: &Entry<'_>, owners: &Owners, access: &mut Access) -> Vec<Offence> {
    let metadata = entry.metadata;
    let mut offences = Vec::new();
    offences.extend(written_by_others(entry, access));
    offences.extend(read_by_others(entry, access));
    if !owners.ids.contains(&metadata.uid()) {
        let severity =
            if entry.role.is_code() || entry.role == Role::Backup { Severity::High } else { Severity::Warning };
        offences.push(Offence {
            rule: "wrong_owner",
            severity,
            what: format!(
                "belongs to {}, who is neither root nor the owner of the deployment nor named in maintenance.audit.files.owners",
                access.people().user(metadata.uid())
            ),
            fix: Fix::Owner(owners.rightful.clone(), metadata.uid()),
        });
    }
    if metadata.is_file() && metadata.mode() & 0o6000 != 0 {
        let whose = if metadata.mode() & 0o4000 != 0 {
            "setuid: whoever runs it has its owner's rights"
        } else {
            "setgid: whoever runs it has its group's rights"
        };
        offences.push(Offence {
            rule: "setuid",
            severity: Severity::High,
            what: format!("is {whose}, and nothing here needs that"),
            fix: Fix::Mode("a-s", r"\( -perm -4000 -o -perm -2000 \)"),
        });
    }
    if entry.role == Role::Secret && metadata.is_file() {
        if metadata.nlink() > 1 {
            offences.push(Offence {
                rule: "hard_linked",
                severity: Severity::Warning,
                what: format!(
                    "has {} names, and the others may lie in folders that are open: the fix shows them; write the secret into a \
                     file of its own",
                    metadata.nlink()
                ),
                fix: Fix::Look("find / -xdev -samefile"),
            });
        }
        let name = entry.path.file_name().unwrap_or_default();
        if metadata.mode() & 0o077 != 0 && (name == ".pgpass" || name == "postgresql.key") {
            offences.push(Offence {
                rule: "ignored_by_libpq",
                severity: Severity::Warning,
                what: "is not used by libpq, because its mode gives others a right".to_owned(),
                fix: Fix::Mode("go=", r"\( -perm -0040 -o -perm -0020 -o -perm -0004 \)"),
            });
        }
    }
    // Where there is one, the group's bits are its mask, and users stand in it whom no mode shows.
    if has_acl(entry.real) {
        offences.push(Offence {
            rule: "acl_not_examined",
            severity: Severity::Info,
            what: "has a POSIX ACL, which is not examined: it may give more than the mode says".to_owned(),
            fix: Fix::Look("getfacl --"),
        });
    }
    offences
}

/// Linux keeps it as an attribute (`acl(5)`, `xattr(7)`).
fn has_acl(path: &Path) -> bool {
    cfg!(target_os = "linux") && rustix::fs::lgetxattr_query(path, "system.posix_acl_access").is_ok()
}

impl Role {
    /// Who may change it decides what is run, or where passwords are sent.
    const fn is_code(self) -> bool {
        matches!(self, Self::Config | Self::Script | Self::Secret | Self::Root | Self::Above)
    }

    const fn when_written(self) -> &'static str {
        match self {
            Self::Script => ": they decide what those who run it do",
            Self::Config => ": they decide which servers and commands are used",
            Self::Root | Self::Above => ": they can put other files into the place of the deployment's",
            Self::Backup => ": they decide what a restore brings back",
            Self::Log => ": they can forge or remove what was logged",
            Self::Plan | Self::Secret | Self::State | Self::Extra => "",
        }
    }
}

fn written_by_others(entry: &Entry<'_>, access: &mut Access) -> Option<Offence> {
    let (metadata, role) = (entry.metadata, entry.role);
    let sticky = metadata.is_dir() && metadata.mode() & 0o1000 != 0;
    if sticky && role == Role::Above {
        // As /tmp: nobody renames or removes what is not theirs.
        return None;
    }
    let then = if sticky { " (the sticky bit keeps them from what is there already)" } else { role.when_written() };
    let verb = if metadata.is_dir() { "filled and emptied" } else { "changed" };
    let offence = |rule, severity, who: String, fix| Offence {
        rule,
        severity,
        what: format!("can be {verb} by {who}{then}"),
        fix,
    };
    match access.who(entry.real, metadata, Right::Write) {
        Who::World => {
            let severity = match role {
                Role::Script if !sticky => Severity::Critical,
                Role::Backup => Severity::High,
                role if role.is_code() => Severity::High,
                _ => Severity::Warning,
            };
            let rule = if role == Role::Above { "parent_writable" } else { "world_writable" };
            Some(offence(rule, severity, "everybody on this machine".to_owned(), Fix::Mode("o-w", "-perm -0002")))
        }
        Who::Group(group) => {
            let severity = if role.is_code() { Severity::High } else { Severity::Warning };
            let rule = if role == Role::Above { "parent_writable" } else { "group_writable" };
            // The right may be the world's, behind a folder that only the group gets into.
            let fix = if metadata.mode() & 0o2 != 0 {
                Fix::Mode("go-w", "-perm -0002")
            } else {
                Fix::Mode("g-w", "-perm -0020")
            };
            Some(offence(rule, severity, format!("the members of the group {group}"), fix))
        }
        Who::Owner if metadata.mode() & 0o2 != 0 && !sticky && role != Role::Above => Some(Offence {
            rule: "world_writable",
            severity: Severity::Info,
            what: "could be changed by everybody, if a folder above were not closed".to_owned(),
            fix: Fix::Mode("o-w", "-perm -0002"),
        }),
        Who::Owner | Who::Unknown => None,
    }
}

fn read_by_others(entry: &Entry<'_>, access: &mut Access) -> Option<Offence> {
    if !entry.metadata.is_file() {
        return None;
    }
    let (rule, what) = match entry.role {
        Role::Secret => ("world_readable_secret", "holds a secret and can be read by everybody on this machine"),
        Role::Config if entry.holds_secret => {
            ("world_readable_secret", "has a password or key in it and can be read by everybody on this machine")
        }
        Role::Backup if is_archive(entry.path) => {
            ("world_readable_backup", "holds the whole database and can be read by everybody on this machine")
        }
        _ => return None,
    };
    (access.who(entry.real, entry.metadata, Right::Read) == Who::World).then(|| Offence {
        rule,
        severity: Severity::High,
        what: what.to_owned(),
        fix: Fix::Mode("o-r", "-perm -0004"),
    })
}

/// What lies beside archives tells nothing of the data, and an encrypted one neither.
fn is_archive(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    !["sha256", "json", "keep", "age", "lock", "log"].contains(&extension)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn rules(name: &str, role: Role, mode: u32, holds_secret: bool) -> Vec<(Severity, &'static str)> {
        let folder = tempfile::tempdir().expect("a folder");
        let real = folder.path().canonicalize().expect("a path").join(name);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("mode");
        fs::write(&real, "x").expect("written");
        fs::set_permissions(&real, fs::Permissions::from_mode(mode)).expect("mode");
        let metadata = fs::symlink_metadata(&real).expect("there");
        let entry = Entry { path: &real, real: &real, metadata: &metadata, role, holds_secret };
        let owners = Owners { ids: vec![metadata.uid()], rightful: "root".to_owned() };
        let mut access = Access::default();
        judge(&entry, &owners, &mut access).iter().map(|offence| (offence.severity, offence.rule)).collect()
    }

    #[test]
    fn a_file_is_judged_by_its_use() {
        use Severity::{Critical, High, Warning};
        for (name, role, mode, holds_secret, expected) in [
            ("a.ps1", Role::Script, 0o755, false, vec![]),
            ("a.ps1", Role::Script, 0o777, false, vec![(Critical, "world_writable")]),
            ("a.ps1", Role::Script, 0o775, false, vec![(High, "group_writable")]),
            ("a.ps1", Role::Script, 0o4755, false, vec![(High, "setuid")]),
            ("config.yaml", Role::Config, 0o644, false, vec![]),
            ("config.yaml", Role::Config, 0o644, true, vec![(High, "world_readable_secret")]),
            ("config.yaml", Role::Config, 0o640, true, vec![]),
            ("api-token.txt", Role::Secret, 0o640, false, vec![]),
            ("api-token.txt", Role::Secret, 0o604, false, vec![(High, "world_readable_secret")]),
            (".pgpass", Role::Secret, 0o640, false, vec![(Warning, "ignored_by_libpq")]),
            ("a.log", Role::Log, 0o644, false, vec![]),
            ("a.log", Role::Log, 0o666, false, vec![(Warning, "world_writable")]),
            ("a.zip", Role::Backup, 0o644, false, vec![(High, "world_readable_backup")]),
            ("a.zip.age", Role::Backup, 0o644, false, vec![]),
            ("a.zip.sha256", Role::Backup, 0o644, false, vec![]),
        ] {
            assert_eq!(rules(name, role, mode, holds_secret), expected, "{name} {mode:o}");
        }
    }

    #[test]
    fn an_access_list_and_a_second_name_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let real = folder.path().canonicalize().expect("a path").join("token");
        fs::write(&real, "x").expect("written");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).expect("mode");
        let told = |role| {
            let metadata = fs::symlink_metadata(&real).expect("there");
            let entry = Entry { path: &real, real: &real, metadata: &metadata, role, holds_secret: false };
            let owners = Owners { ids: vec![metadata.uid()], rightful: "root".to_owned() };
            let offences = judge(&entry, &owners, &mut Access::default());
            offences.iter().map(|offence| (offence.severity, offence.rule)).collect::<Vec<_>>()
        };
        assert_eq!(told(Role::Secret), []);
        fs::hard_link(&real, folder.path().join("other")).expect("linked");
        assert_eq!(told(Role::Secret), [(Severity::Warning, "hard_linked")]);
        assert_eq!(told(Role::Log), []);
        // acl(5) as linux/posix_acl_xattr.h packs it: version 2; then tag, permissions and id of owner, user 4242, group,
        // mask and others.
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in
            [(1_u16, 6_u16, u32::MAX), (2, 4, 4242), (4, 0, u32::MAX), (16, 4, u32::MAX), (32, 0, u32::MAX)]
        {
            list.extend(tag.to_le_bytes().into_iter().chain(permissions.to_le_bytes()).chain(id.to_le_bytes()));
        }
        rustix::fs::setxattr(&real, "system.posix_acl_access", &list, rustix::fs::XattrFlags::empty()).expect("set");
        assert!(told(Role::Log).contains(&(Severity::Info, "acl_not_examined")));
    }

    #[test]
    fn a_stranger_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let metadata = fs::symlink_metadata(folder.path()).expect("there");
        let entry = Entry {
            path: folder.path(),
            real: folder.path(),
            metadata: &metadata,
            role: Role::Root,
            holds_secret: false,
        };
        let owners = Owners { ids: vec![metadata.uid() + 1], rightful: "sync".to_owned() };
        let offences = judge(&entry, &owners, &mut Access::default());
        assert_eq!(offences.len(), 1, "{offences:?}");
        assert_eq!((offences[0].rule, offences[0].severity), ("wrong_owner", Severity::High));
        assert_eq!(offences[0].fix, Fix::Owner("sync".to_owned(), metadata.uid()));
    }
}
