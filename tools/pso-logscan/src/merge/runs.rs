//! Parts that began and never ended, or failed.

use std::collections::HashMap;

use pso_common::record::{Header, RunEndRecord, RunStartRecord};

use crate::merge::coverage::Coverages;
use crate::merge::folded::cut;

/// Runs that are followed at a time.
const MAX_RUNS: usize = 10_000;
/// Longest name of a host that is told from others, in bytes.
const MAX_HOST_BYTES: usize = 256;
/// Longest error that is told, in bytes.
const MAX_ERROR_BYTES: usize = 512;

/// The runs that have begun.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// How often each host and process id has begun, and not yet ended.
    open: HashMap<(String, u32), u64>,
    /// How many have begun.
    begun: u64,
    /// Beginnings beyond those that can be followed.
    lost: u64,
}

impl Runs {
    pub(super) fn begin(&mut self, header: &Header, body: &RunStartRecord) {
        self.begun += 1;
        let key = (host(header), body.pid);
        if self.open.len() < MAX_RUNS || self.open.contains_key(&key) {
            *self.open.entry(key).or_default() += 1;
        } else {
            self.lost += 1;
        }
    }

    /// A part has ended; if it failed, that is something that was not read.
    pub(super) fn end(&mut self, header: &Header, body: &RunEndRecord, coverages: &mut Coverages) {
        let host = host(header);
        if let Some(error) = &body.error {
            let error = cut(error.clone(), MAX_ERROR_BYTES);
            coverages.add_unknown(format!("host {host}"), Some(format!("{} failed there: {error}", header.tool)));
        }
        let key = (host, body.pid);
        if let Some(times) = self.open.get_mut(&key) {
            *times -= 1;
            if *times == 0 {
                self.open.remove(&key);
            }
        }
    }

    /// Says which parts never ended, and whether there are fewer than the `expected`.
    pub(super) fn finish(&mut self, expected: Option<u64>, coverages: &mut Coverages) {
        for ((host, _), times) in self.open.drain() {
            for _ in 0..times {
                let reason = "pso-logscan began there and never ended: what it had not written yet is missing";
                coverages.add_unknown(format!("host {host}"), Some(reason.to_owned()));
            }
        }
        if self.lost > 0 {
            let reason = format!("{} more runs began than can be followed; whether they ended is not known", self.lost);
            coverages.add_unknown("other hosts".to_owned(), Some(reason));
        }
        if let Some(expected) = expected.filter(|&expected| self.begun < expected) {
            let reason = format!("{} of {expected} runs came in: the others may not have been reached", self.begun);
            coverages.add_unknown("missing hosts".to_owned(), Some(reason));
        }
    }
}

fn host(header: &Header) -> String {
    cut(header.host.clone(), MAX_HOST_BYTES)
}
