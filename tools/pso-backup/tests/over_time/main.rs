//! Archives over the days, by the tool in this process and at any time of the clock.

#![cfg(unix)]

mod archives;
mod deployment;
mod retention;
