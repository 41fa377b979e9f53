//! Texts of statements, without what must not be shown.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// The text of a statement. Whatever it is read from, passwords in it are masked: `ALTER ROLE … PASSWORD 'x'`, options and
/// comparisons (`password = 'x'`), connection strings (`password=x`) and URLs (`//user:x@host`) inside of literals. A
/// statement may be cut anywhere, be nested in another's literal, and be no valid SQL, so what looks like a password is
/// masked, too. A literal that stands alone (`VALUES ('bob', 'x')`) cannot be told from any other and is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct QueryText(String);

impl QueryText {
    /// Takes a text and masks what is secret.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(masked(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for QueryText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(&String::deserialize(deserializer)?))
    }
}

const MASK: &str = "***";

/// A word that has one of these in it is followed by a secret: `password`, `sslpassword`, `db_passwd`, `passphrase`.
const WORDS: [&str; 3] = ["password", "passwd", "passphrase"];

fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = word_length(rest);
        if word > 0 {
            let name = rest[..word].to_ascii_lowercase();
            shown.push_str(&rest[..word]);
            rest = &rest[word..];
            if WORDS.iter().any(|secret| name.contains(secret)) {
                rest = mask_value(rest, &mut shown);
            }
        } else if let Some(authority) = rest.strip_prefix("://") {
            shown.push_str("://");
            rest = mask_user_info(authority, &mut shown);
        } else {
            shown.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    shown
}

/// Bytes of the word that the text begins with.
fn word_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// Behind `://`: the password before the last `@` of the authority.
fn mask_user_info<'t>(text: &'t str, shown: &mut String) -> &'t str {
    let end = text.find(|c: char| c.is_whitespace() || "/?#'\"".contains(c)).unwrap_or(text.len());
    // A text that was cut in the password has no `@` any more.
    let user_info = text[..end].rfind('@').or_else(|| (end == text.len()).then_some(end));
    match user_info.and_then(|at| Some((text[..at].find(':')? + 1, at))) {
        Some((from, to)) if !is_port(&text[from..to], to == end) => {
            shown.push_str(&text[..from]);
            shown.push_str(MASK);
            &text[to..]
        }
        _ => text,
    }
}

/// `host:5432` at a text's end is no password.
fn is_port(text: &str, at_end: bool) -> bool {
    at_end && text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Behind a word such as `password`: what it is set to, or compared with.
fn mask_value<'t>(text: &'t str, shown: &mut String) -> &'t str {
    // The word may be quoted, as a name or in JSON.
    let spaced = skip_space(text.trim_start_matches(['"', '\\', ']']));
    let operator =
        spaced.trim_start_matches("!").trim_start_matches("~*").trim_start_matches(['=', ':', '>', '<', '~']);
    let assigned = operator.len() < spaced.len();
    let value = skip_space(skip_space(skip_keyword(skip_space(operator))).trim_start_matches('('));
    let (lead, value) = text.split_at(text.len() - value.len());
    let open = lead.matches('(').count();
    if let Some((opening, literal)) = literal(value) {
        shown.push_str(lead);
        shown.push_str(&value[..opening]);
        return mask_arguments(mask_literal(&literal, shown), open, shown);
    }
    if is_parameter(value) || !(assigned || open > 0) {
        return text;
    }
    shown.push_str(lead);
    if !assigned {
        return mask_arguments(value, open, shown);
    }
    // Without quotes, as in a connection string.
    let end = value.find(|c: char| c.is_whitespace() || c == '\'' || c == '"').unwrap_or(value.len());
    let (bare, rest) = value.split_at(end);
    if !bare.is_empty() {
        shown.push_str(MASK);
    }
    if bare.ends_with('\\') {
        return "";
    }
    // Of crypt('x', …) the arguments.
    let open = (open + bare.matches('(').count()).saturating_sub(bare.matches(')').count());
    mask_arguments(rest, open, shown)
}

