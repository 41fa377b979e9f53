//! The fuzz targets: what `make fuzz` calls with bytes that nobody wrote by hand, and `cargo test` with the seeds in
//! `tests/fuzz/seeds` and random changes of them.
//!
//! Each takes anything at all, and panics where a promise of the module that it is about is broken. Wherever it can it
//! compares with a second, slower answer: the crates `jiff`, `serde_json` and `regex`, or [`naive`].

mod choices;
mod decode;
mod json;
mod lines;
mod naive;
mod patterns;
mod scan;
mod stamps;
mod templates;

#[cfg(test)]
mod tests;

pub use decode::decode;
pub use json::json;
pub use lines::lines;
pub use patterns::patterns;
pub use scan::scan;
pub use stamps::stamps;
pub use templates::templates;

/// Takes anything at all.
pub type Target = fn(&[u8]);

/// All targets, by the names of their files in `tests/fuzz/targets` and their folders in `tests/fuzz/seeds`.
pub const TARGETS: [(&str, Target); 7] = [
    ("stamps", stamps),
    ("lines", lines),
    ("scan", scan),
    ("json", json),
    ("patterns", patterns),
    ("decode", decode),
    ("templates", templates),
];
