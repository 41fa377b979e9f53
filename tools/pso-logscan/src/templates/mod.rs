//! Lines grouped by what they have in common: what is the same is a template, what differs is `<*>` in it.
//!
//! No format is given and no regular expressions, so each rule here is a statement about logs in general. In two steps:
//!
//! 1. `Sketch::add` masks what is a parameter by its looks (`mask`: numbers, addresses, paths, …), leaves the header
//!    out (`header`: level, process, thread, class), and counts the keys that remain. There are few of them: a log of
//!    millions of lines has hundreds. A sketch is one thread's; `absorb` joins them, in any order.
//! 2. [`mine()`] groups the keys. Those that have the same marks around their words are a table; a column of it in which
//!    many different words stand between words that are the same is a parameter (`split`, `merge`). Groups that differ
//!    only in how many words a value has are one (`parse::folded`, `lengths`).
//!
//! What earlier runs found is [`Known`]: a key that one of its templates covers belongs to that one, and what is left is
//! grouped together with all of them.

mod address;
mod cover;
mod fields;
mod gathered;
mod group;
mod header;
mod joining;
mod key;
mod known;
mod lengths;
mod level;
mod mask;
mod merge;
mod mine;
mod parse;
mod quotes;
mod sketch;
mod split;
mod tokens;
mod vocabulary;

#[cfg(test)]
mod tests;

pub(crate) use gathered::{Gathered, Gist};
pub(crate) use known::Known;
pub(crate) use level::Level;
pub(crate) use mine::{Mined, Template, mine};
pub(crate) use sketch::{Line, Order};
#[cfg(any(fuzzing, test))]
pub(crate) use sketch::{Sketch, Slot};
