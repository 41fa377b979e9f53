//! `setting_invalid`: a line of a configuration file that the server cannot use. It runs on with what it had, and will not
//! start again.

use pso_common::Severity;
use pso_common::record::{Confidence, PgSettingRecord};

use super::{Advice, Judged, Rule, evidence};
use crate::records::{Row as _, Snapshot};
use crate::sections::line;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "setting_invalid", on_standby: true, needs: &["settings"], judge };

fn judge(snapshot: &Snapshot, _: &Limits) -> Judged {
    snapshot.records.settings.iter().filter(|setting| setting.scope == "file").map(advice).collect()
}

fn advice(setting: &PgSettingRecord) -> Advice {
    let error = setting.error.as_deref().unwrap_or_default();
    Advice {
        // Whenever the server is restarted next, it stays down.
        severity: Severity::High,
        object: setting.name(),
        why: format!(
            "{} cannot be used ({error}): a reload leaves out this change, and may leave out all others with it, and the server \
             does not start with it. Correct the line now, while the server runs",
            line(setting)
        ),
        evidence: evidence([
            ("sourcefile", setting.sourcefile.clone()),
            ("sourceline", setting.sourceline.map(|line| line.to_string())),
            ("error", setting.error.clone()),
        ]),
        confidence: Confidence::High,
        // What the line should say, only its author knows.
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
    fn a_line_that_cannot_be_used_is_advised() {
        let advised = |scope: &str| {
            let setting = PgSettingRecord {
                scope: scope.to_owned(),
                sourcefile: Some("/etc/postgresql.conf".to_owned()),
                sourceline: Some(3),
                error: Some("syntax error".to_owned()),
                ..PgSettingRecord::default()
            };
            judged(&RULE, &snapshot(|records| records.settings = vec![setting])).advice
        };
        assert_eq!(advised("server"), []);
        let advice = advised("file").remove(0);
        assert_eq!((advice.severity, advice.object.as_str()), (Severity::High, "a line (/etc/postgresql.conf:3)"));
        assert!(advice.why.starts_with("/etc/postgresql.conf:3 cannot be used (syntax error)"), "{}", advice.why);
    }
}
