//! The text below a tool's `--help`, in parts: examples, exit codes, and whatever else it tells.

/// A part of that text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// Its heading, without the colon; none where the paragraph has none.
    pub(super) heading: Option<String>,
    /// Its lines: indented ones as they stand under the heading, those of a paragraph as it was broken.
    pub(super) lines: Vec<String>,
    /// They are to be kept as they stand: what is typed, and tables.
    pub(super) as_it_stands: bool,
}

/// Takes the text apart. A line that ends in a colon is the heading of the indented lines below it; `Limits: …` begins a
/// paragraph with a heading; any other paragraph has none.
pub(super) fn parse(text: &str) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    let mut within = false;
    for line in text.lines() {
        if line.trim().is_empty() {
            within = false;
            continue;
        }
        match notes.last_mut() {
            Some(note) if within => note.lines.push(line.to_owned()),
            _ => notes.push(first_line(line)),
        }
        within = true;
    }
    for note in &mut notes {
        // A table within a paragraph.
        note.as_it_stands |= note.lines.iter().any(|line| line.starts_with(' '));
    }
    for note in notes.iter_mut().filter(|note| note.as_it_stands) {
        let indent = note.lines.iter().map(|line| line.len() - line.trim_start().len()).min().unwrap_or_default();
        for line in &mut note.lines {
            line.drain(..indent);
        }
    }
    notes
}

/// A heading is a word or three; a sentence may end in a colon too.
fn is_heading(text: &str) -> bool {
    text.split(' ').count() <= 3 && text.chars().all(|c| c.is_alphabetic() || c == ' ')
}

fn first_line(line: &str) -> Note {
    if let Some(heading) = line.strip_suffix(':').filter(|heading| is_heading(heading)) {
        return Note { heading: Some(heading.to_owned()), lines: Vec::new(), as_it_stands: true };
    }
    match line.split_once(": ") {
        Some((heading, rest)) if is_heading(heading) => {
            // It goes on from its heading in the help, and begins a paragraph in the manual.
            let mut rest = rest.chars();
            let first = rest.next().map(|first| first.to_uppercase().chain(rest).collect());
            Note { heading: Some(heading.to_owned()), lines: first.into_iter().collect(), as_it_stands: false }
        }
        _ => Note { heading: None, lines: vec![line.to_owned()], as_it_stands: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_paragraphs_and_tables() {
        let text = "Examples:\n  a | b       what it does\n    more\n\nLimits: first line\nsecond: line\n\nNo heading here.\n\nThis is a sentence and a table:\n  x  y\n\nExit codes:\n  0  well\n";
        let note = |heading: Option<&str>, lines: &[&str], as_it_stands| Note {
            heading: heading.map(str::to_owned),
            lines: lines.iter().map(|&line| line.to_owned()).collect(),
            as_it_stands,
        };
        assert_eq!(
            parse(text),
            [
                note(Some("Examples"), &["a | b       what it does", "  more"], true),
                note(Some("Limits"), &["First line", "second: line"], false),
                note(None, &["No heading here."], false),
                note(None, &["This is a sentence and a table:", "  x  y"], true),
                note(Some("Exit codes"), &["0  well"], true),
            ]
        );
    }
}
