//! Labels of a subject, small: a map has room for eleven entries where most subjects have one, and there may be ten
//! thousand of them, several times.

use std::collections::BTreeMap;

use pso_common::record::Labels;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Labels in the order of their names, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct FewLabels(Box<[(Box<str>, Box<str>)]>);

impl FewLabels {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(label, value)| (&**label, &**value))
    }

    pub(crate) fn get(&self, label: &str) -> Option<&str> {
        self.iter().find(|(name, _)| *name == label).map(|(_, value)| value)
    }
}

impl FromIterator<(String, String)> for FewLabels {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(labels: T) -> Self {
        // A map puts them in order and keeps one of each name.
        let labels: Labels = labels.into_iter().collect();
        Self(labels.into_iter().map(|(label, value)| (label.into(), value.into())).collect())
    }
}

impl Serialize for FewLabels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for FewLabels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::<String, String>::deserialize(deserializer).map(Self::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_equal_however_they_came() {
        let of = |labels: &[(&str, &str)]| {
            labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect::<FewLabels>()
        };
        let labels = of(&[("b", "2"), ("a", "1"), ("b", "3")]);
        assert_eq!(labels, of(&[("a", "1"), ("b", "3")]));
        let text = serde_json::to_string(&labels).expect("JSON");
        assert_eq!(text, r#"{"a":"1","b":"3"}"#);
        assert_eq!(serde_json::from_str::<FewLabels>(&text).expect("labels"), labels);
        assert_eq!((labels.get("b"), labels.get("c"), of(&[]).is_empty()), (Some("3"), None, true));
    }
}
