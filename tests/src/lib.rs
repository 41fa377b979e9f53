//! The test harness of the pso tools: real servers in temp folders, stand-ins for the ends that cannot be had, and a generator of the
//! deployment that is maintained.
//!
//! Everything listens on 127.0.0.1 only, on free ports, and ends with the process that started it, even when that is killed.
//!
//! | module | what it gives |
//! |---|---|
//! | [`pg`] | [`pg::TempPg`]: a real PostgreSQL server; [`pg::Database`]: one database a test |
//! | [`qdrant`] | [`qdrant::TempQdrant`]: a real Qdrant, or the project's stand-in; [`qdrant::QdrantClient`] |
//! | [`service`] | [`service::Service`]: planning-sync-server's own face |
//! | [`alertmanager`] | [`alertmanager::Alertmanager`]: Debian's `prometheus-alertmanager` |
//! | [`webhook`] | [`webhook::WebhookSink`]: Slack, Discord and generic webhooks that record and misbehave |
//! | [`smtp`] | [`smtp::SmtpSink`]: a mail server with TLS and login that keeps its mails and misbehaves |
//! | [`tls_end`] | [`tls_end::TlsEnd`]: HTTPS with a good certificate, or one that is bad in a certain way |
//! | [`certificates`] | [`certificates::Certificates`]: the same as files, for other servers |
//! | [`proxy`] | [`proxy::TcpProxy`]: cuts, delays, corrupts and swallows |
//! | [`dead_port`] | [`dead_port::DeadPort`]: neither accepts nor refuses |
//! | [`tool`] | [`tool::Tool`]: runs a built binary and looks at all that came out |
//! | [`deployment`] | a realistic deployment, with the counts that a right answer must give |
//! | [`mount`] | [`mount::Mount`]: disks that are full or read-only |
//! | [`fingerprint`] | what was there, so that one can show that it is back |
//! | [`schema`] | the record contract, to hold output against |
//! | [`wait`] | polling with a deadline |

pub mod alertmanager;
pub mod certificates;
pub mod dead_port;
pub mod deployment;
pub mod fingerprint;
mod http_end;
pub mod mount;
pub mod pg;
pub mod proxy;
pub mod qdrant;
pub mod schema;
pub mod service;
pub mod smtp;
mod supervised;
pub mod tls_end;
pub mod tool;
pub mod wait;
pub mod webhook;

pub use http_end::{Reply, Seen};
