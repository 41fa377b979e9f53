//! A tool's own section below `maintenance:`.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};

/// The keys of one tool, below `maintenance:`. Derive `Deserialize` with `#[serde(default, deny_unknown_fields)]`, so that
/// a wrong key is told with its line.
pub trait ToolSection: DeserializeOwned + Default {
    /// The section's name, such as `logscan`.
    const NAME: &'static str;
}

/// The whole file, of which only one section is looked at.
pub(super) struct FileWith<S>(pub(super) S);

impl<S: ToolSection> Default for FileWith<S> {
    fn default() -> Self {
        Self(S::default())
    }
}

impl<'de, S: ToolSection> Deserialize<'de> for FileWith<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let maintenance: Option<Maintenance<S>> = deserializer.deserialize_map(Only("maintenance", PhantomData))?;
        Ok(Self(maintenance.and_then(|maintenance| maintenance.0).unwrap_or_default()))
    }
}

/// What is below `maintenance:`; nothing at all is no section.
struct Maintenance<S>(Option<S>);

impl<'de, S: ToolSection> Deserialize<'de> for Maintenance<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let section: Option<Option<S>> = deserializer.deserialize_any(Only(S::NAME, PhantomData))?;
        Ok(Self(section.flatten()))
    }
}

/// Picks the value of one key out of a map and skips the others.
struct Only<T>(&'static str, PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Only<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of keys to values")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Field};
    use crate::io::Env;

    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Logscan {
        max_errors: Field,
    }

    impl ToolSection for Logscan {
        const NAME: &'static str = "logscan";
    }

    fn section(text: &str) -> anyhow::Result<Option<String>> {
        let section: Logscan = Config::from_text("c.yaml", text, Env::default())?.section()?;
        Ok(section.max_errors.map(|field| field.value))
    }

    #[test]
    fn only_the_section_of_the_name_counts() {
        let whole = "sync: {logscan: {max_errors: 1}}\nmaintenance:\n  health: {x: 1}\n  logscan: {max_errors: 7}\n";
        assert_eq!(section(whole).ok(), Some(Some("7".to_owned())));
        for empty in ["", "sync: 1\n", "maintenance:\n", "maintenance:\n  logscan:\n"] {
            assert_eq!(section(empty).ok(), Some(None), "{empty:?}");
        }
    }

    #[test]
    fn a_wrong_key_is_told_with_its_line() {
        let error = section("maintenance:\n  logscan:\n    max_erors: 7\n").expect_err("a wrong key");
        assert_eq!(format!("{error:#}"), "c.yaml:3: unknown field `max_erors`, expected one of max_errors");
    }
}
