//! A stand-in of a Qdrant server, for tests and the demo.
//!
//! A small HTTP face over `qdrant-edge`, Qdrant's own engine in-process: the points, the payload indexes and the
//! snapshots are the engine's, only the face is ours. It answers as Qdrant 1.18.2 was recorded to answer; aliases,
//! scrolling and deleting points, which were not recorded, follow Qdrant's documentation. What it cannot do it refuses
//! with 400 and `Not supported by qdrant-standin: …`, or, where it has no such path, with 404.
//!
//! - Reads: its storage folder, and the API keys from the environment.
//! - Writes: its storage folder (laid out as a server's), and one line on stdout, `{"url":…,"version":…}`, when ready.
//! - Exit codes: 0 when told to end by a closed stdin, 3 when it could not start; it aborts when the engine, misled by a
//!   damaged snapshot, takes more than 2 GiB of memory.
//!
//! ```text
//! qdrant-standin --storage /tmp/q --until-stdin-closes
//! ```

mod aliases;
mod answer;
mod archive;
mod auth;
mod call;
mod collection;
mod collections;
mod config;
mod memory;
mod metrics;
mod multipart;
mod optimizer;
mod points;
mod restore;
mod routes;
mod server;
mod snapshots;
mod store;

use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;

pub use auth::Keys;
pub use server::{Options, Server};

/// The version of the server whose answers were recorded, which this one claims to be.
pub const VERSION: &str = "1.18.2";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "qdrant-standin", version, about = "A stand-in of a Qdrant server, for tests and the demo")]
pub struct Cli {
    /// Folder that holds collections, aliases and snapshots; created if missing, loaded if not
    #[arg(long, value_name = "DIR")]
    pub storage: PathBuf,

    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub host: IpAddr,

    /// Port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,

    /// Environment variable that holds the API key
    #[arg(long, value_name = "NAME")]
    pub api_key_env: Option<String>,

    /// Environment variable that holds the read-only API key
    #[arg(long, value_name = "NAME")]
    pub read_only_api_key_env: Option<String>,

    /// End when stdin closes, so that a killed parent leaves no server behind
    #[arg(long)]
    pub until_stdin_closes: bool,
}

/// Serves until stdin closes, if asked to heed it, else until a signal ends the process.
///
/// # Errors
/// When the storage cannot be opened, the address is taken, or a named environment variable is not set.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    let keys = Keys {
        full: cli.api_key_env.as_deref().map(secret).transpose()?,
        read_only: cli.read_only_api_key_env.as_deref().map(secret).transpose()?,
    };
    let options = Options { storage: cli.storage.clone(), host: cli.host, port: cli.port, keys };
    memory::watch();
    let server = Server::start(options)?;
    announce(&server.url()).context("write the address to stdout")?;
    if cli.until_stdin_closes {
        // What is written to stdin does not matter, only its end; a read error is an end too.
        let mut sink = [0; 1024];
        while std::io::stdin().read(&mut sink).is_ok_and(|n| n > 0) {}
    } else {
        loop {
            std::thread::park();
        }
    }
    Ok(())
}

fn announce(url: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", serde_json::json!({ "url": url, "version": VERSION }))?;
    stdout.flush()
}

fn secret(variable: &str) -> anyhow::Result<String> {
    std::env::var(variable).with_context(|| format!("read an API key from the environment variable {variable}"))
}
