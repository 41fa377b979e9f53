//! `tables`: rows written, live and dead, and how they are read (`pg_stat_user_tables`, `pg_statio_user_tables`, `pg_class`).

use pso_common::Severity;
use pso_common::record::{PgServerRecord, PgTableRecord};

use super::Section;
use crate::records::Row;
use crate::report::{Note, count, grant_reading};

pub(super) const SECTION: Section = Section::plain::<PgTableRecord>(
    "tables",
    "Rows written, live and dead, scans, last vacuum and analyse, a table",
    &[
        (130_000, include_str!("../../queries/tables.sql")),
        (160_000, include_str!("../../queries/tables_16.sql")),
        (180_000, include_str!("../../queries/tables_18.sql")),
    ],
);

impl Row for PgTableRecord {
    const NOUN: (&'static str, &'static str) = ("table", "tables");

    fn name(&self) -> String {
        format!("{}.{}", self.schemaname, self.relname)
    }

    fn notes(rows: &[Self], server: &PgServerRecord) -> Vec<Note> {
        let hidden = |row: &&Self| !row.temporary && row.last_analyze_at.is_none() && row.planner_statistics.is_none();
        let hidden = rows.iter().filter(hidden).count();
        if hidden == 0 || server.is_superuser {
            return Vec::new();
        }
        let (of, grant) = (count(hidden, Self::NOUN), grant_reading("TABLES", server));
        let text = format!("of {of} it cannot be seen whether the planner has statistics; {grant}");
        vec![Note::new(Severity::Info, text)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::snapshot;

    #[test]
    fn who_may_not_see_whether_there_are_statistics_is_told() {
        let table = |planner_statistics| PgTableRecord { planner_statistics, ..PgTableRecord::default() };
        let mut server = snapshot(|_| {}).server;
        assert_eq!(PgTableRecord::notes(&[table(Some(true)), table(Some(false))], &server), []);
        let rows = [table(None), table(Some(false))];
        let notes = PgTableRecord::notes(&rows, &server);
        assert!(notes[0].text.starts_with("of 1 table") && notes[0].text.contains("GRANT pg_read_all_data TO watcher"));
        server.is_superuser = true;
        assert_eq!(PgTableRecord::notes(&rows, &server), []);
    }
}
