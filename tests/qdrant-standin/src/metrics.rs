//! `GET /metrics`: the main lines of the recorded page, with its help texts.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use crate::VERSION;
use crate::answer::{Answer, Failure};
use crate::store::Store;

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str, samples: &[(String, u64)]) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }
}

/// `GET /metrics`.
pub(crate) fn metrics(store: &Store) -> Result<Answer, Failure> {
    let mut collections = Vec::new();
    for collection in store.all() {
        let points = collection.read(|shard| Ok(shard.info().points_count))? as u64;
        collections.push((collection, points));
    }
    let total = collections.iter().map(|(_, points)| points).sum();
    let one = |value: u64| vec![(String::new(), value)];
    let each = |label: &str, value: &dyn Fn(&crate::collection::Collection, u64) -> u64| -> Vec<(String, u64)> {
        let sample = |name: &str| format!("{{{}}}", label.replace("NAME", &name.replace('"', "\\\"")));
        collections.iter().map(|(known, points)| (sample(&known.name), value(known, *points))).collect()
    };
    let id = "id=\"NAME\"";
    let replicas = u64::from(!collections.is_empty());

    let mut page = Page(String::new());
    let app = vec![(format!("{{name=\"qdrant\",version=\"{VERSION}\"}}"), 1)];
    page.family("app_info", "gauge", "information about qdrant server", &app);
    page.family("app_status_recovery_mode", "gauge", "features enabled in qdrant server", &one(0));
    page.family("collections_total", "gauge", "number of collections", &one(collections.len() as u64));
    page.family("collections_vector_total", "gauge", "total number of vectors in all collections", &one(total));
    page.family(
        "collection_vectors",
        "gauge",
        "amount of vectors grouped by vector name",
        &each("collection=\"NAME\",vector=\"\"", &|_, points| points),
    );
    page.family(
        "collection_active_replicas_min",
        "gauge",
        "minimum number of active replicas across all shards",
        &one(replicas),
    );
    page.family(
        "collection_active_replicas_max",
        "gauge",
        "maximum number of active replicas across all shards",
        &one(replicas),
    );
    page.family(
        "collection_running_optimizations",
        "gauge",
        "number of currently running optimization tasks per collection",
        &each(id, &|collection, _| collection.optimizing.load(Ordering::Acquire) as u64),
    );
    page.family(
        "collection_points",
        "gauge",
        "approximate amount of points per collection",
        &each(id, &|_, points| points),
    );
    page.family("collection_dead_replicas", "gauge", "total amount of shard replicas in non-active state", &one(0));
    page.family(
        "snapshot_created_total",
        "counter",
        "total amount of snapshots created",
        &each(id, &|collection, _| collection.snapshots_created.load(Ordering::Relaxed)),
    );
    page.family(
        "collection_update_queue_length",
        "gauge",
        "number of pending operations in update queues per collection",
        &each(id, &|_, _| 0),
    );
    page.family("cluster_enabled", "gauge", "is cluster support enabled", &one(0));
    Ok(Answer::Text(page.0))
}
