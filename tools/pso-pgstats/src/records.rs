//! What was read: the records of a run by kind, and the server they are about. Rules judge it without asking the server,
//! so that it can come from a live session as well as from a saved run.

use pso_common::Run;
use pso_common::record::{AnyRecord, Kind, Metric, PgServerRecord, Severity};
use serde_json::{Map, Value};

use crate::report::Note;

/// A record that is a row of a section.
pub(crate) trait Row: Kind + Clone {
    /// What one is called, and several: for the section's end.
    const NOUN: (&'static str, &'static str);

    /// The record's `name`.
    fn name(&self) -> String;

    /// How bad the row is in itself, and why. Facts are `ok`; only advice judges.
    fn told(&self) -> (Severity, String) {
        (Severity::Ok, String::new())
    }

    /// What the section's end has to say besides how many rows there are: what could not be seen.
    fn notes(_rows: &[Self], _server: &PgServerRecord) -> Vec<Note> {
        Vec::new()
    }
}

/// Where the records of a kind stand in [`Records`].
pub(crate) trait Place: Row {
    fn place(records: &mut Records) -> &mut Vec<Self>;
}

macro_rules! records {
    ($($plural:ident: $record:ident,)*) => {
        /// Records by kind, each kind in the order in which it is written.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Records {
            $(pub(crate) $plural: Vec<pso_common::record::$record>,)*
        }

        impl Records {
            /// The kinds that there are.
            #[cfg(test)]
            pub(crate) const KINDS: &'static [&'static str] = &[$(<pso_common::record::$record as Kind>::KIND,)*];

            /// How many.
            pub(crate) fn len(&self) -> usize {
                0 $(+ self.$plural.len())*
            }

            /// Takes up others.
            pub(crate) fn append(&mut self, mut other: Self) {
                $(self.$plural.append(&mut other.$plural);)*
            }

            /// Writes those of this kind.
            pub(crate) fn emit(&self, kind: &str, run: &mut Run<'_>) -> anyhow::Result<()> {
                $(if kind == <pso_common::record::$record as Kind>::KIND {
                    emit_all(&self.$plural, run)?;
                })*
                Ok(())
            }

            /// Hands on those that can be compared with an earlier run: the kind, the name, the fields.
            pub(crate) fn each_measured(
                &self,
                take: &mut dyn FnMut(&'static str, String, Map<String, Value>),
            ) -> Result<(), serde_json::Error> {
                $(if <pso_common::record::$record as Kind>::METRICS.fields.iter().any(Metric::compares) {
                    for row in &self.$plural {
                        if let Value::Object(fields) = serde_json::to_value(row)? {
                            take(<pso_common::record::$record as Kind>::KIND, row.name(), fields);
                        }
                    }
                })*
                Ok(())
            }

            /// Takes up one of a saved run; says whether it is of a kind that belongs here.
            pub(crate) fn take(&mut self, record: &AnyRecord) -> Result<bool, serde_json::Error> {
                match record.header.kind.as_str() {
                    $(<pso_common::record::$record as Kind>::KIND => self.$plural.push(record.fields()?),)*
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }

        $(impl Place for pso_common::record::$record {
            fn place(records: &mut Records) -> &mut Vec<Self> {
                &mut records.$plural
            }
        })*
    };
}

pso_common::pg_records!(records);

impl Records {
    /// Those of one kind.
    pub(crate) fn of<R: Place>(rows: Vec<R>) -> Self {
        let mut records = Self::default();
        *R::place(&mut records) = rows;
        records
    }
}

fn emit_all<R: Row>(rows: &[R], run: &mut Run<'_>) -> anyhow::Result<()> {
    for row in rows {
        let (severity, message) = row.told();
        run.emit(severity, row.name(), message, row.clone())?;
    }
    Ok(())
}

/// All that rules judge.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// The server, and its clock when it was asked.
    pub(crate) server: PgServerRecord,
    /// Those of the sections that were read; a rule is asked only where all that it needs were.
    pub(crate) records: Records,
}
