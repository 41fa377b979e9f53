//! How many rows a transaction takes, and how long the server is left alone after it.

use std::time::Duration;

/// With so many it begins.
const FIRST: u64 = 1_000;
/// Below that a transaction costs more than its rows.
const LEAST: u64 = 50;
/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(10);

/// Adapts itself to how fast the server is now.
#[derive(Debug)]
pub(crate) struct Pace {
    target: Duration,
    pause: f64,
    most: u64,
    rows: u64,
}

impl Pace {
    pub(crate) fn new(target: Duration, pause: f64, most: u64) -> Self {
        Self { target, pause, most, rows: FIRST.min(most) }
    }

    /// How many rows the next transaction may take.
    pub(crate) const fn rows(&self) -> u64 {
        self.rows
    }

    /// Learns from a transaction; how long to pause after it. One step goes to twice or half of what it was, so that one
    /// slow commit does not make the whole run slow.
    pub(crate) fn learn(&mut self, deleted: u64, took: Duration) -> Duration {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few million rows at most"
        )]
        let fitting = (deleted as f64 * self.target.as_secs_f64() / took.as_secs_f64().max(1e-6)) as u64;
        let twice = self.rows.saturating_mul(2);
        if took > self.target || deleted == self.rows {
            self.rows = fitting.clamp(self.rows / 2, twice);
        } else if fitting > self.rows {
            // There was less to do than it might have done.
            self.rows = fitting.min(twice);
        }
        self.rows = self.rows.clamp(LEAST.min(self.most), self.most);
        took.mul_f64(self.pause).min(LONGEST)
    }

    /// After a transaction that did not succeed.
    pub(crate) fn back_off(&mut self) {
        self.rows = (self.rows / 2).max(LEAST.min(self.most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_rows_that_fit_and_pauses_as_long_as_they_took() {
        let ms = Duration::from_millis;
        let mut pace = Pace::new(ms(200), 1.0, 50_000);
        assert_eq!(pace.rows(), 1_000);
        assert_eq!(pace.learn(1_000, ms(10)), ms(10));
        assert_eq!(pace.rows(), 2_000);
        assert_eq!(pace.learn(2_000, ms(160)), ms(160));
        assert_eq!(pace.rows(), 2_500);
        pace.learn(2_500, ms(5_000));
        assert_eq!(pace.rows(), 1_250);
        // The end of a range, quickly done, says little.
        pace.learn(1, ms(2));
        assert_eq!(pace.rows(), 1_250);
        for _ in 0..20 {
            pace.learn(pace.rows(), ms(1));
        }
        assert_eq!(pace.rows(), 50_000);
        assert_eq!(Pace::new(ms(200), 3.0, 10).rows(), 10);
        assert_eq!(Pace::new(ms(200), 3.0, 10).learn(10, ms(9_000)), ms(10_000));
    }
}
