//! Which zone the stamps of which file are of.

use std::path::Path;

use glob::{MatchOptions, Pattern};
use pso_common::config::ConfigValue;

use crate::stamps::zone::Zone;

/// A pattern of file names, such as `app-*.log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileGlob(Pattern);

const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

impl FileGlob {
    /// Whether a file is meant: by its name, by its name before it was rotated or compressed, or by its path.
    fn fits(&self, path: &Path) -> bool {
        let fits = |path: &Path| self.0.matches_path_with(path, OPTIONS);
        if fits(path) {
            return true;
        }
        let Some(name) = path.file_name() else { return false };
        let name = name.to_string_lossy();
        // `app.log.2.gz` is an `app.log` too. Every ending may be rotation's, so that no list of them is needed.
        let shorter = name.match_indices(['.', '-']).map(|(at, _)| &name[..at]).filter(|name| name.contains('.'));
        shorter.chain([&*name]).any(|name| fits(Path::new(name)) || fits(&path.with_file_name(name)))
    }
}

impl ConfigValue for FileGlob {
    const EXPECTED: &'static str = "a pattern of file names such as app-*.log or nginx/*.log";

    fn parse(text: &str) -> Option<Self> {
        Pattern::new(text.trim()).ok().filter(|pattern| !pattern.as_str().is_empty()).map(Self)
    }

    fn show(&self) -> String {
        self.0.as_str().to_owned()
    }
}

/// The zones of all files.
#[derive(Clone, Debug)]
pub(crate) struct Zones {
    /// For files of no pattern, and for moments that are asked for.
    pub(crate) default: Zone,
    /// In their order: the first that fits counts.
    pub(crate) by_file: Vec<(FileGlob, Zone)>,
}

impl Zones {
    /// The zone of a file's stamps that name none.
    pub(crate) fn of(&self, path: &Path) -> &Zone {
        self.by_file.iter().find(|(files, _)| files.fits(path)).map_or(&self.default, |(_, zone)| zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_names_and_paths_rotated_or_not() {
        for (pattern, path, expected) in [
            ("app-*.log", "logs/app-1.log", true),
            ("app-*.log", "logs/app-1.log.3", true),
            ("app-*.log", "logs/app-1.log.3.gz", true),
            ("app-*.log", "logs/app-1.log-20250612.zst", true),
            ("app-*.log", "app-1.log", true),
            ("app-*.log", "logs/app-1.logs", false),
            ("app-*.log", "logs/my-app-1.log", false),
            ("app-*.log", "app-1.log/other.log", false),
            ("logs/*.log", "logs/a.log", true),
            ("logs/*.log", "logs/a.log.1.gz", true),
            ("logs/*.log", "logs/deep/a.log", false),
            ("logs/**/*.log", "logs/deep/a.log.1", true),
            ("**/nginx/*", "/var/log/nginx/access.log.1", true),
            ("[ab].log", "b.log", true),
            ("-", "-", true),
            ("*", "x", true),
        ] {
            let glob = FileGlob::parse(pattern).expect("a pattern");
            assert_eq!(glob.fits(Path::new(path)), expected, "{pattern} {path}");
        }
        for bad in ["", " ", "a[", "a***b"] {
            assert_eq!(FileGlob::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_first_pattern_that_fits_counts() {
        let by_file = [("a*.log", 3600), ("*.log", 7200)];
        let by_file = by_file.map(|(glob, zone)| (FileGlob::parse(glob).expect("a pattern"), Zone::Fixed(zone)));
        let zones = Zones { default: Zone::UTC, by_file: by_file.into() };
        let shown = ["ab.log", "b.log.1", "c.txt"].map(|path| zones.of(Path::new(path)).show());
        assert_eq!(shown, ["+01:00", "+02:00", "UTC"]);
    }
}
