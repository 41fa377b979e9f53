//! Which packages end up in the binaries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// A package of somebody else's that is built into a tool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its SPDX licence expression; empty where it states none.
    pub licence: String,
    /// Where its sources are kept.
    pub repository: String,
    /// Where cargo has it from, such as `registry+https://…`.
    pub source: String,
    /// The folder of its sources on this machine.
    pub folder: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
    workspace_members: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    source: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize)]
struct EdgeKind {
    /// `build`, `dev`, or nothing for what is linked.
    kind: Option<String>,
}

/// The packages that are built into the tools below `workspace`/tools, in the order of their names. `target` is a target
/// triple; without one those of every platform.
///
/// # Errors
/// When cargo cannot tell, such as without the sources of a package.
pub fn built_into(workspace: &Path, target: Option<&str>) -> anyhow::Result<Vec<Dependency>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace).args(["metadata", "--format-version", "1", "--locked"]);
    if let Some(target) = target {
        command.args(["--filter-platform", target]);
    }
    let output = command.output().context("run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("read what cargo metadata says")?;
    Ok(linked(metadata, &workspace.join("tools")))
}

fn linked(metadata: Metadata, tools: &Path) -> Vec<Dependency> {
    let edges: BTreeMap<&str, &[Edge]> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node.deps.as_slice())).collect();
    let mut waiting: Vec<&str> = metadata
        .packages
        .iter()
        .filter(|package| metadata.workspace_members.contains(&package.id) && package.manifest_path.starts_with(tools))
        .map(|package| package.id.as_str())
        .collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if seen.insert(id) {
            // What runs only while building or testing is in no binary.
            let own = edges.get(id).copied().unwrap_or_default().iter();
            waiting.extend(
                own.filter(|edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none())).map(|edge| edge.pkg.as_str()),
            );
        }
    }
    let mut found: Vec<Dependency> = metadata
        .packages
        .iter()
        .filter(|package| seen.contains(package.id.as_str()))
        .filter_map(|package| {
            Some(Dependency {
                name: package.name.clone(),
                version: package.version.clone(),
                licence: package.license.clone().unwrap_or_default(),
                repository: package.repository.clone().unwrap_or_default(),
                // Ours have none.
                source: package.source.clone()?,
                folder: package.manifest_path.parent().unwrap_or(Path::new("")).to_path_buf(),
            })
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_is_followed_and_what_builds_or_tests_is_not() {
        let package = |id: &str, source: &str, path: &str| {
            format!(
                r#"{{"id":"{id}","name":"{id}","version":"1.0.0","license":"MIT","repository":null,"source":{source},"manifest_path":"{path}"}}"#
            )
        };
        let registry = r#""registry+https://example.com/index""#;
        let packages = [
            package("tool", "null", "/w/tools/tool/Cargo.toml"),
            package("tests", "null", "/w/tests/Cargo.toml"),
            package("direct", registry, "/r/direct/Cargo.toml"),
            package("indirect", registry, "/r/indirect/Cargo.toml"),
            package("builds", registry, "/r/builds/Cargo.toml"),
            package("of-tests", registry, "/r/of-tests/Cargo.toml"),
        ]
        .join(",");
        let text = format!(
            r#"{{"packages":[{packages}],"workspace_members":["tool","tests"],"resolve":{{"nodes":[
            {{"id":"tool","deps":[{{"pkg":"direct","dep_kinds":[{{"kind":null}},{{"kind":"dev"}}]}},{{"pkg":"builds","dep_kinds":[{{"kind":"build"}}]}}]}},
            {{"id":"tests","deps":[{{"pkg":"of-tests","dep_kinds":[{{"kind":null}}]}}]}},
            {{"id":"direct","deps":[{{"pkg":"indirect","dep_kinds":[{{"kind":null}}]}}]}},
            {{"id":"indirect","deps":[]}},{{"id":"builds","deps":[]}},{{"id":"of-tests","deps":[]}}]}}}}"#
        );
        let metadata = serde_json::from_str(&text).expect("well made");
        let found = linked(metadata, Path::new("/w/tools"));
        let names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["direct", "indirect"]);
        assert_eq!(found[0].folder, Path::new("/r/direct"));
    }
}
