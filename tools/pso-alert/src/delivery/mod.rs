//! From the outbox to the channels: one thread a channel, so that a dead one never delays another, nor the pipe.
//!
//! A message is written down before the first attempt and taken out after the other end took it, so a run that is killed at any
//! moment loses nothing; at worst it sends the same message again, under the same key. Only one run at a time makes an
//! attempt at a channel (a lease in the state file), so that order and pace hold across runs.

mod bell;
mod claim;
mod limits;
mod makeup;
mod report;
mod settle;
mod worker;

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use pso_common::io::Cancel;
use pso_common::record::DeliveryState;

use crate::alerts_file::Alerts;
use crate::incident::Change;
use crate::store::Store;
use bell::Bell;

pub(crate) use limits::Limits;
pub(crate) use report::{FAILED, LOST, expire_of_others, is_about, unusable};

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
    /// This run makes no other attempt: what is retried is left to the next one.
    pub(crate) is_last: bool,
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
            is_last: false,
        }
    }
}

/// What the main thread must know.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// A channel was tried.
    Event(Event),
    /// Incidents have changed: those of channels that fail, or work again.
    Changes(Vec<Change>),
}

/// Who gets the news.
pub(crate) type OnNews = Arc<dyn Fn(News) + Send + Sync>;

/// Delivers in the background.
pub(crate) struct Postman {
    bell: Bell,
    workers: Vec<JoinHandle<()>>,
}

impl Postman {
    /// Starts a thread a channel.
    pub(crate) fn start(
        alerts: &Arc<Alerts>,
        limits: Limits,
        store: &Store,
        cancel: &Cancel,
        on_news: &OnNews,
    ) -> Self {
        let bell = Bell::new(alerts.channels.len());
        let me = claim::new_key();
        let worker = |(number, channel)| worker::Worker {
            number,
            me: me.clone(),
            channel: Arc::clone(channel),
            alerts: Arc::clone(alerts),
            limits,
            store: store.clone(),
            bell: bell.clone(),
            cancel: cancel.clone(),
            on_news: Arc::clone(on_news),
        };
        let workers = alerts.channels.iter().enumerate().map(worker);
        let workers = workers.map(|worker| thread::spawn(move || worker.run())).collect();
        Self { bell, workers }
    }

    /// Says that something may have come into the outbox.
    pub(crate) fn wake(&self) {
        self.bell.ring();
    }

    /// Returns when the outbox is empty or nothing more can be done before `deadline`; what is left waits for the next run.
    pub(crate) fn finish(self, deadline: Instant) {
        self.bell.end(deadline);
        for thread in self.workers {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
