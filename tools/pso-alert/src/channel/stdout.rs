//! stdout: the notices are records of the run, so they are there already.

use std::time::Duration;

use super::{Channel, Digest, Outcome};

/// Says that the notices are on stdout, for files that name every way of telling.
#[derive(Debug)]
pub(crate) struct Stdout;

impl Channel for Stdout {
    fn kind(&self) -> &'static str {
        "stdout"
    }

    fn capacity(&self) -> usize {
        usize::MAX
    }

    fn is_for_people(&self) -> bool {
        false
    }

    fn fingerprint(&self) -> String {
        String::new()
    }

    fn send(&self, _digest: &Digest<'_>, _timeout: Duration) -> Outcome {
        Outcome::Sent { status: None, said: String::new(), pause: Duration::ZERO, complaint: None }
    }
}
