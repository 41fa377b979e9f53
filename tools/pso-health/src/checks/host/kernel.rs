//! What `/proc` tells of memory that is short.

use std::fs;

/// Counters since the machine was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counters {
    /// Pages that went to the swap or came back (`pswpin`, `pswpout`).
    pub(super) swapped: u64,
    /// Processes that were killed for want of memory (`oom_kill`, since Linux 4.13).
    pub(super) oom_kills: Option<u64>,
}

impl Counters {
    /// `/proc/vmstat`; `None` where it is not there.
    pub(super) fn read() -> Option<Self> {
        Self::of(&fs::read_to_string("/proc/vmstat").ok()?)
    }

    fn of(text: &str) -> Option<Self> {
        let value = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            lines.find(|(key, _)| *key == name)?.1.trim().parse::<u64>().ok()
        };
        let swapped = value("pswpin")?.saturating_add(value("pswpout")?);
        Some(Self { swapped, oom_kills: value("oom_kill") })
    }
}

/// The share of the last minute in which something waited for memory, in percent (`/proc/pressure/memory`, `some avg60`); `None`
/// before Linux 4.20 and where it is switched off.
pub(super) fn memory_pressure() -> Option<f64> {
    some_avg60(&fs::read_to_string("/proc/pressure/memory").ok()?)
}

fn some_avg60(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let value: f64 = line.split(' ').find_map(|word| word.strip_prefix("avg60="))?.parse().ok()?;
    (0.0..=100.0).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_their_whole_name() {
        let text = "nr_free_pages 4813\npswpin 12\npswpout 30\nallocstall_dma 0\noom_kill 2\noom_kill_other 9\n";
        assert_eq!(Counters::of(text), Some(Counters { swapped: 42, oom_kills: Some(2) }));
        assert_eq!(Counters::of("pswpin 1\npswpout 2\n"), Some(Counters { swapped: 3, oom_kills: None }));
        assert_eq!(Counters::of("pswpin x\npswpout 2\n"), None);
        assert!(Counters::read().is_some(), "this kernel has them");
    }

    #[test]
    fn pressure_is_that_of_the_last_minute() {
        let text = "some avg10=1.00 avg60=12.34 avg300=3.00 total=5\nfull avg10=0.00 avg60=0.10 avg300=0.00 total=1\n";
        assert_eq!(some_avg60(text), Some(12.34));
        for text in ["", "full avg10=0.00 avg60=0.10\n", "some avg10=1\n", "some avg60=NaN\n", "some avg60=1e9\n"] {
            assert_eq!(some_avg60(text), None, "{text:?}");
        }
    }
}
