//! API keys: who may read, who may change.

use crate::answer::Failure;

/// The keys that a server accepts; without any, everybody may do everything.
#[derive(Clone, Default)]
pub struct Keys {
    /// May do everything.
    pub full: Option<String>,
    /// May look at everything and change nothing.
    pub read_only: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let masked = |key: &Option<String>| key.as_ref().map(|_| "***");
        f.debug_struct("Keys").field("full", &masked(&self.full)).field("read_only", &masked(&self.read_only)).finish()
    }
}

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Full,
    ReadOnly,
}

impl Access {
    /// Refuses a caller who may only read. Only calls that change something ask: an unknown path is a 404 for all.
    pub(crate) fn may_change(self) -> Result<(), Failure> {
        match self {
            Self::Full => Ok(()),
            Self::ReadOnly => Err(Failure::forbidden("Global manage access is required")),
        }
    }
}

impl Keys {
    /// What the key a request sent, in `api-key` or as a bearer token, allows.
    pub(crate) fn access(&self, sent: Option<&str>) -> Result<Access, Failure> {
        if self.full.is_none() && self.read_only.is_none() {
            return Ok(Access::Full);
        }
        let Some(sent) = sent else {
            return Err(Failure::unauthorized("Must provide an API key or an Authorization bearer token"));
        };
        if self.full.as_deref() == Some(sent) {
            Ok(Access::Full)
        } else if self.read_only.as_deref() == Some(sent) {
            Ok(Access::ReadOnly)
        } else {
            Err(Failure::unauthorized("Invalid API key or JWT"))
        }
    }
}
