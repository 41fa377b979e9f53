//! Which licences may be built in: those of `.deny.toml`, which cargo-deny reads too
//! (<https://embarkstudios.github.io/cargo-deny/checks/licenses/cfg.html>).

use anyhow::Context as _;

/// The list of `.deny.toml`.
#[derive(Clone, Debug)]
pub struct Allowed {
    licences: Vec<String>,
    registries: Vec<String>,
}

impl Allowed {
    /// Reads the two lists; the rest of the file is for cargo-deny.
    ///
    /// # Errors
    /// When one of them is missing.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        Ok(Self { licences: list(text, "allow")?, registries: list(text, "allow-registry")? })
    }

    /// Whether one may build in what stands under this SPDX expression.
    #[must_use]
    pub fn licence(&self, expression: &str) -> bool {
        satisfied(expression, &|licence| self.licences.iter().any(|allowed| allowed == licence))
    }

    /// Whether packages may come from there.
    #[must_use]
    pub fn source(&self, source: &str) -> bool {
        source.strip_prefix("registry+").is_some_and(|from| self.registries.iter().any(|allowed| allowed == from))
    }
}

/// The strings of `KEY = [ … ]`.
fn list(text: &str, key: &str) -> anyhow::Result<Vec<String>> {
    let uncommented: String =
        text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(|line| [line, "\n"]).collect();
    let (_, rest) =
        uncommented.split_once(&format!("\n{key} = [")).with_context(|| format!(".deny.toml lacks {key}"))?;
    let (items, _) = rest.split_once(']').with_context(|| format!(".deny.toml: {key} has no end"))?;
    Ok(items.split('"').skip(1).step_by(2).map(str::to_owned).collect())
}

/// Whether an SPDX expression holds, given which single licences do. `WITH` and its exception are part of a name; `/`, as
/// older packages have it, is `OR`. <https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/>
pub fn satisfied(expression: &str, holds: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let result = either(&words, &mut at, holds);
    result && at == words.len()
}

fn either(words: &[&str], at: &mut usize, holds: &dyn Fn(&str) -> bool) -> bool {
    let mut result = both(words, at, holds);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        let other = both(words, at, holds);
        result = result || other;
    }
    result
}

fn both(words: &[&str], at: &mut usize, holds: &dyn Fn(&str) -> bool) -> bool {
    let mut result = one(words, at, holds);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        let other = one(words, at, holds);
        result = result && other;
    }
    result
}

fn one(words: &[&str], at: &mut usize, holds: &dyn Fn(&str) -> bool) -> bool {
    let Some(&word) = words.get(*at) else { return false };
    *at += 1;
    if word == "(" {
        let result = either(words, at, holds);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return result && closed;
    }
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1).copied().unwrap_or_default();
        *at += 2;
        return holds(&format!("{word} WITH {exception}"));
    }
    holds(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let holds = |licence: &str| ["MIT", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"].contains(&licence);
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
            "GPL-2.0 AND GPL-3.0 OR MIT",
        ] {
            assert!(satisfied(good, &holds), "{good}");
        }
        for bad in
            ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "(MIT", "MIT MIT", "MIT AND (GPL-2.0 OR GPL-3.0)", "OR"]
        {
            assert!(!satisfied(bad, &holds), "{bad}");
        }
    }

    #[test]
    fn lists() {
        let text = "[licenses]\n# allow = [\"GPL-3.0\"]\nallow = [\n  \"MIT\", # why\n  \"ISC\",\n]\n[sources]\nallow-registry = [\"https://a\"]\n";
        let allowed = Allowed::parse(text).expect("both");
        assert!(allowed.licence("ISC") && !allowed.licence("GPL-3.0"));
        assert!(allowed.source("registry+https://a") && !allowed.source("git+https://a"));
        assert!(Allowed::parse("[licenses]\n").is_err());
    }
}
