//! The vectors: collections `plans` and `tasks`, and an alias.

use std::collections::BTreeMap;

use anyhow::Result;
use fastrand::Rng;
use serde_json::{Value, json};

use super::words::{TOPICS, pick, sentence, uuid};
use super::{Spec, plans};
use crate::qdrant::{Point, QdrantClient};

/// Dimensions of every vector.
pub const DIMENSIONS: usize = 384;

/// The alias of the collection `plans`.
pub const ALIAS: &str = "plans_current";

/// Creates both collections and the alias and fills them. Gives the points of each collection; together they are `spec.points`.
///
/// # Errors
/// When the store refuses.
pub fn fill_qdrant(client: &QdrantClient, spec: &Spec) -> Result<BTreeMap<String, u64>> {
    let mut random = spec.random("points");
    let files = plans::plans(spec);
    let in_plans = spec.points * 3 / 10;
    // Numbers as ids in one collection, UUIDs in the other: both are allowed.
    let plan = |number: usize, random: &mut Rng| {
        let file = files.get(number % files.len().max(1));
        let payload = json!({
            "title": file.map(|file| file.title.as_str()),
            "path": file.map(|file| format!("roadmaps/plans/{}", file.path)),
            "section": format!("Phase {} : {}", number + 1, pick(random, &TOPICS)),
            "tags": ["été", "📊"],
        });
        (json!(number + 1), payload)
    };
    let task = |number: usize, random: &mut Rng| {
        let payload = json!({
            "description": sentence(random),
            "priority": pick(random, &["low", "medium", "high", "critical"]),
            "progress": f64::from(random.u8(..=100)) / 8.0,
            "assignee": if number.is_multiple_of(5) { Value::Null } else { json!({"nom": "Zoé", "équipe": "données"}) },
        });
        (Value::from(uuid(random)), payload)
    };
    fill(client, "plans", in_plans, &mut random, plan)?;
    fill(client, "tasks", spec.points - in_plans, &mut random, task)?;
    client.create_alias(ALIAS, "plans")?;
    let counts = [("plans", in_plans), ("tasks", spec.points - in_plans)];
    Ok(counts.map(|(name, count)| (name.to_owned(), count as u64)).into())
}

fn fill(
    client: &QdrantClient,
    collection: &str,
    count: usize,
    random: &mut Rng,
    describe: impl Fn(usize, &mut Rng) -> (Value, Value),
) -> Result<()> {
    client.create_collection(collection, DIMENSIONS)?;
    let points: Vec<Point> = (0..count)
        .map(|number| {
            let (id, payload) = describe(number, random);
            // Four decimals keep the request short.
            let vector = (0..DIMENSIONS).map(|_| f32::from(random.i16(-9_999..=9_999)) / 10_000.0).collect();
            Point { id, vector, payload }
        })
        .collect();
    client.upsert(collection, &points)
}
