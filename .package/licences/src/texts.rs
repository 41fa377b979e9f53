//! The texts: each once, with the packages that carry it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::Dependency;

/// What a licence file's name begins with, in upper case.
const NAMES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// Texts with their packages.
#[derive(Debug, Default)]
pub struct Texts {
    /// A text, and the numbers of the packages that carry it.
    by_text: BTreeMap<String, Vec<usize>>,
    /// The numbers of the packages without any.
    missing: Vec<usize>,
}

impl Texts {
    /// Gathers them from the packages' sources.
    ///
    /// # Errors
    /// When a folder or file cannot be read.
    pub fn gather(dependencies: &[Dependency]) -> anyhow::Result<Self> {
        let mut texts = Self::default();
        for (number, dependency) in dependencies.iter().enumerate() {
            let files = files_of(&dependency.folder)?;
            if files.is_empty() {
                texts.missing.push(number);
            }
            for file in files {
                let bytes = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
                let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").trim_matches('\n').to_owned();
                let carriers = texts.by_text.entry(text).or_default();
                if !carriers.contains(&number) {
                    carriers.push(number);
                }
            }
        }
        Ok(texts)
    }
}

/// The licence files in a package's folder and in the folder LICENSES of it, in the order of their names.
fn files_of(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("list {}", folder.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if !NAMES.iter().any(|start| name.starts_with(start)) {
            continue;
        }
        if path.is_dir() {
            for entry in fs::read_dir(&path).with_context(|| format!("list {}", path.display()))? {
                found.push(entry.with_context(|| format!("list {}", path.display()))?.path());
            }
        } else {
            found.push(path);
        }
    }
    found.retain(|path| path.is_file());
    found.sort();
    Ok(found)
}

/// Writes the whole document.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(dependencies: &[Dependency], texts: &Texts, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(
        out,
        "What is built into the pso tools, beside their own code (MIT OR Apache-2.0, see LICENSE) and Rust's standard\n\
         library (MIT OR Apache-2.0, https://github.com/rust-lang/rust; static builds also have musl's libc, MIT,\n\
         https://musl.libc.org). The texts that came with the packages follow below, each once.\n"
    )?;
    for dependency in dependencies {
        writeln!(out, "{} {}: {}  {}", dependency.name, dependency.version, dependency.licence, dependency.repository)?;
    }
    if !texts.missing.is_empty() {
        writeln!(out, "\nThese came without a text of their own; their licence is named above:")?;
        for &number in &texts.missing {
            writeln!(out, "  {} {}", dependencies[number].name, dependencies[number].version)?;
        }
    }
    // In the order of the first package that has it.
    let mut ordered: Vec<(&String, &Vec<usize>)> = texts.by_text.iter().collect();
    ordered.sort_by_key(|(text, carriers)| (carriers[0], text.as_str()));
    for (text, carriers) in ordered {
        writeln!(out, "\n{}", "=".repeat(100))?;
        for &number in carriers {
            writeln!(out, "{} {}", dependencies[number].name, dependencies[number].version)?;
        }
        writeln!(out, "{}\n{text}", "-".repeat(100))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_once_and_what_is_missing_by_name() {
        let folder = std::env::temp_dir().join(format!("pso-licences-{}", std::process::id()));
        let package = |name: &str, files: &[(&str, &str)]| {
            let own = folder.join(name);
            for (file, text) in files {
                let path = own.join(file);
                fs::create_dir_all(path.parent().expect("in a folder")).expect("made");
                fs::write(path, text).expect("written");
            }
            fs::create_dir_all(&own).expect("made");
            Dependency {
                name: name.to_owned(),
                version: "1.0.0".to_owned(),
                licence: "MIT".to_owned(),
                repository: String::new(),
                source: String::new(),
                folder: own,
            }
        };
        let all = [
            package("a", &[("LICENSE-MIT", "the same\r\n"), ("src/license.rs", "code")]),
            package("b", &[("license.md", "the same\n"), ("LICENSES/NOTICE.txt", "a notice\n")]),
            package("c", &[("README.md", "no licence")]),
        ];
        let texts = Texts::gather(&all).expect("readable");
        fs::remove_dir_all(&folder).expect("removed");
        let mut out = Vec::new();
        write(&all, &texts, &mut out).expect("written");
        let out = String::from_utf8(out).expect("text");
        assert_eq!(out.matches("the same").count(), 1, "{out}");
        assert!(out.contains("\na 1.0.0\nb 1.0.0\n---"), "{out}");
        assert!(out.contains("named above:\n  c 1.0.0\n\n==="), "{out}");
        assert!(out.contains("\na notice\n") && !out.contains("code\n"), "{out}");
    }
}
