//! Where in a sorted file a window of time begins and ends, found without reading the file.

use std::io::{self, Read as _};
use std::ops::Range;

use crate::input::chunks::FileChunks;
use crate::stamps::reader::Reader;
use crate::stamps::window::Window;
use crate::stamps::{Moment, SECOND, Stamp};

/// Below this size a file is read whole: that is as quick.
const MIN_BYTES: u64 = 4 << 20;

/// How many places spread over the file are looked at to see whether it is sorted.
const PLACES: u64 = 128;

/// Bytes that are read at a place.
const GLANCE: u64 = 1 << 10;

/// Lines that end up a little late, because several threads or hosts write them, are looked for around the window.
pub(crate) const MARGIN: i64 = 60 * SECOND;

/// What has to be read of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The file's first stamp.
    pub(crate) first: Stamp,
    /// The lines before it, which nothing dates.
    pub(crate) undated: Range<u64>,
    /// From a line with a stamp to the end of a line.
    pub(crate) range: Range<u64>,
    /// Bytes that were read to find it.
    pub(crate) looked_at: u64,
}

/// The part of a file in which lines of `window` may be; `None` where all of it has to be read: it is small, has no
/// stamps, or is not sorted as far as can be seen.
///
/// Whether all of it is sorted cannot be known without reading all of it. What is looked at are 128 places spread evenly
/// over the file, and those at which the search itself looks; a line out of order anywhere there sends it away.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn part(chunks: &FileChunks, reader: &Reader, window: &Window) -> io::Result<Option<Part>> {
    let all = chunks.range().clone();
    if window.is_open() || all.end - all.start < MIN_BYTES {
        return Ok(None);
    }
    let mut search = Search { chunks, reader, buffer: Vec::new(), looked_at: 0, first: None };
    let Some(places) = search.places()? else { return Ok(None) };
    // Lines of an hour that the clocks have shown twice do not stand in the order of the moments that they are taken for.
    let back = window.since.map(|since| reader.shown_twice(since).map_or(since, |twice| twice.start));
    let ahead = window.until.map(|until| reader.shown_twice(until).map_or(until, |twice| twice.end));
    let back = back.map(|since| Moment(since.0.saturating_sub(MARGIN)));
    let ahead = ahead.map(|until| Moment(until.0.saturating_add(MARGIN)));
    let edges = match (search.edge(&places, back)?, search.edge(&places, ahead)?) {
        (Some(start), Some(end)) => (start, end),
        _ => return Ok(None),
    };
    let (Some(first), Some(dated)) = (search.first, places.first().map(|place| place.start)) else { return Ok(None) };
    let start = edges.0.start.max(dated);
    let range = start..edges.1.end.max(start);
    let part = Part { first, undated: all.start..dated, range, looked_at: search.looked_at };
    Ok((part.range.start > dated || part.range.end < all.end).then_some(part))
}

/// A line with a stamp.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u64,
    first: Moment,
    /// Of the stamps that were seen from here on in one glance.
    last: Moment,
}

struct Search<'a> {
    chunks: &'a FileChunks,
    reader: &'a Reader,
    buffer: Vec<u8>,
    looked_at: u64,
    /// The first stamp that was seen.
    first: Option<Stamp>,
}

