//! Messages with places for the record's fields.

use super::field::{FieldPath, Value};

/// `Sync takes {value} s on {labels.host}`. `{{` and `}}` are braces.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Field(FieldPath),
}

impl Template {
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let (name, after) = match rest.split_once('}') {
                Some(split) if brace == "{" => split,
                _ => return Err(format!("`{brace}` stands alone; write `{brace}{brace}` for a brace")),
            };
            let path = FieldPath::parse(name.trim()).ok_or_else(|| {
                format!("`{{{name}}}` names no field; write {{value}}, {{message}} or {{labels.host}}")
            })?;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Field(path));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// The fields that it shows.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &FieldPath> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Field(path) => Some(path),
            Piece::Text(_) => None,
        })
    }

    /// Fills in the values of [`Template::fields`], in their order. A field that the record lacks is shown by its name: a
    /// message with a hole is better than none.
    pub(super) fn filled(&self, values: impl IntoIterator<Item = Option<Value>>) -> String {
        let mut values = values.into_iter();
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Field(path) => match values.next().flatten() {
                    Some(value) => text.push_str(&value.shown()),
                    None => text.push_str(&format!("{{{path}}}")),
                },
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_in_and_holes_are_shown() {
        let template = Template::parse("{{x}} takes {value} s on {labels.host}, {later.on}").expect("valid");
        let names: Vec<String> = template.fields().map(ToString::to_string).collect();
        assert_eq!(names, ["value", "labels.host", "later.on"]);
        let values = [Some(Value::Number(75.25)), Some(Value::Text("{value}".to_owned())), None];
        assert_eq!(template.filled(values), "{x} takes 75.25 s on {value}, {later.on}");
        assert_eq!(Template::parse("plain").expect("valid").filled([]), "plain");
    }

    #[test]
    fn lonely_braces_and_empty_places_are_errors() {
        for (text, error) in [
            ("{value", "`{` stands alone"),
            ("value}", "`}` stands alone"),
            ("{}", "`{}` names no field"),
            ("{a..b}", "`{a..b}` names no field"),
        ] {
            assert!(Template::parse(text).is_err_and(|message| message.starts_with(error)), "{text}");
        }
    }
}
