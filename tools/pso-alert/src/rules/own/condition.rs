//! What a field must be for a rule to fire.

use std::fmt;

use super::field::{Value, shown};
use crate::pattern::fits;

/// All that is given must hold: `above: 10` with `below: 20` means between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Condition {
    pub(crate) above: Option<f64>,
    pub(crate) at_least: Option<f64>,
    pub(crate) below: Option<f64>,
    pub(crate) at_most: Option<f64>,
    pub(crate) equals: Option<String>,
    pub(crate) not_equals: Option<String>,
    /// A pattern with `*`.
    pub(crate) matches: Option<String>,
}

impl Condition {
    pub(crate) const fn is_empty(&self) -> bool {
        !self.is_numeric() && self.equals.is_none() && self.not_equals.is_none() && self.matches.is_none()
    }

    const fn is_numeric(&self) -> bool {
        self.above.is_some() || self.at_least.is_some() || self.below.is_some() || self.at_most.is_some()
    }

    /// Whether no value at all can be so.
    pub(crate) fn is_impossible(&self) -> bool {
        let low = self.above.map(|low| (low, false)).into_iter().chain(self.at_least.map(|low| (low, true)));
        let high: Vec<(f64, bool)> =
            self.below.map(|high| (high, false)).into_iter().chain(self.at_most.map(|high| (high, true))).collect();
        low.into_iter()
            .any(|(low, low_in)| high.iter().any(|(high, in_)| low > *high || low == *high && !(low_in && *in_)))
            || self.equals.is_some() && self.equals == self.not_equals
    }

    /// Whether the value is so.
    ///
    /// # Errors
    /// What it should be, where it is of another type.
    pub(super) fn holds(&self, value: &Value) -> Result<bool, &'static str> {
        if self.is_numeric() {
            let Value::Number(number) = value else { return Err("a number") };
            let within = self.above.is_none_or(|limit| *number > limit)
                && self.at_least.is_none_or(|limit| *number >= limit)
                && self.below.is_none_or(|limit| *number < limit)
                && self.at_most.is_none_or(|limit| *number <= limit);
            if !within {
                return Ok(false);
            }
        }
        if self.equals.is_none() && self.not_equals.is_none() && self.matches.is_none() {
            return Ok(true);
        }
        if matches!(value, Value::Other(_)) {
            return Err("a text, a number, true or false");
        }
        Ok(self.equals.as_ref().is_none_or(|text| is(value, text))
            && self.not_equals.as_ref().is_none_or(|text| !is(value, text))
            && self.matches.as_ref().is_none_or(|pattern| fits(pattern, &value.shown())))
    }
}

fn is(value: &Value, text: &str) -> bool {
    match value {
        Value::Number(number) => text.trim().parse::<f64>().is_ok_and(|other| other == *number),
        other => other.shown() == text,
    }
}

/// As a message says it: `above 60`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers =
            [("above", self.above), ("at least", self.at_least), ("below", self.below), ("at most", self.at_most)];
        let texts = [("equals", &self.equals), ("is not", &self.not_equals), ("matches", &self.matches)];
        let numbers = numbers.into_iter().filter_map(|(word, limit)| Some(format!("{word} {}", shown(limit?))));
        let texts = texts.into_iter().filter_map(|(word, text)| Some(format!("{word} {}", text.as_ref()?)));
        f.write_str(&numbers.chain(texts).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: f64) -> Value {
        Value::Number(number)
    }

    #[test]
    fn all_bounds_must_hold() {
        let above = Condition { above: Some(60.0), ..Condition::default() };
        assert_eq!([60.0, 60.1].map(|value| above.holds(&number(value))), [Ok(false), Ok(true)]);
        let least = Condition { at_least: Some(60.0), below: Some(70.0), ..Condition::default() };
        assert_eq!(
            [59.9, 60.0, 69.9, 70.0].map(|value| least.holds(&number(value)).expect("a number")),
            [false, true, true, false]
        );
        let most = Condition { at_most: Some(-1.0), ..Condition::default() };
        assert_eq!([-1.0, 0.0].map(|value| most.holds(&number(value))), [Ok(true), Ok(false)]);
        assert_eq!(above.holds(&Value::Text("NaN".to_owned())), Err("a number"));
        assert_eq!(least.to_string(), "at least 60, below 70");
    }

    #[test]
    fn texts_numbers_and_flags_are_compared_as_what_they_are() {
        let equals = |text: &str, value: Value| {
            let equals = Condition { equals: Some(text.to_owned()), ..Condition::default() };
            let differs = Condition { not_equals: Some(text.to_owned()), ..Condition::default() };
            let (equal, different) = (equals.holds(&value), differs.holds(&value));
            assert_eq!(equal.map(|equal| !equal), different);
            equal
        };
        assert_eq!(equals("1.0", number(1.0)), Ok(true));
        assert_eq!(equals("-0", number(0.0)), Ok(true));
        assert_eq!(equals("x", number(1.0)), Ok(false));
        assert_eq!(equals("true", Value::Bool(true)), Ok(true));
        assert_eq!(equals("Degraded", Value::Text("degraded".to_owned())), Ok(false));
        assert!(equals("a list", Value::Other("a list")).is_err());
        let matches = Condition { matches: Some("*timed out*".to_owned()), ..Condition::default() };
        assert_eq!(matches.holds(&Value::Text("it timed out here".to_owned())), Ok(true));
    }

    #[test]
    fn what_no_value_can_be_is_known() {
        let between = |above, below| Condition { above: Some(above), below: Some(below), ..Condition::default() };
        assert!(between(80.0, 10.0).is_impossible() && between(10.0, 10.0).is_impossible());
        assert!(!between(10.0, 80.0).is_impossible());
        let exactly = Condition { at_least: Some(5.0), at_most: Some(5.0), ..Condition::default() };
        assert!(!exactly.is_impossible() && Condition::default().is_empty());
    }
}
