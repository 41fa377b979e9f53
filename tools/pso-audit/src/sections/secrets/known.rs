//! The deployment's own secrets, word for word. They are held to be searched for, and never shown.

use std::path::{Path, PathBuf};

use memchr::memmem::Finder;
use pso_common::Secret;

use super::value::Standing;
use super::value::{is_default, standing};

/// A shorter one would be found in other words.
const MIN_BYTES: usize = 6;

/// A file with more than this is no file of a secret (bytes).
const MAX_FILE_BYTES: u64 = 64 << 10;

/// The secrets that are searched for.
#[derive(Default)]
pub(super) struct Known {
    secrets: Vec<(&'static str, Finder<'static>)>,
    /// Those that are too ordinary to be searched for.
    pub(super) ordinary: Vec<&'static str>,
}

impl Known {
    /// `whose` is what the secret opens, for messages.
    pub(super) fn add(&mut self, whose: &'static str, secret: &Secret, names: &[&str]) {
        let text = secret.expose().trim();
        if text.is_empty() {
            return;
        }
        let is_word = text.bytes().all(|byte| byte.is_ascii_lowercase()) && text.len() < 8;
        if text.len() < MIN_BYTES
            || is_word
            || is_default(text, names)
            || standing(text.as_bytes()) != Standing::Literal
        {
            if !self.ordinary.contains(&whose) {
                self.ordinary.push(whose);
            }
            return;
        }
        let mut forms = vec![text.to_owned()];
        let in_url = percent_encoded(text);
        if in_url != text {
            forms.push(in_url);
        }
        for form in forms {
            let finder = Finder::new(form.as_bytes()).into_owned();
            if !self.secrets.iter().any(|(_, known)| known.needle() == finder.needle()) {
                self.secrets.push((whose, finder));
            }
        }
    }

    /// Adds what stands in a file that holds one secret and nothing else.
    pub(super) fn add_file(&mut self, whose: &'static str, path: &Path) {
        let is_small = std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= MAX_FILE_BYTES);
        if !is_small {
            return;
        }
        // What cannot be read is told by the section of files.
        if let Ok(text) = std::fs::read_to_string(path)
            && text.trim().lines().count() == 1
        {
            self.add(whose, &Secret::new(text), &[]);
        }
    }

    /// Calls with each place in `text` where one stands by itself, and whose it is.
    pub(super) fn find(&self, text: &[u8], mut call: impl FnMut(usize, &'static str)) {
        for (whose, finder) in &self.secrets {
            for at in finder.find_iter(text) {
                let outside = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
                let before = at.checked_sub(1).and_then(|before| text.get(before));
                if outside(before) && outside(text.get(at + finder.needle().len())) {
                    call(at, whose);
                }
            }
        }
    }
}

/// As it stands in a URL.
fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// Files that hold a secret and nothing else, by what they are for.
pub(super) fn files(named: &[PathBuf], token: &Path) -> Vec<(&'static str, PathBuf)> {
    let mut files = vec![("the API token", token.to_path_buf())];
    files.extend(
        named.iter().filter(|path| *path != token).map(|path| ("a secret that the configuration names", path.clone())),
    );
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_where_it_stands_by_itself() {
        let mut known = Known::default();
        known.add("PostgreSQL's password", &Secret::new("p@ss/w0rd"), &[]);
        let mut places = Vec::new();
        known.find(b"x p@ss/w0rd p@ss/w0rdy url://a:p%40ss%2Fw0rd@h p@ss/w0rd", |at, whose| places.push((at, whose)));
        places.sort_unstable();
        assert_eq!(places.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [2, 31, 47]);
    }

    #[test]
    fn ordinary_words_are_not_searched_for() {
        let mut known = Known::default();
        for word in ["postgres", "abc", "planner", "hunter", "sync"] {
            known.add("PostgreSQL's password", &Secret::new(word), &["planner"]);
        }
        assert_eq!((known.secrets.len(), known.ordinary.as_slice()), (0, &["PostgreSQL's password"][..]));
    }
}
