//! Calls about the points of a collection and the indexes on their payloads.

use qdrant_edge::{
    CountRequest, CreateIndex, DEFAULT_VECTOR_NAME, FieldIndexOperations, Filter, Payload, PayloadFieldSchema, PointId,
    PointInsertOperations, PointOperations, PointStructPersisted, Record, ScrollRequest, UpdateOperation,
    VectorPersisted, VectorStructPersisted,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::answer::{Answer, Failure};
use crate::call::Call;
use crate::collection::Collection;
use crate::store::Store;

/// `POST …/points/count`.
pub(crate) fn count(store: &Store, call: &mut Call<'_>, name: &str) -> Result<Answer, Failure> {
    let request: CountRequest = call.json()?;
    let count = store.get(name)?.read(|shard| Ok(shard.count(request)?))?;
    Answer::result(&json!({ "count": count }))
}

/// One page of points.
#[derive(Serialize)]
struct Page {
    points: Vec<Point>,
    next_page_offset: Option<PointId>,
}

#[derive(Serialize)]
struct Point {
    id: PointId,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Payload>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vector: Option<VectorStructPersisted>,
}

impl From<Record> for Point {
    fn from(record: Record) -> Self {
        Self { id: record.id, payload: record.payload, vector: record.vector.map(VectorStructPersisted::from) }
    }
}

/// `POST …/points/scroll`.
pub(crate) fn scroll(store: &Store, call: &mut Call<'_>, name: &str) -> Result<Answer, Failure> {
    let request: ScrollRequest = call.json()?;
    if request.limit == Some(0) {
        let message = "Validation error in JSON body: [limit: value 0 invalid, must be 1 or larger]";
        return Err(Failure::invalid(message));
    }
    let (records, next_page_offset) = store.get(name)?.read(|shard| Ok(shard.scroll(request)?))?;
    Answer::result(&Page { points: records.into_iter().map(Point::from).collect(), next_page_offset })
}

/// The body of `PUT …/points`. A real server takes a `batch` of columns too.
#[derive(Deserialize)]
struct Upsert {
    points: Vec<PointStructPersisted>,
}

/// `PUT …/points`.
pub(crate) fn upsert(store: &Store, call: &mut Call<'_>, name: &str) -> Result<Answer, Failure> {
    let Upsert { points } = call.json()?;
    let collection = store.get(name)?;
    for point in &points {
        check_vectors(&collection, &point.vector)?;
    }
    let operation = PointOperations::UpsertPoints(PointInsertOperations::PointsList(points));
    apply(call, &collection, UpdateOperation::PointOperation(operation))
}

/// Refuses vectors that do not fit, before the engine writes them to its log.
fn check_vectors(collection: &Collection, vectors: &VectorStructPersisted) -> Result<(), Failure> {
    let check = |name: &str, received: usize| match collection.vector_size(name) {
        None => Err(Failure::wrong_input(format_args!("Not existing vector name error: {name}"))),
        Some(expected) if expected != received => {
            Err(Failure::wrong_input(format_args!("Vector dimension error: expected dim: {expected}, got {received}")))
        }
        Some(_) => Ok(()),
    };
    match vectors {
        VectorStructPersisted::Single(vector) => check(DEFAULT_VECTOR_NAME, vector.len()),
        VectorStructPersisted::Named(named) => named.iter().try_for_each(|(name, vector)| match vector {
            VectorPersisted::Dense(vector) => check(name, vector.len()),
            VectorPersisted::Sparse(_) | VectorPersisted::MultiDense(_) => Err(unsupported_vectors()),
        }),
        VectorStructPersisted::MultiDense(_) => Err(unsupported_vectors()),
    }
}

fn unsupported_vectors() -> Failure {
    Failure::unsupported("sparse vectors and multivectors")
}

/// The body of `POST …/points/delete`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Delete {
    Points(Vec<PointId>),
    Filter(Filter),
}

/// `POST …/points/delete`.
pub(crate) fn delete(store: &Store, call: &mut Call<'_>, name: &str) -> Result<Answer, Failure> {
    let operation = match call.json()? {
        Delete::Points(ids) => PointOperations::DeletePoints { ids },
        Delete::Filter(filter) => PointOperations::DeletePointsByFilter(filter),
    };
    let collection = store.get(name)?;
    apply(call, &collection, UpdateOperation::PointOperation(operation))
}

/// The body of `PUT …/index`.
#[derive(Deserialize)]
struct NewIndex {
    field_name: qdrant_edge::JsonPath,
    #[serde(alias = "field_type")]
    field_schema: Option<PayloadFieldSchema>,
}

/// `PUT …/index`.
pub(crate) fn create_index(store: &Store, call: &mut Call<'_>, name: &str) -> Result<Answer, Failure> {
    let NewIndex { field_name, field_schema } = call.json()?;
    let schema = field_schema.ok_or_else(|| Failure::unsupported("an index without a `field_schema`"))?;
    let collection = store.get(name)?;
    let (field, kept) = (field_name.to_string(), schema.clone());
    let operation = FieldIndexOperations::CreateIndex(CreateIndex { field_name, field_schema: Some(schema) });
    let answer = apply(call, &collection, UpdateOperation::FieldIndexOperation(operation))?;
    collection.save_payload_schema(|schema| {
        schema.schema.insert(field, kept);
    })?;
    Ok(answer)
}

/// `DELETE …/index/{field}`.
pub(crate) fn delete_index(store: &Store, call: &Call<'_>, name: &str, field: &str) -> Result<Answer, Failure> {
    let path = field.parse().map_err(|()| Failure::wrong_input(format_args!("Invalid field name: {field}")))?;
    let collection = store.get(name)?;
    let operation = UpdateOperation::FieldIndexOperation(FieldIndexOperations::DeleteIndex(path));
    let answer = apply(call, &collection, operation)?;
    collection.save_payload_schema(|schema| {
        schema.schema.remove(field);
    })?;
    Ok(answer)
}

/// Applies an operation. It is always done when answered; without `wait=true` a real server may still be at it, and
/// says `acknowledged`, so this one does too.
fn apply(call: &Call<'_>, collection: &Collection, operation: UpdateOperation) -> Result<Answer, Failure> {
    let status = if call.wait(false)? { "completed" } else { "acknowledged" };
    let operation_id = collection.update(operation)?;
    Answer::result(&json!({ "operation_id": operation_id, "status": status }))
}
