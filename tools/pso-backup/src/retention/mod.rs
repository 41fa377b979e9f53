//! What is past its time goes; what is pinned, or the last of its kind, stays.

mod confirm;
mod plan;
mod policy;
#[cfg(test)]
mod policy_tests;
mod proof;

pub(crate) use confirm::Confirmed;
pub(crate) use plan::{Plan, prune};
pub(crate) use policy::Policy;
pub(crate) use proof::Trust;
