//! Whether what is built into the tools may be: its licences, and where it comes from.

use std::fs;
use std::path::Path;

use pso_licences::{Allowed, built_into};

#[test]
fn every_dependency_has_a_licence_and_a_source_that_deny_toml_allows() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace");
    let allowed =
        Allowed::parse(&fs::read_to_string(workspace.join(".deny.toml")).expect(".deny.toml")).expect("lists");
    let dependencies = built_into(&workspace, None).expect("cargo metadata");
    assert!(dependencies.iter().any(|dependency| dependency.name == "rusqlite"), "{} found", dependencies.len());
    assert!(!dependencies.iter().any(|dependency| dependency.name == "jsonschema"), "of the tests only");
    let refused: Vec<String> = dependencies
        .iter()
        .filter(|dependency| !allowed.licence(&dependency.licence) || !allowed.source(&dependency.source))
        .map(|dependency| {
            format!("{} {}: {:?} from {}", dependency.name, dependency.version, dependency.licence, dependency.source)
        })
        .collect();
    assert!(refused.is_empty(), "not in .deny.toml:\n{}", refused.join("\n"));
}
