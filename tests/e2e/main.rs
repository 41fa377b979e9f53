//! End-to-end tests: the built binaries against real servers.

mod alert;
mod audit;
mod backup_restore;
mod connections;
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
mod packages;
mod parts;
mod pgstats;
mod prune;
mod readme;
mod rehearse;
mod schedules;
mod scripts;
