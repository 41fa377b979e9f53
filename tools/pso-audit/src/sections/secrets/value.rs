//! Whether what stands after `password:` is a secret, or only the place for one.

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// A variable, a reference, a mask, a word of documentation, nothing.
    Placeholder,
    /// What somebody should have changed: `changeme`, `postgres`, …
    Default,
    /// A secret.
    Literal,
}

/// Passwords that come with software, and that are tried first.
const DEFAULTS: [&str; 30] = [
    "postgres",
    "postgresql",
    "password",
    "passwort",
    "passw0rd",
    "password1",
    "p@ssw0rd",
    "admin",
    "administrator",
    "root",
    "changeme",
    "change_me",
    "change-me",
    "changeit",
    "default",
    "guest",
    "test",
    "qwerty",
    "letmein",
    "welcome",
    "123456",
    "12345678",
    "123456789",
    "sync_user",
    "pass",
    "passwd",
    "pw",
    "mdp",
    "motdepasse",
    "mot_de_passe",
];

/// Words that stand where a value would.
const WORDS: [&str; 43] = [
    "null",
    "nil",
    "none",
    "undefined",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "string",
    "str",
    "text",
    "required",
    "optional",
    "example",
    "placeholder",
    "redacted",
    "removed",
    "hidden",
    "masked",
    "secret",
    "token",
    "apikey",
    "api_key",
    "replace_me",
    "replaceme",
    "todo",
    "tbd",
    "unset",
    "empty",
    "prompt",
    "stdin",
    "ask",
    "read",
    "write",
    "files",
    // `the --password option`
    "option",
    "options",
    "flag",
    "and",
    "or",
    "is",
];

/// Whether a password is one of those that are tried first; `names` are the user's and the database's.
pub(super) fn is_default(password: &str, names: &[&str]) -> bool {
    let is = |word: &&str| password.eq_ignore_ascii_case(word);
    // `CHANGE_ME_PLEASE`
    let begins = |word: &str| password.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    DEFAULTS.iter().any(is) || names.iter().any(is) || ["changeme", "change_me", "change-me"].into_iter().any(begins)
}

/// What the value is, as it stands in the text, with its quotes.
pub(super) fn standing(raw: &[u8]) -> Standing {
    let raw = raw.trim_ascii();
    // The brackets of `postgresql://[user[:password]@]`.
    let raw = raw.strip_suffix(b"]").filter(|rest| !rest.contains(&b'[')).unwrap_or(raw);
    let value = match raw {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        [b'"', inner @ ..] => inner,
        bare => bare,
    };
    let text = String::from_utf8_lossy(value);
    let text = text.trim();
    // `${NAME:-hunter2}`: the default is written down, unless it is a variable itself.
    if let Some(inside) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        return match inside.split_once(":-").or_else(|| inside.split_once('-')) {
            Some((_, default)) if !default.is_empty() => standing(default.as_bytes()),
            _ => Standing::Placeholder,
        };
    }
    if is_placeholder(text) {
        Standing::Placeholder
    } else if is_default(text, &[]) {
        Standing::Default
    } else {
        Standing::Literal
    }
}

fn is_placeholder(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return true };
    let is_one_letter = text.chars().all(|c| c == first) && !first.is_ascii_digit();
    let lower = text.to_ascii_lowercase();
    let is_enclosed = |(open, close): &(&str, &str)| lower.starts_with(open) && lower.ends_with(close);
    is_one_letter
        // `$x`, `$(cat file)`, `(Get-Content …)`, `*alias`, `@file`, `#{x}`, a backtick.
        || matches!(first, '$' | '(' | '*' | '@' | '`' | '#' | '<')
        // What another program fills in, an expression that is searched for, a path.
        || ["%s", "%v", "%d", "%q", r"\s", r"\w", r"\d", ".*", ".+", "[^", "./", "../", "~/"].iter().any(|start| lower.starts_with(start))
        || ["[filtered", "[redacted", "[hidden", "[masked", "[removed", "[protected", "enc[", "env(", "op://", "vault://"]
            .iter()
            .any(|start| lower.starts_with(start))
        || is_long_path(text)
        || [("{{", "}}"), ("{", "}"), ("%", "%"), ("[", "]"), ("!vault", "")].iter().any(is_enclosed)
        || lower.contains("$(") || lower.contains("${") || lower.contains("$env:")
        || ["env:", "file:", "vault:", "secret:", "ref:", "/run/secrets/", "os.environ", "process.env", "your_", "your-", "my_", "xxx"]
            .iter()
            .any(|prefix| lower.starts_with(prefix))
        || lower.contains("***") || lower.contains("redacted") || lower.contains("placeholder")
        || WORDS.contains(&lower.trim_end_matches([';', ',', '.']))
}

/// `/run/secrets/pg`, `secret/data/pg`: words between slashes. What base64 gives has digits, signs and capitals in it.
fn is_long_path(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || matches!(c, '/' | '.' | '_' | '-');
    text.matches('/').count() >= 2
        && if text.starts_with('/') {
            text.chars().all(|c| c.is_ascii_alphanumeric() || is_plain(c))
                && text.split('/').all(|part| part.len() < 24)
        } else {
            text.chars().all(is_plain)
        }
}

