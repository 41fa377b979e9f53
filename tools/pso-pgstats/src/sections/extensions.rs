//! `extensions`: what was added to the database, and whether the server has newer files for it (`pg_extension`,
//! `pg_available_extensions`).

use pso_common::Severity;
use pso_common::record::PgExtensionRecord;

use super::Section;
use crate::records::{Records, Row};
use crate::report::{Report, count};
use crate::watch::{Failure, Variants, Watch};

pub(super) const SECTION: Section = Section::special::<PgExtensionRecord>(
    "extensions",
    "Extensions of the database, and which version the server would install",
    read,
);

impl Row for PgExtensionRecord {
    const NOUN: (&'static str, &'static str) = ("extension", "extensions");

    fn name(&self) -> String {
        self.extname.clone()
    }
}

fn read(watch: &mut Watch, _: Variants) -> Result<Report, Failure> {
    let read: Result<Vec<PgExtensionRecord>, _> = watch.rows(include_str!("../../queries/extensions.sql"), &[]);
    let (rows, unread) = match read {
        Err(Failure::Unknown(reason) | Failure::Unavailable(reason)) => {
            (watch.rows(include_str!("../../queries/extensions_unread.sql"), &[])?, Some(reason))
        }
        read => (read?, None),
    };
    let mut report = Report::default();
    report.note(Severity::Ok, count(rows.len(), PgExtensionRecord::NOUN));
    if let Some(reason) = unread {
        let text = format!("what the server would install is not known, its files cannot be read: {reason}");
        report.note(Severity::Info, text);
    }
    report.records = Records::of(rows);
    Ok(report)
}
