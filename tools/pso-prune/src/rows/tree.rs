//! A table and its partitions.

use pso_common::postgres::Transaction;

const TREE: &str = include_str!("../../queries/row_tree.sql");

/// A table, or a part of one.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) oid: u32,
    pub(crate) parent: Option<u32>,
    /// A concurrent detaching of it was begun and did not end.
    pub(crate) pending: bool,
    /// A run of ours has begun that.
    pub(crate) is_marked: bool,
    pub(crate) name: String,
    pub(crate) sql: String,
    kind: String,
    pub(crate) is_ours: bool,
    /// The column by whose ranges its parent is divided, where it is only that.
    pub(crate) divided_by: Option<String>,
    /// As it is written in CREATE TABLE.
    pub(crate) bound: Option<String>,
    /// The end of its range: the first value that is not in it.
    pub(crate) until: Option<String>,
    /// Its parent has a default partition.
    pub(crate) beside_default: bool,
    /// The triggers that deleting a row would fire.
    pub(crate) triggers: Vec<String>,
}

impl Node {
    /// Whether it has rows of its own.
    pub(crate) fn has_rows(&self) -> bool {
        self.kind == "r"
    }

    /// Whether its rows are on another server.
    pub(crate) fn is_foreign(&self) -> bool {
        self.kind == "f"
    }
}

/// The comment by which a run marks a partition that it is about to detach in order to drop it.
pub(crate) fn mark(root: u32) -> String {
    format!("pso-prune: to be dropped, detached from table {root}")
}

/// A table and everything below it, parents first.
pub(crate) fn tree(tx: &mut Transaction<'_>, table: u32) -> anyhow::Result<Vec<Node>> {
    let mut nodes: Vec<Node> = Vec::new();
    for row in tx.query(TREE, &[&table, &mark(table)])? {
        let oid = row.get("oid");
        // What has two parents is there once.
        if nodes.iter().any(|node| node.oid == oid) {
            continue;
        }
        nodes.push(Node {
            oid,
            parent: row.get("parent"),
            pending: row.get("pending"),
            is_marked: row.get("is_marked"),
            name: row.get("name"),
            sql: row.get("sql"),
            kind: row.get("kind"),
            is_ours: row.get("is_ours"),
            divided_by: row.get("divided_by"),
            bound: row.get("bound"),
            until: row.get("until"),
            beside_default: row.get("beside_default"),
            triggers: row.get("triggers"),
        });
    }
    Ok(nodes)
}

/// The same, only what they are.
pub(crate) fn members(tx: &mut Transaction<'_>, table: u32) -> anyhow::Result<Vec<u32>> {
    Ok(tree(tx, table)?.into_iter().map(|node| node.oid).collect())
}
