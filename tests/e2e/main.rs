//! End-to-end tests: the built binaries against real servers.

mod alert;
mod backup_restore;
mod contract;
mod daily;
mod health;
mod logscan;
mod pgstats;
