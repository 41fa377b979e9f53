//! Words that are parts of values, or values themselves.

/// Whether a word behind a number says what the number counts: 5 B and 5 KB are the same.
#[inline]
pub(super) fn is_unit(word: &[u8]) -> bool {
    matches!(
        word,
        b"B" | b"KB"
            | b"MB"
            | b"GB"
            | b"TB"
            | b"KiB"
            | b"MiB"
            | b"GiB"
            | b"TiB"
            | b"kB"
            | b"kb"
            | b"mb"
            | b"gb"
            | b"K"
            | b"M"
            | b"G"
            | b"ns"
            | b"us"
            | b"ms"
            | b"s"
            | b"sec"
            | b"secs"
            | b"second"
            | b"seconds"
            | b"min"
            | b"mins"
            | b"minute"
            | b"minutes"
            | b"m"
            | b"h"
            | b"hr"
            | b"hrs"
            | b"hour"
            | b"hours"
            | b"d"
            | b"day"
            | b"days"
            | b"byte"
            | b"bytes"
            | b"AM"
            | b"PM"
            | b"am"
            | b"pm"
    )
}

/// Whether a word is the short name of a day or a month.
pub(super) fn is_calendar(word: &[u8]) -> bool {
    matches!(
        word,
        b"Mon"
            | b"Tue"
            | b"Wed"
            | b"Thu"
            | b"Fri"
            | b"Sat"
            | b"Sun"
            | b"Jan"
            | b"Feb"
            | b"Mar"
            | b"Apr"
            | b"May"
            | b"Jun"
            | b"Jul"
            | b"Aug"
            | b"Sep"
            | b"Oct"
            | b"Nov"
            | b"Dec"
    )
}

/// Whether a word stands for a value that is not there.
pub(super) fn is_absent(word: &[u8]) -> bool {
    matches!(word, b"null" | b"NULL" | b"nil" | b"None" | b"undefined" | b"NaN" | b"nan")
}

/// Whether a word is one of two values.
pub(super) fn is_boolean(word: &[u8]) -> bool {
    matches!(word, b"true" | b"false" | b"True" | b"False" | b"TRUE" | b"FALSE" | b"yes" | b"no")
}
