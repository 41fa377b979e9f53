//! What `pso-alert` does beside judging its input: one file a subcommand.

pub(crate) mod check;
pub(crate) mod flush;
pub(crate) mod send;
pub(crate) mod silence;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod try_rules;
