//! Whether a file is what its name says.

use pso_common::record::Component;
use serde::de::IgnoredAny;

/// What is odd about a file that restores all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Odd {
    /// A text with bytes that are not UTF-8.
    NotUtf8,
    /// A text with NUL bytes: what a crash leaves of a file that was being written.
    HasNul,
    /// It does not parse.
    NotYaml,
    /// It does not parse.
    NotJson,
    /// Too large, or made to take all memory.
    NotRead,
}

impl Odd {
    pub(super) const ALL: [Self; 5] = [Self::NotUtf8, Self::HasNul, Self::NotYaml, Self::NotJson, Self::NotRead];

    /// How a list of such files begins.
    pub(super) const fn told(self) -> &'static str {
        match self {
            Self::NotUtf8 => "restored byte by byte as it was, but it is not UTF-8",
            Self::HasNul => "restored byte by byte as it was, but there are NUL bytes in a text, as after a crash",
            Self::NotYaml => "restored byte by byte as it was, but it is not valid YAML",
            Self::NotJson => "restored byte by byte as it was, but it is not valid JSON",
            Self::NotRead => "its hash was compared, but it was not parsed (too large, or too deep)",
        }
    }
}

/// The names of texts among the plans; pictures lie there too.
const TEXTS: [&str; 8] = ["md", "markdown", "txt", "csv", "yaml", "yml", "json", "toml"];

/// Looks at a file's content; `None` of a content stands for one that is too long.
pub(super) fn look(component: Component, name: &str, content: Option<&[u8]>) -> Option<Odd> {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    let is_text = match component {
        Component::Config | Component::Plans => TEXTS.contains(&ending.as_str()),
        // Whoever runs them reads them as they are: PowerShell takes UTF-16 and the code page too.
        Component::Postgres | Component::Qdrant | Component::Scripts => false,
    };
    if !is_text {
        return None;
    }
    let Some(content) = content else { return Some(Odd::NotRead) };
    let Ok(text) = std::str::from_utf8(content) else { return Some(Odd::NotUtf8) };
    if text.contains('\0') {
        return Some(Odd::HasNul);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match ending.as_str() {
        "yaml" | "yml" if component == Component::Config => yaml(text),
        "json" if component == Component::Config => json(text),
        _ => None,
    }
}

/// Any number of documents. The parser's own limits on depth, aliases and what they unfold to hold.
fn yaml(text: &str) -> Option<Odd> {
    match serde_saphyr::from_multiple::<IgnoredAny>(text) {
        Ok(_) => None,
        Err(error) if is_limit(&error) => Some(Odd::NotRead),
        Err(_) => Some(Odd::NotYaml),
    }
}

/// Whether the parser gave up because of a limit of its own, and not because of what it read.
fn is_limit(error: &serde_saphyr::Error) -> bool {
    use serde_saphyr::Error;
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => is_limit(error),
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => true,
        _ => false,
    }
}

/// It is read without recursion, however deep it is.
fn json(text: &str) -> Option<Odd> {
    serde_json::from_str::<IgnoredAny>(text).err().map(|_| Odd::NotJson)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(content: &[u8]) -> Option<Odd> {
        look(Component::Plans, "plans/a.md", Some(content))
    }

    fn config(name: &str, content: &str) -> Option<Odd> {
        look(Component::Config, name, Some(content.as_bytes()))
    }

    #[test]
    fn a_plan_is_utf_8() {
        assert_eq!(plan("# Plän\n".as_bytes()), None);
        assert_eq!(plan(b"\xef\xbb\xbf# BOM\n"), None);
        assert_eq!(plan(b""), None);
        assert_eq!(plan(b"Pl\xe4n"), Some(Odd::NotUtf8), "Latin-1");
        assert_eq!(plan(b"\xff\xfe#\0"), Some(Odd::NotUtf8), "UTF-16");
        assert_eq!(plan(b"# a\0\0\0"), Some(Odd::HasNul));
        assert_eq!(look(Component::Plans, "plans/a.png", Some(b"\x89PNG\0")), None);
        assert_eq!(look(Component::Scripts, "scripts/a.ps1", Some(b"\xff\xfe#\0")), None);
        assert_eq!(look(Component::Plans, "plans/a.MD", None), Some(Odd::NotRead));
    }

    #[test]
    fn a_configuration_parses() {
        assert_eq!(config("config/a.yaml", "a: [1, {b: c}]\n---\nd: &x e\nf: *x\n"), None);
        assert_eq!(config("config/a.yml", ""), None);
        assert_eq!(config("config/a.yaml", "# nothing\n"), None);
        assert_eq!(config("config/a.yaml", "a: !custom {b: c}\npassword: ${PASSWORD}\n"), None);
        assert_eq!(config("config/a.yaml", "a: [1\nb: 2"), Some(Odd::NotYaml));
        assert_eq!(config("config/a.yaml", "a: *nobody"), Some(Odd::NotYaml));
        assert_eq!(config("config/a.json", "{\"a\": [1]}"), None);
        assert_eq!(config("config/a.json", "{\"a\": [1}"), Some(Odd::NotJson));
        assert_eq!(config("config/a.txt", "a: [1"), None);
    }

    #[test]
    fn a_file_that_unfolds_without_end_is_not_parsed() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let above = format!("*a{}, ", level - 1).repeat(9);
            bomb += &format!("a{level}: &a{level} [{}]\n", above.trim_end_matches(", "));
        }
        assert_eq!(config("config/a.yaml", &bomb), Some(Odd::NotRead));
        let deep = "[".repeat(100_000);
        assert!(matches!(config("config/a.yaml", &deep), Some(Odd::NotRead | Odd::NotYaml)));
        assert_eq!(config("config/a.json", &deep), Some(Odd::NotJson));
    }
}
