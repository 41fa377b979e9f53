//! pso-backup and pso-restore against real servers: what was lost is back, and whatever fails leaves everything as it was.

mod backup;
mod backup_whole;
mod concurrency;
mod contents;
mod disk;
mod encrypted;
mod faults;
mod hostile;
mod journal;
mod legacy;
mod parallel;
mod plan;
pub(crate) mod raw_zip;
mod restore;
mod table;
mod torture;
mod variety;
mod way_back;
