//! The listener, the threads that serve it, and the guard that keeps them alive.

use std::net::{IpAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::Context as _;
use tiny_http::Request;

use crate::answer::Failure;
use crate::auth::Keys;
use crate::routes;
use crate::store::Store;

/// Enough that a few downloads that nobody reads do not keep a health check waiting.
const WORKERS: usize = 8;

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of collections, aliases and snapshots; created if missing.
    pub storage: PathBuf,
    /// Address to listen on.
    pub host: IpAddr,
    /// Port to listen on; 0 picks a free one.
    pub port: u16,
    /// The API keys; none means that everybody may do everything.
    pub keys: Keys,
}

/// A running server, which ends when dropped.
pub struct Server {
    http: Arc<tiny_http::Server>,
    workers: Vec<JoinHandle<()>>,
    url: String,
}

impl Server {
    /// Opens the storage, loads what is in it, and starts to serve.
    ///
    /// # Errors
    /// When the storage cannot be opened or the address is taken.
    pub fn start(options: Options) -> anyhow::Result<Self> {
        let store =
            Store::open(&options.storage).with_context(|| format!("open the storage {}", options.storage.display()))?;
        let address = (options.host, options.port);
        let listener = TcpListener::bind(address).with_context(|| format!("listen on {address:?}"))?;
        // Connections inherit it. Without it, an answer in two writes waits 40 ms for the client's delayed ACK.
        socket2::SockRef::from(&listener).set_tcp_nodelay(true).context("set TCP_NODELAY")?;
        let url = format!("http://{}", listener.local_addr().context("ask for the port")?);
        let http = tiny_http::Server::from_listener(listener, None)
            .map_err(|error| anyhow::anyhow!("{error}"))
            .context("start the HTTP server")?;
        let http = Arc::new(http);
        let (store, keys) = (Arc::new(store), Arc::new(options.keys));
        let workers = (0..WORKERS)
            .map(|_| {
                let (http, store, keys) = (Arc::clone(&http), Arc::clone(&store), Arc::clone(&keys));
                std::thread::spawn(move || {
                    while let Ok(request) = http.recv() {
                        serve(&store, &keys, request);
                    }
                })
            })
            .collect();
        Ok(Self { http, workers, url })
    }

    /// The address, as `http://127.0.0.1:1234`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for _ in &self.workers {
            self.http.unblock();
        }
        for worker in self.workers.drain(..) {
            // A worker cannot have panicked: `serve` catches what could.
            let _ = worker.join();
        }
    }
}

fn serve(store: &Arc<Store>, keys: &Keys, mut request: Request) {
    let started = Instant::now();
    // The engine has `expect`s of its own, which a damaged snapshot can reach: that is an answer, not an end.
    let outcome = catch_unwind(AssertUnwindSafe(|| routes::answer(store, keys, &mut request)));
    let outcome = outcome.unwrap_or_else(|_| Err(Failure::internal("the engine panicked; its message is on stderr")));
    // A client that is still sending would see a reset instead of the answer. The library would drain too, but with
    // one buffer as large as the rest of the body.
    drain(&mut request);
    let response = match outcome {
        Ok(answer) => answer.into_response(started.elapsed()),
        Err(failure) => failure.into_response(started.elapsed()),
    };
    // A client that hung up does not want its answer.
    let _ = request.respond(response);
}

fn drain(request: &mut Request) {
    let mut sink = vec![0; 64 << 10];
    while request.as_reader().read(&mut sink).is_ok_and(|n| n > 0) {}
}