impl Search<'_> {
    /// Lines spread over the file, if these are in order.
    fn places(&mut self) -> io::Result<Option<Vec<Place>>> {
        let all = self.chunks.range().clone();
        let mut places: Vec<Place> = Vec::new();
        for number in 0..=PLACES {
            // The last glance ends with the file.
            let at = all.start + (all.end - all.start - GLANCE) / PLACES * number;
            let place = match self.glance(at)? {
                Seen::Place(place) => place,
                Seen::End => break,
                Seen::Nothing | Seen::Disorder => return Ok(None),
            };
            match places.last() {
                // Between the two are no stamps.
                Some(before) if before.start == place.start => continue,
                Some(before) if !before.is_before(&place) => return Ok(None),
                _ => places.push(place),
            }
        }
        Ok(Some(places))
    }

    /// Around `moment`: the start of a line before which all stamps are earlier, and that of one from which on none is,
    /// or the file's end; all of it where there is no `moment`. `None` where disorder was seen.
    fn edge(&mut self, places: &[Place], moment: Option<Moment>) -> io::Result<Option<Range<u64>>> {
        let all = self.chunks.range().clone();
        let Some(moment) = moment else { return Ok(Some(all)) };
        let behind = places.partition_point(|place| place.first < moment);
        let Some(mut low) = behind.checked_sub(1).map(|at| places[at]) else { return Ok(Some(all.start..all.start)) };
        let mut high = places.get(behind).copied();
        // No line with a stamp begins from here to `high`.
        let mut empty_from = high.map_or(all.end, |high| high.start);
        while empty_from - low.start > 4 * GLANCE {
            let middle = low.start + (empty_from - low.start) / 2;
            match self.glance(middle)? {
                Seen::Disorder => return Ok(None),
                Seen::Nothing => break,
                Seen::End => empty_from = middle,
                Seen::Place(place) if place.start >= empty_from => empty_from = middle,
                Seen::Place(place) => {
                    if !low.is_before(&place) || high.is_some_and(|high| !place.is_before(&high)) {
                        return Ok(None);
                    }
                    if place.first < moment {
                        low = place;
                    } else {
                        (high, empty_from) = (Some(place), place.start);
                    }
                }
            }
        }
        Ok(Some(low.start..high.map_or(all.end, |high| high.start)))
    }

    /// The first line with a stamp that begins at `at` or behind.
    fn glance(&mut self, at: u64) -> io::Result<Seen> {
        let all = self.chunks.range().clone();
        let mut length = GLANCE;
        loop {
            // The byte before may be the end of a line.
            let begin = if at > all.start { at - 1 } else { at };
            let end = (begin + length).min(all.end);
            self.read(begin..end)?;
            match self.seen(begin, begin < at, end == all.end) {
                Seen::Nothing if end == all.end => return Ok(Seen::End),
                Seen::Nothing if length < 1 << 20 => length *= 8,
                seen => return Ok(seen),
            }
        }
    }

    fn read(&mut self, range: Range<u64>) -> io::Result<()> {
        self.buffer.clear();
        self.chunks.at(range).read_to_end(&mut self.buffer)?;
        self.looked_at += self.buffer.len() as u64;
        Ok(())
    }

    /// What the buffer shows, which begins at `begin` of the file.
    fn seen(&mut self, begin: u64, mid_line: bool, to_the_end: bool) -> Seen {
        let feed = |end: Option<usize>| end.map_or(self.buffer.len(), |end| end + 1);
        let first = if mid_line { feed(memchr::memchr(b'\n', &self.buffer)) } else { 0 };
        let whole = if to_the_end { self.buffer.len() } else { memchr::memrchr(b'\n', &self.buffer).unwrap_or(0) };
        let mut place: Option<Place> = None;
        let mut start = first;
        for line in self.buffer.get(first..whole).unwrap_or_default().split(|&byte| byte == b'\n') {
            if place.is_some_and(|place| begin + start as u64 > place.start + GLANCE) {
                break;
            }
            if let Some(stamp) = self.reader.stamp_of_line(line) {
                self.first.get_or_insert(stamp);
                let seen = place.get_or_insert(Place { start: begin + start as u64, first: stamp.at, last: stamp.at });
                if stamp.at.0 < seen.last.0.saturating_sub(MARGIN) {
                    return Seen::Disorder;
                }
                seen.last = seen.last.max(stamp.at);
            }
            start += line.len() + 1;
        }
        place.map_or(Seen::Nothing, Seen::Place)
    }
}

impl Place {
    /// Whether this one's stamps are before those of `other`, give or take what is late.
    const fn is_before(&self, other: &Self) -> bool {
        self.last.0 <= other.first.0.saturating_add(MARGIN)
    }
}

/// What a glance shows.
enum Seen {
    Place(Place),
    /// No line with a stamp within a MiB.
    Nothing,
    /// No line with a stamp up to the end of the file.
    End,
    /// Stamps that are not in order.
    Disorder,
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use pso_common::config::ConfigValue as _;

    use super::*;
    use crate::input::chunks::Sizes;
    use crate::stamps::zone::Zone;

    /// 2025-06-12T00:00:00Z
    const DAY: i64 = 1_749_686_400;

    fn chunks(text: &str) -> FileChunks {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        FileChunks::new(file, 0..text.len() as u64, Sizes::default())
    }

    fn moment(second: i64) -> Moment {
        Moment((DAY + second) * SECOND)
    }

    fn line(second: i64) -> String {
        let at = moment(second).timestamp().expect("in range");
        format!("{at} INFO [sync-engine] a line of the usual length, some hundred bytes of it, that says nothing\n")
    }

    /// What is read of `text`, and how much was looked at to know it.
    fn of(text: &str, since: Option<i64>, until: Option<i64>) -> Option<(String, u64)> {
        let window = Window { since: since.map(moment), until: until.map(moment) };
        let reader = Reader::new(Zone::UTC, moment(0));
        let Part { range, looked_at, .. } = part(&chunks(text), &reader, &window).expect("readable")?;
        let range = usize::try_from(range.start).expect("small")..usize::try_from(range.end).expect("small");
        Some((text[range].to_owned(), looked_at))
    }

    /// Seconds of the first and the last line.
    fn ends(text: &str) -> (i64, i64) {
        let second = |line: &str| {
            let at: pso_common::Timestamp = line[..24].parse().expect("a stamp");
            Moment::from(at).0 / SECOND - DAY
        };
        let stamped: Vec<&str> = text.lines().filter(|line| line.starts_with("20")).collect();
        (second(stamped[0]), second(stamped[stamped.len() - 1]))
    }

