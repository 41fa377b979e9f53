//! Commands that somebody writes into the file.

use std::fmt;
use std::process::Command;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::{ConfigValue, ListField};

/// A command: a program with its arguments (a list), or a line for the shell (a text).
///
/// It is shown as it stands in the file: what `${NAME}` stands for may be a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandLine {
    run: What,
    shown: String,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum What {
    /// For `sh -c`, or `cmd /C` on Windows.
    Shell(String),
    /// A program and its arguments; no shell looks at them.
    Program(Vec<String>),
}

/// The file's form of a [`CommandLine`]: a text or a list of scalars.
pub type CommandField = Option<CommandText>;

/// What stands in the file for a command.
#[derive(Debug)]
pub struct CommandText(pub(super) Form);

#[derive(Debug)]
pub(super) enum Form {
    Text(Spanned<String>),
    List(ListField),
}

impl CommandLine {
    /// A program and its arguments; none where there is no program.
    #[must_use]
    pub fn program(words: Vec<String>) -> Option<Self> {
        Some(Self { shown: words.join(" "), run: What::Program(words) }).filter(|command| !command.is_empty())
    }

    /// The same, shown as that.
    pub(super) fn shown_as(self, shown: String) -> Self {
        Self { shown, ..self }
    }

    /// The command, to be started.
    #[must_use]
    pub fn command(&self) -> Command {
        match &self.run {
            What::Shell(line) if cfg!(windows) => {
                let mut command = Command::new("cmd");
                command.args(["/C", line]);
                command
            }
            What::Shell(line) => {
                let mut command = Command::new("sh");
                command.args(["-c", line]);
                command
            }
            What::Program(words) => {
                let mut command = Command::new(words.first().map_or("", String::as_str));
                command.args(words.iter().skip(1));
                command
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match &self.run {
            What::Shell(line) => line.trim().is_empty(),
            What::Program(words) => words.first().is_none_or(String::is_empty),
        }
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CommandLine").field(&self.shown).finish()
    }
}

impl ConfigValue for CommandLine {
    const EXPECTED: &'static str = "a command: a text for the shell, or a list of a program and its arguments";

    fn parse(text: &str) -> Option<Self> {
        Some(Self { run: What::Shell(text.to_owned()), shown: text.to_owned() }).filter(|command| !command.is_empty())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl<'de> Deserialize<'de> for CommandText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, defined } = Spanned::<Raw>::deserialize(deserializer)?;
        Ok(Self(match value {
            Raw::Text(text) => Form::Text(Spanned::new(text, referenced, defined)),
            // No command at all; the place is told with it.
            Raw::List(list) if list.is_empty() => Form::Text(Spanned::new(String::new(), referenced, defined)),
            Raw::List(list) => Form::List(Some(list)),
        }))
    }
}

enum Raw {
    Text(String),
    List(Vec<Spanned<String>>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(CommandLine::EXPECTED)
            }

            fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
                Ok(Raw::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Raw, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Raw::List)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ToolSection};
    use crate::io::Env;

    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Restore {
        stop: CommandField,
    }

    impl ToolSection for Restore {
        const NAME: &'static str = "restore";
    }

    fn stop(text: &str) -> anyhow::Result<Option<CommandLine>> {
        let mut env = Env::default();
        env.set("UNIT", "planning sync");
        let config = Config::from_text("c.yaml", format!("maintenance:\n  restore:\n    stop: {text}\n"), env)?;
        let section: Restore = config.section()?;
        config.pick("maintenance.restore.stop").file_command(&section.stop).optional()
    }

    #[test]
    fn a_text_is_for_the_shell_and_a_list_is_not() {
        let shell = |line: &str| CommandLine::parse(line);
        assert_eq!(stop("systemctl stop x; true").expect("valid"), shell("systemctl stop x; true"));
        let words = ["systemctl", "stop", "planning sync", "5"].map(str::to_owned).to_vec();
        let list = stop("[systemctl, stop, '${UNIT}', 5]").expect("valid");
        assert!(list.is_some_and(|command| command.run == What::Program(words)));
        assert_eq!(stop("").expect("valid"), None);
        for (line, shown) in [("curl -H ${UNIT} x", "curl -H ${UNIT} x"), ("[curl, -H, '${UNIT}']", "curl -H ${UNIT}")]
        {
            let command = stop(line).expect("valid").expect("there");
            assert_eq!(command.to_string(), shown);
            assert!(!format!("{command:?}").contains("planning sync"), "{command:?}");
            assert!(
                format!("{:?}", command.command()).contains("planning sync"),
                "it is run with what that stands for"
            );
        }
        for wrong in ["[]", "['']", "' '", "{a: b}", "'${NOT_SET}'"] {
            let error = format!("{:#}", stop(wrong).expect_err("wrong"));
            assert!(error.contains("c.yaml:3"), "{wrong}: {error}");
        }
    }
}
