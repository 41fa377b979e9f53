//! The optimiser: merges segments and builds vector indexes, in the background.
//!
//! A real server's optimiser watches every write. This one runs when a `PATCH` changes the configuration, which is how
//! an operator makes it run: a test that fills a collection must not pay for an index that it never asked for.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::collection::Collection;
use crate::store::lock;

/// Counts a run for as long as it lives, so that a panic in the engine does not leave the collection yellow for ever.
struct Run(Arc<Collection>);

impl Drop for Run {
    fn drop(&mut self) {
        self.0.optimizing.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Starts a run. The collection is yellow from now until it has ended.
pub(crate) fn wake(collection: Arc<Collection>) {
    collection.optimizing.fetch_add(1, Ordering::AcqRel);
    let run = Run(collection);
    std::thread::spawn(move || {
        let outcome = run.0.quiet(|shard, _| {
            shard.optimize()?;
            shard.flush();
            Ok(())
        });
        *lock(&run.0.optimizer_error) = outcome.err().map(|failure| failure.message().to_owned());
    });
}
