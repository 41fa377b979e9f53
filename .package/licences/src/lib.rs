//! What is built into the tools, under which licence, and the texts that must go with it.
//!
//! Reads: what `cargo metadata` says, and the licence files in the sources that cargo has fetched.

mod allowed;
mod graph;
mod texts;

pub use allowed::{Allowed, satisfied};
pub use graph::{Dependency, built_into};
pub use texts::{Texts, write};
