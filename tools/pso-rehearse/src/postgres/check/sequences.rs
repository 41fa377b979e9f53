//! Sequences: none may be behind the columns that take their values from it.

use anyhow::Context as _;
use pso_common::postgres::{Client, Row};

use super::super::left_out::counted;
use super::Checked;
use crate::proof::Proof;

/// A column that takes its values from a sequence.
struct Use {
    sequence: String,
    column: String,
    /// The statement that reads where the sequence stands.
    quoted: String,
    /// The statement that finds the value that is furthest on its way.
    furthest: String,
    /// How far the next value is from the last.
    step: i128,
    cycles: bool,
    /// Whether the dump says where the sequence stands.
    is_set: bool,
}

/// Where a sequence stands against a column.
#[derive(Debug, PartialEq, Eq)]
enum Stand {
    Ahead,
    Behind { next: i128, furthest: i128 },
}

pub(super) fn check(checked: &Checked<'_>, client: &mut Client, proof: &mut Proof) -> anyhow::Result<()> {
    let rows = client.query(include_str!("../../../queries/sequences.sql"), &[]).context("list the sequences")?;
    let mut ahead = 0;
    for used in rows.iter().map(|row| Use::of(row, checked)) {
        checked.cancel.check()?;
        match used.stand(client)? {
            Stand::Ahead => ahead += 1,
            Stand::Behind { next, furthest } => {
                let said = format!(
                    "the sequence {} gives {next} next, and {} has {furthest} already",
                    used.sequence, used.column
                );
                if used.is_set {
                    // The server itself had it there: it is restored as it was, and as wrong as it was.
                    proof.warn(format!("{said}: so it is in the dump, and on the server that it is of"));
                } else {
                    proof.refute(format!("{said}: the dump does not say where the sequence stands"));
                }
            }
        }
    }
    if ahead > 0 {
        proof.prove(format!("{} not behind", counted(ahead, "column's sequence is", "columns' sequences are")));
    }
    Ok(())
}

impl Use {
    fn of(row: &Row, checked: &Checked<'_>) -> Self {
        let text = |name: &str| row.get::<_, String>(name);
        let (schema, name) = (text("schema"), text("sequence"));
        let is_set = checked.toc.is_none_or(|toc| {
            let mut entries = toc.entries.iter();
            entries.any(|entry| entry.desc == "SEQUENCE SET" && entry.namespace == schema && entry.tag == name)
        });
        Self {
            column: format!("{}.{}.{}", text("of_schema"), text("of"), text("column")),
            sequence: format!("{schema}.{name}"),
            quoted: format!("SELECT last_value, is_called FROM {}", text("quoted")),
            furthest: text("furthest"),
            step: i128::from(row.get::<_, i64>("step")),
            cycles: row.get("cycles"),
            is_set,
        }
    }

    fn stand(&self, client: &mut Client) -> anyhow::Result<Stand> {
        let context = || format!("look at the sequence {}", self.sequence);
        let furthest: Option<String> = client.query_one(&self.furthest, &[]).with_context(context)?.get(0);
        let row = client.query_one(&self.quoted, &[]).with_context(context)?;
        let last = i128::from(row.get::<_, i64>(0));
        let next = if row.get(1) { last + self.step } else { last };
        // A column of numeric may have halves, or no number at all.
        let furthest = furthest.and_then(|text| text.split('.').next().and_then(|whole| whole.parse().ok()));
        // One that begins again has no before and after.
        Ok(match furthest.filter(|_| !self.cycles) {
            Some(furthest) if self.is_behind(next, furthest) => Stand::Behind { next, furthest },
            _ => Stand::Ahead,
        })
    }

    const fn is_behind(&self, next: i128, furthest: i128) -> bool {
        if self.step > 0 { next <= furthest } else { next >= furthest }
    }
}
