//! TLS: which roots are trusted, what is wrong with the other end, and who the other end says it is.
//!
//! [`peer()`] shakes hands with whoever is there and reports its certificates, also those that must not be trusted; nothing
//! is ever sent over such a connection. The clients in [`crate::http`] and [`crate::postgres`] do check.

mod certificate;
mod fault;
mod judged;
mod peer;
mod roots;
#[cfg(test)]
pub(crate) mod test_end;

pub use certificate::Certificate;
pub use fault::TlsFault;
#[cfg(feature = "postgres")]
pub(crate) use judged::Judged;
pub use peer::{Peer, StartTls, peer};
pub use roots::{Roots, Trust};
