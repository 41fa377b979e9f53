//! How the stamps of one input are read.

use std::ops::Range;

use crate::scan::lines::without_return;
use crate::search::jsonline::JsonLine;
use crate::stamps::formats::{self, Says};
use crate::stamps::years::Years;
use crate::stamps::zone::Zone;
use crate::stamps::{Moment, SECOND, Stamp};

/// What is known of an input's stamps before its first line is read.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// For stamps that name no zone.
    zone: Zone,
    /// For stamps that name no year.
    years: Years,
}

impl Reader {
    /// For an input whose stamps without a zone are of `zone`, and that was last written at `reference`; that is now for
    /// one that is still being written.
    pub(crate) fn new(zone: Zone, reference: Moment) -> Self {
        let second = reference.0.div_euclid(SECOND);
        let years = Years::until(second.saturating_add(zone.offset_at(second).into()));
        Self { zone, years }
    }

    /// The moments that the clocks of the zone show twice, if `at` is one of them: all these stamps are taken for the first
    /// time that they were shown.
    pub(crate) fn shown_twice(&self, at: Moment) -> Option<Range<Moment>> {
        let twice = self.zone.shown_twice(at.0.div_euclid(SECOND))?;
        Some(Moment(twice.start * SECOND)..Moment(twice.end * SECOND))
    }

    /// Reads the stamp of `line`, which may be a JSON line.
    pub(crate) fn stamp_of_line(&self, line: &[u8]) -> Option<Stamp> {
        let line = without_return(line);
        if line.first() == Some(&b'{') { JsonLine::read(line, self).stamp } else { self.read(line) }
    }

    /// Reads the stamp of `line`, however the one before it was written: chunks are read side by side, and what a line says
    /// must not depend on where the chunk began.
    #[inline]
    pub(crate) fn read(&self, line: &[u8]) -> Option<Stamp> {
        let found = formats::find(line)?;
        let (second, zoned) = match found.says {
            Says::Utc(second) => (second, true),
            Says::Local(local) => (self.zone.to_utc(local), false),
            Says::Yearless { month, day, second_of_day, offset } => {
                let local = self.years.date(month, day, second_of_day)?;
                (offset.map_or_else(|| self.zone.to_utc(local), |offset| local - i64::from(offset)), offset.is_some())
            }
        };
        let at = Moment(second * SECOND + found.micros).within_calendar();
        Some(Stamp { at, format: found.format, zoned, start: found.start, end: found.end })
    }
}
