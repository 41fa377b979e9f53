//! End-to-end tests: the built binaries against real servers.

mod alert;
mod backup_restore;
mod contract;
mod daily;
mod health;
mod logscan;
mod logscan_bookmark;
mod logscan_classes;
mod logscan_follow;
mod logscan_input;
mod logscan_merge;
mod logscan_templates;
mod logscan_time;
mod pgstats;
