//! Values that must not be seen: they mask themselves wherever they are formatted.

use std::fmt;

/// A password, key, token or URL with one of these in it. `Debug` and `Display` print `***`; only [`Secret::expose`]
/// gives the text, so every place where a secret leaves the program can be found by that name.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text. A trailing line break, as files and heredocs leave it, is not part of the secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        Self(text)
    }

    /// The text itself: for the wire, never for a record, a log or an error.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A URL as it may be shown: user info and query are replaced by `***`, the path is kept.
///
/// ```
/// # use pso_common::secret::redact_url;
/// assert_eq!(redact_url("http://bob:pw@h:1/a?key=k"), "http://***@h:1/a?***");
/// ```
#[must_use]
pub fn redact_url(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(s, r)| (s, r));
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(r, _)| (r, "?***"));
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let authority = authority.rsplit_once('@').map_or_else(|| authority.to_owned(), |(_, host)| format!("***@{host}"));
    if scheme.is_empty() { format!("{authority}{path}{query}") } else { format!("{scheme}://{authority}{path}{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatting_masks_the_text() {
        let secret = Secret::new("hunter2\n");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn urls_lose_user_info_and_query() {
        assert_eq!(redact_url("https://h/x"), "https://h/x");
        assert_eq!(redact_url("h:6333"), "h:6333");
        assert_eq!(redact_url("https://u:p@w@h/x?y=/z@q"), "https://***@h/x?***");
    }
}
