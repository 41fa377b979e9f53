//! Holds what a tool wrote against the record contract.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use anyhow::{Context, Result, ensure};
use jsonschema::Validator;
use pso_common::record::schema;
use serde_json::Value;

/// Whether a record is as the JSON Schema of its kind says; unknown kinds and unknown fields are not.
///
/// # Errors
/// The kind, the place in the record and what is wrong there.
pub fn conforms(record: &Value) -> Result<()> {
    static VALIDATORS: OnceLock<Mutex<HashMap<&'static str, Validator>>> = OnceLock::new();
    let kind = record["kind"].as_str().context("the record has no kind")?;
    let info = schema::find(kind).with_context(|| format!("no tool is known to write {kind:?}"))?;
    let mut validators =
        VALIDATORS.get_or_init(Mutex::default).lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !validators.contains_key(info.kind) {
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&info.schema())
            .with_context(|| format!("compile the schema of {kind}"))?;
        validators.insert(info.kind, validator);
    }
    let errors: Vec<String> =
        validators[info.kind].iter_errors(record).map(|error| format!("{}: {error}", error.instance_path())).collect();
    ensure!(errors.is_empty(), "a record of kind {kind} is not as its schema says: {}\n{record:#}", errors.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::conforms;

    #[test]
    fn what_is_not_in_the_contract_is_refused() {
        let mut record = json!({
            "schema": 1, "kind": "run.end", "at": "2026-11-22T09:00:00.000Z", "tool": "t", "host": "h",
            "severity": "ok", "name": "t", "message": "", "pid": 1, "records": 1, "elapsed_ms": 1, "exit_code": 0
        });
        conforms(&record).expect("as the contract says");
        record["error"] = json!(null);
        conforms(&record).expect_err("absent, not null");
        record.as_object_mut().expect("an object").remove("error");
        record["at"] = json!("yesterday");
        conforms(&record).expect_err("not a time");
        record["at"] = json!("2026-11-22T09:00:00.000Z");
        record["later"] = json!(1);
        conforms(&record).expect_err("an unknown field");
    }
}
