//! What was proven, what was not, and what was found to be wrong.

use pso_common::Severity;

/// The outcome of trying. What holds is proven; what could not be tried is unproven, with the reason; what does not hold
/// is refuted. An error of a rehearsal is neither: it means that nobody can tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) proven: Vec<String>,
    pub(crate) unproven: Vec<String>,
    pub(crate) refuted: Vec<String>,
    /// What can be restored and should be looked at all the same.
    pub(crate) warnings: Vec<String>,
    /// Something without which nobody can say that it can be restored was not tried: the first of them.
    unknown: Option<String>,
}

impl Proof {
    /// It was tried and holds.
    pub(crate) fn prove(&mut self, what: impl Into<String>) {
        self.proven.push(what.into());
    }

    /// It was not tried, or cannot be, which leaves the rest as good as it is.
    pub(crate) fn leave(&mut self, what: impl Into<String>) {
        self.unproven.push(what.into());
    }

    /// It could not be tried, and without it nobody can say that this can be restored.
    pub(crate) fn cannot_tell(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.unknown.get_or_insert_with(|| what.clone());
        self.unproven.push(what);
    }

    /// It was tried and does not hold.
    pub(crate) fn refute(&mut self, what: impl Into<String>) {
        self.refuted.push(what.into());
    }

    /// It can be restored, and somebody should look at it all the same.
    pub(crate) fn warn(&mut self, what: impl Into<String>) {
        self.warnings.push(what.into());
    }

    /// All of another's.
    pub(crate) fn take(&mut self, other: &Self) {
        self.proven.extend_from_slice(&other.proven);
        self.unproven.extend_from_slice(&other.unproven);
        self.refuted.extend_from_slice(&other.refuted);
        self.warnings.extend_from_slice(&other.warnings);
        self.unknown = self.unknown.take().or_else(|| other.unknown.clone());
    }

    /// The same, with each sentence saying what it is of. What nobody could tell stays untold.
    pub(crate) fn named(self, name: &str) -> Self {
        let with = |text: String| format!("{name}: {text}");
        let all = |texts: Vec<String>| texts.into_iter().map(with).collect();
        Self {
            proven: all(self.proven),
            unproven: all(self.unproven),
            refuted: all(self.refuted),
            warnings: all(self.warnings),
            unknown: self.unknown.map(with),
        }
    }

    /// Whether something does not hold.
    pub(crate) fn is_refuted(&self) -> bool {
        !self.refuted.is_empty()
    }

    /// What that makes of it. What is refuted stays so, whatever else could not be told.
    pub(crate) fn severity(&self) -> Severity {
        if self.is_refuted() {
            Severity::Critical
        } else if self.unknown.is_some() {
            Severity::Unknown
        } else if !self.warnings.is_empty() {
            Severity::Warning
        } else {
            Severity::Ok
        }
    }

    /// The worst of it in one sentence; empty when all is well.
    pub(crate) fn message(&self) -> String {
        let (first, alike) = match (&self.refuted[..], &self.unknown, &self.warnings[..]) {
            ([first, ..], _, _) => (first, self.refuted.len()),
            ([], Some(unknown), _) => (unknown, 1),
            ([], None, [first, ..]) => (first, self.warnings.len()),
            ([], None, []) => return String::new(),
        };
        if alike > 1 { format!("{first}; and {} more", alike - 1) } else { first.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_takes_nothing_away() {
        let mut proof = Proof::default();
        proof.prove("a");
        proof.leave("b");
        proof.warn("w");
        assert_eq!(proof.clone().named("db").severity(), Severity::Warning);
        proof.cannot_tell("c");
        let named = proof.clone().named("db");
        assert_eq!((named.severity(), named.message()), (Severity::Unknown, "db: c".to_owned()));
        assert_eq!(
            (named.proven, named.unproven),
            (vec!["db: a".to_owned()], vec!["db: b".to_owned(), "db: c".to_owned()])
        );
        proof.refute("d");
        assert_eq!(proof.named("db").severity(), Severity::Critical);
    }

    #[test]
    fn what_is_refuted_outweighs_what_nobody_could_tell() {
        let mut proof = Proof::default();
        proof.prove("a");
        proof.leave("b");
        assert_eq!((proof.severity(), proof.message()), (Severity::Ok, String::new()));
        proof.warn("w");
        proof.warn("x");
        assert_eq!((proof.severity(), proof.message()), (Severity::Warning, "w; and 1 more".to_owned()));
        proof.cannot_tell("c");
        assert_eq!((proof.severity(), proof.message()), (Severity::Unknown, "c".to_owned()));
        proof.refute("d");
        proof.refute("e");
        assert_eq!((proof.severity(), proof.message()), (Severity::Critical, "d; and 1 more".to_owned()));
        assert_eq!(proof.unproven, ["b", "c"]);
    }
}
