//! Where symbolic links lead.

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use pso_common::Severity;

use super::rules::Owners;
use crate::access::{Access, Right, Who};
use crate::finding::Finding;
use crate::shell::{quoted, shown};

/// What is to be said of the link at `path`; `inside` are the folders (without links) that belong to the deployment.
///
/// # Errors
/// When it cannot be told where it leads.
pub(super) fn judge(
    path: &Path,
    inside: &[PathBuf],
    owners: &Owners,
    access: &mut Access,
) -> std::io::Result<Option<Finding>> {
    let target = std::fs::read_link(path)?;
    let fix = format!("rm -- {}", quoted(path));
    let finding = |severity, rule, what: String| {
        Finding::new(severity, rule, shown(path), format!("{} is a link to {}, {what}", shown(path), shown(&target)))
            .with("target", shown(&target))
            .fix(fix.clone())
    };
    let real = match std::fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let open = open_to_be_made(path, &target, access);
            let (severity, what) = if open {
                (Severity::High, "where nothing is, and everybody can put something")
            } else {
                (Severity::Info, "where nothing is")
            };
            return Ok(Some(finding(severity, "link_dangling", what.to_owned())));
        }
        // ELOOP has no kind of its own in stable Rust.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Ok(Some(finding(Severity::Info, "link_dangling", "which leads in a circle".to_owned())));
        }
        Err(error) => return Err(error),
    };
    if inside.iter().any(|folder| real.starts_with(folder)) {
        return Ok(None);
    }
    // Everybody may write to /dev/null, and nobody changes it.
    let is_device = std::fs::metadata(&real)?.file_type().is_char_device();
    let decided_by = if is_device { real.parent().unwrap_or(&real) } else { &real };
    let open = opened_by(decided_by, owners, access)?;
    let (severity, what) = match open {
        Some(why) => (Severity::High, format!("out of the deployment, and {why}")),
        None => (Severity::Info, "out of the deployment".to_owned()),
    };
    Ok(Some(finding(severity, "link_leads_out", what).with("leads_to", shown(&real))))
}

/// Why strangers decide what the link leads to.
fn opened_by(real: &Path, owners: &Owners, access: &mut Access) -> std::io::Result<Option<String>> {
    for part in real.ancestors() {
        let metadata = std::fs::symlink_metadata(part)?;
        if !owners.ids.contains(&metadata.uid()) {
            return Ok(Some(format!("{} belongs to {}", shown(part), access.people().user(metadata.uid()))));
        }
        let sticky = metadata.is_dir() && metadata.mode() & 0o1000 != 0;
        match access.who(part, &metadata, Right::Write) {
            // The sticky bit keeps others from what lies in the folder, but not from adding to it.
            Who::World | Who::Group(_) if sticky && part != real => {}
            Who::World => return Ok(Some(format!("everybody can change {}", shown(part)))),
            Who::Group(group) => return Ok(Some(format!("the group {group} can change {}", shown(part)))),
            Who::Owner | Who::Unknown => {}
        }
    }
    Ok(None)
}

/// Whether others can make what a link's target names.
fn open_to_be_made(link: &Path, target: &Path, access: &mut Access) -> bool {
    let target = link.parent().unwrap_or(Path::new("")).join(target);
    let above = target.ancestors().skip(1).find_map(|folder| std::fs::canonicalize(folder).ok());
    let Some(above) = above else { return false };
    let Ok(metadata) = std::fs::symlink_metadata(&above) else { return false };
    metadata.is_dir() && matches!(access.who(&above, &metadata, Right::Write), Who::World | Who::Group(_))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_link_is_judged_by_who_decides_what_it_leads_to() {
        let top = tempfile::tempdir().expect("a folder");
        let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode");
        let top = top.path().canonicalize().expect("a path");
        open(&top, 0o755);
        for (folder, mode) in
            [("ps", 0o755), ("ps/logs", 0o755), ("closed", 0o755), ("open", 0o777), ("sticky", 0o1777)]
        {
            fs::create_dir(top.join(folder)).expect("made");
            open(&top.join(folder), mode);
            fs::write(top.join(folder).join("f"), "x").expect("written");
        }
        let me = fs::metadata(&top).expect("there").uid();
        let owners = Owners { ids: vec![0, me], rightful: "root".to_owned() };
        let inside = [top.join("ps")];
        for (target, expected) in [
            ("logs/f", None),
            ("../ps/logs", None),
            ("../closed/f", Some((Severity::Info, "link_leads_out"))),
            ("../sticky/f", Some((Severity::Info, "link_leads_out"))),
            ("../sticky", Some((Severity::High, "link_leads_out"))),
            ("../open/f", Some((Severity::High, "link_leads_out"))),
            ("/dev/null", Some((Severity::Info, "link_leads_out"))),
            ("../closed/nothing", Some((Severity::Info, "link_dangling"))),
            ("../sticky/nothing", Some((Severity::High, "link_dangling"))),
            ("link", Some((Severity::Info, "link_dangling"))),
        ] {
            let link = top.join("ps/link");
            let _ = fs::remove_file(&link);
            symlink(target, &link).expect("linked");
            let found = judge(&link, &inside, &owners, &mut Access::default()).expect("looked");
            let found = found.map(|finding| (finding.severity, finding.record.rule));
            assert_eq!(found, expected.map(|(severity, rule)| (severity, rule.to_owned())), "{target}");
        }
    }
}
