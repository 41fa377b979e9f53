//! Text that is not UTF-8.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes that are not UTF-8, kept as ripgrep keeps them: `{"bytes":"<base64>"}`.
///
/// `message` and `example` are always strings, so that filters need no case distinction; where the original is not
/// UTF-8 they hold it with replacement characters, and a field of this type beside them holds the original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawBytes(pub Vec<u8>);

impl RawBytes {
    /// The readable text of `bytes`, and the bytes themselves where that text cannot give them back.
    #[must_use]
    pub fn split(bytes: &[u8]) -> (String, Option<Self>) {
        match String::from_utf8_lossy(bytes) {
            Cow::Borrowed(text) => (text.to_owned(), None),
            Cow::Owned(text) => (text, Some(Self(bytes.to_vec()))),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    bytes: Cow<'a, str>,
}

impl Serialize for RawBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire { bytes: STANDARD.encode(&self.0).into() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        STANDARD.decode(wire.bytes.as_bytes()).map(Self).map_err(de::Error::custom)
    }
}

impl JsonSchema for RawBytes {
    fn schema_name() -> Cow<'static, str> {
        "RawBytes".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {"bytes": {"type": "string", "contentEncoding": "base64"}},
            "required": ["bytes"],
            "additionalProperties": false
        })
    }
}

#[cfg(test)]
mod tests {
    use super::RawBytes;

    #[test]
    fn keeps_what_is_not_utf8() {
        let (text, raw) = RawBytes::split(b"caf\xe9");
        assert_eq!(text, "caf\u{fffd}");
        assert_eq!(serde_json::to_string(&raw).expect("JSON"), r#"{"bytes":"Y2Fm6Q=="}"#);
        assert_eq!(RawBytes::split("café".as_bytes()), ("café".to_owned(), None));
    }
}
