//! `idle_in_transaction`: a transaction that was left open. It keeps its locks, and vacuum from removing dead rows.

use std::time::Duration;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::Confidence;

use super::{Advice, evidence};
use crate::report::Report;
use crate::watch::{Failure, Watch, get, span};

pub(super) const RULE: &str = "idle_in_transaction";

pub(super) fn judge(watch: &mut Watch) -> Result<Report, Failure> {
    let mut report = Report::default();
    if !watch.server.reads_all_stats {
        let role = &watch.server.role;
        let text = format!("{RULE}: only {role}'s own sessions can be judged; GRANT pg_read_all_stats TO {role}");
        report.note(Severity::Info, text);
    }
    let limit = watch.settings.max_idle_in_transaction;
    for row in watch.query(include_str!("../../queries/idle_in_transaction.sql"), &[&limit.as_secs_f64()])? {
        let pid: i32 = get(&row, "pid")?;
        let (user, application): (String, String) = (get(&row, "usename")?, get(&row, "application_name")?);
        let idle = seconds(span(&row, "idle_s")?);
        let xmin_age: Option<i64> = get(&row, "xmin_age")?;
        let who = if application.is_empty() { user.clone() } else { format!("{user} ({application})") };
        Advice {
            severity: Severity::Warning,
            rule: RULE,
            object: format!("pid {pid}"),
            why: format!(
                "{who} has left a transaction open and idle for {}; it keeps its locks and holds back vacuum. Ending the \
                 session loses what the transaction has not committed; idle_in_transaction_session_timeout would prevent it",
                idle.show()
            ),
            evidence: evidence([
                ("state", Some(get(&row, "state")?)),
                ("usename", Some(user)),
                ("application_name", Some(application)),
                ("idle", Some(idle.show())),
                ("transaction", span(&row, "xact_s")?.map(|xact| seconds(Some(xact)).show())),
                ("limit", Some(limit.show())),
                ("xmin_age", xmin_age.map(|age| age.to_string())),
            ]),
            confidence: Confidence::Medium,
            sql: Some(get(&row, "sql")?),
            undo_sql: None,
            gain_bytes: None,
        }
        .add_to(&mut report);
    }
    Ok(report)
}

/// To be read by people: no fractions of a second.
fn seconds(span: Option<Duration>) -> Duration {
    Duration::from_secs(span.unwrap_or_default().as_secs())
}
