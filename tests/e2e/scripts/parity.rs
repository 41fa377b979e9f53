//! Each .ps1 is its .sh: the same parameters with the same defaults, the same tools with the same flags in the same order.

use std::fs;

use super::powershell::Script;
use super::shells::pascal;
use super::{SCRIPTS, folder};

/// What a .sh says, line by line; the scripts are written so that this is easy.
struct ShellScript {
    text: String,
}

impl ShellScript {
    fn read(name: &str) -> Self {
        Self { text: fs::read_to_string(folder().join(format!("{name}.sh"))).expect("readable") }
    }

    /// Name and kind, in order: `("hours-back", "number")`.
    fn parameters(&self) -> Vec<(&str, &str)> {
        let line = self.text.lines().find_map(|line| line.strip_prefix("options '")).expect("a line of options");
        let (list, rest) = line.split_once('\'').expect("the list's end");
        assert_eq!(rest, " \"$@\"");
        list.split(' ').map(|option| option.split_once('=').expect("NAME=KIND")).collect()
    }

    /// The default of a parameter, from the line of assignments above `options`.
    fn default(&self, name: &str) -> &str {
        let variable = format!("{}=", name.replace('-', "_"));
        let before = self.text.split("\noptions ").next().expect("a beginning");
        let line = before.lines().last().expect("a line");
        let found = line.split(' ').find_map(|word| word.strip_prefix(&variable));
        found.unwrap_or_else(|| panic!("{name} has no default")).trim_matches('\'')
    }

    fn is_mandatory(&self, name: &str) -> bool {
        self.text.contains(&format!("refuse '--{name} is missing'"))
    }

    /// Our programs and what stands literally behind them.
    fn runs(&self) -> Vec<Vec<String>> {
        let body = self.text.split("\noptions ").nth(1).expect("a body");
        let commands = body.lines().flat_map(|line| line.split('|'));
        commands.filter_map(literals).collect()
    }
}

/// Of one command the words that are no variables, sorted behind the program; a flag whose value is joined to it alone.
fn literals(command: &str) -> Option<Vec<String>> {
    let start = command.find("pso-")?;
    let before = command[..start].trim();
    if !["", "step", "} |", "}"].contains(&before) && !before.ends_with("exec") && !before.starts_with("exec 3>") {
        return None;
    }
    // `${records:+--records "$records"}` is --records, where there is a file.
    let optional = regex::Regex::new(r"\$\{\w+:\+([^}]*)\}").expect("a pattern");
    let plain = optional.replace_all(&command[start..], "$1").replace(')', " ");
    let words = plain.split_whitespace().filter(|word| !word.contains(">&") && *word != "&");
    let mut words: Vec<String> = words.filter_map(literal).collect();
    words[1..].sort();
    Some(words)
}

fn literal(word: &str) -> Option<String> {
    let word = word.split('=').next()?;
    let word = word.trim_matches(['"', '\'']);
    (!word.contains('$')).then(|| word.to_owned())
}

/// The same of a .ps1, where what is optional stands in an array: `@kept`.
fn runs(script: &Script) -> Vec<Vec<String>> {
    let plain = script.runs.iter().map(|words| {
        let mut literals: Vec<String> = Vec::new();
        for word in words {
            match word.strip_prefix('@') {
                Some("kept") => {
                    assert_eq!(script.assigned("kept"), "@(Get-RecordsArgument $Records)");
                    literals.push("--records".to_owned());
                }
                Some(array) => {
                    let strings = script.assigned(array).split('\'').skip(1).step_by(2);
                    literals.extend(strings.map(str::to_owned));
                }
                None => literals.extend(literal(word)),
            }
        }
        literals[1..].sort();
        literals
    });
    plain.collect()
}

#[test]
fn the_parameters_are_the_same() {
    for (name, ..) in SCRIPTS {
        let (sh, ps1) = (ShellScript::read(name), Script::read(name));
        let expected: Vec<String> = sh.parameters().into_iter().map(|(parameter, _)| pascal(parameter)).collect();
        let found: Vec<&str> = ps1.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        assert_eq!(found, expected, "{name}");
        for ((parameter, kind), twin) in sh.parameters().into_iter().zip(&ps1.parameters) {
            let types: &[&str] = match kind {
                "number" => &["[ValidateRange(1, 99999)] [int]"],
                "switch" => &["[switch]"],
                _ if sh.is_mandatory(parameter) => &["[Parameter(Mandatory)] [string]"],
                _ => &["[string]", "[string[]]"],
            };
            assert!(types.contains(&twin.attributes.as_str()), "{name} {parameter}: {}", twin.attributes);
            let default = twin.default.as_deref().unwrap_or_default();
            let default = default.trim_start_matches("@(").trim_end_matches(')').replace('\'', "").replace(", ", ",");
            assert_eq!(default, sh.default(parameter), "{name} {parameter}");
            assert!(ps1.text.contains(&format!("\n.PARAMETER {}\n", twin.name)), "{name}: help for {parameter}");
        }
        assert!(ps1.text.contains("\n.SYNOPSIS\n") && ps1.text.contains("\nExit codes: 0 "), "{name}: help");
    }
}

#[test]
fn the_tools_and_their_flags_are_the_same() {
    for (name, tool, _) in SCRIPTS {
        let (sh, ps1) = (ShellScript::read(name).runs(), Script::read(name));
        assert!(sh.iter().any(|words| words[0] == tool), "{name}: {sh:?}");
        let mut found = runs(&ps1);
        let mut expected = sh;
        // The .sh of the daemon starts what reads first, and both have no other order.
        if name == "monitoring-daemon" {
            found.sort();
            expected.sort();
        }
        assert_eq!(found, expected, "{name}");
        // The exit code is the last program's.
        assert!(ps1.text.ends_with("\nexit $LASTEXITCODE\n"), "{name}");
    }
}

/// The names and defaults of the specification's scripts, which calls of today rely on.
#[test]
fn the_specifications_parameters_are_there() {
    for (name, parameter, default) in [
        ("analyze-logs", "log-path", ""),
        ("analyze-logs", "hours-back", "24"),
        ("weekly-maintenance", "retention-days", "30"),
        ("backup-daily", "backup-path", ""),
        ("backup-daily", "retention-days", "7"),
        ("restore-backup", "backup-path", ""),
        ("restore-backup", "dry-run", ""),
        ("restore-selective", "backup-path", ""),
        ("restore-selective", "components", "postgres,qdrant,config,plans"),
        ("monitoring-daemon", "check-interval-seconds", "300"),
        ("send-alert", "message", ""),
        ("send-alert", "severity", "High"),
    ] {
        assert_eq!(ShellScript::read(name).default(parameter), default, "{name} --{parameter}");
    }
}
