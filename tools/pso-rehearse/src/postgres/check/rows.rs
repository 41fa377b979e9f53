//! The rows of each table, against the manifest.

use std::collections::BTreeMap;

use anyhow::Context as _;
use pso_archive::{count_query, row_differences, user_tables};
use pso_common::postgres::Client;

use super::super::left_out::counted;
use crate::proof::Proof;

/// How many differences are told one by one.
const TOLD: usize = 20;

/// Lets us see the rows that a table is to hide from its owner.
pub(super) fn uncover(client: &mut Client) -> anyhow::Result<()> {
    for row in client.query(include_str!("../../../queries/forced.sql"), &[]).context("look for row security")? {
        let table: String = row.get("name");
        let sql = format!("ALTER TABLE ONLY {table} NO FORCE ROW LEVEL SECURITY");
        client.batch_execute(&sql).with_context(|| format!("see all rows of {table}"))?;
    }
    Ok(())
}

/// The tables to count, quoted where SQL would quote them.
pub(super) fn tables(client: &mut Client) -> anyhow::Result<Vec<String>> {
    user_tables(client)
}

/// The rows of one.
pub(super) fn count(client: &mut Client, table: &str) -> anyhow::Result<u64> {
    let row = client.query_one(&count_query(table), &[]).with_context(|| format!("count {table}"))?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or_default())
}

/// Compares what was found with what should be there.
pub(super) fn compare(expected: &BTreeMap<String, u64>, found: &BTreeMap<String, u64>, proof: &mut Proof) {
    let mut names: Vec<&String> = expected.keys().chain(found.keys()).collect();
    names.sort();
    names.dedup();
    let one = |rows: &BTreeMap<String, u64>, name: &String| {
        rows.get(name).map(|rows| (name.clone(), *rows)).into_iter().collect::<BTreeMap<_, _>>()
    };
    let differences: Vec<String> =
        names.into_iter().filter_map(|name| row_differences(&one(expected, name), &one(found, name), false)).collect();
    if differences.is_empty() {
        let rows = found.values().sum::<u64>();
        proof.prove(format!(
            "{} the manifest's row counts, {}",
            counted(found.len(), "table has", "tables have"),
            if rows == 1 { "1 row".to_owned() } else { format!("{} rows", grouped(rows)) }
        ));
    }
    let rest = differences.len().saturating_sub(TOLD);
    differences.into_iter().take(TOLD).for_each(|difference| proof.refute(difference));
    if rest > 0 {
        proof.refute(format!("{rest} more tables differ from the manifest"));
    }
}

/// `20,000`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(expected: &[(&str, u64)], found: &[(&str, u64)]) -> Proof {
        let rows = |list: &[(&str, u64)]| list.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect();
        let mut proof = Proof::default();
        compare(&rows(expected), &rows(found), &mut proof);
        proof
    }

    #[test]
    fn each_table_that_differs_is_named() {
        let same = compared(&[("public.a", 19_000), ("public.b", 1_000)], &[("public.a", 19_000), ("public.b", 1_000)]);
        assert_eq!(same.proven, ["2 tables have the manifest's row counts, 20,000 rows"]);
        let differs = compared(&[("public.a", 3), ("public.b", 5)], &[("public.a", 2), ("public.c", 0)]);
        assert_eq!(differs.proven, [""; 0]);
        assert_eq!(
            differs.refuted,
            ["public.a has 2 rows and should have 3", "public.b is missing", "public.c should not be there"]
        );
        assert_eq!(compared(&[("t", 1)], &[("t", 1)]).proven, ["1 table has the manifest's row counts, 1 row"]);
        let many: Vec<(String, u64)> = (0..30).map(|n| (format!("t{n}"), 1)).collect();
        let many: Vec<(&str, u64)> = many.iter().map(|(name, rows)| (name.as_str(), *rows)).collect();
        let lost = compared(&many, &[]);
        assert_eq!((lost.refuted.len(), lost.refuted[20].as_str()), (21, "10 more tables differ from the manifest"));
    }
}
