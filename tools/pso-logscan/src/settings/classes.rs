//! The classes that somebody has added, from `--class` and from the file.

use std::fmt;

use anyhow::{Context as _, anyhow, ensure};
use pso_common::Severity;
use pso_common::config::{Config, Field, RequiredField};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::search::class::{Added, Class, Classes};
use crate::search::pattern::Pattern;

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 40;

const NAME_EXPECTED: &str = "a name of small letters, digits, `-` and `_`";

/// `maintenance.logscan.classes`: names and classes, in the order of the file.
#[derive(Default)]
pub(super) struct ClassesSection(Vec<(String, ClassSection)>);

/// One of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassSection {
    pattern: RequiredField,
    #[serde(default)]
    severity: Field,
    #[serde(default)]
    threshold: Field,
    #[serde(default)]
    pub(super) events: Field,
}

impl ClassesSection {
    /// What the file says of the class of that name.
    pub(super) fn get(&self, name: &str) -> Option<&ClassSection> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, section)| section)
    }
}

impl<'de> Deserialize<'de> for ClassesSection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = ClassesSection;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of names to classes, each with a pattern")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut classes = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    classes.push(entry);
                }
                Ok(ClassesSection(classes))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// The value of `--class`: `NAME[:SEVERITY[:THRESHOLD]]=REGEX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClassFlag {
    name: String,
    severity: Option<Severity>,
    threshold: Option<u64>,
    pattern: String,
}

impl ClassFlag {
    /// Understands the flag's text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let expected = "expected NAME=REGEX, NAME:SEVERITY=REGEX or NAME:SEVERITY:THRESHOLD=REGEX";
        let (head, pattern) = text.split_once('=').filter(|(_, pattern)| !pattern.is_empty()).ok_or(expected)?;
        let mut parts = head.split(':');
        let name = parts.next().unwrap_or_default();
        let severity = parts.next().map(str::parse).transpose()?;
        let threshold = parts.next().map(str::parse).transpose();
        let threshold = threshold.map_err(|_| format!("{expected}; the threshold is a whole number"))?;
        if parts.next().is_some() {
            return Err(expected.to_owned());
        }
        Ok(Self { name: name.to_owned(), severity, threshold, pattern: pattern.to_owned() })
    }
}

/// The classes of the file, and those of `flags` after them; a flag goes before what the file says of the same name.
///
/// # Errors
/// When a name or a value is not what it should be; the message names its place.
pub(super) fn resolve(flags: &[ClassFlag], config: &Config, section: &ClassesSection) -> anyhow::Result<Classes> {
    let mut names: Vec<&str> = section.0.iter().map(|(name, _)| name.as_str()).collect();
    for (at, flag) in flags.iter().enumerate() {
        ensure!(!flags[..at].iter().any(|other| other.name == flag.name), "--class {}: it is given twice", flag.name);
        if section.get(&flag.name).is_none() {
            names.push(&flag.name);
        }
    }
    let added = names.into_iter().map(|name| {
        let flag = flags.iter().find(|flag| flag.name == name);
        one(name, flag, config, section.get(name))
    });
    let added = added.collect::<anyhow::Result<Vec<Added>>>()?;
    ensure!(
        added.len() <= Classes::MAX_ADDED,
        "{} classes are more than can be looked for beside the specification's; the most is {}",
        added.len(),
        Classes::MAX_ADDED
    );
    Ok(Classes { added })
}

fn one(name: &str, flag: Option<&ClassFlag>, config: &Config, section: Option<&ClassSection>) -> anyhow::Result<Added> {
    let key = |field: &str| format!("maintenance.logscan.classes.{name}.{field}");
    let none = None;
    let text: String = config
        .pick(key("pattern"))
        .flag(flag.map(|flag| flag.pattern.clone()))
        .file(&section.map(|section| section.pattern.clone()))
        .optional()?
        .context("a class has a pattern, from its flag or from the file")?;
    let place = |field: &str| {
        let source = config.effective().into_iter().find(|effective| effective.key == key(field));
        source
            .map(|effective| effective.source)
            .filter(|source| source != "flag")
            .unwrap_or_else(|| format!("--class {name}"))
    };
    let wrong_name = |reason: &str| anyhow!("{}: {name:?} cannot be a class: {reason}", place("pattern"));
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    ensure!(!name.is_empty() && name.bytes().all(fits), wrong_name(&format!("expected {NAME_EXPECTED}")));
    ensure!(name.len() <= MAX_NAME_BYTES, wrong_name(&format!("the name is longer than {MAX_NAME_BYTES} bytes")));
    ensure!(Class::built_in(name).is_none(), wrong_name("that is one of the specification's, which are always there"));
    ensure!(name != "none", wrong_name("--events none means that there are no events"));
    let pattern = Pattern::new(&text).map_err(|reason| anyhow!("{}: {reason}", place("pattern")))?;
    let severity = config
        .pick(key("severity"))
        .flag(flag.and_then(|flag| flag.severity))
        .file(section.map_or(&none, |section| &section.severity))
        .or(Severity::Warning)?;
    ensure!(
        !matches!(severity, Severity::Ok | Severity::Unknown),
        "{}: a class that was found is info, warning, high or critical, not {severity}",
        place("severity")
    );
    let threshold = config
        .pick(key("threshold"))
        .flag(flag.and_then(|flag| flag.threshold))
        .file(section.map_or(&none, |section| &section.threshold))
        .or(0)?;
    Ok(Added { name: name.to_owned(), pattern, severity, threshold })
}

