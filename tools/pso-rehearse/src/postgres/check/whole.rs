//! Constraints, indexes, extensions and large objects: nothing that would make the database less than it was.

use std::collections::BTreeMap;

use anyhow::Context as _;
use pso_archive::custom::Toc;
use pso_common::postgres::Client;

use super::super::left_out::counted;
use super::Checked;
use crate::proof::Proof;

/// How many names are told one by one.
const TOLD: usize = 20;

pub(super) fn check(checked: &Checked<'_>, client: &mut Client, proof: &mut Proof) -> anyhow::Result<()> {
    let numbers = client.query_one(include_str!("../../../queries/numbers.sql"), &[]).context("count what there is")?;
    let number = |name: &str| usize::try_from(numbers.get::<_, i64>(name)).unwrap_or_default();
    invalid(checked, client, (number("constraints"), number("indexes")), proof)?;
    extensions(checked, client, proof)?;
    if let Some(dumped) = checked.large_objects {
        large_objects(dumped, number("large_objects") as u64, proof);
    }
    Ok(())
}

fn invalid(
    checked: &Checked<'_>,
    client: &mut Client,
    (constraints, indexes): (usize, usize),
    proof: &mut Proof,
) -> anyhow::Result<()> {
    let rows = client.query(include_str!("../../../queries/invalid.sql"), &[]).context("look at the constraints")?;
    let (mut as_before, mut unchecked, mut unusable) = (Vec::new(), 0, 0);
    for row in rows {
        let (kind, schema, name, of): (String, String, String, String) =
            (row.get("kind"), row.get("schema"), row.get("name"), row.get("of"));
        let is_constraint = !kind.ends_with("index");
        *(if is_constraint { &mut unchecked } else { &mut unusable }) += 1;
        let as_dumped = checked.toc.is_none_or(|toc| match kind.as_str() {
            // One that a partition has no part of, or that is not attached everywhere: so it is made.
            "partitioned index" => true,
            "index" => false,
            _ => is_made_unchecked(toc, &name),
        });
        let what = if is_constraint { "does not hold for every row" } else { "cannot be used" };
        match as_dumped {
            true => as_before.push(format!("{schema}.{of}: {name}")),
            false => proof.refute(format!("the {kind} {name} of {schema}.{of} {what}")),
        }
    }
    if constraints > unchecked {
        proof.prove(format!("{} validated", counted(constraints - unchecked, "constraint is", "constraints are")));
    }
    if indexes > unusable {
        proof.prove(format!("{} valid", counted(indexes - unusable, "index is", "indexes are")));
    }
    if !as_before.is_empty() {
        let told = as_before.len().min(TOLD);
        let more = if as_before.len() > told { ", …" } else { "" };
        proof.leave(format!(
            "{} not valid in the dump already: {}{more}",
            counted(as_before.len(), "constraint or index is", "constraints or indexes are"),
            as_before[..told].join(", ")
        ));
    }
    Ok(())
}

/// How a constraint is made that need not hold for every row; the second since PostgreSQL 18.
const UNCHECKED: [&str; 2] = ["NOT VALID", "NOT ENFORCED"];

/// Whether the dump makes a constraint of this name as one of those: by itself, or with its table or domain.
fn is_made_unchecked(toc: &Toc, name: &str) -> bool {
    let is_unchecked = |definition: &str| UNCHECKED.iter().any(|words| definition.contains(words));
    let mut made = toc.entries.iter().filter(|entry| is_unchecked(&entry.definition));
    made.any(|entry| entry.definition.contains(name) || entry.definition.contains(&name.replace('"', "\"\"")))
}

/// Every extension that the dump makes.
fn extensions(checked: &Checked<'_>, client: &mut Client, proof: &mut Proof) -> anyhow::Result<()> {
    let Some(toc) = checked.toc else { return Ok(()) };
    let rows = client.query(include_str!("../../../queries/extensions.sql"), &[]).context("list the extensions")?;
    let there: BTreeMap<String, String> = rows.iter().map(|row| (row.get("name"), row.get("version"))).collect();
    let mut found = Vec::new();
    for entry in toc.entries.iter().filter(|entry| entry.desc == "EXTENSION") {
        match there.get(&entry.tag) {
            Some(version) => found.push(format!("{} {version}", entry.tag)),
            None => proof.refute(format!("the extension {} is missing", entry.tag)),
        }
    }
    if !found.is_empty() {
        let there = counted(found.len(), "extension is", "extensions are");
        proof.prove(format!("{there} there: {}", found.join(", ")));
        proof.leave("a dump does not say which versions its extensions had: those of this machine were taken");
    }
    Ok(())
}

fn large_objects(dumped: u64, found: u64, proof: &mut Proof) {
    if dumped != found {
        proof.refute(format!("there are {found} large objects and should be {dumped}"));
    } else if found > 0 {
        let number = usize::try_from(found).unwrap_or(usize::MAX);
        proof.prove(format!("{} there, as in the dump", counted(number, "large object is", "large objects are")));
    }
}
