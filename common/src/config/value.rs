//! Texts of flags, variables and files as typed values.

use std::path::PathBuf;
use std::time::Duration;

use crate::secret::redact_url;
use crate::{Secret, Severity};

/// A type that configuration can hold.
pub trait ConfigValue: Sized {
    /// What the text should be, for the error message.
    const EXPECTED: &'static str;

    /// The value of `text`, or `None` when it is not what was expected.
    fn parse(text: &str) -> Option<Self>;

    /// The value as `--print-config` shows it.
    fn show(&self) -> String;
}

/// A flag's text as such a value: a parser for clap, which puts the flag's name before the message.
///
/// # Errors
/// What was expected.
pub fn flag_value<T: ConfigValue>(text: &str) -> Result<T, String> {
    T::parse(text).ok_or_else(|| format!("expected {}", T::EXPECTED))
}

macro_rules! value_from_str {
    ($($type:ty: $expected:literal,)*) => {$(
        impl ConfigValue for $type {
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Option<Self> {
                text.trim().parse().ok()
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

value_from_str! {
    u16: "a number from 0 to 65535",
    u32: "a whole number",
    u64: "a whole number",
    usize: "a whole number",
    Severity: "a severity: ok, info, warning, high, critical or unknown",
}

impl ConfigValue for f64 {
    const EXPECTED: &'static str = "a number";

    fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok().filter(|value: &Self| value.is_finite())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl ConfigValue for String {
    const EXPECTED: &'static str = "a text";

    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl ConfigValue for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::from(text))
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl ConfigValue for bool {
    const EXPECTED: &'static str = "true or false";

    fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl ConfigValue for Duration {
    const EXPECTED: &'static str = "a span of time such as 500ms, 30s, 5m, 24h or 7d";

    fn parse(text: &str) -> Option<Self> {
        // A bare number means seconds, as in libpq's connect_timeout.
        text.trim().parse().map(Self::from_secs).or_else(|_| humantime::parse_duration(text.trim())).ok()
    }

    fn show(&self) -> String {
        // As people write it: "90d", where it would be "2months 29days 2h 52m 48s".
        let days = self.as_secs() / 86_400;
        let rest = *self - Self::from_secs(days * 86_400);
        match (days, rest.is_zero()) {
            (0, _) => humantime::format_duration(rest).to_string(),
            (days, true) => format!("{days}d"),
            (days, false) => format!("{days}d {}", humantime::format_duration(rest)),
        }
    }
}

impl ConfigValue for Secret {
    const EXPECTED: &'static str = "a secret";

    fn parse(text: &str) -> Option<Self> {
        Some(Self::new(text))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A URL. It is shown without user info and query, which can hold secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url(pub(crate) String);

impl ConfigValue for Url {
    const EXPECTED: &'static str = "a URL such as http://localhost:8080";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches('/');
        let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
        let usable = !host.is_empty() && !host.starts_with('/') && !host.contains(char::is_whitespace);
        usable.then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        redact_url(&self.0)
    }
}

/// A share in percent, from 0 to 100; `85` and `85%` mean the same.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percent(pub f64);

impl ConfigValue for Percent {
    const EXPECTED: &'static str = "a percentage from 0 to 100";

    fn parse(text: &str) -> Option<Self> {
        f64::parse(text.trim().trim_end_matches('%')).filter(|value| (0.0..=100.0).contains(value)).map(Self)
    }

    fn show(&self) -> String {
        format!("{} %", self.0)
    }
}

/// A list: in flags and variables separated by commas.
impl<T: ConfigValue> ConfigValue for Vec<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn parse(text: &str) -> Option<Self> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(T::parse).collect()
    }

    fn show(&self) -> String {
        self.iter().map(T::show).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_percentages_and_lists() {
        assert_eq!(Duration::parse("90"), Some(Duration::from_secs(90)));
        assert_eq!(Duration::parse("24h"), Some(Duration::from_secs(86_400)));
        assert_eq!(Duration::parse("soon"), None);
        let shown = ["36h", "14d", "90s", "90d", "0s"].map(|text| Duration::parse(text).map(|span| span.show()));
        assert_eq!(shown, ["1d 12h", "14d", "1m 30s", "90d", "0s"].map(|text| Some(text.to_owned())));
        assert_eq!(Percent::parse("85%"), Some(Percent(85.0)));
        assert_eq!(Percent::parse("101"), None);
        assert_eq!(f64::parse("NaN"), None);
        assert_eq!(Vec::<u16>::parse("1, 2,"), Some(vec![1, 2]));
        assert_eq!(Secret::new("x").show(), "***");
        let url = Url::parse("http://me:hunter2@h:1/a/").map(|url| (url.show(), url.0));
        assert_eq!(url, Some(("http://***@h:1/a".to_owned(), "http://me:hunter2@h:1/a".to_owned())));
    }
}
