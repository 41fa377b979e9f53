//! Every point of a shard, read back with its vectors and its payload.

use std::collections::BTreeMap;

use anyhow::Context as _;
use qdrant_edge::external::uuid::Uuid;
use qdrant_edge::{
    DEFAULT_VECTOR_NAME, EdgeShard, PointId, Record, ScrollRequest, SparseVector, VectorInternal, VectorStructInternal,
    WithPayloadInterface, WithVector,
};

use super::config::{Dense, Shape};

/// How many bytes of vectors are read at once, about.
const BATCH_BYTES: usize = 2 << 20;
/// The most points that are read at once, since payloads come with them.
const MOST_POINTS: usize = 500;
/// So many faults are named; the rest are counted.
const NAMED_FAULTS: usize = 3;

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Different points.
    pub(super) points: u64,
    /// Vectors by name. A multivector is one.
    pub(super) vectors: BTreeMap<String, u64>,
    /// Those of them in which every number is zero, by name.
    pub(super) zeros: BTreeMap<String, u64>,
    /// Points with a payload that is not empty.
    pub(super) payloads: u64,
    /// The first things that are wrong.
    pub(super) faults: Vec<String>,
    /// How many things are wrong.
    pub(super) faulty: u64,
}

impl Seen {
    fn fault(&mut self, what: impl FnOnce() -> String) {
        self.faulty += 1;
        if self.faults.len() < NAMED_FAULTS {
            self.faults.push(what());
        }
    }

    fn look(&mut self, record: &Record, shapes: &BTreeMap<String, Shape>) {
        self.points += 1;
        match &record.payload {
            None => self.fault(|| format!("point {} has no payload, not even an empty one", record.id)),
            Some(payload) => self.payloads += u64::from(!payload.0.is_empty()),
        }
        let mut one = |name: &str, vector: Vector<'_>| {
            // The name is there already but for the first point.
            match self.vectors.get_mut(name) {
                Some(count) => *count += 1,
                None => drop(self.vectors.insert(name.to_owned(), 1)),
            }
            if vector.is_zero() {
                *self.zeros.entry(name.to_owned()).or_default() += 1;
            }
            if let Some(fault) = fault_of(vector, shapes.get(name)) {
                let called = if name.is_empty() { String::new() } else { format!(" {name:?}") };
                self.fault(|| format!("the vector{called} of point {} {fault}", record.id));
            }
        };
        match &record.vector {
            None => {}
            Some(VectorStructInternal::Single(vector)) => one(DEFAULT_VECTOR_NAME, Vector::Dense(vector)),
            Some(VectorStructInternal::MultiDense(multi)) => {
                one(DEFAULT_VECTOR_NAME, Vector::Multi(&multi.flattened_vectors, multi.dim));
            }
            Some(VectorStructInternal::Named(named)) => {
                for (name, vector) in named {
                    let vector = match vector {
                        VectorInternal::Dense(vector) => Vector::Dense(vector),
                        VectorInternal::MultiDense(multi) => Vector::Multi(&multi.flattened_vectors, multi.dim),
                        VectorInternal::Sparse(sparse) => Vector::Sparse(sparse),
                    };
                    one(name, vector);
                }
            }
        }
    }
}

