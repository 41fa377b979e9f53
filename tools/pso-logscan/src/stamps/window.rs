//! Which part of time is asked for.

use std::time::Duration;

use pso_common::Timestamp;
use pso_common::config::ConfigValue;

use crate::stamps::{Moment, parse};

/// The value of `--since` and `--until`: a span back from now, or a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// So long ago.
    Ago(Duration),
    /// A date, or a date and a time; what it means without a zone depends on `--tz`.
    At(String),
}

impl When {
    /// The moment, for a stamp without a zone `zone` seconds east of UTC.
    pub(crate) fn moment(&self, now: Timestamp, zone: i32) -> Option<Moment> {
        match self {
            Self::Ago(span) => Some(now.minus(*span).into()),
            Self::At(text) => moment(text, zone),
        }
    }
}

/// The moment that `text` names, all of it.
fn moment(text: &str, zone: i32) -> Option<Moment> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00") } else { text.to_owned() };
    parse(whole.as_bytes(), zone).filter(|stamp| stamp.end == whole.len()).map(|stamp| stamp.at)
}

impl ConfigValue for When {
    const EXPECTED: &'static str = "a span such as 24h or 7d, or a time such as 2025-06-12T09:00:00Z or 2025-06-12";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if moment(text, 0).is_some() {
            return Some(Self::At(text.to_owned()));
        }
        // A bare number is refused: nobody could tell hours from seconds.
        humantime::parse_duration(text).ok().filter(|_| text != "0").map(Self::Ago)
    }

    fn show(&self) -> String {
        match self {
            Self::Ago(span) => humantime::format_duration(*span).to_string(),
            Self::At(text) => text.clone(),
        }
    }
}

/// From `since` (inclusive) to `until` (exclusive); open where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) since: Option<Moment>,
    pub(crate) until: Option<Moment>,
}

impl Window {
    /// Whether every moment is within.
    pub(crate) const fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    pub(crate) fn contains(&self, at: Moment) -> bool {
        self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until)
    }

    /// Whether all moments from `first` to before `end` are within, or none; `None` where the window begins or ends
    /// among them.
    pub(crate) fn contains_all(&self, first: Moment, end: Moment) -> Option<bool> {
        let among = |edge: Option<Moment>| edge.is_some_and(|edge| first < edge && edge < end);
        (!among(self.since) && !among(self.until)).then(|| self.contains(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_moments() {
        let now: Timestamp = "2025-06-12T09:00:00Z".parse().expect("a time");
        let shown = |text: &str| Some(When::parse(text)?.moment(now, 3600)?.timestamp()?.to_string());
        assert_eq!(shown("24h").as_deref(), Some("2025-06-11T09:00:00.000Z"));
        assert_eq!(shown("7d").as_deref(), Some("2025-06-05T09:00:00.000Z"));
        assert_eq!(shown("2025-06-10T12:00:00+02:00").as_deref(), Some("2025-06-10T10:00:00.000Z"));
        assert_eq!(shown("2025-06-10 12:00:00").as_deref(), Some("2025-06-10T11:00:00.000Z"));
        assert_eq!(shown("2025-06-10").as_deref(), Some("2025-06-09T23:00:00.000Z"));
        for bad in ["24", "0", "yesterday", "2025-06-31", "2025-06-10T12:00:00Z ", ""] {
            assert_eq!(When::parse(bad).is_none(), !bad.ends_with(' '), "{bad}");
        }
    }

    #[test]
    fn begins_with_its_first_moment_and_ends_before_its_last() {
        let window = Window { since: Some(Moment(10)), until: Some(Moment(20)) };
        assert_eq!([9, 10, 19, 20].map(|at| window.contains(Moment(at))), [false, true, true, false]);
        let all = |first, end| window.contains_all(Moment(first), Moment(end));
        assert_eq!(
            [all(0, 10), all(0, 11), all(10, 20), all(10, 21), all(20, 30)],
            [Some(false), None, Some(true), None, Some(false)]
        );
        assert_eq!(Window::default().contains_all(Moment(0), Moment(9)), Some(true));
    }
}