    #[test]
    fn a_window_in_a_sorted_file_costs_little() {
        let text: String = (0..80_000).map(line).collect();
        for (since, until) in [
            (Some(70_000), None),
            (None, Some(10_000)),
            (Some(40_000), Some(41_000)),
            (Some(0), Some(1)),
            (Some(79_999), None),
            (Some(90_000), None),
            (None, Some(-90)),
        ] {
            let (found, looked_at) = of(&text, since, until).expect("sorted");
            assert!(looked_at < text.len() as u64 / 8, "{looked_at} of {}", text.len());
            let wanted = since.unwrap_or(0).max(0)..until.unwrap_or(80_000).min(80_000);
            if wanted.is_empty() {
                assert!(found.len() < 40_000, "{} bytes for {wanted:?}", found.len());
                continue;
            }
            let (first, last) = ends(&found);
            assert!(first <= wanted.start && last >= wanted.end - 1, "{first} to {last} for {wanted:?}");
            // No more than the margin and a few glances around it.
            let beyond = (wanted.start - first).max(last - wanted.end);
            assert!(beyond < 600, "{first} to {last} for {wanted:?}");
            assert!(found.starts_with("20") && found.ends_with('\n'));
        }
    }

    #[test]
    fn traces_and_late_lines_are_no_disorder() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut text = String::new();
        for second in 0..40_000 {
            text += &line(second - random.i64(0..30));
            for _ in 0..random.usize(0..3) {
                text += "    at some::function in a trace that has no stamp\n";
            }
            if second % 10_000 == 9_999 {
                text += &"    a very long trace\n".repeat(20_000);
            }
        }
        let expected: Vec<&str> = text.lines().filter(|line| line.starts_with("20")).collect();
        for since in (0..40_000).step_by(5777) {
            let (found, _) = of(&text, Some(since), Some(since + 500)).unwrap_or_else(|| panic!("since {since}"));
            let inside = |line: &&str| (since..since + 500).contains(&ends(line).0);
            let found: Vec<&str> = found.lines().filter(|line| line.starts_with("20")).filter(inside).collect();
            let expected: Vec<&str> = expected.iter().copied().filter(inside).collect();
            assert_eq!(found, expected, "since {since}");
        }
    }

    #[test]
    fn what_is_not_sorted_is_read_whole() {
        let hours = |from: i64, to: i64| (from..to).map(line).collect::<String>();
        for text in [
            // Two logs, one behind the other.
            hours(0, 40_000) + &hours(0, 40_000),
            // A clock that was put back for a while, and one that was ahead.
            hours(0, 30_000) + &hours(10_000, 14_000) + &hours(30_000, 60_000),
            hours(0, 30_000) + &hours(60_000, 64_000) + &hours(30_000, 60_000),
            // The newest first.
            (0..50_000).rev().map(line).collect(),
            // No stamps.
            "a line without a stamp\n".repeat(300_000),
            // Too small to be worth it.
            hours(0, 1000),
        ] {
            assert_eq!(of(&text, Some(20_000), None), None, "{}", &text[..40]);
        }
        assert_eq!(of(&hours(0, 80_000), None, None), None);
    }

    #[test]
    fn lines_before_the_first_stamp_are_a_part_of_their_own() {
        let text = "no stamp\nat all\n".to_owned() + &(0..80_000).map(line).collect::<String>();
        for (since, until) in [(Some(70_000), None), (None, Some(10_000)), (None, Some(-90))] {
            let window = Window { since: since.map(moment), until: until.map(moment) };
            let reader = Reader::new(Zone::UTC, moment(0));
            let part = part(&chunks(&text), &reader, &window).expect("readable").expect("sorted");
            assert_eq!((part.undated, part.first.at), (0..16, moment(0)));
            assert!(part.range.start >= 16 && part.range.end <= text.len() as u64);
        }
    }

    /// Many days in one file: what the search looks at need not show that an hour comes twice.
    #[test]
    fn an_hour_that_is_shown_twice_is_read_as_a_whole() {
        let zone = Zone::parse("Europe/Paris").expect("a zone");
        // 2025-10-26T01:00:00Z
        let change = 1_761_440_400;
        let mut narrowed = 0;
        for step in 3..9 {
            let line = |number: i64| {
                let utc = change + number * step;
                let shown = Moment((utc + i64::from(zone.offset_at(utc))) * SECOND).timestamp().expect("in range");
                format!("{} INFO a line of some length that says nothing\n", shown.to_string().replace('Z', ""))
            };
            let text: String = (-60_000..40_000).map(line).collect();
            let chunks = chunks(&text);
            let reader = Reader::new(zone.clone(), moment(0));
            for minute in (0..60).step_by(7) {
                let edge = Some(Moment((change - 3600 + minute * 60) * SECOND));
                for window in [Window { since: edge, until: None }, Window { since: None, until: edge }] {
                    // Where the search itself comes across the hour, all is read.
                    let Some(Part { range, .. }) = part(&chunks, &reader, &window).expect("readable") else { continue };
                    narrowed += 1;
                    let mut offset = 0;
                    for line in text.split_inclusive('\n') {
                        let at = reader.stamp_of_line(line.trim_end().as_bytes()).expect("a stamp").at;
                        assert!(range.contains(&offset) || !window.contains(at), "{line} at {offset}, {range:?}");
                        offset += line.len() as u64;
                    }
                }
            }
        }
        assert!(narrowed > 0);
    }
}
