//! What stands between the braces of a template.

/// The names that there are; `labels.NAME` is one label.
const NAMES: [&str; 19] = [
    "text",
    "headline",
    "message",
    "rule",
    "severity",
    "state",
    "because",
    "incident",
    "episode",
    "count",
    "host",
    "first_at",
    "last_at",
    "ended_at",
    "runbook",
    "key",
    "at",
    "labels",
    "labels.NAME",
];

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Name(Name),
}

/// A placeholder.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Name {
    pub(super) name: String,
    /// Longest value, in UTF-16 units.
    pub(super) limit: Option<usize>,
    /// What is said in the place of a value; `*` stands for any.
    pub(super) words: Vec<(String, String)>,
}

impl Name {
    /// Whether it is this one, with the value as it is.
    pub(super) fn is_plain(&self, name: &str) -> bool {
        self.name == name && self.words.is_empty()
    }

    /// The word for a value, or the one of that number.
    pub(super) fn said(&self, value: &str, number: Option<usize>) -> String {
        let fits = || self.words.iter().find(|(from, _)| from == "*" || from == value);
        let word = number.map_or_else(fits, |number| self.words.get(number).or_else(|| self.words.last()));
        word.map_or_else(|| value.to_owned(), |(_, to)| to.clone())
    }
}

/// Braces around a name are a placeholder; all others are text, as JSON has them.
///
/// # Errors
/// When a name is none, or what follows it is neither a limit nor words.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(open) = rest.find('{') {
        literal.push_str(&rest[..open]);
        let after = &rest[open + 1..];
        let Some((inner, name)) = after.split_once('}').and_then(|(inner, _)| Some((inner, name(inner)?))) else {
            literal.push('{');
            rest = after;
            continue;
        };
        pieces.push(Piece::Text(std::mem::take(&mut literal)));
        pieces.push(Piece::Name(name?));
        rest = &after[inner.len() + 1..];
    }
    literal.push_str(rest);
    pieces.push(Piece::Text(literal));
    Ok(pieces)
}

/// Nothing where it does not look like one.
fn name(inner: &str) -> Option<Result<Name, String>> {
    let end = inner.find([':', '|']).unwrap_or(inner.len());
    let (name, more) = inner.split_at(end);
    let looks = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    let known = NAMES.contains(&name) || name.strip_prefix("labels.").is_some_and(|label| !label.is_empty());
    if !looks {
        return None;
    }
    let limit = more.strip_prefix(':').map(|digits| digits.parse().ok().filter(|limit| *limit > 0));
    Some(match (known, limit) {
        (false, _) => Err(format!("there is no {{{name}}}; there are {}", NAMES.join(", "))),
        (true, Some(None)) => {
            Err(format!("{{{inner}}}: expected a number of characters after the colon, such as {{{name}:200}}"))
        }
        (true, Some(limit)) => Ok(Name { name: name.to_owned(), limit, words: Vec::new() }),
        (true, None) => words(more)
            .map(|words| Name { name: name.to_owned(), limit: None, words })
            .ok_or_else(|| format!("{{{inner}}}: expected words such as {{{name}|VALUE=WORD|*=OTHER}}")),
    })
}

/// `|critical=P1|*=P2`
fn words(text: &str) -> Option<Vec<(String, String)>> {
    let word = |pair: &str| pair.split_once('=').map(|(from, to)| (from.to_owned(), to.to_owned()));
    text.split('|').skip(1).map(word).collect()
}
