//! How bad it is, and the exit code that follows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How bad a record is. The order is the order of being worse.
///
/// `Unknown` stands last: what could not be looked at may be worse than anything that was, and a run that could not
/// read what it was asked to read must never look like one that could (exit code 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing to do.
    #[default]
    Ok,
    /// Worth knowing, nothing to do.
    Info,
    /// Look at it in working hours.
    Warning,
    /// Look at it today.
    High,
    /// Wake somebody.
    Critical,
    /// Could not tell.
    Unknown,
}

impl Severity {
    /// The exit code of a run whose worst record has this severity; Nagios's four.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Ok | Self::Info => 0,
            Self::Warning => 1,
            Self::High | Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// The word as it stands in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::High => "high",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Severity {
    type Err = String;

    /// The specification writes `High`, records write `high`: case does not count.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Ok, Self::Info, Self::Warning, Self::High, Self::Critical, Self::Unknown]
            .into_iter()
            .find(|severity| severity.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("`{text}` is not a severity: ok, info, warning, high, critical or unknown"))
    }
}

#[cfg(test)]
mod tests {
    use super::Severity;

    #[test]
    fn exit_codes_are_those_of_nagios() {
        let codes = ["ok", "Info", "WARNING", "High", "critical", "unknown"]
            .map(|word| word.parse::<Severity>().expect("a severity").exit_code());
        assert_eq!(codes, [0, 0, 1, 2, 2, 3]);
        assert!("fatal".parse::<Severity>().is_err());
    }

    #[test]
    fn what_could_not_be_told_is_worst() {
        assert_eq!(Severity::Critical.max(Severity::Unknown), Severity::Unknown);
        assert_eq!(Severity::Warning.max(Severity::High), Severity::High);
    }
}
