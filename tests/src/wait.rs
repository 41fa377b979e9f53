//! Polling with a deadline: nothing in the harness sleeps and hopes.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const STEP: Duration = Duration::from_millis(10);

/// Calls `probe` until it gives a value.
///
/// # Errors
/// When `limit` passes first; the message names `what`.
pub fn until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            bail!("waited {limit:?} for {what}");
        }
        thread::sleep(STEP);
    }
}

/// Calls `probe` until it succeeds.
///
/// # Errors
/// When `limit` passes first; the message names `what` and carries the last error of `probe`.
pub fn until_ok<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match probe() {
            Ok(found) => return Ok(found),
            Err(error) if Instant::now() >= deadline => {
                return Err(error).with_context(|| format!("waited {limit:?} for {what}"));
            }
            Err(_) => thread::sleep(STEP),
        }
    }
}
