//! End-to-end tests: the built binaries against real servers.

mod alert;
mod contract;
mod daily;
mod health;
mod pgstats;