/// A folder, as of `pwd`.
pub(super) fn is_path(raw: &[u8]) -> bool {
    let text: Vec<u8> = raw.iter().copied().filter(|byte| !matches!(byte, b'"' | b'\'')).collect();
    matches!(text[..], [b'/' | b'.' | b'~', ..] | [_, b':', b'\\' | b'/', ..])
}

/// As documentation shows them: `AKIA…EXAMPLE`, `ghp_xxxxxxxx`.
pub(super) fn is_example(found: &[u8]) -> bool {
    let is_same = |part: &[u8]| part.iter().all(|byte| byte.eq_ignore_ascii_case(&part[0]));
    found.ends_with(b"EXAMPLE") || found.windows(8).any(|part| part[0] != b'-' && is_same(part))
}

/// Whether a word has letters and digits, and is long enough for a password.
pub(super) fn is_mixed(raw: &[u8]) -> bool {
    let word: Vec<u8> = raw.iter().copied().filter(|byte| !matches!(byte, b'"' | b'\'')).collect();
    // A moment, a version, a size: it begins with a digit and has few letters.
    let letters = word.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    word.len() >= 8 && word.iter().any(u8::is_ascii_digit) && letters >= 3 && !is_stamp(&word)
}

/// `2025-06-12T…`
fn is_stamp(word: &[u8]) -> bool {
    matches!(word, [a, b, c, d, b'-', e, f, b'-', ..] if [a, b, c, d, e, f].into_iter().all(u8::is_ascii_digit))
}

/// Whether a word of a log looks made by a machine: of some length, with letters and digits.
pub(super) fn is_random(raw: &[u8]) -> bool {
    let word: Vec<u8> = raw.iter().copied().filter(|byte| !matches!(byte, b'"' | b'\'')).collect();
    word.len() >= 12
        && word.iter().any(u8::is_ascii_digit)
        && word.iter().any(u8::is_ascii_alphabetic)
        && !is_stamp(&word)
}

/// Words that follow `password=` in logs and say how it went.
pub(super) fn is_outcome(raw: &[u8]) -> bool {
    let word = String::from_utf8_lossy(raw).trim_matches(['"', '\'', '.', ',', ';', ')']).to_ascii_lowercase();
    let outcomes = [
        "ok",
        "set",
        "valid",
        "invalid",
        "expired",
        "wrong",
        "failed",
        "failure",
        "missing",
        "required",
        "changed",
        "reset",
        "incorrect",
        "refused",
        "rejected",
        "accepted",
        "not",
        "updated",
        "rotated",
        "unknown",
        "denied",
        "yes",
        "no",
        "authentication",
        "auth",
        "method",
        "md5",
        "scram-sha-256",
        "trust",
        "provided",
        "given",
        "absent",
        "present",
    ];
    outcomes.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_for_a_secret_is_no_secret() {
        for placeholder in [
            "",
            "\"\"",
            "''",
            "***",
            "********",
            "xxxx",
            "<password>",
            "${PGPASSWORD}",
            "\"${DB_PASSWORD}\"",
            "${X:-}",
            "${X:-${Y}}",
            "$env:PGPASSWORD",
            "$(cat /run/secret)",
            "(Get-Content token.txt)",
            "%PASSWORD%",
            "{{ vault.x }}",
            "null",
            "~~",
            "*anchor",
            "@file",
            "your_password_here",
            "/run/secrets/pg",
            "<your key>",
            "\"None\"",
            "true",
            "REDACTED",
            "!vault |",
            "env:TOKEN",
        ] {
            assert_eq!(standing(placeholder.as_bytes()), Standing::Placeholder, "{placeholder}");
        }
    }

    #[test]
    fn defaults_and_secrets_are_told_apart() {
        for default in ["changeme", "'ChangeMe'", "postgres", "${PW:-postgres}", "\"admin\"", "123456"] {
            assert_eq!(standing(default.as_bytes()), Standing::Default, "{default}");
        }
        for secret in ["hunter2", "'hunter2'", "${PW:-hunter2}", "\"p w\"", "s3cr3t$", "000000", "|"] {
            let expected = if secret == "|" { Standing::Placeholder } else { Standing::Literal };
            assert_eq!(standing(secret.as_bytes()), expected, "{secret}");
        }
        assert!(
            is_default("Sync_User", &[])
                && is_default("planner", &["planner"])
                && !is_default("planner2", &["planner"])
        );
    }

    #[test]
    fn logs_speak_of_passwords_without_naming_them() {
        assert!(is_outcome(b"invalid,") && is_outcome(b"\"expired\"") && !is_outcome(b"hunter2"));
        assert!(is_random(b"a1b2c3d4e5f6") && !is_random(b"refreshed-token") && !is_random(b"12345678901234"));
    }
}
