//! Numbers and text as people read them.

use std::borrow::Cow;

/// Bytes with a binary unit: `1.5 MiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Milliseconds with the unit that fits: `12 ms`, `3.4 s`, `5m 02s`, `2h 05m`, `9d 01h`.
#[must_use]
pub fn duration_ms(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        60_000..3_600_000 => format!("{}m {:02}s", ms / 60_000, ms % 60_000 / 1000),
        3_600_000..172_800_000 => format!("{}h {:02}m", ms / 3_600_000, ms % 3_600_000 / 60_000),
        _ => format!("{}d {:02}h", ms / 86_400_000, ms % 86_400_000 / 3_600_000),
    }
}

/// Text that cannot steer a terminal: control characters, escape sequences' first byte included, become `·`, line
/// breaks and tabs a space.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let safe = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if is_unsafe(c) => '·',
        c => c,
    };
    Cow::Owned(text.chars().map(safe).collect())
}

/// Control characters, the marks that reorder text on screen, and those that part lines.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans() {
        let sizes = [0, 1023, 1024, 1_048_575, 1_048_576, u64::MAX].map(bytes);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "1.0 MiB", "16.0 EiB"]);
        let spans = [0, 999, 1_049, 59_999, 60_000, 7_500_000, 781_200_000].map(duration_ms);
        assert_eq!(spans, ["0 ms", "999 ms", "1.0 s", "59.9 s", "1m 00s", "2h 05m", "9d 01h"]);
    }

    #[test]
    fn a_log_line_cannot_steer_the_terminal() {
        assert_eq!(printable("é\u{1b}[2J\tx\u{202e}y\n\u{61c}z\u{2028}"), "é·[2J x·y ·z·");
        assert!(matches!(printable("plain"), Cow::Borrowed(_)));
    }
}
