//! Bytes and rate, for somebody who waits.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use pso_common::Run;
use pso_common::output::bytes;

/// How often the line is renewed.
const EVERY: Duration = Duration::from_millis(400);

/// Passes everything on and says now and then how much it was.
pub(crate) struct Progress<'a, 'io> {
    out: &'a mut dyn Write,
    run: &'a mut Run<'io>,
    what: String,
    total: Option<u64>,
    passed: u64,
    started: Instant,
    told: Instant,
}

impl<'a, 'io> Progress<'a, 'io> {
    /// `what` is being written to `out`; `total` bytes, where that is known.
    pub(crate) fn new(out: &'a mut dyn Write, run: &'a mut Run<'io>, what: String, total: Option<u64>) -> Self {
        let now = Instant::now();
        Self { out, run, what, total, passed: 0, started: now, told: now }
    }

    fn tell(&mut self) {
        let text = line(&self.what, self.passed, self.total, self.started.elapsed());
        self.run.progress_again(text);
    }
}

impl Write for Progress<'_, '_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let written = self.out.write(piece)?;
        self.passed += written as u64;
        if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            self.tell();
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn line(what: &str, passed: u64, total: Option<u64>, elapsed: Duration) -> String {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = bytes(passed.saturating_mul(1000) / millis);
    match total {
        Some(total) => format!("{what}: {} of {}, {rate}/s", bytes(passed), bytes(total)),
        None => format!("{what}: {}, {rate}/s", bytes(passed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_bytes_and_rate() {
        assert_eq!(line("x", 3 << 20, None, Duration::from_secs(2)), "x: 3.0 MiB, 1.5 MiB/s");
        assert_eq!(line("x", 0, Some(1024), Duration::ZERO), "x: 0 B of 1.0 KiB, 0 B/s");
    }
}
