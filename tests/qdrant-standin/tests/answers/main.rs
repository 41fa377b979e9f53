//! What the stand-in answers, held against what Qdrant 1.18.2 was recorded to answer. The expected values are written
//! out by hand from the recordings; only `time`, sizes and checksums are not compared.

mod aliases;
mod auth;
mod client;
mod collections;
mod points;
mod process;
mod restores;
mod snapshots;
