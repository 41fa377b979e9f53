//! How long, how often and how soon.

use std::time::Duration;

/// The wait after the first failure, which doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// What another end asks for is granted up to this.
pub(super) const LONGEST_WISH: Duration = Duration::from_secs(3_600);

/// A channel that cannot be used as it is configured is tried again so much later.
pub(super) const UNUSABLE_WAIT: Duration = Duration::from_secs(3_600);

/// The limits of deliveries that are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How long one attempt may take, so that a silent other end leaves time for another.
    pub(crate) attempt: Duration,
    /// The longest wait between two attempts, unless the other end asks for more.
    pub(crate) longest_wait: Duration,
    /// A channel that has not taken anything for so long is reported through the others.
    pub(crate) report_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(5),
            longest_wait: Duration::from_secs(300),
            report_after: Duration::from_secs(900),
        }
    }
}

impl Limits {
    /// How long to wait after so many failures in a row: half of it fixed, half by chance, so that many senders that failed
    /// together do not come back together (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
    pub(super) fn wait_after(&self, failures: u32, chance: f64) -> Duration {
        let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        let whole = doubled.min(self.longest_wait);
        whole / 2 + (whole / 2).mul_f64(chance.clamp(0.0, 1.0))
    }

    /// How long a run holds a channel for one attempt: if it is gone then, it was killed.
    pub(super) fn lease(&self) -> Duration {
        self.attempt + self.attempt.min(Duration::from_secs(5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let limits = Limits::default();
        let waits = |chance| [1, 2, 3, 10, 11, 1000].map(|failures| limits.wait_after(failures, chance).as_millis());
        assert_eq!(waits(0.0), [250, 500, 1_000, 128_000, 150_000, 150_000]);
        assert_eq!(waits(1.0), [500, 1_000, 2_000, 256_000, 300_000, 300_000]);
    }
}
