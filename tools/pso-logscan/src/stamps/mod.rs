//! Time stamps: where a line has one, how it is written, and which moment it names.
//!
//! `formats` says what is written, `reader` which moment that is, with the zone and the year that the line leaves out.

mod calendar;
mod formats;
pub(crate) mod layout;
mod marks;
pub(crate) mod reader;
pub(crate) mod reference;
pub(crate) mod window;
mod years;
pub(crate) mod zone;
pub(crate) mod zones;

#[cfg(test)]
mod round_trip;

use std::ops::RangeInclusive;

use pso_common::Timestamp;
use time::OffsetDateTime;

pub(crate) use formats::epoch::of_number;

/// A moment in microseconds since 1970-01-01 UTC: small, and quick to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) i64);

pub(crate) const SECOND: i64 = 1_000_000;

/// The first and the last second that RFC 3339 can write, and so all that records can carry: its years have four digits.
const CALENDAR: RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

impl Moment {
    /// The moment nearest to this one that records can carry: a zone may carry a stamp beyond the first or the last year.
    pub(crate) fn within_calendar(self) -> Self {
        Self(self.0.clamp(CALENDAR.start() * SECOND, CALENDAR.end() * SECOND + SECOND - 1))
    }

    /// The moment as records carry it; `None` beyond the calendar's years.
    pub(crate) fn timestamp(self) -> Option<Timestamp> {
        if self != self.within_calendar() {
            return None;
        }
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000).ok().map(Timestamp::new)
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        // Years of four digits fit 60 times over.
        Self(i64::try_from(at.to_utc().unix_timestamp_nanos().div_euclid(1000)).unwrap_or(i64::MAX))
    }
}

/// How a stamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum StampFormat {
    /// `2025-06-12T09:00:00.123Z`: date, `T`, time, zone.
    Rfc3339,
    /// The same with a blank, or without a zone: `2025-06-12 09:00:00,123`.
    Iso,
    /// Go's log package, and nginx's error log: `2025/06/12 09:00:00`.
    Go,
    /// Windows' servicing: `2025-06-12 09:00:00, Info`.
    Cbs,
    /// Log4j's other ways: a level or a bracket before one of the above, or `12 Jun 2025 09:00:00,123`.
    Log4j,
    /// RFC 3164, whose year is inferred unless it is there: `<34>Jun 12 09:00:00`.
    Syslog,
    /// RFC 5424: `<34>1 2025-06-12T09:00:00Z`.
    Rfc5424,
    /// Kubernetes' and glog's, whose year is inferred unless it is there: `I0612 09:00:00.123456`.
    Klog,
    /// Apache's and nginx's access log: `192.0.2.1 - - [12/Jun/2025:09:00:00 +0200]`.
    ApacheAccess,
    /// Apache's error log: `[Thu Jun 12 09:00:00.123456 2025]`.
    ApacheError,
    /// `12/Jun/2025:09:00:00`, `12-Jun-2025 09:00:00`, with a bracket before it or not.
    Dmy,
    /// `25/06/12 09:00:00`, as Spark writes it.
    YmdShort,
    /// `250612 090000`, as HDFS writes it, and `20250612-9:0:0:123`.
    Compact,
    /// Seconds since 1970, or thousandths, millionths or billionths of them.
    Epoch,
    /// A field of a JSON line.
    Json,
}

impl StampFormat {
    /// How many words behind such a stamp belong to the format, and not to what the line says: the host, and in RFC 5424
    /// the program, its process and its message's name too.
    pub(crate) const fn fields(self) -> usize {
        match self {
            Self::Syslog => 1,
            Self::Rfc5424 => 4,
            _ => 0,
        }
    }

    /// The name in `log.coverage`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rfc3339 => "rfc3339",
            Self::Iso => "iso",
            Self::Go => "go",
            Self::Cbs => "cbs",
            Self::Log4j => "log4j",
            Self::Syslog => "syslog",
            Self::Rfc5424 => "rfc5424",
            Self::Klog => "klog",
            Self::ApacheAccess => "apache-access",
            Self::ApacheError => "apache-error",
            Self::Dmy => "dmy",
            Self::YmdShort => "ymd-short",
            Self::Compact => "compact",
            Self::Epoch => "epoch",
            Self::Json => "json",
        }
    }
}

/// A stamp that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The moment that it names.
    pub(crate) at: Moment,
    /// How it is written.
    pub(crate) format: StampFormat,
    /// Whether it names its zone itself.
    pub(crate) zoned: bool,
    /// Where it begins in its line, in bytes; 0 for a field of a JSON line.
    pub(crate) start: usize,
    /// Where it ends in its line, zone included; 0 for a field of a JSON line.
    pub(crate) end: usize,
}

/// 1973-01-01: the last zone whose offset had seconds, Monrovia's, gave them up in January 1972.
const WHOLE_MINUTES_SINCE: Moment = Moment(94_694_400 * SECOND);

/// 9999-12-31: the last moments of the calendar may stand for later ones.
const WHOLE_MINUTES_UNTIL: Moment = Moment(253_402_214_400 * SECOND);

impl Stamp {
    /// Whether the line begins with it as `YYYY?MM?DD?hh:mm:ss`, and all the seconds of its minute are as far from UTC
    /// as it is.
    pub(crate) fn is_plain(&self) -> bool {
        use StampFormat::{Cbs, Go, Iso, Rfc3339};
        self.start == 0
            && matches!(self.format, Rfc3339 | Iso | Go | Cbs)
            && (WHOLE_MINUTES_SINCE..WHOLE_MINUTES_UNTIL).contains(&self.at)
    }
}

/// Reads the stamp of `line`; one without a zone is taken `zone` seconds east of UTC, one without a year in the year
/// 1970.
#[cfg(test)]
pub(crate) fn parse(line: &[u8], zone: i32) -> Option<Stamp> {
    reader::Reader::new(zone::Zone::Fixed(zone), Moment(300 * calendar::DAY * SECOND)).read(line)
}
