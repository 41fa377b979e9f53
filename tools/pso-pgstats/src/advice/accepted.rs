//! What somebody has looked at and wants as it is: advice that is not told again.

use anyhow::ensure;

use super::RULES;

/// `RULE:OBJECT` each, separated by commas; a `*` at the end stands for any end.
pub(super) struct Accepted<'a>(Vec<&'a str>);

impl<'a> Accepted<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self(text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect())
    }

    /// Whether this advice is one of them.
    pub(super) fn has(&self, rule: &str, object: &str) -> bool {
        let name = format!("{rule}:{object}");
        self.0.iter().any(|entry| match entry.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *entry,
        })
    }
}

/// Refuses what can never match: a rule that there is not would be told of for ever, and nobody would know why.
pub(crate) fn check(text: &str) -> anyhow::Result<()> {
    for entry in Accepted::of(text).0 {
        let rule = entry.split_once(':').map(|(rule, _)| rule);
        ensure!(
            rule.is_some_and(|rule| RULES.iter().any(|known| known.name == rule)),
            "maintenance.pgstats.accept (--accept): expected RULE:OBJECT or RULE:*, as the advice is named, found {entry:?}"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_name_or_the_beginning_of_one() {
        let accepted = Accepted::of(" unused_index:public.a,, setting_dangerous:fsync*,dead_tuples:*");
        let has = [
            ("unused_index", "public.a"),
            ("unused_index", "public.ab"),
            ("duplicate_index", "public.a"),
            ("setting_dangerous", "fsync"),
            ("setting_dangerous", "fsync of role r"),
            ("setting_dangerous", "full_page_writes"),
            ("dead_tuples", "s.t"),
        ]
        .map(|(rule, object)| accepted.has(rule, object));
        assert_eq!(has, [true, false, false, true, true, false, true]);
        assert!(!Accepted::of("").has("dead_tuples", ""));
    }

    #[test]
    fn a_rule_that_is_not_there_is_named() {
        assert!(check("unused_index:public.a, dead_tuples:*").is_ok());
        for wrong in ["unused_indexes:public.a", "unused_index", "*"] {
            let error = check(wrong).expect_err("wrong").to_string();
            assert!(error.contains("--accept") && error.contains(wrong), "{error}");
        }
    }
}
