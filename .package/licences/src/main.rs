//! `pso-licences [TARGET]` writes the document for the packages to stdout; it is called in the workspace's folder.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let target = std::env::args().nth(1);
    let workspace = Path::new(".").canonicalize().context("find the current folder")?;
    let dependencies = pso_licences::built_into(&workspace, target.as_deref())?;
    let texts = pso_licences::Texts::gather(&dependencies)?;
    let mut document = Vec::new();
    pso_licences::write(&dependencies, &texts, &mut document)?;
    std::io::stdout().write_all(&document).context("write to stdout")
}
