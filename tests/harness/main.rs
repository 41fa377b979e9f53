//! Tests of the harness itself: a test end that cannot fail proves nothing.

#![expect(clippy::disallowed_methods, reason = "the harness must not be seen through the code under test")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod deployments;
mod ends;
mod log_truth;
mod mail;
mod postgresql;
mod proxies;
mod tls;
mod tools;
mod vectors;
mod versions;
