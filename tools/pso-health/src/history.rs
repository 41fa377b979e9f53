//! What earlier rounds, or earlier runs with `--state`, have measured: samples of counters, of which the last hour counts.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use pso_common::Timestamp;
use pso_common::io::{Readers, replace};
use serde::{Deserialize, Serialize};

/// The span over which counters are compared: the specification's hour.
pub(crate) const WINDOW: Duration = Duration::from_secs(3600);

/// Samples that lie closer than this are not all kept: a round a second must not fill the memory.
const SPACING: Duration = Duration::from_secs(5);

/// A larger file is none of ours.
const LARGEST: u64 = 4 << 20;

/// Counters at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    at: Timestamp,
    values: Vec<f64>,
}

/// How much counters have grown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Growth {
    /// By counter, in the order in which they were given.
    pub(crate) values: Vec<f64>,
    /// Over how long: at most a little more than [`WINDOW`].
    pub(crate) over: Duration,
    /// How often the counters began anew within that time.
    pub(crate) resets: u32,
}

/// Samples by series, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct History {
    #[serde(default)]
    series: BTreeMap<String, VecDeque<Sample>>,
}

impl History {
    /// Adds the counters of a series as they stand at `now`, and says how much they have grown within the last hour; `None`
    /// when there is nothing to compare with. Counters that stand together begin anew together: when one is smaller than
    /// before, all of them count from 0, as Prometheus's `increase` has it.
    pub(crate) fn grown(&mut self, series: &str, now: Timestamp, values: &[f64]) -> Option<Growth> {
        let samples = self.series.entry(series.to_owned()).or_default();
        // A clock that was set back, or another form of the body: what was kept cannot be compared.
        if samples.back().is_some_and(|last| last.at > now || last.values.len() != values.len()) {
            samples.clear();
        }
        // One sample from before the window stays: the window begins somewhere between it and the next.
        while samples.get(1).is_some_and(|second| second.at.until(now) >= WINDOW) {
            samples.pop_front();
        }
        // After a long pause that one is too old to tell of the last hour.
        if samples.front().is_some_and(|first| first.at.until(now) > 2 * WINDOW) {
            samples.clear();
        }
        let growth = growth(samples, now, values);
        let sample = Sample { at: now, values: values.to_vec() };
        let len = samples.len();
        // The last sample is always there; the one before it goes when it is too near to its own predecessor.
        if len >= 2
            && samples[len - 2].at.until(samples[len - 1].at) < SPACING
            && !began_anew(&samples[len - 1].values, values)
        {
            samples.pop_back();
        }
        samples.push_back(sample);
        growth
    }

    /// Forgets the series that nobody has added to for long: a log file that is gone, a target that was taken out.
    pub(crate) fn forget_old(&mut self, now: Timestamp) {
        self.series.retain(|_, samples| samples.back().is_some_and(|last| last.at.until(now) <= 2 * WINDOW));
    }

    /// Reads what an earlier run has kept; a missing file is an empty history.
    ///
    /// # Errors
    /// When it cannot be read, or is something else.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let size = match path.metadata() {
            // A pipe would wait for a writer.
            Ok(data) if !data.is_file() => anyhow::bail!("{} is no file", path.display()),
            Ok(data) => data.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("read the state in {}", path.display())),
        };
        anyhow::ensure!(size <= LARGEST, "{} is no state of pso-health: it has {size} bytes", path.display());
        let text = std::fs::read(path).with_context(|| format!("read the state in {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no state of pso-health", path.display()))
    }

    /// Puts it into a file, whole or not at all, for the next run. Readable by the owner only.
    ///
    /// # Errors
    /// When the file cannot be replaced.
    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        replace(path, &serde_json::to_vec(self)?, Readers::Owner)
            .with_context(|| format!("write the state to {} (--state)", path.display()))
    }
}

fn began_anew(before: &[f64], after: &[f64]) -> bool {
    before.iter().zip(after).any(|(before, after)| after < before)
}

