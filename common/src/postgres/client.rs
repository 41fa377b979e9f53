//! A connection that never keeps its tool from ending.

use std::ops::{Deref, DerefMut};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long a server may take to notice that we are leaving.
const FAREWELL: Duration = Duration::from_secs(1);

/// An open session. Everything that [`postgres::Client`] can do, it can.
///
/// The driver's own client says goodbye when it is dropped, and waits for what it has asked before: with a server that is
/// silent it would wait for ever. This one leaves after a second.
pub struct Client(Option<postgres::Client>);

impl Client {
    pub(super) const fn new(client: postgres::Client) -> Self {
        Self(Some(client))
    }
}

impl Deref for Client {
    type Target = postgres::Client;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect("a client that was not dropped")
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0.as_mut().expect("a client that was not dropped")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let Some(client) = self.0.take().filter(|client| !client.is_closed()) else { return };
        let (sender, receiver) = mpsc::sync_channel(1);
        let leaving = thread::Builder::new().name("pg-close".to_owned()).spawn(move || {
            drop(client);
            let _ = sender.send(());
        });
        if leaving.is_ok() {
            // After that the thread ends with its socket or with the process.
            let _ = receiver.recv_timeout(FAREWELL);
        }
    }
}
