//! `never_analyzed`: a table of which the planner knows nothing, as after a restore.

use pso_common::Severity;
use pso_common::record::Confidence;

use super::{Advice, evidence};
use crate::report::Report;
use crate::watch::{Failure, Watch, get};

pub(super) const RULE: &str = "never_analyzed";

pub(super) fn judge(watch: &mut Watch) -> Result<Report, Failure> {
    let mut report = Report::default();
    let min_rows = f64::from(watch.settings.min_rows);
    for row in watch.query(include_str!("../../queries/never_analyzed.sql"), &[&min_rows])? {
        let certain: bool = get(&row, "certain")?;
        let why = if certain {
            "it was never analysed, so the planner guesses; after a restore that is so for every table"
        } else {
            "no analyse is on record, so the planner may be guessing; the statistics may also have been reset since"
        };
        let number = |column: &str| get::<i64>(&row, column).map(|number| Some(number.to_string()));
        Advice {
            severity: Severity::Info,
            rule: RULE,
            object: get(&row, "object")?,
            why: why.to_owned(),
            evidence: evidence([
                ("n_live_tup", number("n_live_tup")?),
                ("n_mod_since_analyze", number("n_mod_since_analyze")?),
                ("reltuples", Some(get::<f64>(&row, "reltuples")?.to_string())),
            ]),
            confidence: if certain { Confidence::High } else { Confidence::Low },
            sql: Some(get(&row, "sql")?),
            undo_sql: None,
            gain_bytes: None,
        }
        .add_to(&mut report);
    }
    Ok(report)
}
