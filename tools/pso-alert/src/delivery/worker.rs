//! One channel's thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pso_common::Timestamp;
use pso_common::io::{Cancel, elapsed_ms, host_name};
use pso_common::record::DeliveryState;

use super::bell::{Bell, Woken};
use super::claim::{Claimant, Next};
use super::limits::Limits;
use super::settle::Settled;
use super::{Event, News, OnNews, makeup, report};
use crate::alerts_file::Alerts;
use crate::channel::{Digest, Named, Outcome};
use crate::incident::Change;
use crate::store::{self, Message, Store};

/// An attempt that is begun shortly before the end gets at least this, or what arrives would look as if it had not.
const SHORTEST_ATTEMPT: Duration = Duration::from_secs(1);

/// How soon to look again when another run makes an attempt.
const GLANCE: Duration = Duration::from_millis(50);

pub(super) struct Worker {
    /// Its place among the workers.
    pub(super) number: usize,
    /// Names it in the state file.
    pub(super) me: String,
    pub(super) channel: Arc<Named>,
    pub(super) alerts: Arc<Alerts>,
    pub(super) limits: Limits,
    pub(super) store: Store,
    pub(super) bell: Bell,
    pub(super) cancel: Cancel,
    pub(super) on_news: OnNews,
}

/// What a run has seen of its channel.
#[derive(Default)]
struct Seen {
    /// It has said that the channel cannot be used.
    unusable: bool,
    /// Nothing is known to be told of it as failing.
    well: bool,
}

impl Worker {
    pub(super) fn run(self) {
        let mut seen = Seen::default();
        loop {
            let rings = self.bell.rings();
            let next = self.deliver(&mut seen).unwrap_or_else(|error| {
                self.say(&Event::not_attempted(&self.channel.name, 0, format!("{error:#}")));
                None
            });
            if self.bell.wait(self.number, rings, next, &self.cancel) == Woken::Over {
                break;
            }
        }
        if let Err(error) = self.say_what_is_left(&seen) {
            self.say(&Event::not_attempted(&self.channel.name, 0, format!("{error:#}")));
        }
    }

