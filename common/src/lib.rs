//! What two pso tools share, and nothing else: the records they exchange, the way they read configuration, the only
//! constructors of connections, the one emitter, and the rules by which a run becomes an exit code.
//!
//! | module | idea |
//! |---|---|
//! | [`record`] | one struct a record kind, with its JSON Schema |
//! | [`reader`] | JSON lines in: BOM, UTF-16, caps, line numbers |
//! | [`output`] | records out: JSON lines, table, OpenMetrics, Nagios |
//! | [`config`] | flags > environment > file > default, each value with its source |
//! | [`run`] | a run from `run.start` to `run.end` and its exit code |
//! | [`io`] | stdin, stdout, stderr, clock, environment and signals as one value |
//! | [`secret`] | values that mask themselves |
//! | [`postgres`], [`http`], [`qdrant`] | connections, each behind a cargo feature of its name |
//! | [`net`], [`tls`] | what they stand on: TCP within a time-out, and who is at the other end |
//!
//! There are no thresholds and no archives here: those belong to the tools that judge and keep them.

pub mod config;
#[cfg(feature = "http")]
pub mod http;
pub mod io;
#[cfg(feature = "net")]
pub mod net;
pub mod output;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "qdrant")]
pub mod qdrant;
pub mod reader;
pub mod record;
pub mod run;
pub mod secret;
#[cfg(feature = "tls")]
pub mod tls;

pub use io::Io;
pub use record::{Severity, Timestamp};
pub use run::{Attempted, CommonArgs, Run, Tool};
pub use secret::Secret;