/// Masks every literal until so many parentheses are closed.
fn mask_arguments<'t>(text: &'t str, mut open: usize, shown: &mut String) -> &'t str {
    let mut rest = text;
    while open > 0 {
        let Some(first) = rest.chars().next() else { return rest };
        if let Some((opening, literal)) = literal(rest) {
            shown.push_str(&rest[..opening]);
            rest = mask_literal(&literal, shown);
            continue;
        }
        match first {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        shown.push(first);
        rest = &rest[first.len_utf8()..];
    }
    rest
}

/// Leaves out space and comments.
fn skip_space(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let line = rest.strip_prefix("--").map(|comment| comment.split_once('\n').map_or("", |(_, rest)| rest));
        let block = || rest.strip_prefix("/*").map(|comment| comment.split_once("*/").map_or("", |(_, rest)| rest));
        match line.or_else(block) {
            Some(next) => rest = next.trim_start(),
            None => return rest,
        }
    }
}

/// `SET app.password TO 'x'`, `WHERE password LIKE 'x'`, `password IN ('x')`.
fn skip_keyword(text: &str) -> &str {
    let word = word_length(text);
    let keyword = ["to", "like", "ilike", "default", "in", "is"].contains(&text[..word].to_ascii_lowercase().as_str());
    if keyword { &text[word..] } else { text }
}

/// How a literal goes on behind what opens it.
enum Literal<'t> {
    /// The quote, how many of them end it, and the rest. In a literal that is nested in another one each quote is doubled,
    /// in one of that again, so the number of those that end it is a power of two.
    Quoted(char, usize, &'t str),
    /// The tag with its dollars, and the rest.
    Dollar(&'t str, &'t str),
}

/// Where the text begins with a literal: the length of what opens it, and the literal.
fn literal(text: &str) -> Option<(usize, Literal<'_>)> {
    let quoted = |prefix: &&str| text.strip_prefix(*prefix).is_some_and(|rest| rest.starts_with(['\'', '"']));
    let prefix = ["U&", "u&", "E", "e", "N", "n", "B", "b", "\\"].into_iter().find(quoted).unwrap_or_default();
    let quotes = &text[prefix.len()..];
    if let Some(quote @ ('\'' | '"')) = quotes.chars().next() {
        let inner = quotes.trim_start_matches(quote);
        let run = quotes.len() - inner.len();
        // An even number of quotes and nothing behind it is an empty literal.
        let empty = inner.chars().next().is_some_and(|next| next.is_whitespace() || ",);}]".contains(next));
        if run.is_multiple_of(2) && empty {
            return None;
        }
        return Some((text.len() - inner.len(), Literal::Quoted(quote, 1 << run.trailing_zeros(), inner)));
    }
    let tag = text.strip_prefix('$')?;
    let length = word_length(tag);
    let inner = tag[length..].strip_prefix('$')?;
    let named = !tag.starts_with(|c: char| c.is_ascii_digit());
    named.then(|| (length + 2, Literal::Dollar(&text[..length + 2], inner)))
}

/// Masks a literal and gives what is behind it; nothing where its end is not sure.
fn mask_literal<'t>(literal: &Literal<'t>, shown: &mut String) -> &'t str {
    shown.push_str(MASK);
    let (closing, rest) = match *literal {
        Literal::Dollar(tag, inner) => match inner.split_once(tag) {
            Some((_, rest)) => (tag.to_owned(), rest),
            None => return "",
        },
        Literal::Quoted(quote, closing, inner) => match closed(quote, closing, inner) {
            Some(rest) => (String::from(quote).repeat(closing), rest),
            None => return "",
        },
    };
    shown.push_str(&closing);
    rest
}

/// What is behind a quoted literal.
fn closed(quote: char, closing: usize, inner: &str) -> Option<&str> {
    let mut at = 0;
    loop {
        at += inner[at..].find(quote)?;
        if inner[..at].ends_with('\\') {
            // Whether this ends it depends on the kind of the literal and on standard_conforming_strings.
            return None;
        }
        let behind = inner[at..].trim_start_matches(quote);
        at = inner.len() - behind.len();
        let run = at - inner[..at].trim_end_matches(quote).len();
        let left = run % (2 * closing);
        if left >= closing {
            let rest = &inner[at - (left - closing)..];
            return continued(quote, closing, rest).unwrap_or(Some(rest));
        }
    }
}

