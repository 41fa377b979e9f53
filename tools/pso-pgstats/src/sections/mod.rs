//! The sections: each file turns one query's rows into records of one kind.

mod activity;
mod indexes;
mod sizes;
mod statements;
mod tables;

use std::fmt;

use clap::ValueEnum;
use pso_common::Run;
use pso_common::record::{PgSectionRecord, Severity};

use crate::advice;
use crate::report::Report;
use crate::watch::{Failure, Watch};

pub(crate) use tables::dead_percent;

/// A part of the picture that can be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    /// Client connections that are not idle
    Activity,
    /// Rows written, live and dead, scans, last vacuum and analyse, a table
    Tables,
    /// Bytes on disk, a table with its indexes
    Sizes,
    /// Scans, rows and bytes, an index
    Indexes,
    /// The slowest statements on average (needs the extension `pg_stat_statements`)
    Statements,
    /// What to do: unused indexes, dead rows, tables never analysed, transactions left open
    Advice,
}

impl Section {
    /// All of them, in the order in which they are shown.
    pub(crate) const ALL: &'static [Self] =
        &[Self::Activity, Self::Tables, Self::Sizes, Self::Indexes, Self::Statements, Self::Advice];

    /// Its name on the command line and in records.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Activity => "activity",
            Self::Tables => "tables",
            Self::Sizes => "sizes",
            Self::Indexes => "indexes",
            Self::Statements => "statements",
            Self::Advice => "advice",
        }
    }

    /// Asks the server.
    pub(crate) fn read(self, watch: &mut Watch) -> Result<Report, Failure> {
        match self {
            Self::Activity => activity::read(watch),
            Self::Tables => tables::read(watch),
            Self::Sizes => sizes::read(watch),
            Self::Indexes => indexes::read(watch),
            Self::Statements => statements::read(watch),
            Self::Advice => advice::read(watch),
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Writes one `pg.section` a section, without rows and time: nothing was asked.
pub(crate) fn list(run: &mut Run<'_>) -> anyhow::Result<()> {
    for section in Section::ALL {
        let about = section.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
        run.emit(Severity::Ok, section.name(), about.unwrap_or_default(), PgSectionRecord::default())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_is_in_the_list_under_the_name_that_is_typed() {
        assert_eq!(Section::ALL, Section::value_variants());
        for section in Section::ALL {
            let value = section.to_possible_value().expect("not hidden");
            assert_eq!(value.get_name(), section.name());
            assert!(value.get_help().is_some());
        }
    }
}
