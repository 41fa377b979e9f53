//! What is looked for in a line.

pub(crate) mod class;
pub(crate) mod json;
pub(crate) mod jsonline;
pub(crate) mod judge;
pub(crate) mod pattern;
pub(crate) mod places;
mod word;
