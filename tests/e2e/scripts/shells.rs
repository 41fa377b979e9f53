//! The shells that the scripts are written for.

use std::path::PathBuf;

use pso_tests::tool::Tool;

/// bash, or PowerShell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    Bash,
    PowerShell,
}

impl Shell {
    /// Those that this machine has: bash, and PowerShell where `pwsh` is on the PATH.
    #[expect(clippy::print_stderr, reason = "what was not run should be seen")]
    pub(crate) fn all() -> Vec<Self> {
        if pwsh().is_some() {
            vec![Self::Bash, Self::PowerShell]
        } else {
            eprintln!("skipped: no pwsh on the PATH, so only the .sh was run");
            vec![Self::Bash]
        }
    }

    /// The script in this shell's language. A parameter's name is that of the .sh (`hours-back`); a switch has no value.
    pub(crate) fn script(self, name: &str, parameters: &[(&str, &str)]) -> Tool {
        let file = super::folder().join(self.file(name));
        let tool = match self {
            Self::Bash => Tool::program(file),
            Self::PowerShell => Tool::program(pwsh().expect("pwsh"))
                .args(["-NoLogo", "-NoProfile", "-NonInteractive", "-File"])
                .arg(file)
                .env("POWERSHELL_TELEMETRY_OPTOUT", "1"),
        };
        parameters.iter().fold(tool, |tool, (name, value)| {
            let tool = tool.arg(self.parameter(name));
            if value.is_empty() { tool } else { tool.arg(value) }
        })
    }

    pub(crate) fn file(self, name: &str) -> String {
        match self {
            Self::Bash => format!("{name}.sh"),
            Self::PowerShell => format!("{name}.ps1"),
        }
    }

    /// `hours-back` as this shell's people write it: `--hours-back`, `-HoursBack`.
    pub(crate) fn parameter(self, name: &str) -> String {
        match self {
            Self::Bash => format!("--{name}"),
            Self::PowerShell => format!("-{}", pascal(name)),
        }
    }
}

/// `hours-back` as `HoursBack`.
pub(crate) fn pascal(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    words.collect()
}

fn pwsh() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("pwsh")).find(|program| program.is_file())
}
