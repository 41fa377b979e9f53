//! Changing a setting of the server by a statement: whether that is possible, and the way back.

use pso_common::record::PgSettingRecord;

use crate::records::Snapshot;

/// Why no statement changes a setting that comes from there (`pg_settings.source`).
pub(super) fn obstacle(source: Option<&str>, snapshot: &Snapshot) -> Option<&'static str> {
    match source {
        Some("command line") => {
            return Some(
                "It was given when the server was started, which no statement can change: see how it is started",
            );
        }
        Some("environment variable") => {
            return Some(
                "It comes from the server's environment, which no statement can change: see how it is started",
            );
        }
        _ => {}
    }
    // Since 17 a server may be closed to it.
    let closed = snapshot.server.settings.get("allow_alter_system").is_some_and(|allowed| allowed == "off");
    closed.then_some("Its files are kept elsewhere (allow_alter_system is off): change it there")
}

/// What undoes `ALTER SYSTEM SET`. What that writes comes last and wins; what another file says comes back when it is taken away.
/// Where the role may not see the file, the value at least comes back. `value` as SQL needs it.
pub(super) fn undo(name: &str, value: &str, source: Option<&str>, sourcefile: Option<&str>) -> String {
    let elsewhere = sourcefile.is_some_and(|file| !file.ends_with("postgresql.auto.conf"));
    if elsewhere || source == Some("default") {
        format!("ALTER SYSTEM RESET {name}")
    } else {
        format!("ALTER SYSTEM SET {name} = {value}")
    }
}

/// The file that the setting is in, where the section was read and the role may see it.
pub(super) fn file<'a>(name: &str, snapshot: &'a Snapshot) -> Option<&'a str> {
    let here = |setting: &&PgSettingRecord| setting.scope == "server" && setting.setting_name.as_deref() == Some(name);
    snapshot.records.settings.iter().find(here)?.sourcefile.as_deref()
}
