//! One channel's thread.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use pso_common::Timestamp;
use pso_common::io::{Cancel, elapsed_ms, host_name};
use pso_common::record::DeliveryState;

use super::{Event, OnEvent, Order};
use crate::channel::{Digest, Named, Outcome};
use crate::notice::Notice;
use crate::store::Store;

/// How long one attempt may take, so that a silent other end leaves time for another.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Worker {
    pub(super) channel: Arc<Named>,
    pub(super) store: Store,
    pub(super) cancel: Cancel,
    pub(super) on_event: OnEvent,
}

impl Worker {
    pub(super) fn run(self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            self.deliver();
            if let Order::End(_deadline) = order {
                return;
            }
        }
    }

    fn deliver(&self) {
        if self.cancel.is_cancelled() {
            return;
        }
        let Ok(rows) = self.store.read(|connection| {
            let mut all = connection.prepare_cached("SELECT id, notice FROM outbox WHERE channel = ?1 ORDER BY id")?;
            let rows =
                all.query_map([&self.channel.name], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        }) else {
            return;
        };
        let notices: Vec<Notice> = rows.iter().filter_map(|(_, text)| serde_json::from_str(text).ok()).collect();
        if notices.is_empty() {
            return;
        }
        let began = Instant::now();
        let host = host_name();
        let digest = Digest { key: "", host: &host, at: Timestamp::now(), notices: &notices, rest: None };
        let (state, status, message) = match self.channel.channel.send(&digest, ATTEMPT_TIMEOUT) {
            Outcome::Sent { status, said, .. } => (DeliveryState::Sent, status, said),
            Outcome::Again { status, reason, .. } => (DeliveryState::Retrying, status, reason),
            Outcome::Refused { status, reason } | Outcome::Unusable { status, reason } => {
                (DeliveryState::Failed, status, reason)
            }
        };
        if state == DeliveryState::Sent {
            let last = rows.last().map_or(0, |(id, _)| *id);
            let _ = self.store.transaction(|transaction| {
                transaction
                    .execute("DELETE FROM outbox WHERE channel = ?1 AND id <= ?2", (&self.channel.name, last))?;
                Ok(())
            });
        }
        (self.on_event)(Event {
            channel: self.channel.name.clone(),
            state,
            attempt: 1,
            notices: notices.len() as u64,
            key: None,
            status,
            elapsed_ms: elapsed_ms(began),
            message,
        });
    }
}