/// One vector as the engine gives it.
#[derive(Clone, Copy)]
enum Vector<'a> {
    Dense(&'a [f32]),
    Multi(&'a [f32], usize),
    Sparse(&'a SparseVector),
}

impl Vector<'_> {
    /// Whether there is nothing in it: what a hole in a file reads as.
    fn is_zero(self) -> bool {
        let (Self::Dense(numbers) | Self::Multi(numbers, _)) = self else { return false };
        numbers.iter().all(|number| *number == 0.0)
    }
}

/// What is wrong with a vector.
fn fault_of(vector: Vector<'_>, shape: Option<&Shape>) -> Option<String> {
    match (vector, shape) {
        (_, None) => Some("has a name that the collection does not have".to_owned()),
        (Vector::Dense(numbers), Some(Shape::Dense(dense))) => fault_of_dense(numbers, *dense),
        (Vector::Multi(numbers, size), Some(Shape::Multi(dense))) => fault_of_multi(numbers, size, *dense),
        // The engine gives a multivector of one as a vector.
        (Vector::Dense(numbers), Some(Shape::Multi(dense))) => fault_of_multi(numbers, numbers.len(), *dense),
        (Vector::Sparse(sparse), Some(Shape::Sparse)) => fault_of_sparse(sparse),
        (_, Some(shape)) => Some(format!("is not {shape:?}")),
    }
}

fn fault_of_dense(numbers: &[f32], dense: Dense) -> Option<String> {
    if numbers.len() != dense.size {
        return Some(format!("has {} numbers and should have {}", numbers.len(), dense.size));
    }
    if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
        return Some(format!("is not finite: number {} is {}", at + 1, numbers[at]));
    }
    let tolerance = dense.unit?;
    let squared: f64 = numbers.iter().map(|&number| f64::from(number) * f64::from(number)).sum();
    // One of zeros has no direction and stays as it is.
    let is_zero = squared <= 2.0 * f64::from(f32::EPSILON);
    (!is_zero && (squared - 1.0).abs() > tolerance).then(|| {
        let length = squared.sqrt();
        let length = if length < 1e6 { format!("{length:.5}") } else { format!("{length:.1e}") };
        format!("has the length {length}, and Qdrant keeps those of a Cosine collection at length 1")
    })
}

fn fault_of_multi(numbers: &[f32], size: usize, dense: Dense) -> Option<String> {
    if size != dense.size || size == 0 || !numbers.len().is_multiple_of(size) {
        return Some(format!(
            "has {} numbers in rows of {size}, and should have rows of {}",
            numbers.len(),
            dense.size
        ));
    }
    numbers.chunks_exact(size).find_map(|row| fault_of_dense(row, dense))
}

fn fault_of_sparse(sparse: &SparseVector) -> Option<String> {
    let SparseVector { indices, values } = sparse;
    if indices.len() != values.len() {
        return Some(format!("has {} indices and {} values", indices.len(), values.len()));
    }
    let mut sorted = indices.clone();
    sorted.sort_unstable();
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Some(format!("has the index {} twice", twice[0]));
    }
    let wrong = values.iter().find(|value| !value.is_finite())?;
    Some(format!("is not finite: it has the value {wrong}"))
}

/// Reads every point of a shard; `each` is told the id of every point, in order, and `progress` how many were read.
///
/// # Errors
/// When the engine cannot read one, or `progress` does not want to go on.
pub(super) fn read_all(
    shard: &EdgeShard,
    shapes: &BTreeMap<String, Shape>,
    seen: &mut Seen,
    mut progress: impl FnMut(u64) -> anyhow::Result<()>,
    mut each: impl FnMut(PointId) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let limit = batch(shapes);
    let mut offset = Some(PointId::NumId(0));
    while let Some(from) = offset {
        let (records, next) = page(shard, from, limit, true)?;
        for record in &records {
            seen.look(record, shapes);
            each(record.id)?;
        }
        // The engine takes a page with a point that it could not find again for the last one. The next page says.
        offset = next.or_else(|| records.last().and_then(|last| after(last.id)));
        progress(seen.points)?;
    }
    Ok(())
}

/// One page of points.
pub(super) fn page(
    shard: &EdgeShard,
    from: PointId,
    limit: usize,
    whole: bool,
) -> anyhow::Result<(Vec<Record>, Option<PointId>)> {
    let request = ScrollRequest {
        offset: Some(from),
        limit: Some(limit),
        filter: None,
        with_payload: Some(WithPayloadInterface::Bool(whole)),
        with_vector: WithVector::Bool(whole),
        order_by: None,
    };
    shard.scroll(request).with_context(|| format!("read the points from {from} on"))
}

