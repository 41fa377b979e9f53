//! `setting_dangerous`: a setting with which data can be lost or damaged, or the server decays, that somebody has made and perhaps
//! forgotten.

use pso_common::Severity;
use pso_common::record::{Confidence, PgSettingRecord};

use super::{Advice, Judged, Rule, alter_system, evidence, quoted};
use crate::records::{Row as _, Snapshot};
use crate::sections::line;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "setting_dangerous", on_standby: true, needs: &["settings"], judge };

/// A setting, and what is wrong with it.
struct Danger {
    name: &'static str,
    /// How it is written where it is dangerous.
    bad: &'static [&'static str],
    /// What it should be.
    good: &'static str,
    severity: Severity,
    why: &'static str,
    /// Where it is judged besides the server's own value.
    alone: Alone,
    /// Whether it matters on a standby.
    on_standby: bool,
}

/// Who may have it otherwise.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alone {
    /// Nobody, or PostgreSQL does not allow it.
    Nobody,
    /// A role on purpose, such as that of a replication.
    Role,
    /// A role or a database on purpose.
    Anybody,
}

const OFF: &[&str] = &["off", "false", "no", "0"];
const ON: &[&str] = &["on", "true", "yes", "1"];

/// The list is short on purpose: what is only slow or unusual is not on it.
const DANGERS: &[Danger] = &[
    Danger {
        name: "fsync",
        bad: OFF,
        good: "on",
        severity: Severity::High,
        why: "the server does not wait until its data are on the disk: when the machine stops, the whole cluster may be beyond repair",
        alone: Alone::Nobody,
        on_standby: true,
    },
    Danger {
        name: "full_page_writes",
        bad: OFF,
        good: "on",
        severity: Severity::High,
        why: "a page that was half written when the machine stopped stays damaged; only a file system that never writes half a page \
              (ZFS with records of 8 kB or more) makes up for it",
        alone: Alone::Nobody,
        on_standby: true,
    },
    Danger {
        name: "zero_damaged_pages",
        bad: ON,
        good: "off",
        severity: Severity::High,
        why: "a damaged page is overwritten with nothing when it is read, and all rows in it are lost without an error; it is for \
              the moment of a rescue only",
        alone: Alone::Nobody,
        on_standby: true,
    },
    Danger {
        name: "ignore_checksum_failure",
        bad: ON,
        good: "off",
        severity: Severity::High,
        why: "pages with a wrong checksum are used as if they were sound, and damage spreads; it is for the moment of a rescue only",
        alone: Alone::Nobody,
        on_standby: true,
    },
    Danger {
        name: "ignore_invalid_pages",
        bad: ON,
        good: "off",
        severity: Severity::High,
        why: "recovery goes on where the log of changes names pages that are not there, and loses them; it is for the moment of a \
              rescue only",
        alone: Alone::Nobody,
        on_standby: true,
    },
    Danger {
        name: "data_sync_retry",
        bad: ON,
        good: "off",
        severity: Severity::High,
        why: "after a failed write the server tries again, although most systems have forgotten the data by then and report success",
        alone: Alone::Nobody,
        on_standby: true,
    },
    Danger {
        name: "session_replication_role",
        bad: &["replica"],
        good: "origin",
        severity: Severity::High,
        why: "triggers do not fire, and foreign keys are not checked",
        // Some replications log in as a role of their own that has it.
        alone: Alone::Role,
        on_standby: false,
    },
    Danger {
        name: "autovacuum",
        bad: OFF,
        good: "on",
        severity: Severity::Warning,
        why: "dead rows pile up, the planner's statistics grow old, and unless something else vacuums, transaction ids run out",
        alone: Alone::Nobody,
        on_standby: false,
    },
    Danger {
        name: "track_counts",
        bad: OFF,
        good: "on",
        severity: Severity::Warning,
        why: "autovacuum does not know which tables need it and does not come, and this tool has nothing to judge by",
        alone: Alone::Nobody,
        on_standby: false,
    },
    Danger {
        name: "ignore_system_indexes",
        bad: ON,
        good: "off",
        severity: Severity::Warning,
        why: "the catalogue is read without its indexes, which is slow; it is for the repair of a broken one only",
        alone: Alone::Nobody,
        on_standby: true,
    },
    Danger {
        name: "synchronous_commit",
        bad: OFF,
        good: "on",
        severity: Severity::Info,
        why: "what was committed in the last moments (three times wal_writer_delay) is lost when the server crashes, although the \
              client was told that it is safe; nothing is damaged. It can be given to those transactions alone that can bear it",
        alone: Alone::Anybody,
        on_standby: false,
    },
];

