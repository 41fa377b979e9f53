//! From the outbox to the channels: one thread a channel, so that a dead one never delays another, nor the pipe.

mod worker;

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use pso_common::io::Cancel;
use pso_common::record::DeliveryState;

use crate::channel::Named;
use crate::store::Store;

/// What came of one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) channel: String,
    pub(crate) state: DeliveryState,
    pub(crate) attempt: u32,
    /// Notices in the message.
    pub(crate) notices: u64,
    pub(crate) key: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) elapsed_ms: u64,
    pub(crate) message: String,
}

impl Event {
    /// A channel that could not even be tried.
    pub(crate) fn not_attempted(channel: &str, notices: u64, message: String) -> Self {
        Self {
            channel: channel.to_owned(),
            state: DeliveryState::Failed,
            attempt: 0,
            notices,
            key: None,
            status: None,
            elapsed_ms: 0,
            message,
        }
    }

    /// A channel that cannot fail, because the notices are there already.
    pub(crate) fn written(channel: &str, notices: u64) -> Self {
        Self { state: DeliveryState::Sent, attempt: 1, ..Self::not_attempted(channel, notices, String::new()) }
    }
}

/// Who gets what came of each attempt.
pub(crate) type OnEvent = Arc<dyn Fn(Event) + Send + Sync>;

/// Delivers in the background.
pub(crate) struct Postman {
    workers: Vec<(Sender<Order>, JoinHandle<()>)>,
}

/// What a worker is to do.
enum Order {
    /// There may be something in the outbox.
    Look,
    /// Deliver what is due and what becomes due until then, and end.
    End(Instant),
}

impl Postman {
    /// Starts a thread a channel.
    pub(crate) fn start(channels: &[Arc<Named>], store: &Store, cancel: &Cancel, on_event: &OnEvent) -> Self {
        let workers = channels
            .iter()
            .map(|channel| {
                let (orders, inbox) = mpsc::channel();
                let worker = worker::Worker {
                    channel: Arc::clone(channel),
                    store: store.clone(),
                    cancel: cancel.clone(),
                    on_event: Arc::clone(on_event),
                };
                (orders, thread::spawn(move || worker.run(&inbox)))
            })
            .collect();
        Self { workers }
    }

    /// Says that something may have come into the outbox.
    pub(crate) fn wake(&self) {
        for (orders, _) in &self.workers {
            // A worker that is gone has said why.
            let _ = orders.send(Order::Look);
        }
    }

    /// Returns when the outbox is empty or nothing more can be done before `deadline`; what is left waits for the next run.
    pub(crate) fn finish(self, deadline: Instant) {
        for (orders, _) in &self.workers {
            let _ = orders.send(Order::End(deadline));
        }
        for (_, thread) in self.workers {
            let _ = thread.join();
        }
    }
}
