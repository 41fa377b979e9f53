//! Counts as records, and how bad they are.

use pso_common::config::ConfigValue as _;
use pso_common::record::{LogCountRecord, LogCoverageRecord, LogEventRecord, RawBytes};
use pso_common::{Run, Severity};

use crate::scan::pipeline::Outcome;
use crate::scan::tally::{ClassTally, Count, Counts, Event, Excerpt, FileTally};
use crate::search::class::Class;
use crate::settings::{Settings, Zone};
use crate::stamps::Moment;

/// What was read of all inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Inputs that were read, wholly or in part.
    pub(crate) read: u64,
    /// Inputs of which something could not be read.
    pub(crate) unread: u64,
    /// Lines that were read.
    pub(crate) lines: u64,
    /// Lines within the window.
    pub(crate) inside: u64,
}

/// The coverage of one input that was opened, and what is wrong with it.
pub(crate) fn coverage(
    run: &mut Run<'_>,
    path: String,
    size_bytes: Option<u64>,
    read_bytes: u64,
    outcome: &Outcome,
    settings: &Settings,
) -> anyhow::Result<Severity> {
    let (severity, message) = verdict(size_bytes, read_bytes, outcome, settings);
    let FileTally { lines, unparsed, outside, format, zoneless, .. } = &outcome.tally;
    let body = LogCoverageRecord {
        path: path.clone(),
        size_bytes,
        read_bytes,
        lines: *lines,
        unparsed_lines: *unparsed,
        outside_lines: *outside,
        format: format.map(|format| format.name().to_owned()),
        zone: zoneless.then(|| Zone::show(&settings.zone)),
    };
    run.emit(severity, path, message, body)?;
    Ok(severity)
}

fn verdict(size: Option<u64>, read: u64, outcome: &Outcome, settings: &Settings) -> (Severity, String) {
    let tally = &outcome.tally;
    if let Some(error) = &outcome.error {
        return (Severity::Unknown, format!("it could be read only up to line {}: {error}", tally.lines));
    }
    if let Some(size) = size.filter(|&size| read < size) {
        return (Severity::Unknown, format!("it shrank while it was read: {read} of {size} bytes were there"));
    }
    if outcome.cut_lines > 0 {
        let message =
            format!("{} longer than 1 MiB: of these only the first MiB was looked at", many(outcome.cut_lines, "line"));
        return (Severity::Unknown, message);
    }
    if tally.format.is_none() && outcome.has_nul {
        return (Severity::Unknown, "it is no text: it has NUL bytes and no time stamps".to_owned());
    }
    if tally.lines == 0 {
        return (Severity::Info, "it is empty".to_owned());
    }
    if tally.format.is_none() && !settings.window.is_open() {
        return (Severity::Info, "no line has a time stamp: all of them were counted".to_owned());
    }
    (Severity::Ok, String::new())
}

/// The coverage of what was not opened at all.
pub(crate) fn unread(
    run: &mut Run<'_>,
    path: String,
    size_bytes: Option<u64>,
    severity: Severity,
    reason: String,
) -> anyhow::Result<()> {
    let body = LogCoverageRecord { path: path.clone(), size_bytes, ..LogCoverageRecord::default() };
    run.emit(severity, path, reason, body)
}