    /// Delivers all that can be delivered now. Returns when to look again.
    fn deliver(&self, seen: &mut Seen) -> anyhow::Result<Option<Instant>> {
        loop {
            let deadline = self.bell.deadline();
            if self.cancel.is_cancelled() || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(None);
            }
            let claimant = self.claimant();
            let mut next = self.store.read(|connection| claimant.look(connection, Timestamp::now()))?;
            if next == Next::Ready {
                match self.store.transaction(|transaction| claimant.claim(transaction, Timestamp::now()))? {
                    Ok(message) => {
                        self.attempt(message, deadline, seen)?;
                        continue;
                    }
                    Err(other) => next = other,
                }
            }
            let until = match next {
                Next::Nothing | Next::Ready => return Ok(None),
                Next::Later(until) | Next::NotBefore(until, _) | Next::Unusable(until, _) => until,
                Next::Busy(until) => until.min(Timestamp::now().plus(GLANCE)),
            };
            return Ok(Instant::now().checked_add(Timestamp::now().until(until)));
        }
    }

    fn attempt(&self, mut message: Message, deadline: Option<Instant>, seen: &mut Seen) -> anyhow::Result<()> {
        let notices = makeup::arranged(std::mem::take(&mut message.notices));
        let rest = makeup::rest(&message.summed);
        let host = host_name();
        let digest =
            Digest { key: &message.key, host: &host, at: message.made_at, notices: &notices, rest: rest.as_ref() };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()).max(SHORTEST_ATTEMPT));
        let timeout = left.map_or(self.limits.attempt, |left| left.min(self.limits.attempt));
        let began = Instant::now();
        let outcome = self.channel.channel.send(&digest, timeout);
        let elapsed = elapsed_ms(began);
        let settled = self.settle(&message, &outcome)?;
        let count = (message.ids.len() + message.summed.len()) as u64;
        self.say(&Event {
            channel: self.channel.name.clone(),
            state: settled.state,
            attempt: message.attempts,
            notices: count,
            key: Some(message.key.clone()),
            status: settled.status,
            elapsed_ms: elapsed,
            message: settled.message.clone(),
            is_last: false,
        });
        seen.unusable = matches!(outcome, Outcome::Unusable { .. });
        self.report(&settled, seen)
    }

    fn settle(&self, message: &Message, outcome: &Outcome) -> anyhow::Result<Settled> {
        let claimant = self.claimant();
        self.store.transaction(|transaction| claimant.settle(transaction, message, outcome, Timestamp::now()))
    }

    /// Says, also through the other channels, what an attempt means beyond itself.
    fn report(&self, settled: &Settled, seen: &mut Seen) -> anyhow::Result<()> {
        let (name, now) = (&self.channel.name, Timestamp::now());
        let mut changes = Vec::new();
        if let Some(complaint) = &settled.complaint {
            self.say(&Event { status: settled.status, ..Event::not_attempted(name, 0, complaint.clone()) });
        }
        if settled.state == DeliveryState::Sent && !seen.well {
            changes.extend(report::well(&self.store, &self.alerts, name, now)?);
            seen.well = true;
        }
        let mut bad = |rule, message: &str| -> anyhow::Result<()> {
            changes.extend(report::bad(&self.store, &self.alerts, name, rule, message, now)?);
            Ok(())
        };
        if let Some(reason) = &settled.failing {
            bad(report::FAILED, &format!("the channel {name} cannot be told: {reason}"))?;
            seen.well = false;
        }
        if settled.refused > 0 {
            let what = counted(settled.refused);
            bad(report::LOST, &format!("the channel {name} will not be told {what}: {}", settled.message))?;
        }
        if settled.expired > 0 {
            let what = counted(settled.expired);
            let text =
                format!("{what} for the channel {name} waited too long and will not be told: {}", settled.message);
            let event = Event::not_attempted(name, settled.expired as u64, text.clone());
            self.say(&Event { state: DeliveryState::Expired, ..event });
            bad(report::LOST, &text)?;
        }
        self.pass_on(changes);
        Ok(())
    }

    /// Says what waits for the next run, and why.
    fn say_what_is_left(&self, seen: &Seen) -> anyhow::Result<()> {
        let now = Timestamp::now();
        let name = &self.channel.name;
        let claimant = self.claimant();
        let (next, (waiting, _), key) = self.store.read(|connection| {
            let key = store::undelivered(connection, name)?.map(|message| (message.key, message.attempts));
            Ok((claimant.look(connection, now)?, store::backlog(connection, name)?, key))
        })?;
        let (key, attempt) = key.map_or((None, 0), |(key, attempts)| (Some(key), attempts));
        let what = if waiting == 1 { "1 notice waits".to_owned() } else { format!("{waiting} notices wait") };
        let by = if self.store.is_lasting() {
            "by the next run or `pso-alert flush`"
        } else {
            "which cannot be, since the state file cannot be used"
        };
        let event = |state, message| Event {
            state,
            key: key.clone(),
            attempt,
            is_last: true,
            ..Event::not_attempted(name, waiting, message)
        };
        match next {
            // It was said when it was tried.
            Next::Unusable(..) if seen.unusable => {}
            Next::Unusable(until, standing) => {
                let text = format!("{}; {what} until its configuration changes, or for {until}", standing.reason);
                self.say(&event(DeliveryState::Failed, text));
            }
            // What waits is meant to wait.
            Next::Nothing | Next::Later(_) => {}
            Next::NotBefore(until, standing) => {
                let reason = if standing.reason.is_empty() { "it wants fewer messages" } else { &standing.reason };
                let text = format!("{reason}; {what} for the next attempt at {until}, {by}");
                self.say(&event(DeliveryState::Retrying, text));
            }
            Next::Busy(_) => {
                let text = format!("another run is at it; {what} for it, or for the next attempt, {by}");
                self.say(&event(DeliveryState::Retrying, text));
            }
            Next::Ready => {
                let text = format!("no time was left; {what} for the next attempt, {by}");
                self.say(&event(DeliveryState::Retrying, text));
            }
        }
        Ok(())
    }

    fn claimant(&self) -> Claimant<'_> {
        Claimant { channel: &self.channel, limits: &self.limits, storm: self.alerts.policy.storm, me: &self.me }
    }

    fn say(&self, event: &Event) {
        (self.on_news)(News::Event(event.clone()));
    }

    /// Others may have something to tell now.
    fn pass_on(&self, changes: Vec<Change>) {
        if !changes.is_empty() {
            (self.on_news)(News::Changes(changes));
            self.bell.ring();
        }
    }
}

fn counted(notices: usize) -> String {
    if notices == 1 { "1 notice".to_owned() } else { format!("{notices} notices") }
}
