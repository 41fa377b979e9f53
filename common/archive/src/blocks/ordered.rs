//! Work that several threads do and whose results come back in order.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

type Job<J, R> = (J, SyncSender<R>);

/// Threads that wait for jobs. Dropped, they end after the jobs that they have.
pub(crate) struct Ordered<J, R> {
    jobs: Option<Sender<Job<J, R>>>,
    pending: VecDeque<Receiver<R>>,
    threads: Vec<JoinHandle<()>>,
}

impl<J: Send + 'static, R: Send + 'static> Ordered<J, R> {
    /// Starts `threads` threads; `make` gives each its own worker.
    pub(crate) fn new<W: FnMut(J) -> R>(threads: usize, make: impl Fn() -> W + Send + Sync + 'static) -> Self {
        let (jobs, queue) = channel::<Job<J, R>>();
        let (queue, make) = (Arc::new(Mutex::new(queue)), Arc::new(make));
        let threads = (0..threads.max(1)).map(|_| {
            let (queue, make) = (Arc::clone(&queue), Arc::clone(&make));
            thread::spawn(move || {
                let mut work = make();
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((job, reply)) = next else { return };
                    // Nobody waits for it any more when the whole is dropped.
                    let _ = reply.send(work(job));
                }
            })
        });
        Self { jobs: Some(jobs), pending: VecDeque::new(), threads: threads.collect() }
    }

    /// Hands a job over.
    pub(crate) fn submit(&mut self, job: J) {
        let (reply, result) = sync_channel(1);
        if let Some(jobs) = &self.jobs {
            // It fails only when every thread has died; then `next` says so.
            let _ = jobs.send((job, reply));
        }
        self.pending.push_back(result);
    }

    /// Jobs whose results were not fetched.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// As many jobs as keep every thread busy.
    pub(crate) fn is_full(&self) -> bool {
        self.pending.len() >= self.threads.len() + 2
    }

    /// The result of the oldest job; `None` when there is none.
    ///
    /// # Errors
    /// When the thread that did it has died.
    pub(crate) fn next(&mut self) -> Option<Result<R, ThreadDied>> {
        let result = self.pending.pop_front()?;
        Some(result.recv().map_err(|_| ThreadDied))
    }

    /// Forgets what was handed over and not fetched.
    pub(crate) fn forget(&mut self) {
        self.pending.clear();
    }
}

impl<J, R> Drop for Ordered<J, R> {
    fn drop(&mut self) {
        self.jobs = None;
        self.pending.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A thread ended before its work was done.
#[derive(Debug)]
pub(crate) struct ThreadDied;

impl std::fmt::Display for ThreadDied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a thread has ended before its work was done")
    }
}

impl std::error::Error for ThreadDied {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let mut ordered = Ordered::new(3, || {
            |n: u64| {
                // The first ones take longest.
                std::thread::yield_now();
                (0..(20 - n) * 1000).fold(n, |sum, k| std::hint::black_box(sum ^ k ^ k))
            }
        });
        let mut results = Vec::new();
        for n in 0..20 {
            ordered.submit(n);
            if ordered.is_full() {
                results.extend(ordered.next());
            }
        }
        while let Some(result) = ordered.next() {
            results.push(result);
        }
        let results: Vec<u64> = results.into_iter().map(|result| result.expect("alive")).collect();
        assert_eq!(results, (0..20).collect::<Vec<_>>());
        assert_eq!(ordered.pending(), 0);
    }
}
