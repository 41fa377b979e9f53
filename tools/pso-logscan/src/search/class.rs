//! The classes of lines that the specification looks for.

/// A class of lines. One line may belong to several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// `ERROR\s+(\w+)`, case-sensitive, or a JSON line whose level is an error. The type is the word. Beyond the
    /// specification: `ERROR` as a word of its own that no such word follows.
    Error,
    /// `conflict.*unresolved`, whatever the case (PowerShell's `-Pattern` ignores it).
    Conflict,
    /// `ValidationError`, whatever the case. The type is the word that follows, if one does.
    Validation,
    /// `authentication`, `authorization` or `security`, whatever the case. The type is that word.
    Security,
}

impl Class {
    /// All classes, in the order of their discriminants.
    pub(crate) const ALL: [Self; 4] = [Self::Error, Self::Conflict, Self::Validation, Self::Security];

    /// The class's name in records, flags and configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Conflict => "conflict",
            Self::Validation => "validation",
            Self::Security => "security",
        }
    }

    /// What people call so many of its lines.
    pub(crate) const fn noun(self, count: u64) -> &'static str {
        match (self, count) {
            (Self::Error, 1) => "error",
            (Self::Error, _) => "errors",
            (Self::Conflict, 1) => "unresolved conflict",
            (Self::Conflict, _) => "unresolved conflicts",
            (Self::Validation, 1) => "validation error",
            (Self::Validation, _) => "validation errors",
            (Self::Security, 1) => "security event",
            (Self::Security, _) => "security events",
        }
    }

    /// How many events the specification shows (`Select-Object -Last 20` and so on).
    pub(crate) const fn default_events(self) -> usize {
        match self {
            Self::Error => 20,
            Self::Conflict | Self::Security => 10,
            Self::Validation => 15,
        }
    }

    /// The class of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name().eq_ignore_ascii_case(name))
    }

    /// The names of all classes, for messages.
    pub(crate) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

/// One value for each class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PerClass<T>([T; 4]);

impl<T> PerClass<T> {
    pub(crate) const fn get(&self, class: Class) -> &T {
        &self.0[class as usize]
    }

    pub(crate) const fn get_mut(&mut self, class: Class) -> &mut T {
        &mut self.0[class as usize]
    }

    pub(crate) fn into_pairs(self) -> impl Iterator<Item = (Class, T)> {
        Class::ALL.into_iter().zip(self.0)
    }
}
