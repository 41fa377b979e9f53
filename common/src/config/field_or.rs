//! A key that takes a scalar or a mapping.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_saphyr::Spanned;

use super::RequiredField;

/// A scalar for the simple case, or a mapping that says more: `cpu_usage: 80` and `cpu_usage: {warning: 80, critical: 95}`.
#[derive(Debug)]
pub enum FieldOr<T> {
    /// The scalar, with its line.
    Field(RequiredField),
    /// The mapping.
    Mapping(T),
}

enum Raw<T> {
    Text(String),
    Mapping(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for FieldOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, defined } = Spanned::<Raw<T>>::deserialize(deserializer)?;
        Ok(match value {
            Raw::Text(text) => Self::Field(Spanned::new(text, referenced, defined)),
            Raw::Mapping(mapping) => Self::Mapping(mapping),
        })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Raw<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Raw<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, or a mapping")
            }

            fn visit_str<E>(self, text: &str) -> Result<Raw<T>, E> {
                Ok(Raw::Text(text.to_owned()))
            }

            // In YAML `off` is `false`.
            fn visit_bool<E>(self, value: bool) -> Result<Raw<T>, E> {
                Ok(Raw::Text(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Raw<T>, E> {
                Ok(Raw::Text(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Raw<T>, E> {
                Ok(Raw::Text(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Raw<T>, E> {
                Ok(Raw::Text(value.to_string()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Raw<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Raw::Mapping)
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Field, ToolSection};
    use crate::io::Env;

    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Health {
        limit: Option<FieldOr<Each>>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Each {
        warning: Field,
    }

    impl ToolSection for Health {
        const NAME: &'static str = "health";
    }

    fn limit(text: &str) -> anyhow::Result<Option<FieldOr<Each>>> {
        let text = format!("maintenance:\n  health:\n    limit: {text}\n");
        Ok(Config::from_text("c.yaml", text, Env::default())?.section::<Health>()?.limit)
    }

    #[test]
    fn both_forms_keep_their_line() {
        for (text, value) in
            [("80", "80"), ("-1", "-1"), ("0.5", "0.5"), ("80 %", "80 %"), ("none", "none"), ("off", "false")]
        {
            let limit = limit(text).expect("valid");
            assert!(
                matches!(&limit, Some(FieldOr::Field(field)) if field.value == value && field.referenced.line() == 3),
                "{text}"
            );
        }
        let limit_of = |text| match limit(text).expect("valid") {
            Some(FieldOr::Mapping(Each { warning: Some(field) })) => (field.value.clone(), field.referenced.line()),
            _ => panic!("{text}"),
        };
        assert_eq!(limit_of("{warning: 80}"), ("80".to_owned(), 3));
        assert_eq!(limit_of("\n      warning: 8 %"), ("8 %".to_owned(), 4));
        assert!(limit("").expect("valid").is_none());
    }

    #[test]
    fn other_shapes_are_told_with_their_line() {
        for (text, expected) in [("[1]", "c.yaml:3: "), ("{warn: 1}", "c.yaml:3: unknown field `warn`")] {
            let error = format!("{:#}", limit(text).expect_err("wrong"));
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
