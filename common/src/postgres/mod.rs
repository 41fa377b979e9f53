//! The only constructor of PostgreSQL connections, and of the environment for PostgreSQL's own programs.

mod client;
mod connect;
mod dsn;
mod failure;
mod password;
mod programs;
mod service;
mod settings;
mod tls;

pub use client::Client;
pub use connect::{PATIENCE, Purpose, connect};
pub use failure::{ConnectFailure, ConnectStage};
pub use postgres::{Error, IsolationLevel, Row, Transaction, fallible_iterator, types};
pub use programs::{Program, find_program};
pub use settings::{PgArgs, PgSettings, SslMode};
