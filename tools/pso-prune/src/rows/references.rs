//! Foreign keys that point to a table: what goes with its rows, and what keeps them.

use anyhow::{Context as _, ensure};
use pso_common::postgres::Transaction;

use super::tree;

const REFERENCES: &str = include_str!("../../queries/row_references.sql");

/// Longer chains are taken as a reason to keep the row.
const LONGEST: usize = 8;

/// What a foreign key does to the rows that refer to a row that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Cascade,
    SetNull,
    SetDefault,
}

impl Effect {
    pub(crate) const fn step(self) -> &'static str {
        match self {
            Self::Cascade => "cascade",
            Self::SetNull => "set_null",
            Self::SetDefault => "set_default",
        }
    }
}

/// A foreign key.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) name: String,
    pub(crate) from_name: String,
    from_oid: u32,
    from_sql: String,
    to_oid: u32,
    to_sql: String,
    columns: Vec<String>,
    keys: Vec<String>,
}

impl Reference {
    fn is_of_partitioned(&self) -> bool {
        !self.from_sql.starts_with("ONLY ")
    }

    fn joins(&self, from: &str, to: &str) -> String {
        let pairs = self.columns.iter().zip(&self.keys);
        pairs.map(|(column, key)| format!("{from}.{column} = {to}.{key}")).collect::<Vec<_>>().join(" AND ")
    }
}

/// Foreign keys one behind the other: the first points to the table, the next to the first one's, …
#[derive(Clone, Debug)]
pub(crate) struct Path(Vec<Reference>);

impl Path {
    /// The key at its far end.
    pub(crate) fn last(&self) -> Option<&Reference> {
        self.0.last()
    }

    /// Whether it begins at this table, or at a partitioned table, of which this is a partition then.
    pub(crate) fn starts_at(&self, table: u32) -> bool {
        self.0.first().is_some_and(|first| first.to_oid == table || !first.to_sql.starts_with("ONLY "))
    }

    /// Whether any row at its far end refers to the row `alias`.
    pub(crate) fn refers_to(&self, alias: &str) -> String {
        let mut inner = String::new();
        for (at, reference) in self.0.iter().enumerate().rev() {
            let to = if at == 0 { alias.to_owned() } else { format!("b{at}") };
            let own = format!("b{}", at + 1);
            let joins = reference.joins(&own, &to);
            inner = format!("EXISTS (SELECT 1 FROM {} AS {own} WHERE {joins}{inner})", reference.from_sql);
            if at > 0 {
                inner.insert_str(0, " AND ");
            }
        }
        inner
    }

    /// Counts the rows at its far end that refer to rows `r0` of `table`, each once.
    pub(crate) fn count(&self, table: &str, which: &str) -> String {
        let mut inner = format!("SELECT 1 FROM {table} AS r0 WHERE {which}");
        let mut counted = String::new();
        for (at, reference) in self.0.iter().enumerate() {
            let (to, own) = (format!("r{at}"), format!("r{}", at + 1));
            let rest =
                format!("{} AS {own} WHERE EXISTS ({inner} AND {})", reference.from_sql, reference.joins(&own, &to));
            counted = format!("SELECT pg_catalog.count(*) FROM {rest}");
            inner = format!("SELECT 1 FROM {rest}");
        }
        counted
    }

    /// The table that its first key points to.
    pub(crate) fn start(&self) -> Option<(&str, u32)> {
        self.0.first().map(|first| (first.to_sql.as_str(), first.to_oid))
    }
}

/// What refers to a table's rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct References {
    /// What goes, or is changed, with a row.
    pub(crate) dependents: Vec<(Path, Effect)>,
    /// What keeps a row from being deleted: RESTRICT and NO ACTION; and a cascade that comes back to a table that it has
    /// been at, because it would take rows that are not old.
    pub(crate) blockers: Vec<Path>,
}

impl References {
    /// Finds what refers to a table or its partitions.
    ///
    /// # Errors
    /// When a table that refers to it cannot be read, so that nobody can say what would go.
    pub(crate) fn find(tx: &mut Transaction<'_>, tree: &[u32]) -> anyhow::Result<Self> {
        let mut found = Self::default();
        found.follow(tx, tree, &mut tree.to_vec(), &Path(Vec::new()))?;
        Ok(found)
    }

    fn follow(
        &mut self,
        tx: &mut Transaction<'_>,
        tables: &[u32],
        seen: &mut Vec<u32>,
        path: &Path,
    ) -> anyhow::Result<()> {
        for row in tx.query(REFERENCES, &[&tables]).context("look for foreign keys")? {
            let reference = Reference {
                name: row.get("name"),
                from_name: row.get("from_name"),
                from_oid: row.get("from_oid"),
                from_sql: row.get("from_sql"),
                to_oid: row.get("to_oid"),
                to_sql: row.get("to_sql"),
                columns: row.get("columns"),
                keys: row.get("keys"),
            };
            ensure!(
                row.get::<_, bool>("is_readable"),
                "table {} refers to it ({}) and we may not read it, so what a deletion would do there cannot be counted; GRANT \
                 SELECT",
                reference.from_name,
                reference.name
            );
            let on_delete: String = row.get("on_delete");
            let below = if reference.is_of_partitioned() {
                tree::members(tx, reference.from_oid)?
            } else {
                vec![reference.from_oid]
            };
            let mut longer = path.clone();
            longer.0.push(reference);
            match on_delete.as_str() {
                "n" => self.dependents.push((longer, Effect::SetNull)),
                "d" => self.dependents.push((longer, Effect::SetDefault)),
                "c" if longer.0.len() <= LONGEST && !below.iter().any(|table| seen.contains(table)) => {
                    self.dependents.push((longer.clone(), Effect::Cascade));
                    let before = seen.len();
                    seen.extend(&below);
                    self.follow(tx, &below, seen, &longer)?;
                    seen.truncate(before);
                }
                _ => self.blockers.push(longer),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(from: &str, to: &str) -> Reference {
        Reference {
            name: String::new(),
            from_name: from.to_owned(),
            from_oid: 2,
            from_sql: format!("ONLY {from}"),
            to_oid: 1,
            to_sql: format!("ONLY {to}"),
            columns: vec!["\"a b\"".to_owned(), "c".to_owned()],
            keys: vec!["x".to_owned(), "y".to_owned()],
        }
    }

    #[test]
    fn a_chain_is_counted_from_its_far_end_and_seen_from_its_near_one() {
        let path = Path(vec![reference("child", "top"), reference("grandchild", "child")]);
        assert_eq!(
            path.count("top", "r0.at < $1"),
            "SELECT pg_catalog.count(*) FROM ONLY grandchild AS r2 WHERE EXISTS (SELECT 1 FROM ONLY child AS r1 WHERE EXISTS \
             (SELECT 1 FROM top AS r0 WHERE r0.at < $1 AND r1.\"a b\" = r0.x AND r1.c = r0.y) AND r2.\"a b\" = r1.x AND r2.c \
             = r1.y)"
        );
        assert_eq!(
            path.refers_to("t"),
            "EXISTS (SELECT 1 FROM ONLY child AS b1 WHERE b1.\"a b\" = t.x AND b1.c = t.y AND EXISTS (SELECT 1 FROM ONLY \
             grandchild AS b2 WHERE b2.\"a b\" = b1.x AND b2.c = b1.y))"
        );
    }
}
