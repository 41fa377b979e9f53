//! `extension_update`: the server has another version of an extension than the database. After an upgrade of the server or of a
//! package that is forgotten easily, and new functions and corrections are not there.

use pso_common::Severity;
use pso_common::record::{Confidence, PgExtensionRecord};

use super::{Advice, Judged, Rule, evidence, quoted};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "extension_update", on_standby: false, needs: &["extensions"], judge };

fn judge(snapshot: &Snapshot, _: &Limits) -> Judged {
    let differs = |extension: &PgExtensionRecord| {
        !extension.files_unread
            && extension.default_version.as_ref().is_none_or(|version| *version != extension.installed_version)
    };
    snapshot.records.extensions.iter().filter(|extension| differs(extension)).map(advice).collect()
}

fn advice(extension: &PgExtensionRecord) -> Advice {
    let PgExtensionRecord { object, installed_version: installed, default_version, update_path, .. } = extension;
    let (severity, why) = match (default_version, update_path) {
        (None, _) => (
            Severity::Warning,
            format!(
                "the database has its version {installed}, and the server has no files of it: a restore of the database elsewhere, or \
                 an upgrade, fails at it. Install its package again, or drop it when nothing needs it"
            ),
        ),
        (Some(version), Some(_)) => (
            Severity::Info,
            format!(
                "the database has version {installed}, and the server has {version}; read what the extension says about the \
                 update, which changes its functions and views in one transaction"
            ),
        ),
        (Some(version), None) => (
            Severity::Info,
            format!(
                "the database has version {installed}, and the server has {version}, without a way from the one to the other: \
                 perhaps an older package was installed. It would have to be dropped and created again, with all that uses it"
            ),
        ),
    };
    Advice {
        severity,
        object: object.clone(),
        why,
        evidence: evidence([
            ("installed_version", Some(installed.clone())),
            ("default_version", default_version.clone()),
            ("update_path", update_path.clone()),
            ("schema", Some(extension.schemaname.clone())),
        ]),
        confidence: Confidence::High,
        sql: update_path.is_some().then(|| format!("ALTER EXTENSION {object} UPDATE")),
        undo_sql: (update_path.is_some() && extension.can_go_back)
            .then(|| format!("ALTER EXTENSION {object} UPDATE TO {}", quoted(installed))),
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn advised(default: Option<&str>, path: Option<&str>, can_go_back: bool) -> Vec<Advice> {
        let extension = PgExtensionRecord {
            object: "\"uuid-ossp\"".to_owned(),
            installed_version: "1.0".to_owned(),
            default_version: default.map(str::to_owned),
            update_path: path.map(str::to_owned),
            can_go_back,
            ..PgExtensionRecord::default()
        };
        judged(&RULE, &snapshot(|records| records.extensions = vec![extension])).advice
    }

    #[test]
    fn an_older_extension_is_updated() {
        assert_eq!(advised(Some("1.0"), None, false), []);
        let advice = advised(Some("1.1"), Some("1.0--1.1"), false).remove(0);
        assert_eq!(advice.sql.as_deref(), Some("ALTER EXTENSION \"uuid-ossp\" UPDATE"));
        assert_eq!((advice.severity, advice.undo_sql), (Severity::Info, None));
        let back = advised(Some("1.1"), Some("1.0--1.1"), true).remove(0).undo_sql;
        assert_eq!(back.as_deref(), Some("ALTER EXTENSION \"uuid-ossp\" UPDATE TO '1.0'"));
    }

    #[test]
    fn without_a_way_there_is_no_statement() {
        let advice = advised(Some("0.9"), None, false).remove(0);
        assert!(advice.sql.is_none() && advice.why.contains("without a way"), "{advice:?}");
        let gone = advised(None, None, false).remove(0);
        assert_eq!((gone.severity, gone.sql), (Severity::Warning, None));
    }
}
