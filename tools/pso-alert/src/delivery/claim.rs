//! What a worker may do next with its channel, and what it writes down before an attempt.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use pso_common::Timestamp;
use rusqlite::{Connection, Transaction};

use super::limits::{LONGEST_WISH, Limits};
use super::makeup::{self, Flood};
use crate::channel::Named;
use crate::store::{self, Message, Standing};

/// A lease that ends later than this was written by a clock that has gone back since.
const LONGEST_LEASE: Duration = Duration::from_secs(600);

/// What is not due is not looked at again before this has passed.
const SHORTEST_REST: Duration = Duration::from_millis(50);

/// Notices in one message at most, whatever the channel would take: they are all in memory at once.
const MOST: usize = 500;

/// Somebody at a channel, or about to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claimant<'a> {
    pub(super) channel: &'a Named,
    pub(super) limits: &'a Limits,
    /// Notices beyond which a flood is told as a summary; 0: never.
    pub(super) storm: usize,
    /// Names this worker of this run.
    pub(super) me: &'a str,
}

/// What can be done next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// Nothing waits.
    Nothing,
    /// What waits is meant to wait, until then.
    Later(Timestamp),
    /// Another run makes an attempt, until then at most.
    Busy(Timestamp),
    /// No attempt before then: the last ones failed, or the other end wants it so.
    NotBefore(Timestamp, Standing),
    /// The channel cannot be used as it is configured; it is tried again then.
    Unusable(Timestamp, Standing),
    /// Something can be sent.
    Ready,
}

impl Claimant<'_> {
    /// What can be done now.
    pub(super) fn look(&self, connection: &Connection, now: Timestamp) -> anyhow::Result<Next> {
        let name = &self.channel.name;
        if !store::is_waiting(connection, name)? {
            return Ok(Next::Nothing);
        }
        let standing = store::standing(connection, name)?;
        let holds = |until: Timestamp, longest| now < until && now.until(until) <= longest;
        if let Some(until) = standing.leased_until
            && standing.leased_by != self.me
            && holds(until, LONGEST_LEASE)
        {
            return Ok(Next::Busy(until));
        }
        if store::undelivered_key(connection, name)?.is_none() && store::next_group(connection, name, now)?.is_none() {
            let next = store::next_due(connection, name)?.unwrap_or(now);
            return Ok(Next::Later(next.max(now.plus(SHORTEST_REST))));
        }
        let longest = LONGEST_WISH + Duration::from_secs(60);
        if let Some(until) = standing.not_before.filter(|until| holds(*until, longest)) {
            if standing.fingerprint.is_empty() {
                return Ok(Next::NotBefore(until, standing));
            }
            // Another configuration may do.
            if standing.fingerprint == self.channel.channel.fingerprint() {
                return Ok(Next::Unusable(until, standing));
            }
        }
        Ok(Next::Ready)
    }

    /// Takes the oldest message that has not arrived, or makes one up; it is written down, with this attempt, before it is sent.
    /// An error value says what is in the way.
    pub(super) fn claim(&self, transaction: &Transaction<'_>, now: Timestamp) -> anyhow::Result<Result<Message, Next>> {
        match self.look(transaction, now)? {
            Next::Ready => {}
            other => return Ok(Err(other)),
        }
        let name = &self.channel.name;
        if store::undelivered_key(transaction, name)?.is_none() {
            self.make_up(transaction, now)?;
        }
        let Some(mut message) = store::undelivered(transaction, name)? else { return Ok(Err(Next::Nothing)) };
        store::begin_attempt(transaction, &message.key)?;
        message.attempts += 1;
        let standing = Standing {
            leased_until: Some(now.plus(self.limits.lease())),
            leased_by: self.me.to_owned(),
            ..store::standing(transaction, name)?
        };
        store::put_standing(transaction, name, &standing)?;
        Ok(Ok(message))
    }

    fn make_up(&self, transaction: &Transaction<'_>, now: Timestamp) -> anyhow::Result<()> {
        let (name, channel) = (&self.channel.name, &self.channel.channel);
        let people = channel.is_for_people();
        if people {
            self.coalesce(transaction, now)?;
        }
        let capacity = channel.capacity().clamp(1, MOST);
        let (notices, summed) =
            if people && self.storm > 0 && store::count_due(transaction, name, now)? > self.storm.max(capacity) {
                let mut flood = Flood::default();
                store::each_due(transaction, name, now, |id, notice| flood.add(id, &notice))?;
                flood.shown_and_summed(capacity)
            } else {
                let group = store::next_group(transaction, name, now)?.unwrap_or_default();
                (store::next_of_group(transaction, name, &group, capacity, now)?, Vec::new())
            };
        store::bind(transaction, name, &new_key(), now, notices, summed)
    }

    /// Takes out what a later notice says too.
    fn coalesce(&self, transaction: &Transaction<'_>, now: Timestamp) -> anyhow::Result<()> {
        for (earlier, later) in store::superseded(transaction, &self.channel.name, now)? {
            let both = (store::notice(transaction, earlier)?, store::notice(transaction, later)?);
            if let Some(merged) = makeup::merged(&both.0, &both.1) {
                store::rewrite(transaction, later, &merged)?;
                store::remove(transaction, earlier)?;
            }
        }
        Ok(())
    }
}

/// A key that no other message has: 128 bits that come from the system's randomness.
pub(super) fn new_key() -> String {
    let part = || {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_i64(Timestamp::now().unix_millis());
        hasher.finish()
    };
    format!("{:016x}{:016x}", part(), part())
}