#[cfg(test)]
mod tests {
    use pso_common::config::ToolSection;
    use pso_common::io::Env;

    use super::*;

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Section {
        classes: ClassesSection,
    }

    impl ToolSection for Section {
        const NAME: &'static str = "logscan";
    }

    /// Name, pattern, severity and threshold of each class.
    fn classes(flags: &[&str], classes: &str) -> Result<Vec<String>, String> {
        let flags: Result<Vec<ClassFlag>, String> = flags.iter().map(|flag| ClassFlag::parse(flag)).collect();
        let text = format!("maintenance:\n  logscan:\n    classes:\n{classes}");
        let shown = |error: anyhow::Error| format!("{error:#}");
        let config = Config::from_text("c.yaml", text, Env::default()).map_err(shown)?;
        let section: Section = config.section().map_err(shown)?;
        let classes = resolve(&flags?, &config, &section.classes).map_err(shown)?;
        let show = |class: &Added| {
            let Added { name, pattern, severity, threshold } = class;
            format!("{name} {} {severity} {threshold}", pattern.as_str())
        };
        Ok(classes.added.iter().map(show).collect())
    }

    #[test]
    fn classes_come_from_the_file_and_from_flags() {
        let file = "      zebra: {pattern: 'z=\\d', severity: High, threshold: 5}\n      ape: {pattern: a}\n";
        assert_eq!(classes(&[], file).expect("valid"), [r"zebra z=\d high 5", "ape a warning 0"]);
        assert_eq!(
            classes(&["oom:critical=Out of memory: (?<type>x=y)", "ape:info:3=b", "z-2:high=="], file).expect("valid"),
            [r"zebra z=\d high 5", "ape b info 3", "oom Out of memory: (?<type>x=y) critical 0", "z-2 = high 0"]
        );
        assert_eq!(classes(&[], "      {}\n").expect("valid"), [""; 0]);
    }

    #[test]
    fn a_bad_class_is_told_with_its_place() {
        for (flags, file, expected) in [
            (&["oom"][..], "      {}\n", "expected NAME=REGEX, NAME:SEVERITY=REGEX or"),
            (&["oom="], "      {}\n", "expected NAME=REGEX"),
            (&["oom:bad=x"], "      {}\n", "`bad` is not a severity: ok, info"),
            (&["oom:high:many=x"], "      {}\n", "expected NAME=REGEX"),
            (&["oom:high:1:2=x"], "      {}\n", "expected NAME=REGEX"),
            (&["oom=x", "oom=y"], "      {}\n", "--class oom: it is given twice"),
            (&["OOM=x"], "      {}\n", "--class OOM: \"OOM\" cannot be a class: expected a name of small letters"),
            (&["=x"], "      {}\n", "--class : \"\" cannot be a class"),
            (
                &["error=x"],
                "      {}\n",
                "--class error: \"error\" cannot be a class: that is one of the specification's",
            ),
            (&["none=x"], "      {}\n", "--class none: \"none\" cannot be a class"),
            (&["oom=a(b"], "      {}\n", "--class oom: unclosed group at character 2"),
            (
                &["oom:unknown=a"],
                "      {}\n",
                "--class oom: a class that was found is info, warning, high or critical, not unknown",
            ),
            (
                &[],
                "      oom: {pattern: '\\Aa'}\n",
                r"c.yaml:4 (maintenance.logscan.classes.oom.pattern): \A and \z are the ends of the whole log",
            ),
            (
                &[],
                "      o.o:\n        pattern: a\n",
                "c.yaml:5 (maintenance.logscan.classes.o.o.pattern): \"o.o\" cannot be a class",
            ),
            (
                &[],
                "      oom:\n        pattern: a\n        severity: bad\n",
                "c.yaml:6: maintenance.logscan.classes.oom.severity: expected a severity",
            ),
            (&[], "      oom:\n        severity: high\n", "c.yaml:5: missing field `pattern`"),
            (&[], "      oom:\n        pattern: a\n        patern: b\n", "c.yaml:6: unknown field `patern`"),
            (&[], "      - a\n", "c.yaml:4: "),
        ] {
            let message = classes(flags, file).expect_err(expected);
            assert!(message.starts_with(expected), "{flags:?} {file}: {message}");
        }
        let many: Vec<String> = (0..33).map(|number| format!("c{number}=x")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let message = classes(&many, "      {}\n").expect_err("too many");
        assert!(message.starts_with("33 classes are more than can be looked for"), "{message}");
    }
}
