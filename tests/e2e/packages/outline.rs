//! The example files taken apart: which keys they show, where, and what is said of them. They have one form: `#key: value` is
//! a key that is not in effect, `# text` is said of the keys below it.

use std::collections::BTreeMap;

/// A key of an example file.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// Its dotted path, such as `maintenance.health.targets[0].name`.
    pub(super) path: String,
    /// Its line, from 1.
    pub(super) line: usize,
    /// The column at which it begins, from 0.
    column: usize,
    /// What it stands below; empty for the whole file.
    pub(super) parent: String,
    /// It has a value in its line, not keys or items below it.
    pub(super) is_leaf: bool,
    /// The text above it or what it stands below calls it an example.
    pub(super) is_example: bool,
}

/// An example file.
pub(super) struct Outline {
    lines: Vec<String>,
    pub(super) keys: Vec<Key>,
}

fn is_said(line: &str) -> bool {
    let line = line.trim_start();
    line == "#" || line.starts_with("# ")
}

/// The line with the `#` taken away in front of a key.
fn uncommented(line: &str) -> String {
    let column = line.len() - line.trim_start().len();
    match line[column..].strip_prefix('#') {
        Some(rest) if !is_said(line) => format!("{}{rest}", &line[..column]),
        _ => line.to_owned(),
    }
}

/// What the keys that follow stand below.
struct Above {
    column: usize,
    path: String,
    items: usize,
    is_example: bool,
}

impl Outline {
    pub(super) fn parse(text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut keys = Vec::new();
        let mut above: Vec<Above> = Vec::new();
        let (mut said, mut goes_on) = (String::new(), false);
        for (number, line) in lines.iter().enumerate() {
            if is_said(line) || line.is_empty() {
                if !goes_on {
                    said.clear();
                }
                goes_on = !line.is_empty();
                said.push_str(line);
                continue;
            }
            goes_on = false;
            let says_example = said.to_lowercase().contains("example");
            let content = uncommented(line);
            let mut column = content.len() - content.trim_start().len();
            let mut rest = content.trim_start();
            above.retain(|one| one.column < column);
            if let Some(item) = rest.strip_prefix("- ") {
                let list = above.last_mut().expect("an item stands below a list");
                let path = format!("{}[{}]", list.path, list.items);
                list.items += 1;
                let is_example = list.is_example;
                above.push(Above { column, path, items: 0, is_example });
                column += 2;
                rest = item;
            }
            let (name, value) =
                rest.split_once(':').unwrap_or_else(|| panic!("line {}: no key in {line:?}", number + 1));
            let parent = above.last().map(|one| one.path.clone()).unwrap_or_default();
            let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
            let is_example = says_example || above.last().is_some_and(|one| one.is_example);
            above.push(Above { column, path: path.clone(), items: 0, is_example });
            keys.push(Key { path, line: number + 1, column, parent, is_leaf: !value.is_empty(), is_example });
        }
        Self { lines, keys }
    }

    /// The file with every key in effect.
    pub(super) fn whole(&self) -> String {
        self.with(|_| true)
    }

    /// The file as it is shipped.
    pub(super) fn with_nothing(&self) -> String {
        self.with(|_| false)
    }

    /// The file with this key in effect, and of the others only what it stands below.
    pub(super) fn alone(&self, key: &Key) -> String {
        // An entry of a list may need its other keys.
        let list = key.path.split_once('[').map(|(list, _)| list);
        self.with(|line| {
            let other = self.keys.iter().find(|other| other.line == line);
            other.is_some_and(|other| {
                let is_above = key.path.starts_with(&format!("{}.", other.path)) || list == Some(&other.path);
                other.path == key.path
                    || is_above
                    || list.is_some_and(|list| other.path.starts_with(&format!("{list}[")))
            })
        })
    }

    fn with(&self, wanted: impl Fn(usize) -> bool) -> String {
        let numbered = self.lines.iter().enumerate();
        numbered
            .map(|(number, line)| if wanted(number + 1) { uncommented(line) + "\n" } else { format!("{line}\n") })
            .collect()
    }

    /// The mappings that are written one key a line, each with the names of its keys.
    pub(super) fn mappings(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut mappings: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for key in &self.keys {
            let name = key.path.rsplit_once('.').map_or(key.path.as_str(), |(_, name)| name);
            mappings.entry(&key.parent).or_default().push(name);
        }
        mappings
    }

    /// The whole file with one more key in that mapping.
    pub(super) fn with_another(&self, mapping: &str, name: &str) -> String {
        let first = self.keys.iter().find(|key| key.parent == mapping).expect("a mapping has a key");
        let mut lines: Vec<String> = self.whole().lines().map(str::to_owned).collect();
        let column = first.column;
        // After a value, because the first key of an item stands behind its `- `.
        let at = if first.is_leaf { first.line } else { first.line - 1 };
        lines.insert(at, format!("{:column$}{name}: 1", ""));
        lines.join("\n") + "\n"
    }
}
