//! What a package carries beside a binary, made by the binary itself out of its flags: its manual page and its completions.
//! So neither can tell of another version than the one that is installed, as ripgrep does it
//! (<https://github.com/BurntSushi/ripgrep/blob/master/FAQ.md#manpage>).

mod manual;
mod notes;

use std::ffi::OsString;
use std::io::Write;

use clap::{Command, ValueEnum};
use clap_complete::Shell;

/// What `--generate` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Generated {
    /// The manual page, as troff
    Man,
    /// Completions for bash
    Bash,
    /// Completions for zsh
    Zsh,
    /// Completions for fish
    Fish,
    /// Completions for PowerShell
    Powershell,
}

impl Generated {
    /// What the arguments ask for, if `--generate KIND` is all of them. It is looked for before they are parsed, because
    /// it needs nothing of what a run needs, such as the archive to restore.
    pub(super) fn asked_for(args: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let args: Vec<OsString> = args.into_iter().skip(1).collect();
        let kind = match args.as_slice() {
            [flag, kind] if flag == "--generate" => kind.to_str()?,
            [both] => both.to_str()?.strip_prefix("--generate=")?,
            _ => return None,
        };
        Self::from_str(kind, false).ok()
    }

    /// Writes it for the tool of these flags.
    pub(super) fn write(self, mut command: Command, out: &mut dyn Write) -> std::io::Result<()> {
        let shell = match self {
            Self::Man => return manual::write(command, out),
            Self::Bash => Shell::Bash,
            Self::Zsh => Shell::Zsh,
            Self::Fish => Shell::Fish,
            Self::Powershell => Shell::PowerShell,
        };
        let name = command.get_name().to_owned();
        // Into memory first: clap_complete panics where it cannot write, and a closed pipe is nobody's problem.
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command, name, &mut script);
        out.write_all(&script)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_for(args: &[&str]) -> Option<Generated> {
        Generated::asked_for(args.iter().map(OsString::from))
    }

    #[test]
    fn only_where_it_is_all_of_the_arguments() {
        assert_eq!(asked_for(&["pso-x", "--generate", "man"]), Some(Generated::Man));
        assert_eq!(asked_for(&["pso-x", "--generate=powershell"]), Some(Generated::Powershell));
        // The parser tells what is wrong with these.
        for args in [&["pso-x"][..], &["pso-x", "--generate"], &["pso-x", "--generate", "html"]] {
            assert_eq!(asked_for(args), None, "{args:?}");
        }
        assert_eq!(asked_for(&["pso-x", "latest", "--generate", "man"]), None);
    }
}
