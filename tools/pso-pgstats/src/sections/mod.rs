//! The sections: each file is one query, or a few, as records.

mod activity;
mod archiver;
mod bloat;
mod blocking;
mod checkpoints;
mod checksums;
mod connections;
mod databases;
mod extensions;
mod foreign_keys;
mod indexes;
mod integer_keys;
mod io;
mod locks;
mod prepared;
mod progress;
mod replication;
mod sequences;
mod settings;
mod sizes;
mod slots;
mod statement_stats;
mod statements;
mod tables;
mod vacuum;
mod wal;
mod wraparound;

use std::fmt;

pub(crate) use replication::hidden as hidden_replication;
pub(crate) use settings::line;
pub(crate) use statement_stats::way_out as statements_way_out;

use pso_common::Run;
use pso_common::record::{Kind as _, PgAdviceRecord, PgChangeRecord, PgSectionRecord, Severity};

use crate::records::{Place, Records};
use crate::report::{Report, count};
use crate::watch::{Failure, Variants, Watch};

/// A part of the picture that can be asked for by name.
pub(crate) struct Section {
    /// Its name on the command line and in records.
    pub(crate) name: &'static str,
    /// What it shows.
    pub(crate) about: &'static str,
    /// The kind of its records.
    pub(crate) kind: &'static str,
    /// Where they come from.
    origin: Origin,
}

/// Asks the server; without variants where the function knows which queries to ask.
type Read = fn(&mut Watch, Variants) -> Result<Report, Failure>;

/// Where the records of a section come from.
enum Origin {
    /// From the server.
    Server(Variants, Read),
    /// From what the other sections read: it asks nothing itself.
    Others(Conclusion),
}

/// What follows from the other sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conclusion {
    /// What has changed since an earlier run.
    Changes,
    /// What to do.
    Advice,
}

/// All of them, in the order in which they are shown.
pub(crate) static SECTIONS: &[Section] = &[
    activity::SECTION,
    connections::SECTION,
    databases::SECTION,
    blocking::SECTION,
    locks::SECTION,
    progress::SECTION,
    tables::SECTION,
    sizes::SECTION,
    indexes::SECTION,
    bloat::SECTION,
    foreign_keys::SECTION,
    sequences::SECTION,
    integer_keys::SECTION,
    vacuum::SECTION,
    statements::SECTION,
    statement_stats::SECTION,
    wraparound::SECTION,
    slots::SECTION,
    prepared::SECTION,
    archiver::SECTION,
    checkpoints::SECTION,
    wal::SECTION,
    io::SECTION,
    replication::SECTION,
    settings::SECTION,
    extensions::SECTION,
    checksums::SECTION,
    Section {
        name: "changes",
        about: "What has changed since the run of --baseline: rates of counters, growth of sizes",
        kind: PgChangeRecord::KIND,
        origin: Origin::Others(Conclusion::Changes),
    },
    Section {
        name: "advice",
        about: "What to do about all of this, the worst first: why, the SQL that follows it and the SQL that takes it back",
        kind: PgAdviceRecord::KIND,
        origin: Origin::Others(Conclusion::Advice),
    },
];

/// A section and nothing else has its name.
impl PartialEq for Section {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Section {
    /// A section that is its query's rows, and no more.
    const fn plain<R: Place>(name: &'static str, about: &'static str, queries: Variants) -> Self {
        Self { name, about, kind: R::KIND, origin: Origin::Server(queries, read_plain::<R>) }
    }

    /// A section whose rows need more than one query without parameters.
    const fn special<R: Place>(name: &'static str, about: &'static str, read: Read) -> Self {
        Self { name, about, kind: R::KIND, origin: Origin::Server(&[], read) }
    }

    /// The one of this name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        SECTIONS.iter().find(|section| section.name == name)
    }

    /// What it concludes from the others; nothing where it asks the server.
    pub(crate) const fn conclusion(&self) -> Option<Conclusion> {
        match self.origin {
            Origin::Server(..) => None,
            Origin::Others(conclusion) => Some(conclusion),
        }
    }

    /// Asks the server, if it is for that.
    pub(crate) fn read(&self, watch: &mut Watch) -> Result<Report, Failure> {
        match self.origin {
            Origin::Server(queries, read) => read(watch, queries),
            Origin::Others(_) => Ok(Report::default()),
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

fn read_plain<R: Place>(watch: &mut Watch, queries: Variants) -> Result<Report, Failure> {
    let rows: Vec<R> = watch.rows(watch.variant(queries)?, &[])?;
    let mut report = Report::default();
    report.note(Severity::Ok, count(rows.len(), R::NOUN));
    report.notes.extend(R::notes(&rows, &watch.server));
    report.records = Records::of(rows);
    Ok(report)
}

/// Writes one `pg.section` a section, without rows and time: nothing was asked.
pub(crate) fn list(run: &mut Run<'_>) -> anyhow::Result<()> {
    SECTIONS
        .iter()
        .try_for_each(|section| run.emit(Severity::Ok, section.name, section.about, PgSectionRecord::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_has_a_name_and_a_kind_of_its_own() {
        for section in SECTIONS {
            assert_eq!(Section::find(section.name), Some(section));
            assert!(!section.about.is_empty() && !section.about.ends_with('.'), "{section}");
            let sharing = SECTIONS.iter().filter(|other| other.kind == section.kind);
            assert_eq!(sharing.count(), 1, "{section}");
        }
    }

    #[test]
    fn every_kind_that_can_be_read_belongs_to_a_section() {
        for kind in Records::KINDS {
            assert!(SECTIONS.iter().any(|section| section.kind == *kind), "{kind}");
        }
    }

    #[test]
    fn variants_are_in_order() {
        for section in SECTIONS {
            if let Origin::Server(queries, _) = section.origin {
                assert!(queries.is_sorted_by(|(one, _), (next, _)| one < next), "{section}");
            }
        }
    }
}