fn judge(snapshot: &Snapshot, _: &Limits) -> Judged {
    let mut judged = Judged::default();
    for setting in &snapshot.records.settings {
        let (Some(name), Some(value)) = (&setting.setting_name, &setting.setting) else { continue };
        let Some(danger) = DANGERS.iter().find(|danger| danger.name == name) else { continue };
        let bad = danger.bad.contains(&value.to_lowercase().as_str());
        let matters = danger.on_standby || !snapshot.server.in_recovery;
        if bad && matters && concerns(setting, danger) {
            judged.advice.push(advice(setting, value, danger, snapshot));
        }
    }
    judged
}

/// Whether this is the place to judge it.
fn concerns(setting: &PgSettingRecord, danger: &Danger) -> bool {
    match (setting.scope.as_str(), setting.source.as_deref()) {
        // What the tool's role or database has of its own is told of the override.
        ("server", Some("global" | "database" | "user" | "database user")) => false,
        ("server", _) => true,
        ("override", Some("global")) => true,
        ("override", _) => match danger.alone {
            Alone::Nobody => true,
            Alone::Role => setting.rolname.is_none(),
            Alone::Anybody => false,
        },
        _ => false,
    }
}

fn advice(setting: &PgSettingRecord, value: &str, danger: &Danger, snapshot: &Snapshot) -> Advice {
    let way = way(setting, value, danger, snapshot);
    Advice {
        severity: danger.severity,
        object: setting.name(),
        why: format!("{} = {value}: {}. {}", danger.name, danger.why, way.told),
        evidence: evidence([
            ("setting", Some(value.to_owned())),
            ("boot_val", setting.boot_val.clone()),
            ("source", setting.source.clone()),
            ("sourcefile", setting.sourcefile.as_ref().map(|_| line(setting))),
            ("context", setting.context.clone()),
        ]),
        // Somebody wanted it so, once.
        confidence: Confidence::Medium,
        sql: way.sql,
        undo_sql: way.undo_sql,
        gain_bytes: None,
    }
}

/// How it can be changed.
struct Way {
    told: String,
    sql: Option<String>,
    undo_sql: Option<String>,
}

fn way(setting: &PgSettingRecord, value: &str, danger: &Danger, snapshot: &Snapshot) -> Way {
    let Danger { name, good, .. } = danger;
    if let Some(alter) = &setting.alter {
        return Way {
            told: "New sessions have it as the server does when that is taken away".to_owned(),
            sql: Some(format!("{alter} RESET {name}")),
            undo_sql: Some(format!("{alter} SET {name} = {}", quoted(value))),
        };
    }
    let source = setting.source.as_deref();
    if let Some(reason) = alter_system::obstacle(source, snapshot) {
        return Way { told: reason.to_owned(), sql: None, undo_sql: None };
    }
    let told = if setting.context.as_deref() == Some("postmaster") {
        "The statement holds from the next restart on"
    } else {
        "The statement holds after SELECT pg_reload_conf(), in new sessions"
    };
    Way {
        told: told.to_owned(),
        sql: Some(format!("ALTER SYSTEM SET {name} = {good}")),
        undo_sql: Some(alter_system::undo(name, value, source, setting.sourcefile.as_deref())),
    }
}

#[cfg(test)]
mod tests;
