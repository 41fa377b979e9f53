//! Incidents that come and go: told once that they do, and then how they stand when they have calmed down.
//!
//! It is a beginning that makes one flap, so that people hear of it while it is bad.

use pso_common::Timestamp;

use super::{Incident, before_message};
use crate::policy::Flapping;

/// It has begun to fire.
pub(super) fn began(it: &mut Incident, flapping: &Flapping) {
    push(it, it.last_at, flapping);
    it.flapping |= flapping.changes > 0 && it.changes.len() > flapping.changes;
}

/// It is over.
pub(super) fn ended(it: &mut Incident, at: Timestamp, flapping: &Flapping) {
    push(it, at, flapping);
}

/// Keeps what lies within the window, and of that no more than is asked for.
fn push(it: &mut Incident, at: Timestamp, flapping: &Flapping) {
    if flapping.changes == 0 {
        it.changes.clear();
        return;
    }
    it.changes.retain(|change| change.until(at) < flapping.within);
    let surplus = it.changes.len().saturating_sub(flapping.changes);
    it.changes.drain(..surplus);
    it.changes.push(at);
}

/// Whether it flaps no more.
pub(super) fn is_calm(it: &Incident, flapping: &Flapping, now: Timestamp) -> bool {
    it.flapping && (flapping.changes == 0 || it.changes.last().is_none_or(|last| last.until(now) >= flapping.calm))
}

/// What people read when it begins to flap.
pub(super) fn message(it: &Incident) -> String {
    let times = it.changes.len().div_ceil(2);
    before_message(
        &format!("comes and goes ({times} times by now); the next word is when it has calmed down"),
        &it.message,
    )
}
