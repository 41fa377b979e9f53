//! `settings`: what somebody has set, for the server or for a role or database alone, what waits for a restart, and what the
//! configuration files have wrong (`pg_settings`, `pg_db_role_setting`, `pg_file_settings`).

use pso_common::Severity;
use pso_common::record::PgSettingRecord;
use serde::Deserialize;

use super::Section;
use crate::records::{Records, Row};
use crate::report::{Note, Report, count};
use crate::watch::{Failure, Variants, Watch};

pub(super) const SECTION: Section = Section::special::<PgSettingRecord>(
    "settings",
    "Settings that somebody has changed, those that wait for a restart, and wrong lines of the files",
    read,
);

impl Row for PgSettingRecord {
    const NOUN: (&'static str, &'static str) = ("setting", "settings");

    fn name(&self) -> String {
        let setting = self.setting_name.as_deref().unwrap_or("a line");
        match (self.scope.as_str(), &self.rolname, &self.datname) {
            ("server", ..) => setting.to_owned(),
            ("file", ..) => format!("{setting} ({})", line(self)),
            (_, Some(role), Some(database)) => format!("{setting} (role {role} in database {database})"),
            (_, Some(role), None) => format!("{setting} (role {role})"),
            (_, None, Some(database)) => format!("{setting} (database {database})"),
            _ => format!("{setting} (all roles)"),
        }
    }
}

/// `postgresql.conf:12`, with its folder.
pub(crate) fn line(setting: &PgSettingRecord) -> String {
    place(setting.sourcefile.as_deref(), setting.sourceline)
}

fn place(file: Option<&str>, line: Option<i32>) -> String {
    let file = file.unwrap_or("a file");
    line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"))
}

/// The row of `settings_readable.sql`: what the role may see.
#[derive(Deserialize)]
struct Readable {
    all_settings: bool,
    files: bool,
}

/// A row of `settings_files.sql`.
#[derive(Clone, Deserialize)]
struct Unused {
    setting_name: Option<String>,
    setting: Option<String>,
    sourcefile: Option<String>,
    sourceline: Option<i32>,
    error: String,
}

fn read(watch: &mut Watch, _: Variants) -> Result<Report, Failure> {
    let mut report = Report::default();
    let readable: Readable = watch.record(include_str!("../../queries/settings_readable.sql"), &[])?;
    // Before the settings: asking for the files makes the session see what waits for a restart, whether the server was told to
    // reload them or not.
    let unused: Vec<Unused> =
        if readable.files { watch.records(include_str!("../../queries/settings_files.sql"), &[])? } else { Vec::new() };
    let mut settings: Vec<PgSettingRecord> = watch.rows(include_str!("../../queries/settings.sql"), &[])?;
    let set = settings.len();
    report.note(Severity::Ok, count(set, PgSettingRecord::NOUN));
    let wrong = sorted_out(unused, &mut settings);
    if !wrong.is_empty() {
        report.note(Severity::Ok, count(wrong.len(), ("line that cannot be used", "lines that cannot be used")));
    }
    let secret = settings.iter().filter(|setting| setting.secret).count();
    if secret > 0 {
        report.note(Severity::Ok, format!("of {secret} the value is not read, because it may hold a password"));
    }
    let role = &watch.server.role;
    if !readable.files {
        let text = format!(
            "the configuration files are not read for what is wrong in them; GRANT SELECT ON pg_catalog.pg_file_settings TO \
             {role}; GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() TO {role}"
        );
        report.note(Severity::Info, text);
    }
    if !readable.all_settings {
        let text = "some settings, and their files, are hidden";
        report.notes.push(Note::hidden(text, "pg_read_all_settings", &watch.server));
    }
    settings.extend(wrong);
    report.records = Records::of(settings);
    Ok(report)
}

/// Gives the settings that wait for a restart the value that they wait for; what remains is wrong.
fn sorted_out(unused: Vec<Unused>, settings: &mut [PgSettingRecord]) -> Vec<PgSettingRecord> {
    let mut wrong = Vec::new();
    for line in unused {
        let waits = |setting: &&mut PgSettingRecord| {
            let same = |(one, other): (&String, &String)| one.eq_ignore_ascii_case(other);
            let names = setting.setting_name.as_ref().zip(line.setting_name.as_ref());
            setting.scope == "server" && setting.pending_restart && names.is_some_and(same)
        };
        let pending = settings.iter_mut().find(waits);
        if let Some(setting) = pending {
            // The last line of a setting counts.
            setting.pending_source = Some(place(line.sourcefile.as_deref(), line.sourceline));
            setting.pending_setting = line.setting.filter(|_| !setting.secret);
            continue;
        }
        wrong.push(PgSettingRecord {
            scope: "file".to_owned(),
            setting_name: line.setting_name,
            // Nobody knows what it is.
            secret: true,
            sourcefile: line.sourcefile,
            sourceline: line.sourceline,
            error: Some(line.error),
            ..PgSettingRecord::default()
        });
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unused(name: &str, setting: &str) -> Unused {
        Unused {
            setting_name: Some(name.to_owned()),
            setting: Some(setting.to_owned()),
            sourcefile: Some("/etc/postgresql.conf".to_owned()),
            sourceline: Some(7),
            error: "setting could not be applied".to_owned(),
        }
    }

    #[test]
    fn what_waits_for_a_restart_is_not_wrong() {
        let waiting = |name: &str, secret| PgSettingRecord {
            scope: "server".to_owned(),
            setting_name: Some(name.to_owned()),
            pending_restart: true,
            secret,
            ..PgSettingRecord::default()
        };
        let mut settings = [waiting("max_connections", false), waiting("some_command", true)];
        let lines = vec![
            unused("max_connections", "200"),
            unused("work_mem", "abc"),
            unused("Max_Connections", "300"),
            unused("some_command", "hunter2"),
        ];
        let wrong = sorted_out(lines, &mut settings);
        assert_eq!(settings[0].pending_setting.as_deref(), Some("300"));
        assert_eq!(settings[0].pending_source.as_deref(), Some("/etc/postgresql.conf:7"));
        assert_eq!(settings[1].pending_setting, None);
        let names: Vec<_> = wrong.iter().map(Row::name).collect();
        assert_eq!(names, ["work_mem (/etc/postgresql.conf:7)"]);
        assert_eq!((wrong[0].setting.as_ref(), wrong[0].secret), (None, true));
    }
}