/// Literals with nothing but a line break between them are one: what is behind the last of them.
fn continued(quote: char, closing: usize, rest: &str) -> Option<Option<&str>> {
    let next = skip_space(rest);
    let broken = rest[..rest.len() - next.len()].contains('\n');
    let opened = next.strip_prefix(String::from(quote).repeat(closing).as_str())?;
    broken.then(|| closed(quote, closing, opened))
}

/// `$1` is no secret.
fn is_parameter(text: &str) -> bool {
    text.strip_prefix('$').is_some_and(|number| {
        let rest = number.trim_start_matches(|c: char| c.is_ascii_digit());
        let ends = rest.chars().next().is_none_or(|next| next.is_whitespace() || ",);:'".contains(next));
        rest.len() < number.len() && ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(text: &str) {
        assert_eq!(masked(text), text);
    }

    fn all(pairs: &[(&str, &str)]) {
        for (text, expected) in pairs {
            assert_eq!(masked(text), *expected, "{text}");
        }
    }

    #[test]
    fn what_follows_the_word_password_is_masked() {
        all(&[
            ("ALTER ROLE x PASSWORD 'y' VALID UNTIL '2027'", "ALTER ROLE x PASSWORD '***' VALID UNTIL '2027'"),
            ("create user x encrypted password'y''z'; SELECT 1", "create user x encrypted password'***'; SELECT 1"),
            (r"CREATE ROLE x PASSWORD E'y\\nz' LOGIN", "CREATE ROLE x PASSWORD E'***' LOGIN"),
            (r"CREATE ROLE x PASSWORD U&'\0061' UESCAPE '!'", "CREATE ROLE x PASSWORD U&'***' UESCAPE '!'"),
            ("CREATE ROLE x PASSWORD $$y'z$$ LOGIN", "CREATE ROLE x PASSWORD $$***$$ LOGIN"),
            ("CREATE ROLE x PASSWORD $a1$y$$z$a1$ LOGIN", "CREATE ROLE x PASSWORD $a1$***$a1$ LOGIN"),
            ("ALTER ROLE x PASSWORD/* - */\n'y'\n  'z' LOGIN", "ALTER ROLE x PASSWORD/* - */\n'***' LOGIN"),
            ("-- don't PASSWORD 'y'", "-- don't PASSWORD '***'"),
            ("OPTIONS (user 'u', password 'y', sslmode 'z')", "OPTIONS (user 'u', password '***', sslmode 'z')"),
            ("UPDATE u SET db_password = 'y', n = 'z'", "UPDATE u SET db_password = '***', n = 'z'"),
            ("SET \"my.PassWord\" TO 'y'", "SET \"my.PassWord\" TO '***'"),
            ("WHERE password IN ('y', 'z') AND n = 'a'", "WHERE password IN ('***', '***') AND n = 'a'"),
            ("SELECT set_password(7, ('y'), 'z'), 'a'", "SELECT set_password(7, ('***'), '***'), 'a'"),
            ("password = crypt('y', gen_salt('bf')), n = 'a'", "password = ***'***', gen_salt('***')), n = 'a'"),
            (r#"SELECT '{"password": "y", "n": 1}'"#, r#"SELECT '{"password": "***", "n": 1}'"#),
        ]);
    }

    #[test]
    fn a_literal_in_a_literal_is_masked() {
        all(&[
            ("DO 'EXECUTE ''ALTER ROLE x PASSWORD ''''y'''''''", "DO 'EXECUTE ''ALTER ROLE x PASSWORD ''''***'''''''"),
            ("DO 'ALTER ROLE x PASSWORD ''y''''z'' LOGIN'", "DO 'ALTER ROLE x PASSWORD ''***'' LOGIN'"),
            ("DO $$ BEGIN ALTER ROLE x PASSWORD 'y'; END $$", "DO $$ BEGIN ALTER ROLE x PASSWORD '***'; END $$"),
            ("dblink('host=h password=y user=u', 'SELECT 1')", "dblink('host=h password=*** user=u', 'SELECT 1')"),
            ("dblink('host=h password=y')", "dblink('host=h password=***')"),
            ("dblink('password = ''y z'' user=u')", "dblink('password = ''***'' user=u')"),
            ("CONNECTION 'password=y,z host=h' PUBLICATION p", "CONNECTION 'password=*** host=h' PUBLICATION p"),
            ("dblink('postgres://u:y@h:5432/d?sslpassword=z')", "dblink('postgres://u:***@h:5432/d?sslpassword=***')"),
        ]);
    }

    #[test]
    fn what_is_cut_or_has_no_sure_end_is_masked_to_the_end() {
        all(&[
            ("ALTER ROLE x PASSWORD 'y", "ALTER ROLE x PASSWORD '***"),
            ("ALTER ROLE x PASSWORD $a$y", "ALTER ROLE x PASSWORD $a$***"),
            (r"ALTER ROLE x PASSWORD E'it\'s y' LOGIN", "ALTER ROLE x PASSWORD E'***"),
            (r"OPTIONS (password 'a\', sslpassword 'y')", "OPTIONS (password '***"),
            (r"dblink('password=a\ y host=h')", "dblink('password=***"),
            ("dblink('postgres://u:secre", "dblink('postgres://u:***"),
        ]);
    }

    #[test]
    fn what_is_no_secret_stays() {
        same("ALTER ROLE x PASSWORD NULL VALID UNTIL '2027'");
        same("SELECT password, 'a' FROM u WHERE password = $1 AND n = 'b'");
        same("UPDATE u SET password=$1, n='a'");
        same("SELECT * FROM u WHERE password <> '' AND n = 'a'");
        same("SELECT password IS NOT NULL, 'a', $1, E'\\'', \"p\" -- it's");
        same("GET http://host:5432");
        same("SELECT 'https://h/a@b:c', 'é🚀', a::text");
        same("");
    }

    #[test]
    fn a_masked_text_stays_as_it_is() {
        let once = QueryText::new("ALTER ROLE x PASSWORD 'y'; SELECT dblink('password=y host=h', 'postgres://u:y@h')");
        assert!(!once.as_str().contains('y'), "{}", once.as_str());
        assert_eq!(QueryText::new(once.as_str()), once);
        let read: QueryText = serde_json::from_str(r#""PASSWORD 'y'""#).expect("a text");
        assert_eq!(serde_json::to_string(&read).expect("JSON"), r#""PASSWORD '***'""#);
    }

    #[test]
    fn no_secret_is_shown_whatever_stands_around_it_and_wherever_it_is_cut() {
        let before =
            ["", "SELECT 'it''s'; ", "-- don't\n", "DO $$ x ", r"SELECT E'\'', ", "/* ' */ ", "\"q'uote\", ", "é🚀'"];
        let forms = [
            "PASSWORD '#'",
            "password='# #'",
            "PASSWORD E'#'",
            "password := $x1$# '#$x1$",
            "password => N'#'",
            "'password=# host=h'",
            "'password = ''# #'' host=h'",
            "'host=h sslpassword=#'",
            "{\"password\": \"#\"}",
            "'postgres://u:#@h/d'",
            "set_password(1, '#')",
            "password = crypt('#', 'salt')",
            "password IN ('a', '#')",
            "SET my.password TO '#'",
            "PASSWORD '#'\n'#'",
        ];
        for before in before {
            for form in forms {
                for after in ["", "'", " LOGIN; SELECT 'x'", "\n'y'", ", password 'z'"] {
                    let text = format!("{before}{}{after}", form.replace('#', "h0nter2"));
                    for end in text.char_indices().map(|(at, _)| at).chain([text.len()]) {
                        let shown = masked(&text[..end]);
                        assert!(!shown.contains("h0"), "{} became {shown}", &text[..end]);
                    }
                }
            }
        }
    }

    #[test]
    fn anything_can_be_read() {
        const PIECES: [&str; 20] = [
            "password", "'", "''", "\"", "\\", "$", "$a$", "$1", "=", "(", ")", " ", "\n", "--", "/*", "*/", "://",
            "@", ":", "é🚀",
        ];
        let mut state: u32 = 7;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..12 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text.push_str(PIECES[(state >> 16) as usize % PIECES.len()]);
            }
            let _ = masked(&text);
        }
    }
}
