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
