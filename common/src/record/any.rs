//! A record of any kind, as it came.

use serde::de::DeserializeOwned;

use super::{Header, Kind, Record};

/// A record read from a stream: its header understood, its text kept so that it can be passed on untouched.
#[derive(Clone, Debug, PartialEq)]
pub struct AnyRecord {
    /// The fields that every record has.
    pub header: Header,
    /// The line as it was read, without its line break.
    pub line: String,
}

impl AnyRecord {
    /// Understands one line.
    ///
    /// # Errors
    /// When it is not a JSON object with the fields of a [`Header`].
    pub fn parse(line: impl Into<String>) -> Result<Self, serde_json::Error> {
        let line = line.into();
        Ok(Self { header: serde_json::from_str(&line)?, line })
    }

    /// The whole record, if it is of kind `B`; `None` if it is of another kind.
    ///
    /// # Errors
    /// When it says it is of kind `B` and lacks that kind's fields.
    pub fn as_kind<B: Kind>(&self) -> Option<Result<Record<B>, serde_json::Error>> {
        (self.header.kind == B::KIND).then(|| serde_json::from_str(&self.line))
    }

    /// Some of the record's fields, whatever its kind: for readers that need only a value and its labels.
    ///
    /// # Errors
    /// When a field that `T` asks for is missing or of another type.
    pub fn fields<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.line)
    }
}
