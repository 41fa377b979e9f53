//! PowerShell scripts through its grammar (tree-sitter-powershell): whether they parse, what parameters they declare and
//! which programs they run. It stands in for `pwsh` where there is none: it knows syntax, not what a command does, and allows
//! a little more than PowerShell does (a quotation mark without its other half within a word).

use std::fs;

use tree_sitter::{Node, Parser};

use super::folder;

/// A script, read.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) parameters: Vec<Parameter>,
    /// Programs of ours and their arguments as written, in order.
    pub(crate) runs: Vec<Vec<String>>,
    /// `$name = …`, as written.
    assignments: Vec<(String, String)>,
    pub(crate) text: String,
}

/// One of `param(…)`.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    /// Attributes and type, as written: `[ValidateRange(1, 99999)] [int]`.
    pub(crate) attributes: String,
    /// The default, as written.
    pub(crate) default: Option<String>,
}

impl Script {
    pub(crate) fn read(name: &str) -> Self {
        let text = fs::read_to_string(folder().join(format!("{name}.ps1"))).expect("readable");
        Self::parse(&text).unwrap_or_else(|error| panic!("{name}.ps1: {error}"))
    }

    /// Or what the grammar does not allow, and where.
    fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser::new();
        parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).expect("the grammar fits the parser");
        let tree = parser.parse(text, None).expect("no time-out was set");
        let mut nodes = Vec::new();
        descend(tree.root_node(), &mut nodes);
        if let Some(wrong) = nodes.iter().find(|node| node.is_error() || node.is_missing()) {
            let at = wrong.start_position();
            return Err(format!("line {}, column {}: {}", at.row + 1, at.column + 1, wrong.to_sexp()));
        }
        let of_kind = |kind: &'static str| nodes.iter().filter(move |node| node.kind() == kind);
        let runs = of_kind("command").map(|node| words(*node, text)).filter_map(|mut words| {
            words.retain(|word| word != "Invoke-Step");
            words.first().is_some_and(|word| word.starts_with("pso-")).then_some(words)
        });
        let assignments = of_kind("assignment_expression").filter_map(|node| {
            let (name, value) = source(*node, text).split_once('=')?;
            Some((name.trim().trim_start_matches('$').to_owned(), value.trim().to_owned()))
        });
        Ok(Self {
            parameters: of_kind("script_parameter").map(|node| parameter(*node, text)).collect(),
            runs: runs.collect(),
            assignments: assignments.collect(),
            text: text.to_owned(),
        })
    }

    /// What a variable is set to, as written.
    pub(crate) fn assigned(&self, name: &str) -> &str {
        let found = self.assignments.iter().find(|(assigned, _)| assigned == name);
        found.map_or_else(|| panic!("${name} is never set"), |(_, value)| value.as_str())
    }
}

fn descend<'a>(node: Node<'a>, into: &mut Vec<Node<'a>>) {
    into.push(node);
    let mut cursor = node.walk();
    for child in node.children(&mut cursor) {
        descend(child, into);
    }
}

fn source<'a>(node: Node<'_>, text: &'a str) -> &'a str {
    node.utf8_text(text.as_bytes()).expect("UTF-8")
}

fn words(command: Node<'_>, text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut cursor = command.walk();
    for part in command.named_children(&mut cursor) {
        if part.kind() == "command_elements" {
            let mut inner = part.walk();
            let elements = part.named_children(&mut inner).filter(|element| element.kind() != "command_argument_sep");
            words.extend(elements.map(|element| source(element, text).to_owned()));
        } else {
            words.push(source(part, text).to_owned());
        }
    }
    words
}

fn parameter(node: Node<'_>, text: &str) -> Parameter {
    let mut parameter = Parameter { name: String::new(), attributes: String::new(), default: None };
    let mut cursor = node.walk();
    for part in node.named_children(&mut cursor) {
        let source = source(part, text);
        match part.kind() {
            "variable" => parameter.name = source.trim_start_matches('$').to_owned(),
            "attribute_list" => parameter.attributes = source.to_owned(),
            "script_parameter_default" => {
                parameter.default = Some(source.trim_start_matches(['=', ' ']).to_owned());
            }
            _ => {}
        }
    }
    parameter
}

#[test]
fn every_script_is_powershell() {
    let mut read = 0;
    for entry in fs::read_dir(folder()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "ps1") {
            let bytes = fs::read(&path).expect("readable");
            let text = std::str::from_utf8(&bytes).expect("UTF-8");
            assert!(
                text.is_ascii(),
                "{}: without a byte order mark, old editors take it for another code page",
                path.display()
            );
            Script::parse(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(text.starts_with("#Requires -Version 7.4\n"), "{}", path.display());
            read += 1;
        }
    }
    assert_eq!(read, 13);
}

/// What the check above is worth: it sees what is broken.
#[test]
fn what_is_broken_is_seen() {
    let good = fs::read_to_string(folder().join("weekly-maintenance.ps1")).expect("readable");
    Script::parse(&good).expect("it is right as it is");
    for (from, to) in [
        ("    }\n} | pso-alert", "} | pso-alert"),
        ("= 30,", "= ,"),
        ("@(Get-RecordsArgument", "@(Get-RecordsArgument ("),
        ("| pso-alert", "| | pso-alert"),
    ] {
        assert!(good.contains(from), "{from}");
        let broken = good.replace(from, to);
        assert!(Script::parse(&broken).is_err(), "{from} -> {to} was not seen");
    }
}

#[test]
fn what_a_script_says_is_read() {
    let script = Script::parse(
        "param(\n    [ValidateRange(1, 9)] [int] $HoursBack = 24,\n    [switch] $DryRun\n)\n$kept = @(if ($x) { '--to', $x })\n\
         & {\n    Invoke-Step pso-one --since \"${HoursBack}h\" @kept\n} | pso-two - --tee\nWrite-Output pso-three\n",
    )
    .expect("PowerShell");
    let names: Vec<&str> = script.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    assert_eq!(names, ["HoursBack", "DryRun"]);
    assert_eq!(script.parameters[0].attributes, "[ValidateRange(1, 9)] [int]");
    assert_eq!(script.parameters[0].default.as_deref(), Some("24"));
    assert_eq!(script.parameters[1].default, None);
    assert_eq!(script.runs, [vec!["pso-one", "--since", "\"${HoursBack}h\"", "@kept"], vec!["pso-two", "-", "--tee"]]);
    assert_eq!(script.assigned("kept"), "@(if ($x) { '--to', $x })");
}
