//! How serious a line says that it is.

/// A level, least first. What loggers call it is folded to these seven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// `trace`, `verbose`, `finest`.
    Trace,
    /// `debug`, `fine`.
    Debug,
    /// `info`, `information`, `log`.
    Info,
    /// `notice`.
    Notice,
    /// `warn`, `warning`.
    Warning,
    /// `error`, `err`, `severe`, `failure`.
    Error,
    /// `critical`, `crit`, `fatal`, `alert`, `emerg`, `panic`.
    Critical,
}

/// The longest word that is a level.
const MAX_WORD: usize = 11;

impl Level {
    /// The level that `word` names, in any case.
    pub(crate) fn of(word: &[u8]) -> Option<Self> {
        let mut upper = [0; MAX_WORD];
        let upper = upper.get_mut(..word.len())?;
        upper.copy_from_slice(word);
        upper.make_ascii_uppercase();
        Some(match &*upper {
            b"TRACE" | b"VERBOSE" | b"FINEST" => Self::Trace,
            b"DEBUG" | b"FINE" => Self::Debug,
            b"INFO" | b"INFORMATION" | b"LOG" => Self::Info,
            b"NOTICE" => Self::Notice,
            b"WARN" | b"WARNING" => Self::Warning,
            b"ERROR" | b"ERR" | b"SEVERE" | b"FAILURE" => Self::Error,
            b"CRITICAL" | b"CRIT" | b"FATAL" | b"ALERT" | b"EMERG" | b"EMERGENCY" | b"PANIC" => Self::Critical,
            _ => return None,
        })
    }

    /// The level that a single letter stands for where loggers write one.
    pub(crate) const fn of_letter(letter: u8) -> Option<Self> {
        Some(match letter {
            b'V' => Self::Trace,
            b'D' => Self::Debug,
            b'I' => Self::Info,
            b'W' => Self::Warning,
            b'E' => Self::Error,
            b'F' => Self::Critical,
            _ => return None,
        })
    }

    /// The level that stands before a line's stamp: `ERROR 2025-…`, `[warn] [12/…`, and klog's letter right before its
    /// digits.
    pub(crate) fn before_stamp(before: &[u8]) -> Option<Self> {
        // Where nothing but the stamp is there, as in most logs, its digits come first.
        if let [] | [b'0'..=b'9', ..] | [b'[' | b'<', b'0'..=b'9', ..] = before {
            return None;
        }
        if let [letter, b'0'..=b'9', ..] = before {
            return Self::of_letter(*letter);
        }
        let mut words = before.split(|byte| !byte.is_ascii_alphabetic());
        // A colour's escape ends with an `m`.
        words.find_map(|word| Self::of(word).or_else(|| Self::of(word.strip_prefix(b"m")?)))
    }

    /// The level that a number stands for in the JSON lines of Node's loggers.
    pub(crate) const fn of_number(number: &[u8]) -> Option<Self> {
        Some(match number {
            b"10" => Self::Trace,
            b"20" => Self::Debug,
            b"30" => Self::Info,
            b"40" => Self::Warning,
            b"50" => Self::Error,
            b"60" => Self::Critical,
            _ => return None,
        })
    }

    /// The name in records.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_may_stand_before_the_stamp() {
        for (before, level) in [
            ("ERROR 2026-06-12 09:00:00,123", Some(Level::Error)),
            ("[WARN] [2026-06-12T09:00:00Z", Some(Level::Warning)),
            ("\u{1b}[31mfatal 2026-06-12 09:00:00", Some(Level::Critical)),
            ("E0612 09:00:00.123456", Some(Level::Error)),
            ("2026-06-12 09:00:00", None),
            ("12/Jun/2026:09:00:00 +0000", None),
            ("", None),
        ] {
            assert_eq!(Level::before_stamp(before.as_bytes()), level, "{before}");
        }
    }

    #[test]
    fn levels_have_many_names() {
        assert_eq!(Level::of(b"Err"), Some(Level::Error));
        assert_eq!(Level::of(b"INFORMATION"), Some(Level::Info));
        assert_eq!(Level::of(b"informations"), None);
        assert_eq!(Level::of(b""), None);
        assert_eq!(Level::of_letter(b'E'), Some(Level::Error));
        assert_eq!(Level::of_letter(b'e'), None);
        assert!(Level::Critical > Level::Error && Level::Warning > Level::Info);
    }
}
