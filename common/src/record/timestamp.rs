//! Moments as records carry them.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// A moment, written as RFC 3339 in UTC with milliseconds: `2026-11-22T09:00:00.123Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// The present moment of the machine's clock.
    #[must_use]
    pub fn now() -> Self {
        Self(OffsetDateTime::now_utc())
    }

    /// A moment as the `time` crate has it.
    #[must_use]
    pub fn new(at: OffsetDateTime) -> Self {
        Self(at.to_offset(UtcOffset::UTC))
    }

    /// The moment in UTC, for calculations and other formats.
    #[must_use]
    pub const fn to_utc(self) -> OffsetDateTime {
        self.0
    }

    /// The moment `span` earlier; the beginning of year 1 if that lies before it.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        let earliest = time::PrimitiveDateTime::new(time::Date::MIN, time::Time::MIDNIGHT).assume_utc();
        let span = time::Duration::try_from(span).unwrap_or(time::Duration::MAX);
        Self(self.0.checked_sub(span).unwrap_or(earliest))
    }

    /// The moment `span` later; the end of year 9999 if that lies before it.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let latest = time::PrimitiveDateTime::new(time::Date::MAX, time::Time::MIDNIGHT).assume_utc();
        let span = time::Duration::try_from(span).unwrap_or(time::Duration::MAX);
        Self(self.0.checked_add(span).unwrap_or(latest))
    }

    /// Milliseconds since 1970, as databases keep it.
    #[must_use]
    pub fn unix_millis(self) -> i64 {
        i64::try_from(self.0.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
    }

    /// The moment so many milliseconds after 1970; the nearest that can be held if that is far off.
    #[must_use]
    pub fn from_unix_millis(millis: i64) -> Self {
        let nanos = i128::from(millis) * 1_000_000;
        let nearest = if millis < 0 { time::Date::MIN } else { time::Date::MAX };
        Self(OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or_else(|_| nearest.midnight().assume_utc()))
    }

    /// How long before `later` this moment was; zero if it was not.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        (later.0 - self.0).try_into().unwrap_or_default()
    }

    /// `YYYYMMDD_HHMMSS` in UTC, as archives are named.
    #[must_use]
    pub fn compact(self) -> String {
        let (date, time) = (self.0.date(), self.0.time());
        format!(
            "{:04}{:02}{:02}_{:02}{:02}{:02}",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = self.0;
        let text = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        );
        f.pad(&text)
    }
}

impl std::str::FromStr for Timestamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        OffsetDateTime::parse(text, &Rfc3339)
            .map(Self::new)
            .map_err(|error| format!("`{text}` is not an RFC 3339 time such as 2026-11-22T09:00:00Z: {error}"))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_utc_with_milliseconds() {
        let at: Timestamp = "2026-11-22T10:00:00.1239+01:00".parse().expect("RFC 3339");
        assert_eq!(at.to_string(), "2026-11-22T09:00:00.123Z");
        assert_eq!(at.compact(), "20261122_090000");
        assert_eq!(serde_json::to_string(&at).expect("JSON"), "\"2026-11-22T09:00:00.123Z\"");
    }

    #[test]
    fn spans_beyond_the_calendar_do_not_panic() {
        let at: Timestamp = "2026-11-22T09:00:00Z".parse().expect("RFC 3339");
        assert_eq!(at.minus(Duration::MAX).to_string(), "-9999-01-01T00:00:00.000Z");
        assert_eq!(at.until(at.minus(Duration::from_secs(5))), Duration::ZERO);
    }
}
