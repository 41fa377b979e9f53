//! `setting_pending`: a setting that was changed, and that only a restart will bring. Whoever changed it may think that it holds.

use pso_common::Severity;
use pso_common::record::{Confidence, PgSettingRecord};

use super::{Advice, Judged, Rule, evidence};
use crate::records::Snapshot;
use crate::sections::line;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "setting_pending", on_standby: true, needs: &["settings"], judge };

fn judge(snapshot: &Snapshot, _: &Limits) -> Judged {
    let waits = |setting: &&PgSettingRecord| {
        // PostgreSQL compares the file with what was given at the start, and that is given again at the next one.
        setting.scope == "server" && setting.pending_restart && setting.source.as_deref() != Some("command line")
    };
    snapshot.records.settings.iter().filter(waits).map(advice).collect()
}

fn advice(setting: &PgSettingRecord) -> Advice {
    let unit = setting.unit.as_deref().map_or_else(String::new, |unit| format!(" (in {unit})"));
    let now = setting.setting.as_ref().map_or_else(|| "its former value".to_owned(), |now| format!("{now}{unit}"));
    let then = setting.pending_setting.as_deref().unwrap_or("another one");
    let place = setting.pending_source.as_deref().unwrap_or("its configuration files");
    let say = if setting.pending_source.is_some() { "says" } else { "say" };
    Advice {
        severity: Severity::Info,
        object: setting.setting_name.clone().unwrap_or_default(),
        why: format!(
            "the server works with {now}, and {place} {say} {then}: that comes with the next restart, wanted or not. \
             Restart it when it suits, or take the change back in the file"
        ),
        evidence: evidence([
            ("setting", setting.setting.clone()),
            ("unit", setting.unit.clone()),
            ("pending_setting", setting.pending_setting.clone()),
            ("pending_source", setting.pending_source.clone()),
            ("source", setting.source.clone()),
            ("sourcefile", setting.sourcefile.as_ref().map(|_| line(setting))),
        ]),
        confidence: Confidence::High,
        // No statement restarts a server.
        sql: None,
        undo_sql: None,
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    #[test]
    fn what_waits_for_a_restart_is_advised() {
        let setting = |pending_restart, pending: Option<&str>| PgSettingRecord {
            scope: "server".to_owned(),
            setting_name: Some("shared_buffers".to_owned()),
            setting: Some("16384".to_owned()),
            unit: Some("8kB".to_owned()),
            pending_restart,
            pending_setting: pending.map(str::to_owned),
            pending_source: pending.map(|_| "/etc/x.conf:3".to_owned()),
            ..PgSettingRecord::default()
        };
        let advised = |setting| judged(&RULE, &snapshot(|records| records.settings = vec![setting])).advice;
        assert_eq!(advised(setting(false, None)), []);
        let advice = advised(setting(true, Some("1GB"))).remove(0);
        assert_eq!((advice.object.as_str(), advice.sql), ("shared_buffers", None));
        assert!(advice.why.contains("with 16384 (in 8kB), and /etc/x.conf:3 says 1GB"), "{}", advice.why);
        assert!(advised(setting(true, None))[0].why.contains("and its configuration files say another one"));
        let given = PgSettingRecord { source: Some("command line".to_owned()), ..setting(true, Some("1GB")) };
        assert_eq!(advised(given), []);
    }
}
