//! `amcheck`: every row of a heap can be read, and every row is in its B-tree, in order.
//! <https://www.postgresql.org/docs/current/amcheck.html>

use anyhow::Context as _;
use pso_common::output::printable;
use pso_common::postgres::Client;

use super::super::left_out::counted;
use crate::proof::Proof;

/// The schema that the extension is put into where the dump has none: nothing of the dump is called so.
const SCHEMA: &str = "pso_rehearse_amcheck";
/// For how many bytes of tables, the smallest first, each row is looked for in each B-tree: with 1.5 million rows that took 1.2
/// seconds an index, 60 times as long as looking whether the index is in order. PostgreSQL has just built these indexes from
/// these rows, so it can only show that a function in an index is none (it gives another value the second time).
const ROWS_LOOKED_FOR: i64 = 128 << 20;
/// How many findings are told one by one.
const TOLD: usize = 10;

/// Something to look at.
#[derive(Debug)]
pub(super) struct Relation {
    name: String,
    is_index: bool,
    /// Whether each row is looked for.
    with_rows: bool,
    statement: String,
}

/// What was seen.
#[derive(Debug)]
pub(super) struct Finding {
    is_index: bool,
    with_rows: bool,
    /// What is wrong; `None` where nothing is.
    damage: Option<Damage>,
}

/// What is wrong, and with what.
#[derive(Debug)]
enum Damage {
    /// An index is not what its functions make of the rows now: so it comes of every restore.
    Order(String),
    /// What PostgreSQL has just written is not what it reads: no dump brings pages of a disk with it.
    Pages(String),
}

/// Installs it, and lists what it can look at. Where it cannot be installed, that is left.
pub(super) fn prepare(client: &mut Client, proof: &mut Proof) -> anyhow::Result<Vec<Relation>> {
    let there = "SELECT n.nspname::text, e.extversion FROM pg_catalog.pg_extension AS e \
                 JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'amcheck'";
    if client.query_opt(there, &[]).context("look for amcheck")?.is_none() {
        let create = format!("CREATE SCHEMA {SCHEMA}; CREATE EXTENSION amcheck SCHEMA {SCHEMA}");
        if let Err(error) = client.batch_execute(&create) {
            let said = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
            anyhow::ensure!(!client.is_closed(), "the scratch server has gone");
            proof.leave(format!(
                "no heap and no B-tree was looked through by amcheck ({}); it comes with PostgreSQL's contrib modules \
                 (Red Hat: postgresql-contrib)",
                printable(&said)
            ));
            return Ok(Vec::new());
        }
    }
    let row = client.query_one(there, &[]).context("look for amcheck")?;
    let (schema, version): (String, String) = (row.get(0), row.get(1));
    let number = |at: usize| version.split('.').nth(at).and_then(|part| part.parse::<u32>().ok()).unwrap_or_default();
    let knows_heaps = (number(0), number(1)) >= (1, 3);
    if !knows_heaps {
        proof.leave(format!(
            "no heap was looked through: amcheck {version} knows B-trees only (PostgreSQL 14 knows both)"
        ));
    }
    let schema = super::super::database::ident(&schema);
    let rows = client.query(include_str!("../../../queries/amcheck.sql"), &[]).context("list heaps and B-trees")?;
    let mut left = ROWS_LOOKED_FOR;
    // The smallest first, for what is left of the budget; then the largest first, for what takes long.
    let relations = rows.iter().rev().map(|row| {
        let (oid, name, kind): (u32, String, String) = (row.get("oid"), row.get("name"), row.get("kind"));
        let is_index = kind == "i";
        let size: i64 = row.get("scanned_bytes");
        let with_rows = is_index && size <= left;
        if with_rows {
            left -= size;
        }
        let statement = if is_index {
            format!("SELECT {schema}.bt_index_check({oid}::pg_catalog.regclass, {with_rows})")
        } else {
            format!(
                "SELECT blkno, offnum, msg FROM {schema}.verify_heapam({oid}::pg_catalog.regclass, \
                 on_error_stop => true, check_toast => true) LIMIT 1"
            )
        };
        Relation { name, is_index, with_rows, statement }
    });
    let relations: Vec<Relation> = relations.collect();
    Ok(relations.into_iter().rev().filter(|relation| relation.is_index || knows_heaps).collect())
}