/// The id that follows: numbers come before UUIDs.
fn after(id: PointId) -> Option<PointId> {
    match id {
        PointId::NumId(number) => Some(number.checked_add(1).map_or(PointId::Uuid(Uuid::nil()), PointId::NumId)),
        PointId::Uuid(uuid) => uuid.as_u128().checked_add(1).map(|next| PointId::Uuid(Uuid::from_u128(next))),
    }
}

/// How many points are read at once.
fn batch(shapes: &BTreeMap<String, Shape>) -> usize {
    let numbers: usize = shapes
        .values()
        .map(|shape| match shape {
            Shape::Dense(dense) => dense.size,
            // As many rows as are usual where there are many.
            Shape::Multi(dense) => dense.size.saturating_mul(128),
            Shape::Sparse => 256,
        })
        .fold(1, usize::saturating_add);
    (BATCH_BYTES / numbers.saturating_mul(size_of::<f32>())).clamp(1, MOST_POINTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_has_its_dimension_is_finite_and_of_length_one_where_qdrant_keeps_it_so() {
        let dense = |size, unit| Shape::Dense(Dense { size, unit });
        let fault = |numbers: &[f32], shape: Shape| fault_of(Vector::Dense(numbers), Some(&shape));
        assert_eq!(fault(&[3.0, 4.0], dense(2, None)), None);
        assert_eq!(fault(&[0.6, 0.8], dense(2, Some(1e-3))), None);
        assert_eq!(fault(&[0.0, 0.0], dense(2, Some(1e-3))), None);
        assert_eq!(
            fault(&[3.0, 4.0], dense(2, Some(1e-3))).as_deref(),
            Some("has the length 5.00000, and Qdrant keeps those of a Cosine collection at length 1")
        );
        assert_eq!(fault(&[3.0], dense(2, None)).as_deref(), Some("has 1 numbers and should have 2"));
        assert_eq!(fault(&[0.0, f32::NAN], dense(2, None)).as_deref(), Some("is not finite: number 2 is NaN"));
        assert!(fault_of(Vector::Dense(&[1.0]), None).is_some());
    }

    #[test]
    fn multivectors_have_whole_rows_and_sparse_ones_each_index_once() {
        let shape = Shape::Multi(Dense { size: 2, unit: None });
        assert_eq!(fault_of(Vector::Multi(&[1.0, 2.0, 3.0, 4.0], 2), Some(&shape)), None);
        assert!(fault_of(Vector::Multi(&[1.0, 2.0, 3.0], 2), Some(&shape)).is_some());
        assert!(fault_of(Vector::Multi(&[1.0, 2.0, 3.0], 3), Some(&shape)).is_some());
        let sparse = |indices: &[u32], values: &[f32]| {
            let sparse = SparseVector { indices: indices.to_vec(), values: values.to_vec() };
            fault_of(Vector::Sparse(&sparse), Some(&Shape::Sparse))
        };
        assert_eq!(sparse(&[7, 3], &[1.0, 2.0]), None);
        assert_eq!(sparse(&[7, 3, 7], &[1.0, 2.0, 3.0]).as_deref(), Some("has the index 7 twice"));
        assert_eq!(sparse(&[7], &[1.0, 2.0]).as_deref(), Some("has 1 indices and 2 values"));
        assert!(sparse(&[7], &[f32::INFINITY]).is_some());
    }

    #[test]
    fn the_next_id_is_the_one_behind() {
        assert_eq!(after(PointId::NumId(7)), Some(PointId::NumId(8)));
        assert_eq!(after(PointId::NumId(u64::MAX)), Some(PointId::Uuid(Uuid::nil())));
        assert_eq!(after(PointId::Uuid(Uuid::from_u128(1))), Some(PointId::Uuid(Uuid::from_u128(2))));
        assert_eq!(after(PointId::Uuid(Uuid::max())), None);
    }
}