fn growth(samples: &VecDeque<Sample>, now: Timestamp, values: &[f64]) -> Option<Growth> {
    let first = samples.front()?;
    let mut growth = Growth { values: vec![0.0; values.len()], over: first.at.until(now), resets: 0 };
    let mut before = &first.values[..];
    for after in samples.iter().skip(1).map(|sample| &sample.values[..]).chain([values]) {
        let anew = began_anew(before, after);
        growth.resets += u32::from(anew);
        for ((sum, before), after) in growth.values.iter_mut().zip(before).zip(after) {
            *sum += if anew { *after } else { after - before };
        }
        before = after;
    }
    // A state file may hold any numbers; what they come to must still be one.
    let is_finite = growth.values.iter().all(|value| value.is_finite());
    (is_finite && !growth.over.is_zero()).then_some(growth)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        let minutes = seconds / 60;
        format!("2026-11-22T{:02}:{:02}:{:02}Z", minutes / 60, minutes % 60, seconds % 60).parse().expect("RFC 3339")
    }

    #[test]
    fn counters_are_compared_over_the_last_hour() {
        let mut history = History::default();
        assert_eq!(history.grown("x", at(0), &[1000.0, 10.0]), None);
        let grown = history.grown("x", at(300), &[1100.0, 30.0]).expect("two samples");
        assert_eq!((grown.values, grown.over), (vec![100.0, 20.0], Duration::from_secs(300)));
        for minute in (10..=65).step_by(5) {
            history.grown("x", at(minute * 60), &[1100.0, 30.0]);
        }
        // The burst between the minutes 0 and 5 is more than an hour ago.
        let grown = history.grown("x", at(70 * 60), &[1110.0, 31.0]).expect("samples");
        assert_eq!((grown.values, grown.over), (vec![10.0, 1.0], Duration::from_secs(3600)));
        assert_eq!(history.grown("y", at(70 * 60), &[1.0]), None, "another series");
    }

    #[test]
    fn counters_that_begin_anew_count_from_0() {
        let mut history = History::default();
        history.grown("x", at(0), &[1000.0, 100.0]);
        history.grown("x", at(60), &[1010.0, 101.0]);
        // The server was started again: 4 operations since, 3 failed. The second counter alone does not show it.
        let grown = history.grown("x", at(120), &[4.0, 300.0]).expect("samples");
        assert_eq!((grown.values, grown.resets), (vec![14.0, 301.0], 1));
    }

    #[test]
    fn what_cannot_be_compared_is_dropped() {
        let mut history = History::default();
        history.grown("x", at(600), &[5.0]);
        assert_eq!(history.grown("x", at(500), &[6.0]), None, "the clock was set back");
        assert_eq!(history.grown("x", at(560), &[6.0, 1.0]), None, "another form");
        assert_eq!(history.grown("x", at(560), &[6.0, 1.0]), None, "no time has passed");
        history.grown("z", at(0), &[f64::MIN]);
        assert_eq!(history.grown("z", at(60), &[f64::MAX]), None, "no number");
        history.series.remove("z");
        history.grown("y", at(2 * 3600), &[1.0]);
        history.forget_old(at(3 * 3600));
        assert_eq!(history.series.keys().collect::<Vec<_>>(), ["y"]);
        history.grown("x", at(600), &[6.0, 1.0]);
        assert_eq!(history.grown("x", at(3 * 3600), &[7.0, 1.0]), None, "too long ago");
    }

    #[test]
    fn a_round_a_second_keeps_few_samples_and_loses_no_growth() {
        let mut history = History::default();
        let mut grown = None;
        for second in 0..7200_u64 {
            // Begins anew every 1000 seconds.
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let value = (second % 1000) as f64;
            grown = history.grown("x", at(second), &[value]);
        }
        let kept = history.series["x"].len();
        assert!(kept < 1500, "{kept}");
        let grown = grown.expect("samples");
        // One a second, except where it began anew: then 999 becomes 0.
        assert!((grown.values[0] - 3600.0).abs() < 20.0, "{grown:?}");
        assert!((3..=4).contains(&grown.resets), "{grown:?}");
    }

    #[test]
    fn the_file_is_whole_private_and_ours() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.json");
        assert_eq!(History::load(&path).expect("none"), History::default());
        let mut history = History::default();
        history.grown("x", at(1), &[1.0]);
        history.save(&path).expect("written");
        assert_eq!(History::load(&path).expect("there"), history);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&path, "[1").expect("written");
        assert!(format!("{:#}", History::load(&path).expect_err("no state")).contains("is no state of pso-health"));
        assert!(history.save(&folder.path().join("no/such")).is_err());
    }
}
