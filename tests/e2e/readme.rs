//! What the README says of the tests.

use std::fs;
use std::path::Path;

use regex::Regex;

#[test]
fn every_test_that_the_readme_names_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(folder.join("../README.md")).expect("a README");
    let table = readme.split("## The maintenance plan, line by line").nth(1).expect("the table");
    let table = table.split("\n## ").next().expect("its end");
    let named = Regex::new("`((?:[a-z_]+::)+)([a-z_]+)`").expect("valid");
    let mut number = 0;
    for name in named.captures_iter(table) {
        let module = name[1].trim_end_matches("::").replace("::", "/");
        let file = folder.join("e2e").join(&module);
        let text = fs::read_to_string(file.with_extension("rs")).or_else(|_| fs::read_to_string(file.join("mod.rs")));
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", &name[0]));
        assert!(text.contains(&format!("#[test]\nfn {}()", &name[2])), "{} is no test", &name[0]);
        number += 1;
    }
    assert!(number > 30, "{number}");
}
