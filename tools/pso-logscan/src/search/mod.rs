//! What is looked for in a line.

pub(crate) mod class;
pub(crate) mod finder;
mod json;
pub(crate) mod jsonline;
mod word;
