//! Single fields of a record of any kind, found by their path without building the rest.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Where in a record a value stands: `value`, `labels.mount`, `evidence.size_bytes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldPath(Vec<Box<str>>);

impl FieldPath {
    /// Names between dots; what follows `labels.` is one name, since names of labels may hold dots. `None` when a name is
    /// empty.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let names: Vec<Box<str>> = match text.split_once('.') {
            Some(("labels", label)) => vec!["labels".into(), label.into()],
            _ => text.split('.').map(Into::into).collect(),
        };
        names.iter().all(|name| !name.trim().is_empty()).then_some(Self(names))
    }

    pub(super) fn of_label(label: &str) -> Self {
        Self(vec!["labels".into(), label.into()])
    }

    /// Whether it is the field `value`.
    pub(super) fn is_value(&self) -> bool {
        matches!(self.0.as_slice(), [name] if &**name == "value")
    }

    /// The label that it means, if it means one.
    pub(super) fn label(&self) -> Option<&str> {
        match self.0.as_slice() {
            [labels, label] if &**labels == "labels" => Some(label),
            _ => None,
        }
    }

    /// The first of its names: a field of the record itself.
    pub(crate) fn top(&self) -> &str {
        self.0.first().map_or("", |name| name)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// What stands there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Text(String),
    Bool(bool),
    /// Nothing, a list or an object.
    Other(&'static str),
}

impl Value {
    /// As people read it.
    pub(super) fn shown(&self) -> Cow<'_, str> {
        match self {
            Self::Number(number) => shown(*number).into(),
            Self::Text(text) => text.into(),
            Self::Bool(value) => value.to_string().into(),
            Self::Other(what) => (*what).into(),
        }
    }

    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Bool(_) => "true or false",
            Self::Other(what) => what,
        }
    }
}

/// Two decimals at most; small numbers with as many as they need to be told from nothing.
pub(super) fn shown(number: f64) -> String {
    let text = if number != 0.0 && number.abs() < 0.01 { format!("{number:.2e}") } else { format!("{number:.2}") };
    match text.split_once('.') {
        Some(_) if !text.contains('e') => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        _ => text,
    }
}

/// The values at these paths, in their order; `None` where nothing stands.
///
/// # Errors
/// When the line is no JSON object, or a wanted number is beyond what a number can be (`1e999`).
pub(super) fn pick(line: &str, paths: &[&FieldPath]) -> Result<Vec<Option<Value>>, serde_json::Error> {
    let mut found = vec![None; paths.len()];
    let wanted = paths.iter().enumerate().map(|(at, path)| (at, path.0.as_slice())).collect();
    let mut deserializer = serde_json::Deserializer::from_str(line);
    deserializer.deserialize_map(Picker { wanted, found: &mut found })?;
    Ok(found)
}

/// Looks for paths (what is left of them) below one place.
struct Picker<'p, 'f> {
    wanted: Vec<(usize, &'p [Box<str>])>,
    found: &'f mut [Option<Value>],
}

impl Picker<'_, '_> {
    /// All paths that end here have this value.
    fn set(self, value: &Value) {
        for (at, rest) in self.wanted {
            if rest.is_empty() {
                self.found[at] = Some(value.clone());
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Picker<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Picker<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.set(&Value::Bool(value));
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "limits are numbers of this type too")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "limits are numbers of this type too")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.set(&Value::Number(value));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.set(&Value::Text(text.to_owned()));
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.set(&Value::Other("nothing"));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.set(&Value::Other("a list"));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Name<'de>>()? {
            let below = |(at, rest): &(usize, &'_ [Box<str>])| match rest.split_first() {
                Some((first, _)) if **first == *key.0 => Some(*at),
                _ => None,
            };
            if self.wanted.iter().any(|path| below(path).is_some()) {
                let wanted = self.wanted.iter().filter(|path| below(path).is_some());
                let wanted = wanted.map(|(at, rest)| (*at, &rest[1..])).collect();
                map.next_value_seed(Picker { wanted, found: &mut *self.found })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        self.set(&Value::Other("an object"));
        Ok(())
    }
}

/// A key, copied only where it has escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(line: &str, paths: &[&str]) -> Vec<Option<Value>> {
        let paths: Vec<FieldPath> = paths.iter().map(|path| FieldPath::parse(path).expect("a path")).collect();
        pick(line, &paths.iter().collect::<Vec<_>>()).expect("JSON")
    }

    #[test]
    fn values_are_found_at_any_depth() {
        let line = r#"{"a":1,"b":{"c":{"d":"x"},"e":[1,{"c":2}],"n":null},"labels":{"k.v":"l"},"t":true,"\u0066":-0}"#;
        let found = picked(line, &["a", "b.c.d", "b.c", "b.e", "b.n", "labels.k.v", "t", "f", "z", "a.z"]);
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        assert_eq!(
            found,
            [
                Some(Value::Number(1.0)),
                text("x"),
                Some(Value::Other("an object")),
                Some(Value::Other("a list")),
                Some(Value::Other("nothing")),
                text("l"),
                Some(Value::Bool(true)),
                Some(Value::Number(-0.0)),
                None,
                None,
            ]
        );
    }

    #[test]
    fn what_is_not_wanted_is_not_looked_at() {
        assert_eq!(picked(r#"{"big":1e999,"a":2}"#, &["a"]), [Some(Value::Number(2.0))]);
        let path = FieldPath::parse("big").expect("a path");
        assert!(pick(r#"{"big":1e999}"#, &[&path]).is_err());
        assert!(FieldPath::parse("a..b").is_none() && FieldPath::parse("").is_none());
    }

    #[test]
    fn numbers_are_shown_short() {
        let numbers = [75.0, 86.126, 0.0, -0.0, 0.5, 0.000_123, 1e6, -3.10];
        assert_eq!(numbers.map(shown), ["75", "86.13", "0", "-0", "0.5", "1.23e-4", "1000000", "-3.1"]);
    }
}
