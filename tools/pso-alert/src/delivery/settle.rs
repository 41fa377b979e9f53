//! What an attempt came to, written down in one transaction.

use std::time::Duration;

use pso_common::Timestamp;
use pso_common::record::DeliveryState;
use rusqlite::Transaction;

use super::claim::{Claimant, new_key};
use super::limits::{LONGEST_WISH, UNUSABLE_WAIT};
use crate::channel::Outcome;
use crate::store::{self, Message, Standing};

/// What is to be said of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settled {
    pub(super) state: DeliveryState,
    pub(super) status: Option<u16>,
    pub(super) message: String,
    /// What the other end did not take of a message that it took.
    pub(super) complaint: Option<String>,
    /// The channel cannot be told, and others must know: why.
    pub(super) failing: Option<String>,
    /// Notices that it will never get because it refuses them.
    pub(super) refused: usize,
    /// Notices that were given up because they are too old.
    pub(super) expired: usize,
}

impl Claimant<'_> {
    /// Writes down how an attempt ended.
    pub(super) fn settle(
        &self,
        transaction: &Transaction<'_>,
        sent: &Message,
        outcome: &Outcome,
        now: Timestamp,
    ) -> anyhow::Result<Settled> {
        let name = &self.channel.name;
        let before = store::standing(transaction, name)?;
        // It took longer than its lease, and another run is at it now: what that one writes holds.
        let is_ours = before.leased_by == self.me;
        let mut after = Standing { leased_until: None, leased_by: String::new(), ..before };
        let mut settled = Settled {
            state: DeliveryState::Sent,
            status: None,
            message: String::new(),
            complaint: None,
            failing: None,
            refused: 0,
            expired: 0,
        };
        match outcome {
            Outcome::Sent { status, said, pause, complaint } => {
                store::close(transaction, &sent.key)?;
                self.is_well(&mut after, *pause, now);
                after.sent_at = Some(now);
                (settled.status, settled.message) = (*status, said.clone());
                settled.complaint.clone_from(complaint);
            }
            Outcome::Refused { status, reason } => {
                self.is_well(&mut after, Duration::ZERO, now);
                (settled.status, settled.message) = (*status, reason.clone());
                if sent.ids.len() > 1 {
                    settled.state = DeliveryState::Retrying;
                    settled.message = format!("{reason}; its notices are told in two messages instead");
                    self.halve(transaction, sent)?;
                } else {
                    settled.state = DeliveryState::Failed;
                    settled.refused = store::close(transaction, &sent.key)?;
                }
            }
            Outcome::Again { status, after: wish, reason } => {
                (settled.state, settled.status, settled.message) = (DeliveryState::Retrying, *status, reason.clone());
                let since = fails(&mut after, reason, now);
                let wait = self.limits.wait_after(after.failures, fastrand::f64()).max((*wish).min(LONGEST_WISH));
                after.not_before = Some(now.plus(wait));
                after.fingerprint.clear();
                if since.until(now) >= self.limits.report_after {
                    settled.failing = Some(reason.clone());
                }
                settled.expired = store::expire(transaction, name, now)?;
            }
            Outcome::Unusable { status, reason } => {
                (settled.state, settled.status) = (DeliveryState::Failed, *status);
                fails(&mut after, reason, now);
                let until = now.plus(UNUSABLE_WAIT);
                settled.message =
                    format!("{reason}; it is tried again when its configuration has changed, or at {until}");
                after.not_before = Some(until);
                after.fingerprint = self.channel.channel.fingerprint();
                settled.failing = Some(reason.clone());
                settled.expired = store::expire(transaction, name, now)?;
            }
        }
        if is_ours {
            store::put_standing(transaction, name, &after)?;
        }
        Ok(settled)
    }

    /// The channel took a message, or at least read it.
    fn is_well(&self, standing: &mut Standing, pause: Duration, now: Timestamp) {
        let pause = pause.min(LONGEST_WISH).max(self.channel.channel.pace());
        standing.not_before = (!pause.is_zero()).then(|| now.plus(pause));
        (standing.failures, standing.failing_since) = (0, None);
        standing.reason.clear();
        standing.fingerprint.clear();
    }

    /// Makes two messages of one, so that in the end only the notice that is refused is lost.
    fn halve(&self, transaction: &Transaction<'_>, message: &Message) -> anyhow::Result<()> {
        // It took longer than its lease, and another run has told or halved it meanwhile.
        if !store::is_undelivered(transaction, &message.key)? {
            return Ok(());
        }
        let (first, second) = message.ids.split_at(message.ids.len().div_ceil(2));
        let summed = message.summed.iter().map(|(id, _)| *id);
        store::forget_message(transaction, &message.key)?;
        let name = &self.channel.name;
        store::bind(transaction, name, &new_key(), message.made_at, first.iter().copied(), [])?;
        store::bind(transaction, name, &new_key(), message.made_at, second.iter().copied(), summed)
    }
}

/// One more failure. Returns when the first of them was; a clock that has gone back begins anew.
fn fails(standing: &mut Standing, reason: &str, now: Timestamp) -> Timestamp {
    standing.failures = standing.failures.saturating_add(1);
    reason.clone_into(&mut standing.reason);
    let since = standing.failing_since.filter(|since| *since <= now).unwrap_or(now);
    standing.failing_since = Some(since);
    since
}
