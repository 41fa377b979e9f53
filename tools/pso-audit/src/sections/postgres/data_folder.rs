//! Who may look into the server's data folder. It is looked at where it lies on this machine.

use super::server::{Failure, Server};
use crate::finding::Found;

pub(super) fn look(server: &mut Server, found: &mut Found) -> Result<(), Failure> {
    let Some(folder) = server.values.get("data_directory").map(str::to_owned) else {
        found.note(format!(
            "where the data folder is, is not seen; GRANT pg_read_all_settings TO {}",
            server.facts.role_quoted
        ));
        return Ok(());
    };
    if !is_this_machine(server.host(), server.facts.client_address.as_deref()) {
        found.note("the data folder is on another machine; run pso-audit there to have its mode looked at");
        return Ok(());
    }
    on_disk(&folder, found);
    Ok(())
}

/// A connection over the socket or loopback. What forwards one, as a container does, is told by the folder not being there.
pub(super) fn is_this_machine(host: &str, client_address: Option<&str>) -> bool {
    let loopback = |address: &str| address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    host.starts_with('/') || client_address.is_none_or(loopback)
}

#[cfg(unix)]
use mode::look as on_disk;

#[cfg(not(unix))]
fn on_disk(folder: &str, found: &mut Found) {
    found.note(format!("the ACL of the data folder {folder} is not examined"));
}

#[cfg(unix)]
mod mode {
    use std::io::ErrorKind;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use pso_common::Severity;

    use crate::finding::{Finding, Found};
    use crate::shell::quoted;

    pub(super) fn look(folder: &str, found: &mut Found) {
        match std::fs::metadata(folder) {
            Ok(metadata) => {
                found.examined += 1;
                found.findings.extend(judge(metadata.mode() & 0o7777, folder));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                found.note(format!(
                    "the data folder {folder} is not on this machine, or in a container; its mode is not looked at"
                ));
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                // Whoever may not even see the folder's mode may not see into it.
                found.note(format!("a folder above {folder} is closed to this user, so its own mode is not seen"));
            }
            Err(error) => found.unknown(format!("look at the data folder {folder}: {error}")),
        }
    }

    /// 0700 and 0750 are what the server itself takes when it starts (`checkDataDir` of miscinit.c); it does not look again.
    pub(super) fn judge(mode: u32, folder: &str) -> Option<Finding> {
        (mode & 0o027 != 0).then(|| {
            let message = "the data folder is open to other users of this machine: they read, or change, every table and every \
                           password hash without asking the server; it will not start again like this";
            let finding = Finding::new(Severity::High, "data_folder_open", folder, message);
            let fix = format!("chmod u=rwx,g=,o= -- {}", quoted(Path::new(folder)));
            finding.with("mode", format!("{mode:04o}")).fix(fix)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_the_server_takes_is_fine() {
        assert_eq!([0o700, 0o750].map(|mode| mode::judge(mode, "d")), [None, None]);
        for mode in [0o755, 0o770, 0o701, 0o777] {
            let finding = mode::judge(mode, "/it's").expect("told");
            assert_eq!(finding.record.fix, r"chmod u=rwx,g=,o= -- '/it'\''s'");
            assert_eq!(finding.evidence()["mode"], format!("{mode:04o}"));
        }
    }

    #[test]
    fn another_machine_is_told_by_our_own_address() {
        assert!(is_this_machine("/run/postgresql", None) && is_this_machine("localhost", Some("::1")));
        assert!(!is_this_machine("db", Some("10.0.0.7")));
    }
}