/// Looks at one.
pub(super) fn look(client: &mut Client, relation: Relation) -> anyhow::Result<Finding> {
    let Relation { name, is_index, with_rows, statement } = relation;
    let damage = match client.query(&statement, &[]) {
        Ok(rows) if is_index => {
            drop(rows);
            None
        }
        Ok(rows) => rows.first().map(|row| {
            let (block, message): (Option<i64>, Option<String>) = (row.get("blkno"), row.get("msg"));
            let at = block.map_or_else(String::new, |block| format!(" in block {block}"));
            Damage::Pages(format!("{name} is damaged{at}: {}", printable(&message.unwrap_or_default())))
        }),
        // It says of an index that it is damaged by an error: index_corrupted; and anybody of a page: data_corrupted.
        Err(error) => match error.as_db_error() {
            Some(said) if matches!(said.code().code(), "XX001" | "XX002") => {
                let text = format!("{name} is damaged: {}", printable(said.message()));
                // `verify_nbtree.c` says data_corrupted of a row that is not in its index, too.
                let is_order = said.code().code() == "XX002" || said.message().contains("lacks matching index tuple");
                let is_order = is_index && is_order;
                Some(if is_order { Damage::Order(text) } else { Damage::Pages(text) })
            }
            _ => return Err(error).with_context(|| format!("look through {name}")),
        },
    };
    Ok(Finding { is_index, with_rows, damage })
}

/// Says what was seen.
pub(super) fn tell(findings: Vec<Finding>, proof: &mut Proof) {
    let sound =
        |index: bool| findings.iter().filter(|finding| finding.is_index == index && finding.damage.is_none()).count();
    let (heaps, trees) = (sound(false), sound(true));
    if heaps > 0 {
        proof.prove(format!("amcheck finds nothing wrong in {}", counted(heaps, "table", "tables")));
    }
    if trees > 0 {
        let with_rows = findings.iter().filter(|finding| finding.with_rows && finding.damage.is_none()).count();
        let rows = match with_rows {
            0 => String::new(),
            all if all == trees => ", with every row in it".to_owned(),
            some => format!(", with every row in the {some} of the smallest tables"),
        };
        proof.prove(format!("amcheck finds {} in order{rows}", counted(trees, "B-tree index", "B-tree indexes")));
    }
    let (mut orders, mut pages) = (Vec::new(), Vec::new());
    for damage in findings.into_iter().filter_map(|finding| finding.damage) {
        match damage {
            Damage::Order(text) => orders.push(text),
            Damage::Pages(text) => pages.push(text),
        }
    }
    if let Some(first) = pages.first() {
        proof.cannot_tell(format!(
            "{first} ({} so); it was written a moment ago, and a dump has no pages: look at this machine's disk and memory",
            counted(pages.len(), "table or index is", "tables and indexes are")
        ));
    }
    let rest = orders.len().saturating_sub(TOLD);
    orders.into_iter().take(TOLD).for_each(|damage| proof.refute(damage));
    if rest > 0 {
        proof.refute(format!("amcheck finds {rest} more damaged"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_pages_are_of_the_machine_and_an_order_that_does_not_hold_of_the_dump() {
        let of = |damage| {
            let mut proof = Proof::default();
            tell(vec![Finding { is_index: true, with_rows: true, damage: Some(damage) }], &mut proof);
            proof
        };
        assert_eq!(of(Damage::Order("public.i is damaged: x".to_owned())).refuted, ["public.i is damaged: x"]);
        let pages = of(Damage::Pages("public.t is damaged in block 7: x".to_owned()));
        assert_eq!((pages.refuted.len(), pages.severity()), (0, pso_common::Severity::Unknown));
        assert!(pages.message().contains("this machine's disk and memory"), "{}", pages.message());
    }
}
