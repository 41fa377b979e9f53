//! How bad a class's sum is, and what it says.

use pso_common::Severity;

use crate::report::{Extent, many};
use crate::search::class::{Class, Classes, noun};

/// By what sums are judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge<'a> {
    /// Errors above which their sum is `high`.
    pub(crate) max_errors: u64,
    /// The classes with thresholds of their own.
    pub(crate) classes: &'a Classes,
}

/// A class's sum over all that was read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum<'a> {
    /// The class's name.
    pub(crate) class: &'a str,
    pub(crate) count: u64,
    /// Lines of it that are in no bucket of its histogram.
    pub(crate) in_no_bucket: u64,
    /// Types of it that are counted together, because they were not asked for.
    pub(crate) other_types: u64,
}

impl Judge<'_> {
    /// How bad so many lines of a class are. More are never better.
    pub(crate) fn severity(&self, class: &str, count: u64) -> Severity {
        match self.limit(class) {
            Some((limit, severity)) if count > limit => severity,
            _ if count == 0 => Severity::Ok,
            _ => Severity::Info,
        }
    }

    /// What a sum says: "0 errors" only together with what was looked at, where that is known.
    pub(crate) fn message(&self, sum: &Sum<'_>, extent: Option<Extent>) -> String {
        let Sum { class, count, in_no_bucket, other_types } = *sum;
        if extent.is_some_and(|extent| extent.read == 0) {
            return format!("nothing was read, so nothing is known of {}", noun(class, 0));
        }
        let mut message = format!("{count} {}", noun(class, count));
        if let Some((limit, _)) = self.limit(class).filter(|(limit, _)| count > *limit)
            && (limit > 0 || class == Class::Error.built_in_name())
        {
            message.push_str(&format!(", more than {limit}"));
            message.push_str(if extent.is_some() { "," } else { "" });
        }
        if let Some(Extent { unread, lines, inside, .. }) = extent {
            message.push_str(&format!(" in {}", many(inside, "line")));
            if inside < lines {
                message.push_str(&format!(" within the window, of {lines}"));
            }
            if unread > 0 {
                message.push_str(&format!("; {} not read, or not wholly", many(unread, "input")));
            }
        }
        if in_no_bucket > 0 {
            message.push_str(&format!("; {in_no_bucket} in no bucket"));
        }
        if other_types > 0 {
            message.push_str(&format!("; {} counted together", many(other_types, "type")));
        }
        message
    }

    /// More than so many are so bad; `None` where nothing is said of a class.
    fn limit(&self, class: &str) -> Option<(u64, Severity)> {
        match self.classes.named(class)? {
            Class::Error => Some((self.max_errors, Severity::High)),
            Class::Conflict => Some((0, Severity::Warning)),
            Class::Validation | Class::Security => None,
            class @ Class::Added(_) => self.classes.added(class).map(|added| (added.threshold, added.severity)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::class::Added;
    use crate::search::pattern::Pattern;

    #[test]
    fn the_sums_are_judged() {
        let added = |name: &str, threshold, severity| Added {
            name: name.to_owned(),
            pattern: Pattern::new("x").expect("a pattern"),
            severity,
            threshold,
        };
        let added = vec![added("oom", 0, Severity::Critical), added("slow", 5, Severity::Warning)];
        let (classes, extent) = (Classes { added }, Extent { read: 2, unread: 0, lines: 1000, inside: 1000 });
        let judge = Judge { max_errors: 50, classes: &classes };
        let sum = |class, count| {
            (judge.severity(class, count), judge.message(&Sum { class, count, ..Sum::default() }, Some(extent)))
        };
        assert_eq!(sum("error", 0), (Severity::Ok, "0 errors in 1000 lines".to_owned()));
        assert_eq!(sum("error", 50).0, Severity::Info);
        assert_eq!(sum("error", 51), (Severity::High, "51 errors, more than 50, in 1000 lines".to_owned()));
        assert_eq!(sum("conflict", 1), (Severity::Warning, "1 unresolved conflict in 1000 lines".to_owned()));
        assert_eq!(sum("validation", 1000).0, Severity::Info);
        assert_eq!(sum("security", 1000).0, Severity::Info);
        assert_eq!(sum("oom", 0), (Severity::Ok, "0 lines of class oom in 1000 lines".to_owned()));
        assert_eq!(sum("oom", 1), (Severity::Critical, "1 line of class oom in 1000 lines".to_owned()));
        assert_eq!(sum("slow", 5).0, Severity::Info);
        assert_eq!(sum("slow", 6), (Severity::Warning, "6 lines of class slow, more than 5, in 1000 lines".to_owned()));
        // Somebody else's.
        assert_eq!(sum("fast", 6).0, Severity::Info);
        let part = Extent { unread: 1, inside: 10, ..extent };
        let whole = Sum { class: "error", count: 60, in_no_bucket: 3, other_types: 1 };
        assert_eq!(
            judge.message(&whole, Some(part)),
            "60 errors, more than 50, in 10 lines within the window, of 1000; 1 input not read, or not wholly; 3 in no \
             bucket; 1 type counted together"
        );
        assert_eq!(judge.message(&whole, None), "60 errors, more than 50; 3 in no bucket; 1 type counted together");
        assert!(judge.message(&whole, Some(Extent::default())).starts_with("nothing was read"));
    }
}
