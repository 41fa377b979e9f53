//! A dump's table of contents, and what of it is not restored.

/// `pg_restore --list`, line by line.
pub(super) struct Toc {
    text: String,
}

impl Toc {
    pub(super) const fn new(text: String) -> Self {
        Self { text }
    }

    /// The extensions that the dump would create.
    pub(super) fn extensions(&self) -> Vec<String> {
        self.text.lines().filter_map(|line| extension(description(line)?)).map(str::to_owned).collect()
    }

    /// The list without the entries that `leave_out` names, for `pg_restore --use-list`, and those entries.
    pub(super) fn without(&self, leave_out: impl Fn(&Entry<'_>) -> bool) -> (String, Vec<String>) {
        let (mut kept, mut left) = (String::with_capacity(self.text.len()), Vec::new());
        for line in self.text.lines() {
            match description(line).filter(|text| leave_out(&Entry { text })) {
                Some(text) => left.push(text.trim().to_owned()),
                None => {
                    kept.push_str(line);
                    kept.push('\n');
                }
            }
        }
        (kept, left)
    }
}

/// One object of the dump.
pub(super) struct Entry<'a> {
    text: &'a str,
}

impl Entry<'_> {
    /// The extension that it creates.
    pub(super) fn creates_extension(&self) -> Option<&str> {
        extension(self.text)
    }

    /// Whether it creates this schema. After the name stands the owner, and both may have spaces.
    pub(super) fn creates_schema(&self, name: &str) -> bool {
        let rest = self.text.strip_prefix("SCHEMA - ").and_then(|text| text.strip_prefix(name)?.strip_prefix(' '));
        rest.is_some_and(|owner| !owner.contains(' '))
    }

    /// Whether it is the comment of an extension, which only the extension's owner may set.
    pub(super) fn is_extension_comment(&self) -> bool {
        self.text.starts_with("COMMENT - EXTENSION ")
    }

    /// Whether it is default privileges, which belong to the role that stands last.
    pub(super) fn is_default_acl_of_others(&self, role: &str) -> bool {
        self.text.starts_with("DEFAULT ACL ") && !self.text.trim_end().ends_with(&format!(" {role}"))
    }
}

/// What stands after the numbers: `215; 1259 16402 TABLE public plans sync_user`.
fn description(line: &str) -> Option<&str> {
    let (id, rest) = line.split_once("; ")?;
    id.parse::<u32>().ok()?;
    rest.splitn(3, ' ').nth(2)
}

fn extension(text: &str) -> Option<&str> {
    Some(text.strip_prefix("EXTENSION - ")?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = ";\n; Archive created at 2026-11-22 09:00:00 UTC\n;     dbname: planning_sync\n\
        2; 3079 16402 EXTENSION - pg_stat_statements \n\
        7; 2615 16401 SCHEMA - with space sync_user\n\
        3452; 0 0 COMMENT - EXTENSION pg_stat_statements \n\
        215; 1259 16412 TABLE public plans sync_user\n\
        2090; 826 16500 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES postgres\n\
        2091; 826 16501 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES sync_user\n";

    #[test]
    fn what_another_role_would_have_to_do_can_be_left_out() {
        let toc = Toc::new(LIST.to_owned());
        assert_eq!(toc.extensions(), ["pg_stat_statements"]);
        let (kept, left) = toc.without(|entry| {
            entry.creates_extension().is_some()
                || entry.is_extension_comment()
                || entry.is_default_acl_of_others("sync_user")
        });
        assert_eq!(left.len(), 3, "{left:?}");
        assert!(kept.contains("TABLE public plans") && kept.contains("FOR TABLES sync_user"), "{kept}");
        assert!(kept.starts_with(";\n; Archive"), "comments stay");
        for (schema, entries) in [("with space", 1), ("with", 0), ("space", 0)] {
            assert_eq!(toc.without(|entry| entry.creates_schema(schema)).1.len(), entries, "{schema}");
        }
    }
}