/// The events and counts of all classes.
pub(crate) fn classes(
    run: &mut Run<'_>,
    counts: Counts,
    paths: &[String],
    extent: Extent,
    settings: &Settings,
) -> anyhow::Result<()> {
    let tallies: Vec<(Class, ClassTally)> = counts.classes.into_pairs().collect();
    for (class, tally) in &tallies {
        for Event { position, r#type, line } in &tally.latest.events {
            let (message, raw) = text(line);
            let body = LogEventRecord {
                class: class.name().to_owned(),
                r#type: r#type.clone(),
                path: paths.get(position.file).cloned().unwrap_or_default(),
                line: position.line,
                occurred_at: position.at.and_then(Moment::timestamp),
                raw,
            };
            run.emit(Severity::Info, name(*class, r#type.as_deref()), message, body)?;
        }
    }
    for (class, tally) in tallies {
        let (severity, message) = sum(class, tally.sum.count, extent, settings.max_errors);
        run.emit(severity, class.name(), message, count(class, None, tally.sum, None))?;
        let mut types: Vec<_> = tally.types.into_iter().collect();
        types.sort_by(|(a, (left, _)), (b, (right, _))| right.count.cmp(&left.count).then_with(|| a.cmp(b)));
        for (r#type, (counted, example)) in types {
            let name = name(class, Some(&r#type));
            run.emit(Severity::Info, name, "", count(class, Some(r#type), counted, Some(&example)))?;
        }
    }
    Ok(())
}

/// So many of something whose plural has an s.
fn many(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn name(class: Class, r#type: Option<&str>) -> String {
    r#type.map_or_else(|| class.name().to_owned(), |r#type| format!("{}.{type}", class.name()))
}

fn count(class: Class, r#type: Option<String>, counted: Count, example: Option<&Excerpt>) -> LogCountRecord {
    let (example, example_raw) = example.map(text).map_or((None, None), |(text, raw)| (Some(text), raw));
    LogCountRecord {
        class: class.name().to_owned(),
        r#type,
        count: counted.count,
        first_at: counted.first.and_then(Moment::timestamp),
        last_at: counted.last.and_then(Moment::timestamp),
        example,
        example_raw,
    }
}

/// The line as text, what was cut off counted at its end, and its bytes where they are not UTF-8.
fn text(line: &Excerpt) -> (String, Option<RawBytes>) {
    // A cut may have split a character, and that alone is no reason to keep the bytes.
    let whole = match std::str::from_utf8(&line.bytes) {
        Err(error) if line.cut > 0 && error.error_len().is_none() => error.valid_up_to(),
        _ => line.bytes.len(),
    };
    let (mut text, raw) = RawBytes::split(&line.bytes[..whole]);
    let cut = line.cut + line.bytes.len() - whole;
    if cut > 0 {
        text.push_str(&format!(" … ({cut} bytes more)"));
    }
    (text, raw)
}

/// How bad a class's sum is, and what it says: "0 errors" only together with what was looked at.
fn sum(class: Class, count: u64, extent: Extent, max_errors: u64) -> (Severity, String) {
    let Extent { read, unread, lines, inside } = extent;
    if read == 0 {
        return (Severity::Unknown, format!("nothing was read, so nothing is known of {}", class.noun(0)));
    }
    let severity = match (class, count) {
        (Class::Error, _) if count > max_errors => Severity::High,
        (_, 0) => Severity::Ok,
        (Class::Conflict, _) => Severity::Warning,
        _ => Severity::Info,
    };
    let limit = if severity == Severity::High { format!(", more than {max_errors},") } else { String::new() };
    let within = if inside < lines {
        format!("{} within the window, of {lines}", many(inside, "line"))
    } else {
        many(lines, "line")
    };
    let gaps = if unread > 0 { format!("; {} not read, or not wholly", many(unread, "input")) } else { String::new() };
    (severity, format!("{count} {}{limit} in {within}{gaps}", class.noun(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_judged() {
        let extent = Extent { read: 2, unread: 0, lines: 1000, inside: 1000 };
        let judge = |class, count| sum(class, count, extent, 50);
        assert_eq!(judge(Class::Error, 0), (Severity::Ok, "0 errors in 1000 lines".to_owned()));
        assert_eq!(judge(Class::Error, 50).0, Severity::Info);
        assert_eq!(judge(Class::Error, 51), (Severity::High, "51 errors, more than 50, in 1000 lines".to_owned()));
        assert_eq!(judge(Class::Conflict, 1).0, Severity::Warning);
        assert_eq!(judge(Class::Validation, 1000).0, Severity::Info);
        assert_eq!(judge(Class::Security, 1000).0, Severity::Info);
        let part = Extent { unread: 1, inside: 10, ..extent };
        assert_eq!(
            sum(Class::Error, 0, part, 50).1,
            "0 errors in 10 lines within the window, of 1000; 1 input not read, or not wholly"
        );
        assert_eq!(sum(Class::Error, 0, Extent::default(), 50).0, Severity::Unknown);
    }

    #[test]
    fn a_cut_line_says_so() {
        let excerpt = |line: &[u8], max| text(&Excerpt::of(line, max));
        assert_eq!(excerpt(b"whole", 5), ("whole".to_owned(), None));
        assert_eq!(excerpt(b"longer", 5), ("longe … (1 bytes more)".to_owned(), None));
        assert_eq!(excerpt("Échec é".as_bytes(), 8), ("Échec  … (2 bytes more)".to_owned(), None));
        assert_eq!(excerpt(b"caf\xe9", 9), ("caf\u{fffd}".to_owned(), Some(RawBytes(b"caf\xe9".to_vec()))));
    }
}
