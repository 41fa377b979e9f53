//! The only constructor of PostgreSQL connections, and of the environment for PostgreSQL's own programs.

mod connect;
mod password;
mod programs;
mod service;
mod settings;
mod tls;

pub use connect::{Purpose, connect};
pub use postgres::{Client, Error, Row, Transaction, types};
pub use programs::{Program, find_program};
pub use settings::{PgArgs, PgSettings, SslMode};
