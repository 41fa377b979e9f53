//! `connections`: how many there are, how many there may be, and who holds most (`pg_stat_activity`, `pg_database`, `pg_roles`).

use pso_common::record::{PgConnectionRecord, PgServerRecord};

use super::Section;
use crate::records::Row;
use crate::report::Note;

pub(super) const SECTION: Section = Section::plain::<PgConnectionRecord>(
    "connections",
    "Connections of the server against their limits, and the 10 who hold most of them",
    &[(130_000, include_str!("../../queries/connections.sql"))],
);

impl Row for PgConnectionRecord {
    const NOUN: (&'static str, &'static str) = ("limit or holder", "limits and holders");

    fn name(&self) -> String {
        let (role, database) = (self.usename.as_deref().unwrap_or("?"), self.datname.as_deref().unwrap_or("?"));
        match self.scope.as_str() {
            "database" => format!("database {database}"),
            "role" => format!("role {role}"),
            "holder" => format!("{role}@{database}/{}", self.application_name.as_deref().unwrap_or_default()),
            _ => self.scope.clone(),
        }
    }

    fn notes(rows: &[Self], server: &PgServerRecord) -> Vec<Note> {
        let hidden = rows.iter().filter(|row| row.scope == "server").map(|row| row.hidden).sum::<i64>();
        if hidden == 0 {
            return Vec::new();
        }
        let text = format!("of {hidden} connections of other roles the state is hidden");
        vec![Note::hidden(text, "pg_read_all_stats", server)]
    }
}
