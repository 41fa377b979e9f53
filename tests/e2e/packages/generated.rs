//! What each tool makes of its own flags: a manual page and completions.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use pso_tests::tool::{Outcome, Tool};

/// The tools, from the folders of their sources.
fn tools() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools");
    let entries = fs::read_dir(folder).expect("tools/");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    assert!(names.len() >= 9, "{names:?}");
    names
}

fn generate(tool: &str, kind: &str) -> Outcome {
    let outcome = Tool::new(tool).expect("built").args(["--generate", kind]).run().expect("ends");
    outcome.assert_code(0).assert_quiet();
    outcome
}

/// What a program says to a text on its stdin, and whether it was content.
fn said(program: &str, args: &[&str], text: &str) -> (bool, String) {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; as root: apt-get install {program}"));
    let mut stdin = child.stdin.take().expect("piped");
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("ends");
    writer.join().expect("no panic").expect("read to its end");
    let all = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&all).into_owned())
}

/// The long flags that a help text or a page names.
fn flags(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("--").map(|(at, _)| &text[at + 2..]);
    let names =
        starts.map(|rest| rest.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).next().unwrap_or_default());
    names.filter(|name| name.len() > 1).map(|name| name.trim_end_matches('-').to_owned()).collect()
}

#[test]
fn the_manual_page_has_its_sections_and_every_flag_of_the_help() {
    let tools = tools();
    for tool in &tools {
        let page = generate(tool, "man");
        let page = page.text();
        assert!(page.is_ascii(), "{tool}");
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "\"EXIT STATUS\"",
            "EXAMPLES",
            "ENVIRONMENT",
            "FILES",
            "\"SEE ALSO\"",
        ] {
            assert_eq!(page.matches(&format!("\n.SH {section}\n")).count(), 1, "{tool}: {section}\n{page}");
        }
        let plain = page.replace("\\-", "-");
        let help = Tool::new(tool).expect("built").arg("--help").run().expect("ends");
        let missing: Vec<String> = flags(help.text()).difference(&flags(&plain)).cloned().collect();
        assert!(missing.is_empty(), "{tool}: {missing:?}\n{plain}");
        for other in tools.iter().filter(|other| *other != tool) {
            assert!(plain.contains(&format!("\\fB{other}\\fR(1)")), "{tool}: SEE ALSO lacks {other}\n{plain}");
        }
    }
}

#[test]
fn the_manual_page_is_correct_troff() {
    for tool in tools() {
        let page = generate(&tool, "man");
        let (content, said) = said("groff", &["-man", "-ww", "-z"], page.text());
        assert!(content && said.is_empty(), "{tool}: {said}");
    }
}

#[test]
fn the_completions_complete() {
    for tool in tools() {
        for kind in ["zsh", "fish", "powershell"] {
            let script = generate(&tool, kind);
            assert!(script.text().contains("print-config"), "{tool} {kind}");
        }
        let script = generate(&tool, "bash");
        let (_, registered) = script.text().split_once("complete -F ").expect("a function is registered");
        let function = registered.split_whitespace().next().expect("its name");
        // As bash does when somebody presses the tabulator.
        let line = format!(
            "{}\nCOMP_WORDS=({tool} --print); COMP_CWORD=1; {function} {tool} --print {tool}; printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
            script.text(),
        );
        let (content, completed) = said("bash", &["--norc"], &line);
        assert!(content && completed.trim() == "--print-config", "{tool}: {completed:?}");
    }
}

#[test]
fn it_stands_alone() {
    let outcome = Tool::new("pso-restore").expect("built").args(["latest", "--generate", "man"]).run().expect("ends");
    outcome.assert_code(3).assert_stderr_has("--generate <KIND>' cannot be used with");
    let outcome = Tool::new("pso-health").expect("built").args(["--generate", "html"]).run().expect("ends");
    outcome.assert_code(3).assert_stderr_has("[possible values: man, bash, zsh, fish, powershell]");
}
