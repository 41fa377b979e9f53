//! The classes of lines that are looked for: those of the specification, and those that somebody has added.

use std::borrow::Cow;

use pso_common::Severity;

use crate::search::pattern::Pattern;

/// A class of lines. One line may belong to several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The one with that index among [`Classes::added`].
    Added(u8),
}

impl Class {
    /// The classes of the specification.
    pub(crate) const BUILT_IN: [Self; 4] = [Self::Error, Self::Conflict, Self::Validation, Self::Security];

    /// The name of a class of the specification, in records, flags and configuration; empty for one that was added.
    pub(crate) const fn built_in_name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Conflict => "conflict",
            Self::Validation => "validation",
            Self::Security => "security",
            Self::Added(_) => "",
        }
    }

    /// The class of the specification that has that name, in whatever case.
    pub(crate) fn built_in(name: &str) -> Option<Self> {
        Self::BUILT_IN.into_iter().find(|class| class.built_in_name().eq_ignore_ascii_case(name))
    }

    /// How many events the specification shows (`Select-Object -Last 20` and so on); 10 of a class that was added.
    pub(crate) const fn default_events(self) -> usize {
        match self {
            Self::Error => 20,
            Self::Conflict | Self::Security | Self::Added(_) => 10,
            Self::Validation => 15,
        }
    }

    /// From 0 without a gap, the specification's first.
    const fn index(self) -> usize {
        match self {
            Self::Error => 0,
            Self::Conflict => 1,
            Self::Validation => 2,
            Self::Security => 3,
            Self::Added(number) => Self::BUILT_IN.len() + number as usize,
        }
    }

    fn at(index: usize) -> Self {
        let added = || u8::try_from(index - Self::BUILT_IN.len()).map_or(Self::Added(u8::MAX), Self::Added);
        Self::BUILT_IN.get(index).copied().unwrap_or_else(added)
    }
}

/// A class that somebody has added.
#[derive(Clone, Debug)]
pub(crate) struct Added {
    /// Small letters, digits, `-` and `_`.
    pub(crate) name: String,
    /// What its lines match.
    pub(crate) pattern: Pattern,
    /// How bad it is when there are more of them than `threshold`.
    pub(crate) severity: Severity,
    /// As many lines are `info` at most.
    pub(crate) threshold: u64,
}

/// All classes that are looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Classes {
    /// Those that somebody has added, in the order in which they are counted and written.
    pub(crate) added: Vec<Added>,
}

impl Classes {
    /// As many can be added: each is one more search over everything that is read.
    pub(crate) const MAX_ADDED: usize = 32;

    /// All of them, the specification's first.
    pub(crate) fn all(&self) -> impl Iterator<Item = Class> {
        (0..Class::BUILT_IN.len() + self.added.len()).map(Class::at)
    }

    /// What somebody has said of a class that was added; `None` for one of the specification.
    pub(crate) fn added(&self, class: Class) -> Option<&Added> {
        match class {
            Class::Added(number) => self.added.get(usize::from(number)),
            _ => None,
        }
    }

    /// The class's name in records, flags and configuration.
    pub(crate) fn name(&self, class: Class) -> &str {
        self.added(class).map_or_else(|| class.built_in_name(), |added| &added.name)
    }

    /// The class of that name, in whatever case.
    pub(crate) fn named(&self, name: &str) -> Option<Class> {
        self.all().find(|&class| self.name(class).eq_ignore_ascii_case(name))
    }

    /// The names of all classes, for messages.
    pub(crate) fn names(&self) -> String {
        self.all().map(|class| self.name(class)).collect::<Vec<_>>().join(", ")
    }
}

/// What people call so many lines of the class of that name.
pub(crate) fn noun(name: &str, count: u64) -> Cow<'static, str> {
    let s = if count == 1 { "" } else { "s" };
    match Class::built_in(name) {
        Some(Class::Error) => format!("error{s}").into(),
        Some(Class::Conflict) => format!("unresolved conflict{s}").into(),
        Some(Class::Validation) => format!("validation error{s}").into(),
        Some(Class::Security) => format!("security event{s}").into(),
        Some(Class::Added(_)) | None => format!("line{s} of class {name}").into(),
    }
}

/// One value for each class; the default where none was set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PerClass<T>(Vec<T>);

impl<T: Default> PerClass<T> {
    /// The value, to be changed.
    #[inline]
    pub(crate) fn get_mut(&mut self, class: Class) -> &mut T {
        let index = class.index();
        if self.0.len() <= index {
            self.0.resize_with(index + 1, T::default);
        }
        &mut self.0[index]
    }

    /// All that were set.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut()
    }

    /// A copy of the value.
    #[inline]
    pub(crate) fn value(&self, class: Class) -> T
    where
        T: Copy,
    {
        self.0.get(class.index()).copied().unwrap_or_default()
    }

    /// The value, taken out.
    pub(crate) fn take(&mut self, class: Class) -> T {
        self.0.get_mut(class.index()).map(std::mem::take).unwrap_or_default()
    }

    /// The value, if one was set.
    pub(crate) fn get(&self, class: Class) -> Option<&T> {
        self.0.get(class.index())
    }
}

/// Some of the classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClassSet(u64);

// One bit a class.
const _: () = assert!(Class::BUILT_IN.len() + Classes::MAX_ADDED <= 64);

impl ClassSet {
    /// Puts a class in; says whether it was not in yet.
    #[inline]
    pub(crate) const fn insert(&mut self, class: Class) -> bool {
        let bit = 1 << class.index();
        let is_new = self.0 & bit == 0;
        self.0 |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Classes {
        let added = |name: &str| Added {
            name: name.to_owned(),
            pattern: Pattern::new("x").expect("a pattern"),
            severity: Severity::Warning,
            threshold: 0,
        };
        Classes { added: vec![added("deadlock"), added("oom")] }
    }

    #[test]
    fn classes_are_told_apart_by_name_and_by_number() {
        let classes = classes();
        assert_eq!(classes.names(), "error, conflict, validation, security, deadlock, oom");
        let (mut set, mut values) = (ClassSet::default(), PerClass::<usize>::default());
        for (number, class) in classes.all().enumerate() {
            assert_eq!(Class::at(class.index()), class);
            assert_eq!(classes.named(&classes.name(class).to_uppercase()), Some(class));
            assert!(set.insert(class) && !set.insert(class));
            *values.get_mut(class) = number;
        }
        assert_eq!(classes.named("errors"), None);
        assert_eq!(values.value(Class::Added(1)), 5);
        assert_eq!((values.take(Class::Added(1)), values.value(Class::Added(1))), (5, 0));
        assert_eq!(PerClass::<usize>::default().value(Class::Added(9)), 0);
    }

    #[test]
    fn every_class_has_words() {
        assert_eq!(noun("error", 1), "error");
        assert_eq!(noun("conflict", 0), "unresolved conflicts");
        assert_eq!(noun("deadlock", 2), "lines of class deadlock");
    }
}
