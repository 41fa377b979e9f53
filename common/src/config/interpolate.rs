//! `${VAR}` and `${VAR:-default}` in values.

use crate::io::Env;

/// Replaces variables in `text`. `$${` stands for a literal `${`.
///
/// # Errors
/// The name of a variable that is unset and has no default, or a description of what is not closed.
pub(super) fn interpolate(text: &str, env: &Env) -> Result<String, String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let before = &rest[..at];
        if let Some(literal) = before.strip_suffix('$') {
            result.push_str(literal);
            result.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        result.push_str(before);
        let body = &rest[at + 2..];
        let end = body.find('}').ok_or_else(|| "`${` without its `}`".to_owned())?;
        let (name, default) = body[..end].split_once(":-").map_or((&body[..end], None), |(n, d)| (n, Some(d)));
        match (env.get(name), default) {
            (Some(value), _) => result.push_str(value),
            (None, Some(default)) => result.push_str(default),
            (None, None) => {
                return Err(format!(
                    "the environment variable {name} is not set; set it, or give a default as ${{{name}:-…}}"
                ));
            }
        }
        rest = &body[end + 1..];
    }
    result.push_str(rest);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_defaults_and_escapes() {
        let mut env = Env::default();
        env.set("HOST", "db");
        env.set("EMPTY", "");
        let expand = |text| interpolate(text, &env);
        assert_eq!(expand("a ${HOST}:${PORT:-5432} $x $${HOST}").as_deref(), Ok("a db:5432 $x ${HOST}"));
        assert_eq!(expand("${EMPTY:-none}").as_deref(), Ok("none"));
        assert!(expand("${NOPE}").is_err_and(|message| message.contains("NOPE")));
        assert!(expand("${HOST").is_err());
    }
}
