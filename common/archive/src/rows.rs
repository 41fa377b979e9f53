//! How the rows of a database are counted: by the backup in the dump's snapshot, and by whoever compares with it.

use std::collections::BTreeMap;

use anyhow::Context as _;
use pso_common::io::Cancel;
use pso_common::postgres::Client;

/// The user tables that hold rows of their own, quoted where SQL would quote them.
///
/// # Errors
/// When the database refuses.
pub fn user_tables(client: &mut Client) -> anyhow::Result<Vec<String>> {
    let rows = client.query(include_str!("../queries/tables.sql"), &[]).context("list the tables")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The number of rows of each user table, in the session's transaction. Row security is an error, not a smaller count,
/// where the session sets `row_security = off`.
///
/// # Errors
/// When the database refuses, or the run is to stop.
pub fn count_rows(client: &mut Client, cancel: &Cancel) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut rows = BTreeMap::new();
    for table in user_tables(client)? {
        cancel.check()?;
        let count = client.query_one(&count_query(&table), &[]).with_context(|| format!("count {table}"))?;
        rows.insert(table, u64::try_from(count.get::<_, i64>(0)).unwrap_or_default());
    }
    Ok(rows)
}

/// The statement that counts one table, whose name the server has quoted. What inherits from it is counted by itself.
#[must_use]
pub fn count_query(table: &str) -> String {
    format!("SELECT pg_catalog.count(*) FROM ONLY {table}")
}

/// What differs from the rows that should be there, in one sentence; `None` when nothing does. Tables that should not
/// be there count unless `others_allowed`.
#[must_use]
pub fn row_differences(
    expected: &BTreeMap<String, u64>,
    found: &BTreeMap<String, u64>,
    others_allowed: bool,
) -> Option<String> {
    let mut differences: Vec<String> = expected
        .iter()
        .filter_map(|(table, rows)| match found.get(table) {
            Some(found) if found == rows => None,
            Some(found) => Some(format!("{table} has {found} rows and should have {rows}")),
            None => Some(format!("{table} is missing")),
        })
        .collect();
    if !others_allowed {
        let others = found.keys().filter(|table| !expected.contains_key(*table));
        differences.extend(others.map(|table| format!("{table} should not be there")));
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_each_table() {
        let rows = |list: &[(&str, u64)]| list.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect();
        let expected = rows(&[("public.plans", 3), ("public.tasks", 5)]);
        assert_eq!(row_differences(&expected, &expected, false), None);
        let found = rows(&[("public.plans", 2), ("public.new", 0)]);
        let told = row_differences(&expected, &found, false).expect("different");
        assert_eq!(
            told,
            "public.plans has 2 rows and should have 3; public.tasks is missing; public.new should not be there"
        );
        assert!(!row_differences(&expected, &found, true).expect("different").contains("new"));
    }
}
